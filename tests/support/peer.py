"""A next hop of which every answer can be set: an SMTP server on loopback for tests.

    async with Peer(answers={"RCPT": "550 5.1.1 no such user"}) as peer:
        ...
        await peer.until(lambda: peer.sessions)

A step is CONNECT, EHLO, HELO, STARTTLS, MAIL, RCPT, DATA, BDAT, END (of mail data, BDAT LAST included), RSET, QUIT. Its
answer is a reply without CR LF, `CLOSE` (go away without a word), `SILENT` (say nothing), bytes to send as they are, a list
of answers used up one by one (then the default), or a function of the command line. All that was said is in `sessions`.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.support.serving import Serving

CLOSE = object()
SILENT = object()
MODERN = ("PIPELINING", "CHUNKING", "8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES", "SIZE 50000000")
DEFAULTS: Mapping[str, str] = {
    "CONNECT": "220 peer.example ESMTP",
    "HELO": "250 peer.example",
    "STARTTLS": "220 2.0.0 go on",
    "MAIL": "250 2.1.0 sender ok",
    "RCPT": "250 2.1.5 recipient ok",
    "DATA": "354 go on",
    "BDAT": "250 2.0.0 chunk ok",
    "END": "250 2.0.0 queued as 4711",
    "RSET": "250 2.0.0 ok",
    "NOOP": "250 2.0.0 ok",
    "QUIT": "221 2.0.0 bye",
}


@dataclass
class Received:
    """A message that the peer answered at its end, whatever it answered."""

    mail: str
    rcpt: list[str]
    octets: bytes
    tls: bool
    reply: str = ""


@dataclass
class Session:
    """One connection."""

    commands: list[str] = field(default_factory=list)
    """Command lines as they came; those inside TLS begin with `TLS `."""
    messages: list[Received] = field(default_factory=list)
    server_name: str = ""
    tls: bool = False
    ended: bool = False

    @property
    def verbs(self) -> list[str]:
        return [line.removeprefix("TLS ").split(" ")[0].split(":")[0].upper() for line in self.commands]


class Peer(Serving):
    """The server; also an async context manager."""

    def __init__(
        self,
        *,
        extensions: tuple[str, ...] = MODERN,
        answers: Mapping[str, object] | None = None,
        tls: ssl.SSLContext | None = None,
        address: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.extensions = extensions
        self.answers = dict(answers or {})
        self.tls = tls
        super().__init__(address, port)
        self.sessions: list[Session] = []
        self.injected = b""
        """Sent behind the 220 to STARTTLS in the same segment."""
        self._changed = asyncio.Event()

    @property
    def messages(self) -> list[Received]:
        """Messages that were answered 250."""
        return [message for session in self.sessions for message in session.messages if message.reply.startswith("250")]

    async def until(self, fact: Callable[[], object], timeout: float = 10.0) -> None:
        """Wait until something holds that the peer can see."""
        async with asyncio.timeout(timeout):
            while not fact():
                self._changed.clear()
                await self._changed.wait()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = Session()
        self.sessions.append(session)
        try:
            await _Talk(self, session, reader, writer).run()
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError, EOFError):
            pass
        except asyncio.CancelledError:
            pass
        finally:
            session.ended = True
            self.changed()
            await _end(writer)

    def changed(self) -> None:
        self._changed.set()


async def _end(writer: asyncio.StreamWriter) -> None:
    writer.close()
    try:
        await writer.wait_closed()
    except (OSError, asyncio.CancelledError):
        pass  # closed it is


@asynccontextmanager
async def serve(talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> AsyncIterator[int]:
    """Serve connections with a function of the test's own, on a free port that is handed out; it ends with the block."""
    tasks: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await talk(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()
            await _end(writer)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Talk:
    """One session's conversation."""

    def __init__(self, peer: Peer, session: Session, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.peer, self.session, self.reader, self.writer = peer, session, reader, writer
        self.mail, self.rcpt, self.octets = "", [], b""

    async def run(self) -> None:
        await self.answer("CONNECT", "")
        while line := await self.reader.readline():
            text = line.decode("utf-8", "replace").rstrip("\r\n")
            self.session.commands.append(("TLS " if self.session.tls else "") + text)
            self.peer.changed()
            verb = text.split(" ")[0].split(":")[0].upper()
            await getattr(self, f"do_{verb.lower()}", self.do_other)(verb, text)

    async def answer(self, step: str, line: str, default: str = "") -> str:
        """Give the answer that was set for a step and return it."""
        answer = self.peer.answers.get(step)
        if isinstance(answer, list):
            answer = answer.pop(0) if answer else None
        if callable(answer):
            answer = answer(line)
        if answer is None:
            answer = default or DEFAULTS.get(step, "500 5.5.1 what?")
        if answer is CLOSE:
            raise EOFError
        if answer is SILENT:
            await asyncio.Event().wait()
        if isinstance(answer, bytes):
            self.writer.write(answer)
            return answer.decode("latin-1")
        assert isinstance(answer, str)
        self.writer.write(answer.encode() + b"\r\n")
        if answer.startswith("421"):
            raise EOFError
        return answer

    async def do_other(self, verb: str, line: str) -> None:
        await self.answer(verb, line)

    async def do_ehlo(self, verb: str, line: str) -> None:
        offers = list(self.peer.extensions)
        if self.peer.tls is not None and not self.session.tls:
            offers.append("STARTTLS")
        lines = ["peer.example", *offers]
        marked = [f"250{'-' if at < len(lines) - 1 else ' '}{text}" for at, text in enumerate(lines)]
        await self.answer("EHLO", line, "\r\n".join(marked))

    async def do_starttls(self, verb: str, line: str) -> None:
        self.writer.write(b"")
        if self.peer.injected:
            self.writer.write(b"220 2.0.0 go on\r\n" + self.peer.injected)
            return
        reply = await self.answer("STARTTLS", line)
        if reply.startswith("220") and self.peer.tls is not None and "plain" not in reply:
            await self.writer.drain()
            await self.writer.start_tls(self.peer.tls)
            self.session.tls = True
            transport = self.writer.transport.get_extra_info("ssl_object")
            self.session.server_name = getattr(transport, "gatepost_sni", "")
            self.peer.changed()

    async def do_mail(self, verb: str, line: str) -> None:
        if (await self.answer("MAIL", line)).startswith("250"):
            self.mail, self.rcpt, self.octets = line, [], b""

    async def do_rcpt(self, verb: str, line: str) -> None:
        if not self.mail:
            await self.answer("RCPT", line, "503 5.5.1 MAIL first")
        elif (await self.answer("RCPT", line)).startswith("250"):
            self.rcpt.append(line)

    async def do_data(self, verb: str, line: str) -> None:
        if not self.rcpt:
            self.writer.write(b"503 5.5.1 no recipient\r\n")
            return
        if not (await self.answer("DATA", line)).startswith("354"):
            return
        while (piece := await self.reader.readline()) != b".\r\n":
            if not piece:
                raise EOFError
            self.octets += piece[1:] if piece.startswith(b".") else piece
        await self.end(line)

    async def do_bdat(self, verb: str, line: str) -> None:
        words = line.split()
        self.octets += await self.reader.readexactly(int(words[1]))
        if not self.rcpt:
            self.writer.write(b"503 5.5.1 no recipient\r\n")
        elif len(words) > 2:
            await self.end(line)
        else:
            await self.answer("BDAT", line)

    async def end(self, line: str) -> None:
        received = Received(self.mail, self.rcpt, self.octets, self.session.tls)
        self.session.messages.append(received)
        self.mail, self.rcpt, self.octets = "", [], b""
        try:
            received.reply = await self.answer("END", line)
        finally:
            self.peer.changed()

    async def do_rset(self, verb: str, line: str) -> None:
        self.mail, self.rcpt, self.octets = "", [], b""
        await self.answer("RSET", line)

    async def do_quit(self, verb: str, line: str) -> None:
        await self.answer("QUIT", line)
        raise EOFError
