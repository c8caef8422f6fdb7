"""Acknowledgements held against deliveries: an own load client, an own capture peer, and the verdict.

Independent of the package on purpose: plain sockets and a few lines of SMTP, so that a fault in our engines cannot hide.
LOST is what was answered 250 and never arrived; it must be 0.
"""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

_ID = re.compile(rb"^X-Test-Id: (\d+)\r\n", re.MULTILINE)


@dataclass
class Sent:
    """What the load client saw, by message number."""

    acked: set[int] = field(default_factory=set)
    refused: dict[int, str] = field(default_factory=dict)
    unknown: set[int] = field(default_factory=set)
    """The dot was sent and no reply came: delivered or not, both are right."""
    redials: int = 0


@dataclass
class Taken:
    """A message as the capture peer was given it: the command lines, the octets behind DATA, the final dot among them."""

    mail: bytes
    rcpt: list[bytes]
    body: bytes


class Sink:
    """A capture peer in a thread of its own: takes everything, notes the number of each message it answered 250."""

    def __init__(self, delay: float = 0.0, port: int = 0) -> None:
        self.port = port
        self.delivered: Counter[int] = Counter()
        self.bodies: dict[int, bytes] = {}
        self.taken: list[Taken] = []
        self.delay = delay
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Sink:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", self.port, limit=1 << 24))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0.05))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        mail, rcpt = b"", list[bytes]()
        try:
            writer.write(b"220 sink ESMTP\r\n")
            while line := await reader.readline():
                verb = line[:4].upper()
                if verb == b"EHLO":
                    writer.write(b"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n")
                elif verb == b"DATA":
                    writer.write(b"354 go\r\n")
                    body = await reader.readuntil(b"\r\n.\r\n")
                    if self.delay:
                        await asyncio.sleep(self.delay)
                    self._note(Taken(mail, rcpt, body))
                    writer.write(b"250 taken\r\n")
                elif verb == b"QUIT":
                    writer.write(b"221 bye\r\n")
                    break
                else:
                    if verb == b"MAIL":
                        mail, rcpt = line, []
                    elif verb == b"RCPT":
                        rcpt.append(line)
                    writer.write(b"250 ok\r\n")
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    def _note(self, taken: Taken) -> None:
        self.taken.append(taken)
        found = _ID.search(taken.body)
        if found:
            number = int(found[1])
            self.delivered[number] += 1
            self.bodies[number] = taken.body


class _Client:
    def __init__(self, port: int, sent: Sent, numbers: Iterable[int], size: int, deadline: float) -> None:
        self.port, self.sent, self.size, self.deadline = port, sent, size, deadline
        self.numbers = iter(numbers)
        self.number: int | None = None
        """The message in hand: it is sent again as long as its dot was not."""

    async def run(self) -> None:
        self.number = next(self.numbers, None)
        while self.number is not None and time.monotonic() < self.deadline:
            try:
                await self._connection()
            except _Lost:
                # the dot is out and nothing came back: this one must not be sent again
                self.sent.unknown.add(self.number)
                self.number = next(self.numbers, None)
            except (OSError, asyncio.IncompleteReadError, EOFError):
                self.sent.redials += 1
                await asyncio.sleep(0.05)

    async def _connection(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            await self._expect(reader, b"220")
            await self._say(reader, writer, b"EHLO load.example\r\n")
            for _ in range(25):
                if self.number is None:
                    return
                if not await self._message(reader, writer, self.number):
                    raise EOFError
                self.number = next(self.numbers, None)
        finally:
            writer.close()

    async def _message(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> bool:
        for command in (b"MAIL FROM:<load@sender.example>\r\n", b"RCPT TO:<box@example.com>\r\n", b"DATA\r\n"):
            reply = await self._say(reader, writer, command)
            if reply[:1] not in b"23":
                return False
        writer.write(message(number, self.size) + b".\r\n")
        try:
            reply = await self._reply(reader)
        except (OSError, EOFError):
            raise _Lost from None
        if reply[:1] == b"2":
            self.sent.acked.add(number)
        else:
            self.sent.refused[number] = reply.decode(errors="replace").strip()
        return True

    async def _say(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, command: bytes) -> bytes:
        writer.write(command)
        return await self._reply(reader)

    async def _expect(self, reader: asyncio.StreamReader, code: bytes) -> None:
        if not (await self._reply(reader)).startswith(code):
            raise EOFError

    async def _reply(self, reader: asyncio.StreamReader) -> bytes:
        async with asyncio.timeout(60):
            while True:
                line = await reader.readline()
                if not line.endswith(b"\n"):
                    raise EOFError
                if line[3:4] != b"-":
                    return line


class _Lost(Exception):
    """The connection went between the dot and its reply."""


def message(number: int, size: int) -> bytes:
    """Return the numbered message as it is sent, without the final dot."""
    head = b"X-Test-Id: %d\r\nSubject: load %d\r\nFrom: <load@sender.example>\r\n\r\n" % (number, number)
    line = b"0123456789" * 7 + b"\r\n"
    return head + line * max(1, (size - len(head)) // len(line))


def load(port: int, count: int, *, connections: int = 20, size: int = 4096, seconds: float = 240.0, first: int = 0) -> Sent:
    """Send `count` messages, numbered from `first`, over `connections` connections, redialling as often as needed."""
    sent = Sent()
    numbers = iter(range(first, first + count))
    deadline = time.monotonic() + seconds

    async def main() -> None:
        clients = [_Client(port, sent, numbers, size, deadline) for _ in range(connections)]
        await asyncio.gather(*(client.run() for client in clients))

    asyncio.run(main())
    return sent


def lost(sent: Sent, sink: Sink) -> set[int]:
    """Return the numbers that were answered 250 and did not arrive."""
    return sent.acked - set(sink.delivered)
