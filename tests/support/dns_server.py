"""A small DNS server on loopback for tests: records by name and type, and every way of not answering.

    async with DnsServer() as dns:
        dns.add("example.com", "MX", "10 mx.example.com.")
        dns.fail("broken.example", "SERVFAIL")
        dns.silent.add("slow.example")
        resolver = Resolver([dns.address])

Names that hold no record at all are NXDOMAIN; names that hold other records are NODATA. `asked` lists the questions.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterable, Iterator

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.reversename
import dns.rrset


class DnsServer:
    """Answers over UDP and TCP on the same free port of 127.0.0.1."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], tuple[int, list[dns.rdata.Rdata]]] = {}
        self.names: set[str] = {"."}
        self.rcodes: dict[str, str] = {}
        self.silent: set[str] = set()
        """Names that are never answered."""
        self.dead = False
        """Nothing is answered at all."""
        self.secure: set[str] = set()
        """Names whose answers carry AD."""
        self.truncated: set[str] = set()
        """Names that are answered TC over UDP."""
        self.refuse_tcp = False
        self.wrong_id: set[str] = set()
        """Names whose answers carry another id."""
        self.asked: list[tuple[str, str]] = []
        self._somebody_asked = asyncio.Event()
        self._stack: list[asyncio.BaseTransport | asyncio.Server] = []

    def add(self, name: str, kind: str, *texts: str, ttl: int = 60) -> None:
        """Add records in zone file form, replacing those of the same name and type."""
        datas = [dns.rdata.from_text("IN", kind, text) for text in texts]
        self.add_rdata(name, kind, datas, ttl)

    def add_rdata(self, name: str, kind: str, datas: Iterable[dns.rdata.Rdata], ttl: int = 60) -> None:
        """Add records that no zone file could hold."""
        self.names.add(_key(name))
        self.records[_key(name), kind] = (ttl, list(datas))

    def add_reverse(self, address: str, *names: str) -> None:
        """Add PTR records for an address."""
        self.add(dns.reversename.from_address(address).to_text(), "PTR", *names)

    def fail(self, name: str, rcode: str) -> None:
        """Answer every question for `name` with a response code such as SERVFAIL."""
        self.rcodes[_key(name)] = rcode

    async def until_asked(self) -> None:
        """Wait for the first question."""
        await self._somebody_asked.wait()

    @property
    def address(self) -> str:
        """`address:port` for the configuration."""
        return f"127.0.0.1:{self.port}"

    async def __aenter__(self) -> DnsServer:
        loop = asyncio.get_running_loop()
        for _ in range(20):
            tcp = socket.create_server(("127.0.0.1", 0))
            self.port = tcp.getsockname()[1]
            try:
                transport, _ = await loop.create_datagram_endpoint(lambda: _Udp(self), local_addr=("127.0.0.1", self.port))
            except OSError:
                tcp.close()
                continue
            break
        self._stack = [transport, await asyncio.start_server(self._tcp, sock=tcp)]
        return self

    async def __aexit__(self, *_: object) -> None:
        for each in self._stack:
            each.close()

    def reply(self, octets: bytes, udp: bool) -> bytes | None:
        """Return the answer to a question, None for silence."""
        query = dns.message.from_wire(octets)
        question = query.question[0]
        name, kind = _key(question.name.to_text()), dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        self._somebody_asked.set()
        if self.dead or name in self.silent:
            return None
        reply = dns.message.make_response(query, recursion_available=True)
        if name in self.secure:
            reply.flags |= dns.flags.AD
        if udp and name in self.truncated:
            reply.flags |= dns.flags.TC
            return reply.to_wire()
        if name in self.rcodes:
            reply.set_rcode(dns.rcode.from_text(self.rcodes[name]))
        else:
            self._fill(reply, name, kind)
        if name in self.wrong_id:
            reply.id ^= 1
        return reply.to_wire(max_size=65535)

    def _fill(self, reply: dns.message.Message, name: str, kind: str) -> None:
        for _ in range(20):
            for wanted in (kind, "CNAME"):
                if found := self.records.get((name, wanted)):
                    ttl, datas = found
                    reply.answer.append(dns.rrset.from_rdata_list(dns.name.from_text(name), ttl, datas))
                    break
            else:
                if name not in self.names:
                    reply.set_rcode(dns.rcode.NXDOMAIN)
                return
            if wanted == kind:
                return
            name = _key(datas[0].target.to_text())  # type: ignore[attr-defined]

    async def _tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while not self.refuse_tcp:
                octets = await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
                if (answer := self.reply(octets, udp=False)) is not None:
                    writer.write(len(answer).to_bytes(2, "big") + answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@contextlib.contextmanager
def dns_thread() -> Iterator[DnsServer]:
    """The server in a thread of its own, for tests that are no coroutines."""
    server, loop, ready = DnsServer(), asyncio.new_event_loop(), threading.Event()

    async def serve() -> None:
        async with server:
            ready.set()
            await ended.wait()

    ended = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(10)
        loop.close()


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, server: DnsServer) -> None:
        self.server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = self.server.reply(data, udp=True)
        if answer is not None:
            self.transport.sendto(answer, addr)  # type: ignore[attr-defined]


def _key(name: str) -> str:
    return name.lower() if name.endswith(".") else f"{name.lower()}."
