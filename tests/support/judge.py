"""Acknowledgements held against deliveries: an own load client, an own capture peer.

Independent of the package on purpose: plain sockets and a few lines of SMTP, so that a fault in our engines cannot hide.
LOST is what was answered 250 and never arrived; it must be 0. The whole verdict is `tests.faults.judge`.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

_ID = re.compile(rb"^X-Test-Id: (\d+)\r\n", re.MULTILINE)
_HEADERS = re.compile(rb"(?:[!-9;-~]+:[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*)*")
PATIENCE = 60.0
"""Seconds that the client waits for a reply."""
PER_CONNECTION = 25
"""Messages that the client sends over one connection."""


# --- messages --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mix:
    """Which message belongs to a number: most have `size` octets, one in `every` has `large` (0: none)."""

    size: int = 4096
    large: int = 1 << 20
    every: int = 0

    def message(self, number: int) -> bytes:
        """Return the content of a message, before dots are doubled; the same for a number each time."""
        size = self.large if self.every and number % self.every == self.every - 1 else self.size
        head = (
            b"X-Test-Id: %d\r\nDate: Tue, 24 Nov 2026 08:00:00 +0000\r\nMessage-ID: <%d@load.example>\r\n"
            b"From: <load@sender.example>\r\nSubject: load %d\r\n\r\n.\r\n..dots and %s \xe4\r\n\r\n"
        ) % (number, number, number, b"x" * (number % 61))
        line = b"0123456789" * 7 + b"\r\n"
        return head + line * max(1, (size - len(head)) // len(line))


def is_whole(mix: Mix, number: int, body: bytes) -> bool:
    """Return whether mail data as it arrived is our message, with nothing but header fields put before it."""
    content = body.removesuffix(b".\r\n").replace(b"\r\n..", b"\r\n.")
    expected = mix.message(number)
    return content.endswith(expected) and _HEADERS.fullmatch(content[: -len(expected)]) is not None


# --- the capture peer ------------------------------------------------------------------------------------------------


@dataclass
class Taken:
    """A message as the capture peer was given it: the command lines, the octets behind DATA, the final dot among them."""

    mail: bytes
    rcpt: list[bytes]
    body: bytes


class Sink:
    """A capture peer in a thread of its own: takes everything, notes the number of each message it answered 250.

    With a `mix` it looks at each message as it comes, notes those that are not whole, and keeps none. Its `mood` is `well`,
    `busy` (451 to MAIL), `closing` (hangs up at once), `silent` (says nothing) or `refusing` (does not listen).
    """

    def __init__(self, delay: float = 0.0, port: int = 0, mix: Mix | None = None) -> None:
        self.port = port
        self.delivered: Counter[int] = Counter()
        self.altered: set[int] = set()
        self.bodies: dict[int, bytes] = {}
        self.taken: list[Taken] = []
        self.connections, self.most_connections = 0, 0
        self.last = time.monotonic()
        """When the last message came."""
        self.delay, self.mix, self.mood = delay, mix, "well"
        self._writers: set[asyncio.StreamWriter] = set()
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Sink:
        self._loop = asyncio.new_event_loop()
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def feel(self, mood: str) -> None:
        """Change the mood; unless it is `well`, connections that are open are dropped."""
        asyncio.run_coroutine_threadsafe(self._feel(mood), self._loop).result(10)

    async def _feel(self, mood: str) -> None:
        before, self.mood = self.mood, mood
        if mood == "refusing":
            self._server.close()
        elif before == "refusing":
            await self._listen()
        for writer in list(self._writers):
            writer.close()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, limit=1 << 26)
        self.port = self._server.sockets[0].getsockname()[1]

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._listen())
        self._ready.set()
        self._loop.run_forever()
        self._server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0.05))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        self.connections += 1
        self.most_connections = max(self.most_connections, self.connections)
        try:
            if self.mood == "silent":
                await reader.read()  # until it is hung up
            elif self.mood != "closing":
                await self._talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self.connections -= 1
            self._writers.discard(writer)
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        mail, rcpt = b"", list[bytes]()
        writer.write(b"220 sink ESMTP\r\n")
        while line := await reader.readline():
            verb = line[:4].upper()
            if verb == b"EHLO":
                writer.write(b"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n")
            elif verb == b"DATA" and not rcpt:
                writer.write(b"503 no recipient\r\n")
            elif verb == b"DATA":
                writer.write(b"354 go\r\n")
                body = await reader.readuntil(b"\r\n.\r\n")
                if self.delay:
                    await asyncio.sleep(self.delay)
                if writer.is_closing():
                    return
                self._note(Taken(mail, rcpt, body))
                mail, rcpt = b"", []
                writer.write(b"250 taken\r\n")
            elif verb == b"QUIT":
                writer.write(b"221 bye\r\n")
                return
            elif self.mood == "busy" and verb in (b"MAIL", b"RCPT"):
                writer.write(b"451 later\r\n")
            else:
                if verb == b"MAIL":
                    mail, rcpt = line, []
                elif verb == b"RCPT":
                    rcpt.append(line)
                writer.write(b"250 ok\r\n")
            await writer.drain()

    def _note(self, taken: Taken) -> None:
        found = _ID.search(taken.body)
        number = int(found[1]) if found else -1
        if found:
            self.delivered[number] += 1
            self.last = time.monotonic()
        if self.mix is None:
            self.taken.append(taken)
            if found:
                self.bodies[number] = taken.body
        elif not is_whole(self.mix, number, taken.body):
            self.altered.add(number)


# --- the load client -------------------------------------------------------------------------------------------------


@dataclass
class Sent:
    """What the load client saw, by message number."""

    acked: set[int] = field(default_factory=set)
    refused: dict[int, str] = field(default_factory=dict)
    """Replies to the dot other than 250. A refusal before the dot is no end: the message is tried again."""
    unknown: set[int] = field(default_factory=set)
    """The dot was sent and no reply came: delivered or not, both are right."""
    notsent: set[int] = field(default_factory=set)
    """The dot was never sent: the time was up."""
    redials: int = 0
    troubles: list[tuple[float, str]] = field(default_factory=list)
    """All that was not a 250: when (monotonic clock), and `421 at MAIL` or `closed at EHLO`."""

    @property
    def stages(self) -> Counter[str]:
        """Troubles by kind."""
        return Counter(what for _, what in self.troubles)


@dataclass(frozen=True)
class Terms:
    """How the load client sends."""

    port: int
    host: str = "127.0.0.1"
    mix: Mix = Mix()
    tls: bool = False
    pause: float = 0.0
    """Seconds between two messages of one client."""
    sender: str = "load@sender.example"
    recipient: str = "box@example.com"
    patience: float = PATIENCE
    over: Callable[[], bool] = lambda: False
    """Says that nothing new is to be begun."""
    log: Callable[[str], object] = lambda _: None
    """Is given `acked N`, `refused N CODE at STAGE`, `unknown N`, `notsent N` the moment it is known."""


class _Gone(Exception):
    """The connection went, or a reply made it useless; the message in hand may be sent again."""


class _Client:
    def __init__(self, terms: Terms, sent: Sent, numbers: Iterator[int]) -> None:
        self.terms, self.sent, self.numbers = terms, sent, numbers
        self.number: int | None = None
        """The message in hand: it is sent again as long as its dot was not."""
        self.stage = ""

    async def run(self) -> None:
        self.number = next(self.numbers, None)
        while self.number is not None and not self.terms.over():
            try:
                await self._connection()
            except _Gone:
                self.sent.redials += 1
                await asyncio.sleep(0.05)
        if self.number is not None:
            self.sent.notsent.add(self.number)
            self.terms.log(f"notsent {self.number}")

    async def _connection(self) -> None:
        self.stage = "CONNECT"
        try:
            self.reader, self.writer = await asyncio.open_connection(self.terms.host, self.terms.port)
        except OSError as fault:
            raise self._trouble(type(fault).__name__) from None
        plain = self.writer.transport
        try:
            await self._talk()
        finally:
            self.writer.transport.abort()
            plain.abort()  # a handshake that fails leaves it open
            await asyncio.sleep(0)

    async def _talk(self) -> None:
        await self._expect("BANNER", b"")
        await self._expect("EHLO", b"EHLO load.example\r\n")
        if self.terms.tls:
            await self._expect("STARTTLS", b"STARTTLS\r\n")
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            try:
                await self.writer.start_tls(context)
            except (OSError, EOFError) as fault:
                raise self._trouble(type(fault).__name__) from None
            await self._expect("EHLO", b"EHLO load.example\r\n")
        for _ in range(PER_CONNECTION):
            if self.number is None or self.terms.over():
                break
            await self._message(self.number)
            self.number = next(self.numbers, None)
            await asyncio.sleep(self.terms.pause)
        self.writer.write(b"QUIT\r\n")

    async def _message(self, number: int) -> None:
        """Send one message; it is settled when this returns."""
        await self._expect("MAIL", f"MAIL FROM:<{self.terms.sender}>\r\n".encode())
        await self._expect("RCPT", f"RCPT TO:<{self.terms.recipient}>\r\n".encode())
        await self._expect("DATA", b"DATA\r\n")
        self.stage = "DOT"
        self.writer.write(self.terms.mix.message(number).replace(b"\r\n.", b"\r\n..") + b".\r\n")
        try:
            reply = await self._reply()
        except _Gone:
            # the dot is out and nothing came back: this one must not be sent again
            self.sent.unknown.add(number)
            self.terms.log(f"unknown {number}")
            self.number = next(self.numbers, None)
            raise
        if reply[:1] == b"2":
            self.sent.acked.add(number)
            self.terms.log(f"acked {number}")
        else:
            self.sent.refused[number] = reply.decode(errors="replace").strip()
            self._trouble(reply[:3].decode("latin-1"))
            self.terms.log(f"refused {number} {reply[:3].decode('latin-1')} at DOT")

    async def _expect(self, stage: str, command: bytes) -> None:
        """Say something and want 2xx or 3xx for it."""
        self.stage = stage
        self.writer.write(command)
        reply = await self._reply()
        if reply[:1] not in (b"2", b"3"):
            raise self._trouble(reply[:3].decode("latin-1"))

    async def _reply(self) -> bytes:
        try:
            async with asyncio.timeout(self.terms.patience):
                while True:
                    line = await self.reader.readline()
                    if not line.endswith(b"\n"):
                        raise self._trouble("closed")
                    if line[3:4] != b"-":
                        return line
        except TimeoutError:
            raise self._trouble("silence") from None
        except OSError:
            raise self._trouble("closed") from None

    def _trouble(self, what: str) -> _Gone:
        """Note what went wrong with the message in hand."""
        told = f"{what} at {self.stage}"
        self.sent.troubles.append((time.monotonic(), told))
        if self.stage != "DOT":
            self.terms.log(f"refused {self.number} {told}, to be sent again")
        return _Gone(told)


async def send(clients: Iterable[Terms], numbers: Iterable[int], sent: Sent) -> None:
    """Send messages over several connections at once, redialling as often as needed."""
    shared = iter(numbers)
    await asyncio.gather(*(_Client(terms, sent, shared).run() for terms in clients))
    for number in shared:  # the time is up
        sent.notsent.add(number)


def load(
    port: int,
    count: int,
    *,
    connections: int = 20,
    size: int = 4096,
    seconds: float = 240.0,
    first: int = 0,
    mix: Mix | None = None,
    tls: int = 0,
    pause: float = 0.0,
    patience: float = PATIENCE,
    sent: Sent | None = None,
) -> Sent:
    """Send `count` messages, numbered from `first`; the first `tls` connections use STARTTLS. Returns what came of them."""
    deadline = time.monotonic() + seconds
    mix, sent = mix or Mix(size=size), sent if sent is not None else Sent()
    clients = [
        Terms(port, mix=mix, tls=at < tls, pause=pause, over=lambda: time.monotonic() >= deadline)
        for at in range(connections)
    ]
    asyncio.run(send(clients, range(first, first + count), sent))
    return sent


def lost(sent: Sent, sink: Sink) -> set[int]:
    """Return the numbers that were answered 250 and did not arrive."""
    return sent.acked - set(sink.delivered)
