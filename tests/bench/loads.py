"""The loads, and how one is put on a server.

A flood sends as fast as the server answers, from 20 sessions: messages a second, CPU for each, memory. Then messages come
at half that rate, each when it is due: latency. Mail in the clear is sent by smtp-source, which waits for each answer;
everything over TLS, and all that is paced, by `client`, which pipelines. Both servers get the same octets from the same
program. Work is over when the next hop has everything and the server is idle.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from tests.bench import measure
from tests.bench.client import Order
from tests.bench.servers import ROOT, Server, Sinks
from tests.support.process import wait_for

SESSIONS = 20


@dataclass(frozen=True)
class Load:
    """One kind of work."""

    name: str
    title: str
    messages: int
    """How many a full run sends each time: a few seconds' work for the slowest."""
    size: int = 4096
    recipients: int = 1
    certificate: str = "plain"
    """What the clients' STARTTLS meets: `rsa`, `p256`; `plain`: they do not ask for it."""
    reuse: bool = True
    encrypted_out: bool = False
    group: str = "X25519"
    peers: tuple[str, ...] = ("gatepost", "postfix")
    """Who takes this load."""

    @property
    def tls(self) -> bool:
        return self.certificate != "plain"

    @property
    def handshakes(self) -> bool:
        """Whether each message pays for one, so that a bare handshake is its yardstick."""
        return self.tls and not self.reuse

    @property
    def domain(self) -> str:
        return "tls.example.com" if self.encrypted_out else "example.com"


HYBRID = "X25519MLKEM768"
LOADS = (
    Load("plain-4k", "4 KB, reused connections", 3000),
    Load("plain-4k-new", "4 KB, a connection each", 2500, reuse=False),
    Load("rsa-4k", "4 KB over TLS, RSA-2048, reused", 2500, certificate="rsa"),
    Load("p256-4k", "4 KB over TLS, P-256, reused", 2500, certificate="p256"),
    Load("rsa-4k-new", "4 KB, STARTTLS each, RSA-2048", 900, certificate="rsa", reuse=False),
    Load("p256-4k-new", "4 KB, STARTTLS each, P-256", 1000, certificate="p256", reuse=False),
    Load("rsa-hybrid-new", "4 KB, STARTTLS, RSA, hybrid", 900, 4096, 1, "rsa", False, False, HYBRID, ("gatepost",)),
    Load("p256-hybrid-new", "4 KB, STARTTLS, P-256, hybrid", 1000, 4096, 1, "p256", False, False, HYBRID, ("gatepost",)),
    Load("plain-100k", "100 KB, reused", 800, size=100_000),
    Load("p256-100k", "100 KB over TLS, reused", 800, size=100_000, certificate="p256"),
    Load("plain-5m", "5 MB, reused", 40, size=5_000_000),
    Load("plain-50rcpt", "4 KB to 50 recipients, reused", 500, recipients=50),
    Load("out-4k", "4 KB, delivered over TLS", 2000, encrypted_out=True),
)
MAIN = LOADS[0]


@dataclass(frozen=True)
class Generators:
    """Where and how the load generators run."""

    processes: int = 1
    nice: int = 0

    def command(self, *command: str) -> list[str]:
        return ["nice", "-n", str(self.nice), *command] if self.nice else list(command)


def alternate(
    servers: Sequence[Server], load: Load, hops: Sinks, messages: int, rounds: int, generators: Generators
) -> dict[str, list[dict[str, float]]]:
    """Flood the servers in turn, A B A B, after a short run that counts for nothing; return each one's runs."""
    runs: dict[str, list[dict[str, float]]] = {server.name: [] for server in servers}
    for server in servers:
        flood(server, load, hops, max(SESSIONS, messages // 5), generators)
    for turn in range(rounds):
        for server in servers:
            runs[server.name].append(run := flood(server, load, hops, messages, generators))
            tell(f"{load.name} {turn + 1}/{rounds} {server.name}: " + " ".join(f"{key} {run[key]:.4g}" for key in run))
    return runs


def tell(text: str) -> None:
    """Say how far it has come, on standard error."""
    print(text, file=sys.stderr, flush=True)


def flood(server: Server, load: Load, hops: Sinks, messages: int, generators: Generators) -> dict[str, float]:
    """Send `messages` as fast as they are taken; return rates, CPU and memory."""
    taken, cpu = hops.taken(load.encrypted_out), measure.settled(server.pid)
    with measure.Peak(server.pid) as peak:
        if load.tls:
            seconds = _clients(server, load, messages, 0.0, generators)[0]
            began = time.monotonic() - seconds
        else:
            began = time.monotonic()
            subprocess.run(generators.command(*_smtp_source(server, load, messages)), check=True, timeout=180)
            seconds = time.monotonic() - began
        relayed = _delivered(server, load, hops, taken + messages) - began
    spent = measure.settled(server.pid) - cpu
    return {
        "accepted_per_s": messages / seconds,
        "relayed_per_s": messages / relayed,
        "cpu_ms": 1000 * spent / messages,
        "peak_mib": peak.octets / 2**20,
    }


def pace(
    server: Server, load: Load, hops: Sinks, rate: float, seconds: float, generators: Generators
) -> tuple[list[float], list[float]]:
    """Send at `rate` for some seconds; return milliseconds from due to accepted, and how late the generator was, sorted."""
    taken, messages = hops.taken(load.encrypted_out), max(20, int(rate * seconds))
    _, latencies, late = _clients(server, load, messages, rate, generators)
    _delivered(server, load, hops, taken + len(latencies))
    measure.settled(server.pid)
    return latencies, late


def _delivered(server: Server, load: Load, hops: Sinks, taken: int) -> float:
    """Wait until the next hop has taken so many messages in all; return when that was.

    That the queue is empty shows only later: Gatepost's workers tell their master once a second.
    """
    if server.name == "bare":
        return time.monotonic()
    wait_for(lambda: hops.taken(load.encrypted_out) >= taken, f"{server.name} delivers everything", 120)
    end = time.monotonic()
    wait_for(lambda: server.queued() == 0, f"{server.name} has an empty queue", 60)
    surplus = hops.taken(load.encrypted_out) - taken
    assert surplus == 0, f"{server.name} delivered {surplus} messages more than it was sent"
    return end


def _smtp_source(server: Server, load: Load, messages: int) -> list[str]:
    command = ["smtp-source", "-s", str(SESSIONS), "-m", str(messages), "-l", str(load.size)]
    command += ["-r", str(load.recipients), "-f", "sender@client.example", "-t", f"box@{load.domain}"]
    return [*command, *(["-d"] if load.reuse else []), f"127.0.0.1:{server.ports['plain']}"]


def _clients(
    server: Server, load: Load, messages: int, rate: float, generators: Generators
) -> tuple[float, list[float], list[float]]:
    """Run client processes side by side; return seconds of the slowest, all latencies, all lateness."""
    count = min(generators.processes, messages)
    shares = [messages // count + (at < messages % count) for at in range(count)]
    started = [_start(server, load, share, rate / count, seed + 1, generators) for seed, share in enumerate(shares)]
    try:
        for one in started:
            assert one.stdout is not None
            if one.stdout.readline() != "ready\n":
                raise AssertionError(f"a load generator did not start: {one.communicate()[1]}")
        answers = []
        for one in started:
            assert one.stdin is not None
            one.stdin.write("go\n")
            one.stdin.flush()
        for one in started:
            out, fault = one.communicate(timeout=180)
            assert one.returncode == 0, f"a load generator failed: {fault[-2000:]}"
            answers.append(json.loads(out))
    finally:
        for one in started:
            if one.poll() is None:
                one.kill()
                one.wait()
    return max(done["seconds"] for done in answers), _merged(answers, "latencies"), _merged(answers, "late")


def _merged(answers: Sequence[dict[str, list[float]]], key: str) -> list[float]:
    return sorted(value for done in answers for value in done[key])


def _start(
    server: Server, load: Load, messages: int, rate: float, seed: int, generators: Generators
) -> subprocess.Popen[str]:
    order = Order(
        port=server.ports[load.certificate],
        messages=messages,
        size=load.size,
        recipients=load.recipients,
        domain=load.domain,
        tls=load.tls,
        group=load.group,
        reuse=load.reuse,
        sessions=max(1, SESSIONS // generators.processes),
        rate=rate,
        bare=server.name == "bare",
        seed=seed,
    )
    command = generators.command(sys.executable, "-m", "tests.bench.client", json.dumps(asdict(order)))
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env={**os.environ})
