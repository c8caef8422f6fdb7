"""The load generator: SMTP sessions in the clear or over STARTTLS, in a process of its own.

    python -m tests.bench.client '{"port": 2525, "tls": true, ...}'      (the fields of `Order`)

It says `ready` on standard output, waits for a line on standard input, works, and prints one JSON line. With `rate` 0 each
session sends as fast as it is answered; with a rate messages fall due at random times of that mean, whether or not the
server keeps up, and the latency of each counts from when it was due: a server that stalls cannot slow the measuring down.
Like the mail servers it plays, it pipelines where the peer allows it. A reply that is not the expected one ends the run.
"""

from __future__ import annotations

import asyncio
import gc
import json
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import uvloop

from gatepost.net.wire import Wire, connect
from gatepost.tls.context import Terms
from gatepost.tls.engine import TlsEngine
from gatepost.tls.sides import ClientContext

TIMEOUT = 60.0
SUITE = "TLS_AES_256_GCM_SHA384"


@dataclass
class Order:
    """What one client process is to do."""

    port: int
    messages: int
    size: int = 4096
    """Octets of mail data, about."""
    recipients: int = 1
    domain: str = "example.com"
    tls: bool = False
    group: str = "X25519"
    reuse: bool = True
    """Many messages over one connection, or one over each."""
    sessions: int = 20
    """At once; with a rate and a connection for each message, as many as are due."""
    rate: float = 0.0
    """Messages a second; 0: as fast as possible."""
    bare: bool = False
    """No SMTP: connect, shake hands, close."""
    seed: int = 1


@dataclass
class Done:
    """What came of it."""

    messages: int = 0
    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    """Milliseconds from when a message was due to its 250, in order."""
    late: list[float] = field(default_factory=list)
    """Milliseconds from when a message was due to when this program got to it: its own fault, in order."""


def content(size: int) -> bytes:
    """Return mail data of about `size` octets, its final dot included."""
    head = (
        b"From: <sender@client.example>\r\nTo: <box@example.com>\r\nSubject: bench\r\n"
        b"Date: Thu, 1 Jan 2026 00:00:00 +0000\r\nMessage-ID: <bench@client.example>\r\n\r\n"
    )
    line = b"The quick brown fox jumps over the lazy dog and back again, 0123456789.\r\n"
    return head + line * max(1, (size - len(head)) // len(line)) + b".\r\n"


class Session:
    """One connection to the server under load."""

    def __init__(self, order: Order, context: ClientContext, wire: Wire) -> None:
        self._order, self._context, self._wire = order, context, wire
        self._received = b""
        to = [f"box{at}@{order.domain}" if at else f"box@{order.domain}" for at in range(order.recipients)]
        self._envelope = "MAIL FROM:<sender@client.example>\r\n" + "".join(f"RCPT TO:<{box}>\r\n" for box in to) + "DATA\r\n"

    @classmethod
    async def open(cls, order: Order, context: ClientContext) -> Session:
        """Connect, say EHLO, and STARTTLS and EHLO again if so ordered."""
        session = cls(order, context, await connect("127.0.0.1", order.port, TIMEOUT))
        if order.bare:
            await session._shake()
            return session
        await session._expect(220)
        await session._say(b"EHLO client.example\r\n", 250)
        if order.tls:
            await session._say(b"STARTTLS\r\n", 220)
            await session._shake()
            await session._say(b"EHLO client.example\r\n", 250)
        return session

    async def _shake(self) -> None:
        outcome = await self._wire.start_tls(TlsEngine.client(self._context, "mx1.example.com"), TIMEOUT)
        if (outcome.protocol, outcome.suite, outcome.group) != ("TLSv1.3", SUITE, self._order.group):
            raise SystemExit(f"not the TLS that was to be measured: {outcome}")

    async def send(self, data: bytes) -> None:
        """Send one message and take its 250."""
        self._wire.write(self._envelope.encode())
        for _ in range(self._order.recipients + 1):
            await self._expect(250)
        await self._expect(354)
        self._wire.write(data)
        if self._wire.clogged:
            await self._wire.drain(TIMEOUT)
        await self._expect(250)

    async def quit(self) -> None:
        """Leave in order."""
        if not self._order.bare:
            await self._say(b"QUIT\r\n", 221)
        self._wire.close()

    async def _say(self, command: bytes, code: int) -> None:
        self._wire.write(command)
        await self._expect(code)

    async def _expect(self, code: int) -> None:
        """Take one reply, all its lines."""
        while True:
            line, end, rest = self._received.partition(b"\r\n")
            if end:
                self._received = rest
                if not line.startswith(b"%d" % code):
                    raise SystemExit(f"port {self._order.port} answered {line!r} where {code} was due")
                if line[3:4] != b"-":
                    return
            elif octets := await self._wire.read(TIMEOUT):
                self._received += octets
            else:
                raise SystemExit(f"port {self._order.port} closed where {code} was due")


class Run:
    """All sessions of one process."""

    def __init__(self, order: Order) -> None:
        self.order, self.done = order, Done()
        terms = Terms(methods=("TLSv1.3",), suites=(SUITE,), groups=(order.group,))
        self._context = ClientContext(terms, profile="bench")
        self._data = content(order.size)
        self._open: list[Session] = []

    async def prepare(self) -> None:
        """Open the connections that are used again and again."""
        if self.order.reuse:
            self._open = [await Session.open(self.order, self._context) for _ in range(self.order.sessions)]

    async def work(self) -> None:
        """Send everything."""
        began = time.perf_counter()
        await (self._paced(began) if self.order.rate else self._full_speed())
        self.done.seconds = time.perf_counter() - began
        self.done.latencies.sort()
        self.done.late.sort()
        for session in self._open:
            await session.quit()

    async def _full_speed(self) -> None:
        due = iter(range(self.order.messages))
        async with asyncio.TaskGroup() as tasks:
            for at in range(self.order.sessions):
                tasks.create_task(self._flood(due, self._open[at] if self._open else None))

    async def _flood(self, due: Iterator[int], session: Session | None) -> None:
        for _ in due:
            await self._one(time.perf_counter(), session)

    async def _paced(self, began: float) -> None:
        """Give each message to an idle connection, or one of its own, when it is due."""
        pace, idle = random.Random(self.order.seed), asyncio.Queue[Session]()
        for session in self._open:
            idle.put_nowait(session)
        at = began
        async with asyncio.TaskGroup() as tasks:
            for _ in range(self.order.messages):
                at += pace.expovariate(self.order.rate)
                if (ahead := at - time.perf_counter()) > 0:
                    await asyncio.sleep(ahead)
                self.done.late.append(1000 * max(0.0, time.perf_counter() - at))
                tasks.create_task(self._due(at, idle if self._open else None))

    async def _due(self, at: float, idle: asyncio.Queue[Session] | None) -> None:
        session = await idle.get() if idle else None
        await self._one(at, session)
        if idle is not None and session is not None:
            idle.put_nowait(session)

    async def _one(self, began: float, session: Session | None) -> None:
        own = session is None
        session = session or await Session.open(self.order, self._context)
        if not self.order.bare:
            await session.send(self._data)
        self.done.latencies.append(1000 * (time.perf_counter() - began))
        self.done.messages += 1
        if own:
            await session.quit()


async def main(order: Order) -> dict[str, Any]:
    """Work through an order."""
    run = Run(order)
    await run.prepare()
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    gc.collect()
    gc.disable()
    await run.work()
    return asdict(run.done)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(main(Order(**json.loads(sys.argv[1]))))), flush=True)
