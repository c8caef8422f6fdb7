"""Messages from 1 KB to 100 MB, one at a time, in and out again: seconds, CPU, and memory beyond what there was before.

In the clear and over TLS both ways. Memory is the peak of every process, less what that process had resident just before.
"""

from __future__ import annotations

import json
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.bench.measure import cpu_seconds, family
from tests.bench.scale_memory import MB, of_process, peak_of, reset_peak
from tests.bench.servers import sinks
from tests.support.client import Client, insecure
from tests.support.documents import relay
from tests.support.gateway import Gateway, gateway
from tests.support.probed import certificate
from tests.support.process import free_port, wait_for

WORKERS = 2
OCTETS = 20_000_000
"""Of one size are sent about so many, and one message at least."""
MOST = 500
"""Messages."""
LINE = b"x" * 74 + b"\r\n"
PIECE = LINE * 1000


@contextmanager
def served(directory: Path, tls: bool) -> Iterator[tuple[Gateway, int]]:
    """A gateway in front of a sink that is delivered to in TLS or in the clear; and its port."""
    port = free_port()
    with ExitStack() as stack:
        hops = stack.enter_context(sinks(directory))
        inside = hops.encrypted if tls else hops.plain
        document = relay(port, inside, more='certificates = ["mx"]', policy='tls = "preferred"') + certificate()
        document += f'\n[default_destination]\ntls = "{"required" if tls else "no"}"\n'
        yield stack.enter_context(gateway(directory, document, workers=WORKERS)), port


def measure(size: int, tls: bool) -> dict[str, float]:
    """Measure messages of one size."""
    count = max(1, min(MOST, OCTETS // size))
    with tempfile.TemporaryDirectory(prefix="gatepost-scale-") as name, served(Path(name), tls) as (one, port):
        assert one.process is not None
        root = one.process.pid
        with Client(port, timeout=120) as client:
            client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.ehlo()
            if tls:
                client.start_tls(insecure())
                client.ehlo()
            for _ in range(20):  # both directions are open, and what is loaded late is loaded
                _send(client, 1000)
            wait_for(lambda: _waiting(one) == 0, "the first ones are delivered")
            before = {pid: of_process(pid, "Rss") for pid in family(root)}
            for pid in before:
                reset_peak(pid)
            spent, began, slowest = cpu_seconds(root), time.monotonic(), 0.0
            for _ in range(count):
                started = time.monotonic()
                _send(client, size)
                slowest = max(slowest, time.monotonic() - started)
            accepted = time.monotonic() - began
            wait_for(lambda: one.log().count("Message finished MID") == 20 + count, "all are delivered", 120)
            relayed = time.monotonic() - began
        extra = sum(peak_of(pid) - was for pid, was in before.items())
        return {
            "extra_mb": extra / MB,
            "cpu_ms": 1000 * (cpu_seconds(root) - spent) / count,
            "accepted_s": accepted / count,
            "relayed_s": relayed / count,
            "slowest_accept_s": slowest,
            "mb_per_s": size * count / MB / accepted,
        }


def _send(client: Client, size: int) -> None:
    """Send one message of about `size` octets; it must be taken."""
    client.data()
    client.socket.sendall(b"Subject: large\r\n\r\n")
    for _ in range(size // len(PIECE)):
        client.socket.sendall(PIECE)
    client.socket.sendall(LINE * (size % len(PIECE) // len(LINE)) + b".\r\n")
    answer = client.reply()
    assert answer.startswith("250"), answer


def _waiting(one: Gateway) -> int:
    return int(one.ask("status")["queue"]["messages"])


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[2]), sys.argv[1] == "tls")))
