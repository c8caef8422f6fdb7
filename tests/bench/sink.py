"""A next hop that speaks STARTTLS and keeps nothing, in a process of its own: what smtp-sink is for plain SMTP.

    python -m tests.bench.sink PORT CERTIFICATE-AND-KEY.pem COUNTER

COUNTER is a file of eight octets, little-endian: the messages that were taken so far. One protocol object for each
connection, no coroutine: the sink must not be what limits the server in front of it. It offers what smtp-sink offers,
PIPELINING and 8BITMIME, and takes TLS 1.3 with X25519 only, so that every server delivers by the same TLS.
"""

from __future__ import annotations

import asyncio
import mmap
import struct
import sys
from pathlib import Path

import uvloop

from gatepost.errors import TlsFailure
from gatepost.tls.certificates import KeyPair
from gatepost.tls.context import Terms
from gatepost.tls.engine import TlsEngine
from gatepost.tls.sides import ServerContext

_END = b"\r\n.\r\n"
_EHLO = b"250-sink.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n"


class Sink(asyncio.Protocol):
    """One connection."""

    def __init__(self, context: ServerContext, counter: Counter) -> None:
        self._context, self._counter = context, counter
        self._engine: TlsEngine | None = None
        self._encrypted = False
        self._in_data = False
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert hasattr(transport, "write")
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        self._transport.write(b"220 sink.example ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        engine = self._engine
        if engine is None:
            self._take(data)
            return
        try:
            engine.feed(data)
            if not self._encrypted:
                self._encrypted = engine.handshake()
            if self._encrypted and (octets := engine.read()):
                self._take(octets)
        except TlsFailure as failure:
            print(failure, file=sys.stderr)
            self._transport.abort()
            return
        if sealed := engine.outgoing():
            self._transport.write(sealed)
        if engine.closed:
            self._transport.close()

    def _take(self, octets: bytes) -> None:
        received = self._received + octets if self._received else octets
        answers: list[bytes] = []
        while received:
            if self._in_data:
                at = received.find(_END)
                if at < 0:
                    received = received[-4:]  # the end may be cut in two
                    break
                received, self._in_data = received[at + 5 :], False
                self._counter.add()
                answers.append(b"250 2.0.0 taken\r\n")
                continue
            line, end, rest = received.partition(b"\r\n")
            if not end:
                break
            received = rest
            answers.append(self._answer(line[:4].upper()))
        self._received = received
        if answers:
            self._say(b"".join(answers))

    def _answer(self, verb: bytes) -> bytes:
        if verb == b"DATA":
            self._in_data = True
            return b"354 go on\r\n"
        if verb == b"EHLO":
            return _EHLO + (b"250 SIZE\r\n" if self._engine else b"250-STARTTLS\r\n250 SIZE\r\n")
        if verb == b"STAR":
            return b"220 2.0.0 go on\r\n"
        return b"221 2.0.0 bye\r\n" if verb == b"QUIT" else b"250 2.0.0 ok\r\n"

    def _say(self, answers: bytes) -> None:
        if self._engine is not None:
            self._engine.write(answers)
            return
        self._transport.write(answers)
        if answers == b"220 2.0.0 go on\r\n":
            self._engine = TlsEngine.server(self._context)
        elif answers.endswith(b"bye\r\n"):
            self._transport.close()


class Counter:
    """A number that another process can read while it grows."""

    def __init__(self, file: Path) -> None:
        with open(file, "r+b") as opened:
            self._map = mmap.mmap(opened.fileno(), 8)
        self._count = 0

    def add(self) -> None:
        """Count one."""
        self._count += 1
        struct.pack_into("<Q", self._map, 0, self._count)


async def serve(port: int, pair: KeyPair, counter: Counter) -> None:
    """Take connections for ever."""
    terms = Terms(methods=("TLSv1.3",), suites=("TLS_AES_256_GCM_SHA384",), groups=("X25519",))
    context = ServerContext(terms, [pair], profile="sink")
    server = await asyncio.get_running_loop().create_server(lambda: Sink(context, counter), "127.0.0.1", port, backlog=1000)
    await server.serve_forever()


if __name__ == "__main__":
    pem = Path(sys.argv[2]).read_text()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(int(sys.argv[1]), KeyPair(pem, pem), Counter(Path(sys.argv[3]))))
