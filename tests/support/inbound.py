"""The whole inbound side of a worker over a real spool and real sockets, with a journal that remembers.

async with Inbounds(tmp_path) as rig, rig.client() as client:
    assert (await client.send()).startswith("250")
"""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from gatepost.config.model import Config, Gateway, Listener, Recipient
from gatepost.inbound.listener import Inbound
from gatepost.inbound.shared import Shared
from gatepost.net.dns import ReverseName
from gatepost.records.metrics import Metrics
from gatepost.snapshot import Snapshot
from gatepost.spool.message import Message
from gatepost.spool.store import Floor, Spool
from tests.support.outbound import LocalLeases, Memory

LISTENER = Listener(address="127.0.0.1", recipients=[Recipient(match="example.com")])


class NoNames:
    """A resolver for which no host has a name; it answers while it is `ready`, with `fault` where a test sets one."""

    def __init__(self) -> None:
        self.fault: Exception | None = None
        self.ready = asyncio.Event()
        self.ready.set()

    async def host(self, address: str) -> ReverseName:
        await self.ready.wait()
        if self.fault is not None:
            raise self.fault
        return ReverseName("", "nx.domain")


class Inbounds:
    """The rig; an async context manager."""

    def __init__(self, directory: Path, *, listener: Listener = LISTENER, floor: Floor | None = None) -> None:
        config = Config(gateway=Gateway(hostname="mx.example"), listeners={"InboundMail": listener})
        self.snapshot = Snapshot.build(config, 1)
        self.directory = directory
        self.spool = Spool.open(directory, 0, floor or Floor(space=0, inodes=0))
        self._changed = asyncio.Event()
        self.journal = Memory(self._changed.set)
        self.metrics = Metrics()
        self.leases = LocalLeases()
        self.resolver = NoNames()
        self.taken: list[Message] = []
        """What was handed on for delivery."""
        self.next_mid: Callable[[], int] = itertools.count(100).__next__
        self.port = 0

    async def __aenter__(self) -> Inbounds:
        self._tasks = asyncio.TaskGroup()
        await self._tasks.__aenter__()
        shared = Shared(
            spool=self.spool,
            journal=self.journal,  # type: ignore[arg-type]
            metrics=self.metrics,
            leases=self.leases,
            resolver=lambda: self.resolver,  # type: ignore[arg-type, return-value]
            next_icid=itertools.count(1).__next__,
            next_mid=lambda: self.next_mid(),
            enqueue=self.taken.append,
        )
        self.inbound = Inbound(shared, lambda: self.snapshot, self._tasks)
        sock = socket.create_server(("127.0.0.1", 0))
        self.port = sock.getsockname()[1]
        self.inbound.configure({"InboundMail": sock})
        return self

    async def __aexit__(self, kind: object, fault: object, trace: object) -> None:
        await self.inbound.stop(0.2 if kind else 5)
        await self._tasks.__aexit__(None, None, None)
        await self.spool.close()

    @asynccontextmanager
    async def client(self, *, greeted: bool = True) -> AsyncIterator[AsyncClient]:
        """A connection, behind EHLO unless told otherwise."""
        client = AsyncClient(*await asyncio.open_connection("127.0.0.1", self.port))
        try:
            if greeted:
                assert (await client.reply()).startswith("220")
                assert (await client.say("EHLO client.example")).startswith("250")
            yield client
        finally:
            client.writer.close()

    async def until(self, fact: Callable[[], object]) -> None:
        """Wait until something holds."""
        async with asyncio.timeout(10):
            while not fact():  # noqa: ASYNC110 -- not every fact is told to the journal
                await asyncio.sleep(0.01)

    def lines(self, text: str) -> list[str]:
        """Return the log lines that hold `text`."""
        return [line for line in self.journal.lines if text in line]

    def bodies(self) -> list[Path]:
        """Return the files that hold large messages."""
        return list((self.directory / "shard-0").iterdir())


class AsyncClient:
    """A few words of SMTP."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def reply(self) -> str:
        """Return the next reply whole, "" when the server has closed."""
        lines: list[str] = []
        async with asyncio.timeout(10):
            while not lines or lines[-1][3:4] == "-":
                lines.append((await self.reader.readline()).decode().rstrip("\r\n"))
                if not lines[-1]:
                    break
        return "\n".join(lines)

    async def say(self, *lines: str) -> str:
        """Send lines in one piece, return the reply to the first."""
        self.writer.write("".join(f"{line}\r\n" for line in lines).encode())
        return await self.reply()

    async def envelope(self) -> None:
        """Send MAIL and RCPT, which must be taken."""
        assert (await self.say("MAIL FROM:<a@client.example>")).startswith("250")
        assert (await self.say("RCPT TO:<box@example.com>")).startswith("250")

    async def data(self) -> None:
        """Open a transaction up to the 354."""
        await self.envelope()
        assert (await self.say("DATA")).startswith("354")

    async def send(self, content: str = "Subject: x\r\n\r\nbody") -> str:
        """Send a message, return the answer to the dot."""
        await self.data()
        return await self.say(content, ".")
