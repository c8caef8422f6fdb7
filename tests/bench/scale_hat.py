"""The Host Access Table from 100 to 1,000,000 members: reading, checking, building, looking up, and a commit under mail."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.bench.measure import memory
from tests.bench.scale_memory import MB, peak_of
from tests.bench.scale_probe import probing, quantile
from tests.support.documents import relay
from tests.support.gateway import COMMAND, Gateway, gateway
from tests.support.process import free_port, running, wait_for

GROUPS = 10
LOOKUPS = 20_000
QUIET = 3.0
"""Seconds of mail before a commit, to compare with."""


def members(count: int) -> list[str]:
    """Return that many different members as a large table has them: addresses, networks, names, partial names, IPv6."""
    dice = random.Random(5)
    made: dict[str, None] = {}
    while len(made) < count:
        value, kind = dice.getrandbits(32) | 1 << 24, dice.random()
        first, second, third, fourth = value.to_bytes(4, "big")
        if first == 127:
            continue  # that is we ourselves
        if kind < 0.6:
            text = f"{first}.{second}.{third}.{fourth}"
        elif kind < 0.8:
            text = f"{first}.{second}.{third}.0/24"
        elif kind < 0.9:
            text = f"mx{value}.example{value % 9973}.com"
        elif kind < 0.95:
            text = f".d{value}.example.net"
        else:
            text = f"2001:db8:{value >> 16:x}:{value & 0xFFFF:x}::/64"
        made[text] = None
    return list(made)


def document(port: int, inside: int, count: int) -> str:
    """Return a gateway whose listener has so many members in ten groups."""
    entries = members(count)
    groups = "".join(
        f'\n[[listeners.InboundMail.sender_groups]]\nname = "G{number}"\npolicy = "ACCEPT"\nsenders = {json.dumps(part)}\n'
        for number in range(GROUPS)
        if (part := entries[number::GROUPS])
    )
    return relay(port, inside).replace("[routes]", f"{groups}\n[routes]")


def inside(count: int) -> dict[str, float]:
    """Measure what the parts cost, in this process; call it in one of its own, for the memory is counted."""
    from gatepost.config.check import check
    from gatepost.config.model import Config
    from gatepost.config.toml import dumps, loads
    from gatepost.policy.verdict import Host
    from gatepost.snapshot import Snapshot

    text = document(2525, 2526, count)
    found: dict[str, float] = {}

    def timed(name: str, work: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        result = work()
        found[name] = time.perf_counter() - began
        return result

    config: Config = timed("read_s", lambda: loads(text))
    timed("check_s", lambda: check(config))
    timed("write_s", lambda: dumps(config, with_keys=True, every_field=True))
    before = _rss()
    snapshot = timed("build_s", lambda: Snapshot.build(config, 1))
    found["index_mb"] = (_rss() - before) / MB
    table = snapshot.listeners["InboundMail"].hat
    hosts = list(_hosts(Host, count))
    best = min(_seconds(lambda: [table.match(host) for host in hosts]) for _ in range(5))
    found["match_us"] = 1e6 * best / len(hosts)
    return found


def _hosts(host: Callable[..., Any], count: int) -> Iterator[Any]:
    """Return hosts of which about half are in the table, in random order."""
    known = [text for text in members(min(count, LOOKUPS)) if text[0].isdigit() and "/" not in text]
    dice = random.Random(7)
    for number in range(LOOKUPS):
        address = dice.choice(known) if number % 2 else f"{dice.randrange(1, 224)}.{number % 251}.{number % 241}.9"
        yield host(address, f"a.b.mx{number}.example.org", "verified")


def _seconds(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _rss() -> float:
    return 4096.0 * int(Path("/proc/self/statm").read_text().split()[1])


def commit_under_mail(count: int, workers: int = 2) -> dict[str, float]:
    """Import and commit a table of this size while mail comes in; what both take."""
    port, sink = free_port(), free_port()
    with (
        tempfile.TemporaryDirectory(prefix="gatepost-scale-") as name,
        running("smtp-sink", "-u", "nobody", f"127.0.0.1:{sink}", "100"),
    ):
        directory = Path(name)
        with gateway(directory, relay(port, sink), workers=workers) as one:
            assert one.process is not None
            before = memory(one.process.pid)
            found, moments = _commit(one, directory, port, document(port, sink, count))
            found["processes_mb"] = (memory(one.process.pid) - before) / MB
            found["worker_peak_mb"] = max(map(peak_of, one.workers())) / MB
            found |= moments
            one.stop()
            found["start_s"] = started(one, workers)
    return found


def started(one: Gateway, workers: int, patience: float = 300.0) -> float:
    """Start a gateway that may take its time; return how many seconds it took until every worker served."""
    began = time.monotonic()
    command = [*COMMAND, "--state", str(one.state), "serve", "--workers", str(workers)]
    with one.output.open("ab") as output:
        one.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    wait_for(lambda: one._serves(workers), "every worker serves", patience)
    return time.monotonic() - began


def _commit(one: Gateway, directory: Path, port: int, text: str) -> tuple[dict[str, float], dict[str, float]]:
    file = directory / "large.toml"
    file.write_text(text)
    marks = []

    def mark() -> None:
        marks.append(time.monotonic())

    with probing(port, directory / "latencies") as latencies:
        wait_for(lambda: (directory / "latencies").stat().st_size > 0, "the first mail")
        mark()
        time.sleep(QUIET)  # what is measured here is this time itself
        mark()
        _command(one, "config", "import", str(file))
        mark()
        _command(one, "config", "commit", "-m", "large")
        mark()
    found = {"import_s": marks[2] - marks[1], "commit_s": marks[3] - marks[2]}
    quiet, during = latencies.between(*marks[:2]), latencies.between(*marks[2:])
    moments = {"mails_failed": float(len(latencies.failed)), "mails_during": float(len(during))}
    for name, values in (("quiet", quiet), ("during", during)):
        for share, word in ((0.5, "median"), (0.99, "p99"), (1.0, "max")):
            moments[f"mail_{name}_{word}_ms"] = quantile(values, share)
    return found, moments


def _command(one: Gateway, *arguments: str) -> None:
    subprocess.run([*COMMAND, "--state", str(one.state), *arguments], check=True, stdout=subprocess.DEVNULL, timeout=600)


def measure(count: int) -> dict[str, float]:
    """Measure one size."""
    command = [sys.executable, "-m", "tests.bench.scale_hat", "inside", str(count)]
    parts = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return {**parts, **commit_under_mail(count)}


if __name__ == "__main__":
    print(json.dumps(inside(int(sys.argv[2])) if sys.argv[1] == "inside" else measure(int(sys.argv[1]))))
