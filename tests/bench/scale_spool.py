"""A spool from 1,000 to 1,000,000 messages: start to first delivery, memory, accepting and listing with so many in it.

The queue is that of a gateway with much to wait for: ten thousand destinations, and of a hundred messages 98 deferred for an
hour or more, one due at once, one never tried (what a crash left). It is written as the spool's own rows, not by SMTP.
"""

from __future__ import annotations

import json
import os
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from gatepost.spool import batch
from gatepost.spool.message import Content, Envelope, Message, Status
from gatepost.spool.store import Spool
from tests.bench.measure import cpu_seconds, memory
from tests.bench.scale_hat import started
from tests.bench.scale_memory import MB, peak_of
from tests.support.documents import relay
from tests.support.gateway import COMMAND, Gateway, gateway
from tests.support.process import free_port, listening, running, wait_for

DESTINATIONS = 10_000
WORKERS = 2
BODY = b"Subject: waiting\r\n\r\n" + b"It waits for its destination.\r\n" * 20
ROUNDS = 3
LOAD = 3_000
"""Messages of one round of accepting."""


def fill(directory: Path, shard: int, mids: range) -> None:
    """Make a shard with these messages."""
    Spool.open(directory, shard).close_now()
    connection = sqlite3.connect(directory / f"shard-{shard}.db", isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA cache_size = -500000")
    connection.execute("BEGIN")
    connection.executemany(batch.INSERT[1], (row[0] for row in _rows(mids)))
    connection.executemany(
        "INSERT INTO recipient VALUES (?,?,?,?,?,?,?)", (state for row in _rows(mids) if (state := row[1]) is not None)
    )
    connection.execute("UPDATE message SET fresh = 0 WHERE mid IN (SELECT mid FROM recipient)")
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    with (directory / f"shard-{shard}.db").open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)  # as after a reboot, nothing of it is in memory


def _rows(mids: range) -> Iterator[tuple[batch.Row, tuple[object, ...] | None]]:
    """Return each message's row, and the row of its recipient where it was tried before."""
    dice, now = random.Random(mids.start), time.time()
    for mid in mids:
        domain = f"d{dice.randrange(DESTINATIONS)}.example.net"
        envelope = Envelope(
            mid=mid,
            icid=mid,
            received=now - 600,
            reverse_path="sender@example.org",
            recipients=(f"user{mid}@{domain}",),
            size=len(BODY),
            listener="InboundMail",
            subject="waiting",
        )
        row = batch.insertion(Message(envelope, Content(octets=BODY))).row
        assert row is not None
        kind = mid % 100
        due = now - 5 if kind == 1 else now + 3600 + dice.random() * 7200
        yield row, None if kind == 0 else (mid, 0, domain, int(Status.DEFERRED), due, 3, "451 4.3.0 try again later")


@contextmanager
def filled(directory: Path, count: int) -> Iterator[tuple[Gateway, int]]:
    """A gateway, not started, with so many messages in its spool; and its port."""
    port, sink = free_port(), free_port()
    with ExitStack() as stack:
        # as nobody where root runs this, for smtp-sink wants no privileges
        stack.enter_context(running("smtp-sink", "-u", "nobody", "-m", "6000", f"127.0.0.1:{sink}", "4000"))
        wait_for(lambda: listening(sink), "smtp-sink listens")
        one = stack.enter_context(gateway(directory, relay(port, sink), start=False))
        spool = one.state / "spool"
        for shard in range(WORKERS if count else 0):
            spool.mkdir(mode=0o700, exist_ok=True)
            fill(spool, shard, range(1 + shard * (count // WORKERS), 1 + (shard + 1) * (count // WORKERS)))
        yield one, port


def measure(count: int) -> dict[str, float]:
    """Measure one size, beside an empty spool."""
    with tempfile.TemporaryDirectory(prefix="gatepost-scale-") as name, ExitStack() as stack:
        (Path(name) / "empty").mkdir()
        one, port = stack.enter_context(filled(Path(name), count))
        other, other_port = stack.enter_context(filled(Path(name) / "empty", 0))
        began = time.monotonic()
        found = {"start_s": started(one, WORKERS)}
        wait_for(lambda: "Message done DCID" in one.log(), "the first delivery", 120)
        found["first_delivery_s"] = time.monotonic() - began
        deferred = count * 98 // 100
        wait_for(lambda: all("messages" in worker for worker in one.ask("status")["workers"]), "every worker has counted")
        wait_for(lambda: _waiting(one) <= deferred, "what is due goes out", 300)
        found["backlog_s"] = time.monotonic() - began
        assert one.process is not None
        family = [one.process.pid, *one.workers()]
        found["peak_mb"] = sum(map(peak_of, family)) / MB
        found["memory_mb"] = memory(one.process.pid) / MB
        found |= _listing(one)
        started(other, WORKERS)
        found |= _accepting(one, port, other, other_port)
        found["memory_after_mb"] = memory(one.process.pid) / MB
        return found


def _waiting(one: Gateway) -> int:
    return int(one.ask("status")["queue"]["messages"])


def _listing(one: Gateway) -> dict[str, float]:
    """Time the listing as an operator calls it, and as the service answers it."""

    def seconds(*arguments: str) -> float:
        began = time.monotonic()
        command = [*COMMAND, "--state", str(one.state), "queue", "list", *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=300)
        return time.monotonic() - began

    began = time.monotonic()
    one.ask("queue_list")
    answered = time.monotonic() - began
    return {
        "list_answer_s": answered,
        "list_s": min(seconds() for _ in range(2)),
        "list_one_s": min(seconds("--destination", "d77.example.net") for _ in range(2)),
    }


def _accepting(one: Gateway, port: int, other: Gateway, other_port: int) -> dict[str, float]:
    """Load the full gateway and the empty one in turn, and compare."""
    rates: dict[int, list[float]] = {port: [], other_port: []}
    cpu: dict[int, list[float]] = {port: [], other_port: []}
    for turn in range(ROUNDS + 1):
        for gate, at in ((one, port), (other, other_port)):
            assert gate.process is not None
            before, waiting = cpu_seconds(gate.process.pid), _waiting(gate)
            began = time.monotonic()
            command = ["smtp-source", "-d", "-s", "20", "-m", str(LOAD), "-l", "2048", "-t", "box@example.com"]
            subprocess.run([*command, f"127.0.0.1:{at}"], check=True, timeout=300)
            took = time.monotonic() - began
            wait_for(lambda gate=gate, waiting=waiting: _waiting(gate) <= waiting, "all of it is delivered", 120)  # type: ignore[misc]
            if turn:  # the first one warms
                rates[at].append(LOAD / took)
                cpu[at].append(1000 * (cpu_seconds(gate.process.pid) - before) / LOAD)
    full, empty = (statistics.median(rates[at]) for at in (port, other_port))
    return {
        "accepted_per_s": full,
        "accepted_empty_per_s": empty,
        "accepted_ratio": full / empty,
        "cpu_ms": statistics.median(cpu[port]),
        "cpu_empty_ms": statistics.median(cpu[other_port]),
    }


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))
