"""A man in the middle: a proxy before a good peer that does one thing to STARTTLS (faults.md 5.6), and notes what it saw.

    async with Middle("strip", peer.port) as middle:
        ...
        assert not middle.clear

The two questions it answers: did MAIL come in clear text, or inside TLS that ended here, under the attacker's certificate?
"""

from __future__ import annotations

import asyncio
import ssl

from tests.support.serving import Serving

VECTORS = (
    "pass",
    "strip",
    "ehlo500",
    "454",
    "500",
    "220plain",
    "inject",
    "inject-later",
    "fakecert",
    "closeafter",
    "garbage",
)
SAID = b"250-peer.example\r\n250-AUTH PLAIN\r\n250 SIZE 1000\r\n"
ANSWERS = {
    "454": b"454 4.7.0 TLS not available due to temporary reason\r\n",
    "500": b"500 5.5.1 what?\r\n",
    "220plain": b"220 2.0.0 go on\r\n",
    "inject": b"220 2.0.0 go on\r\n" + SAID,
    "inject-later": b"220 2.0.0 go on\r\n",
    "fakecert": b"220 2.0.0 go on\r\n",
    "closeafter": b"220 2.0.0 go on\r\n",
    "garbage": b"220 2.0.0 go on\r\n",
}
BEHIND = {"220plain": b"250 2.0.0 so be it\r\n", "garbage": b"\x15\x03\x01\x00\x02\x02\x28"}
"""What answers the ClientHello: text as if nothing had been, or a fatal alert."""


class Middle(Serving):
    """The proxy; an async context manager. It listens on a free port of loopback."""

    def __init__(self, vector: str, behind: int, forged: ssl.SSLContext | None = None) -> None:
        super().__init__()
        self.vector, self.behind, self.forged = vector, behind, forged
        self.clear: list[bytes] = []
        """MAIL commands that came in clear text."""
        self.inside: list[bytes] = []
        """MAIL commands that came inside TLS which ended here."""
        self.commands: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = None
        try:
            there = await asyncio.open_connection("127.0.0.1", self.behind)
            await self._talk(reader, writer, *there)
        except (OSError, EOFError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()
            if there is not None:
                there[1].transport.abort()

    async def _talk(
        self,
        client: asyncio.StreamReader,
        to_client: asyncio.StreamWriter,
        server: asyncio.StreamReader,
        to_server: asyncio.StreamWriter,
    ) -> None:
        """Carry the conversation line by line; behind STARTTLS the vector has its way."""
        sealed = False
        to_client.write(await _reply(server))
        while line := await client.readline():
            self.commands.append(line)
            verb = line.split()[0].upper() if line.split() else b""
            if verb == b"MAIL":
                (self.inside if sealed else self.clear).append(line)
            if verb == b"EHLO" and self.vector == "ehlo500":
                to_client.write(b"500 5.5.1 what?\r\n")
                continue
            if verb == b"STARTTLS" and self.vector == "pass":
                to_server.write(line)
                to_client.write(await _reply(server))
                await _pump(client, to_client, server, to_server)
                return
            if verb == b"STARTTLS":
                to_client.write(ANSWERS[self.vector])
                if self.vector == "fakecert":
                    assert self.forged is not None
                    await to_client.start_tls(self.forged)
                    sealed = True
                elif self.vector.startswith("inject"):
                    # The handshake that follows is the good peer's own: only the octets before it are ours.
                    hello = await client.read(65536) if self.vector == "inject-later" else b""
                    to_client.write(SAID if hello else b"")
                    to_server.write(line)
                    await _reply(server)
                    to_server.write(hello)
                    await _pump(client, to_client, server, to_server)
                elif self.vector in BEHIND:
                    await client.read(65536)
                    to_client.write(BEHIND[self.vector])
                elif self.vector == "closeafter":
                    return
                continue
            to_server.write(line)
            reply = await _reply(server)
            to_client.write(_without_starttls(reply) if verb == b"EHLO" and (self.vector == "strip" or sealed) else reply)
            if verb == b"DATA" and reply.startswith(b"354"):
                while (piece := await client.readline()) not in (b".\r\n", b""):
                    to_server.write(piece)
                to_server.write(piece)
                to_client.write(await _reply(server))


async def _reply(server: asyncio.StreamReader) -> bytes:
    lines = [await server.readline()]
    while lines[-1][3:4] == b"-":
        lines.append(await server.readline())
    if not lines[-1]:
        raise EOFError
    return b"".join(lines)


def _without_starttls(reply: bytes) -> bytes:
    """Take STARTTLS out of an EHLO reply."""
    kept = [line for line in reply.splitlines(keepends=True) if b"STARTTLS" not in line]
    return b"".join([*kept[:-1], b"250 " + kept[-1][4:]])


async def _pump(
    client: asyncio.StreamReader,
    to_client: asyncio.StreamWriter,
    server: asyncio.StreamReader,
    to_server: asyncio.StreamWriter,
) -> None:
    """Carry octets both ways, unseen, until either side ends."""

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while octets := await reader.read(65536):
            writer.write(octets)
        writer.transport.abort()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(carry(client, to_server))
        tasks.create_task(carry(server, to_client))
