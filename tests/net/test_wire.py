"""Connections over real loopback sockets, in the clear and in TLS."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable

import pytest
import uvloop

from gatepost.errors import TlsFailure, WireClosed, WireTimeout
from gatepost.net.acceptor import Acceptor
from gatepost.net.wire import READ_AHEAD, Wire, connect
from gatepost.tls.context import Terms
from gatepost.tls.engine import TlsEngine
from gatepost.tls.making import Subject, self_signed
from gatepost.tls.sides import ClientContext, ServerContext
from tests.support.process import free_port

TERMS = Terms(
    methods=("TLSv1.2", "TLSv1.3"),
    ciphers="ECDHE+AESGCM",
    suites=("TLS_AES_256_GCM_SHA384",),
    groups=("X25519",),
    cipher_order="server",
)
SERVER = ServerContext(TERMS, [self_signed(Subject(names=("mx.example",)))])
CLIENT = ClientContext(TERMS)
Session = Callable[[Wire], Awaitable[None]]


async def talk(server: Session, client: Session) -> None:
    """Run both ends of one connection to their end; a fault of either is the test's."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        async def serve(wire: Wire) -> None:
            try:
                await server(wire)
                done.set_result(None)
            except BaseException as fault:
                done.set_exception(fault)
            finally:
                wire.close()

        async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
            listener = Acceptor(sock, 5, serve, tasks)
            wire = await connect("127.0.0.1", sock.getsockname()[1], 5)
            try:
                await client(wire)
            finally:
                wire.close()
                await asyncio.wait([done])
                listener.close()
        await done


async def nothing(wire: Wire) -> None:
    pass


async def test_what_arrives_is_read_and_the_end_is_empty() -> None:
    async def server(wire: Wire) -> None:
        assert await wire.read(5) == b"hello"
        wire.write(b"bye")

    async def client(wire: Wire) -> None:
        assert wire.peer_address == "127.0.0.1"
        wire.write(b"hello")
        assert await wire.read(5) == b"bye"
        assert await wire.read(5) == b""
        assert wire.closed

    await talk(server, client)


async def test_a_silent_peer_costs_its_time_and_no_more() -> None:
    async def client(wire: Wire) -> None:
        with pytest.raises(WireTimeout):
            await wire.read(0.05)
        with pytest.raises(WireTimeout):
            await wire.read(0)
        wire.write(b"go")
        assert await wire.read(5) == b"late"

    async def server(wire: Wire) -> None:
        assert await wire.read(5) == b"go"
        wire.write(b"late")

    await talk(server, client)


async def test_a_peer_that_half_closes_still_gets_its_answer() -> None:
    async def server(wire: Wire) -> None:
        assert await wire.read(5) == b"last words"
        assert await wire.read(5) == b""
        wire.write(b"answer")

    with socket.create_server(("127.0.0.1", 0)) as sock:
        async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:

            async def serve(wire: Wire) -> None:
                await server(wire)
                wire.close()

            listener = Acceptor(sock, 5, serve, tasks)
            reader, writer = await asyncio.open_connection("127.0.0.1", sock.getsockname()[1])
            writer.write(b"last words")
            writer.write_eof()
            assert await reader.read() == b"answer"
            writer.close()
            listener.close()


async def test_a_reset_is_not_a_clean_end() -> None:
    async def client(wire: Wire) -> None:
        wire.write(b"x")
        with pytest.raises(WireClosed, match="reset"):
            await wire.read(5)

    async def server(wire: Wire) -> None:
        await wire.read(5)
        wire.reset()

    await talk(server, client)


async def test_a_port_nobody_listens_on_is_told_in_words() -> None:
    with pytest.raises(WireClosed, match="refused"):
        await connect("127.0.0.1", free_port(), 5)


async def test_a_reader_that_falls_behind_makes_the_peer_wait() -> None:
    async def server(wire: Wire) -> None:
        wire.write(b"\0" * (64 * READ_AHEAD))
        assert wire.clogged
        with pytest.raises(WireTimeout):
            await wire.drain(0.1)
        wire.write(b"end")
        await wire.drain(5)

    async def client(wire: Wire) -> None:
        got = 0
        await asyncio.sleep(0.3)
        while octets := await wire.read(5):
            got += len(octets)
            assert len(octets) <= 4 * READ_AHEAD
        assert got == 64 * READ_AHEAD + 3

    await talk(server, client)


async def test_one_who_waits_can_be_interrupted() -> None:
    async def server(wire: Wire) -> None:
        asyncio.get_running_loop().call_later(0.05, wire.interrupt, WireTimeout("enough"))
        with pytest.raises(WireTimeout, match="enough"):
            await wire.read(5)
        wire.write(b"farewell")

    async def client(wire: Wire) -> None:
        assert await wire.read(5) == b"farewell"

    await talk(server, client)


async def test_tls_carries_both_ways_and_ends_cleanly() -> None:
    async def server(wire: Wire) -> None:
        outcome = await wire.start_tls(TlsEngine.server(SERVER), 5)
        assert outcome.protocol == "TLSv1.3"
        received = b""
        while len(received) < 300_000:
            received += await wire.read(5)
        wire.write(received[:100_000])

    async def client(wire: Wire) -> None:
        outcome = await wire.start_tls(TlsEngine.client(CLIENT, "mx.example"), 5)
        assert outcome.peer is not None
        assert outcome.peer.dns_names == ("mx.example",)
        wire.write(b"a" * 300_000)
        received = b""
        while octets := await wire.read(5):
            received += octets
        assert received == b"a" * 100_000

    await talk(server, client)


@pytest.mark.parametrize("tls", [False, True])
async def test_the_last_octets_leave_with_the_end(tls: bool) -> None:
    async def server(wire: Wire) -> None:
        if tls:
            await wire.start_tls(TlsEngine.server(SERVER), 5)
        assert await wire.read(5) == b"QUIT\r\n"
        wire.close(b"221 bye\r\n")
        assert wire.closed
        wire.close(b"not twice\r\n")

    async def client(wire: Wire) -> None:
        if tls:
            await wire.start_tls(TlsEngine.client(CLIENT, "mx.example"), 5)
        wire.write(b"QUIT\r\n")
        assert await wire.read(5) == b"221 bye\r\n"
        if tls:
            assert wire._engine is not None
            assert wire._engine.closed, "close_notify came with it"
        assert await wire.read(5) == b""

    await talk(server, client)


async def test_tls_cut_off_is_never_a_clean_end() -> None:
    async def server(wire: Wire) -> None:
        await wire.start_tls(TlsEngine.server(SERVER), 5)
        assert await wire.read(5) == b"half a mess"
        with pytest.raises(WireClosed, match="close_notify"):
            await wire.read(5)

    async def client(wire: Wire) -> None:
        await wire.start_tls(TlsEngine.client(CLIENT, "mx.example"), 5)
        wire.write(b"half a mess")
        assert wire._transport is not None
        wire._transport.get_extra_info("socket").shutdown(socket.SHUT_WR)
        assert await wire.read(5) == b""
        wire.abort()

    await talk(server, client)


async def test_garbage_instead_of_a_hello_fails_with_an_alert() -> None:
    async def server(wire: Wire) -> None:
        with pytest.raises(TlsFailure, match="POST / HTT"):
            await wire.start_tls(TlsEngine.server(SERVER), 5)

    async def client(wire: Wire) -> None:
        wire.write(b"POST / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await wire.read(5))[:1] == b"\x15"

    await talk(server, client)


async def test_a_handshake_that_stalls_or_ends_is_told_apart() -> None:
    async def stalled(wire: Wire) -> None:
        with pytest.raises(WireTimeout):
            await wire.start_tls(TlsEngine.server(SERVER), 0.1)

    async def silent(wire: Wire) -> None:
        await wire.read(5)

    await talk(stalled, silent)

    async def ended(wire: Wire) -> None:
        with pytest.raises(TlsFailure, match="closed"):
            await wire.start_tls(TlsEngine.server(SERVER), 5)

    await talk(ended, nothing)


def test_a_connection_reset_before_it_was_accepted_gets_no_session() -> None:
    served: list[str] = []

    async def serve(wire: Wire) -> None:
        served.append(wire.peer_address)
        wire.close()

    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as sock:
            gone = socket.create_connection(sock.getsockname())
            gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            gone.close()
            async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
                listener = Acceptor(sock, 5, serve, tasks)
                reader, writer = await asyncio.open_connection("127.0.0.1", sock.getsockname()[1])
                assert await reader.read() == b""
                writer.close()
                listener.close()

    uvloop.run(main())  # the loop of the service; asyncio's own still knows the address that accept returned
    assert served == ["127.0.0.1"]
