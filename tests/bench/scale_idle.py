"""Idle connections from 100 to 10,000, in the clear and in TLS: what each costs in memory, and whether mail still flows.

A connection is idle after EHLO, in TLS after the EHLO behind the handshake. Memory is that of all processes of the gateway,
shared pages counted once, less what they had with three hundred connections of the kind, which stay: so neither what is
loaded for the first one counts, nor is there room left by others to move in.
"""

from __future__ import annotations

import json
import resource
import socket
import ssl
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.bench.measure import memory
from tests.bench.scale_memory import of_process
from tests.bench.scale_probe import one_mail
from tests.support.client import insecure
from tests.support.documents import relay
from tests.support.gateway import Gateway, gateway
from tests.support.probed import certificate
from tests.support.process import free_port, listening, running, wait_for

WORKERS = 2
WARM = 300
MAILS = 100
LISTENER = 'certificates = ["mx"]\nmax_concurrency = 30000\ntcp_queue = 1000'
POLICY = 'tls = "preferred"\nmax_connections_per_host = -1'


@contextmanager
def served(directory: Path) -> Iterator[tuple[Gateway, int]]:
    """A gateway that takes any number of connections, and its port."""
    port, sink = free_port(), free_port()
    with ExitStack() as stack:
        stack.enter_context(running("smtp-sink", "-u", "nobody", f"127.0.0.1:{sink}", "100"))
        wait_for(lambda: listening(sink), "smtp-sink listens")
        document = relay(port, sink, more=LISTENER, policy=POLICY) + certificate()
        yield stack.enter_context(gateway(directory, document, workers=WORKERS)), port


class Idle:
    """One connection that is held and says nothing."""

    def __init__(self, port: int, kind: str, context: ssl.SSLContext) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), 60)
        self._hear(b"220 ")
        self._say(b"EHLO client.example\r\n")
        if kind == "tls":
            self._say(b"STARTTLS\r\n")
            self._socket = context.wrap_socket(self._socket)
            self._say(b"EHLO client.example\r\n")

    def _say(self, line: bytes) -> None:
        self._socket.sendall(line)
        self._hear(b"2")

    def _hear(self, start: bytes) -> None:
        heard = b""
        while not (heard.endswith(b"\r\n") and heard[heard.rfind(b"\n", 0, -2) + 1 :][3:4] == b" "):
            piece = self._socket.recv(4096)
            assert piece, f"closed after {heard!r}"
            heard += piece
        assert heard.startswith(start), heard

    def close(self) -> None:
        self._socket.close()


def measure(kind: str, count: int) -> dict[str, float]:
    """Measure one size of one kind."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    context = insecure()
    with tempfile.TemporaryDirectory(prefix="gatepost-scale-") as name, served(Path(name)) as (one, port):
        assert one.process is not None
        root, workers = one.process.pid, one.workers()
        first = [Idle(port, kind, context) for _ in range(WARM)]
        quiet = _mails(port)
        wait_for(lambda: _sessions(one) == WARM, "the first ones are counted")
        before, master, began = memory(root), of_process(root), time.monotonic()
        held = [Idle(port, kind, context) for _ in range(count)]
        took = time.monotonic() - began
        wait_for(lambda: _sessions(one) == WARM + count, "all are counted")
        grown, grown_master = memory(root) - before, of_process(root) - master
        meanwhile = _mails(port)
        share = [worker["sessions"] / (WARM + count) for worker in one.ask("status")["workers"]]
        for idle in first + held:
            idle.close()
        wait_for(lambda: _sessions(one) == 0, "all are gone")
        assert one.workers() == workers, "no worker was replaced"
        return {
            "each_kb": grown / count / 1000,
            "each_in_master_kb": grown_master / count / 1000,
            "left_kb": (memory(root) - before) / count / 1000,
            "opened_per_s": count / took,
            "largest_share": max(share),
            "mail_quiet_ms": quiet,
            "mail_meanwhile_ms": meanwhile,
            "mail_ratio": meanwhile / quiet,
        }


def _sessions(one: Gateway) -> int:
    return sum(int(worker.get("sessions", 0)) for worker in one.ask("status")["workers"])


def _mails(port: int) -> float:
    """Return the median of what mails take, one after another, in milliseconds."""
    took = []
    for _ in range(MAILS):
        began = time.monotonic()
        assert one_mail(port).startswith("250")
        took.append(1000 * (time.monotonic() - began))
    return statistics.median(took)


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))
