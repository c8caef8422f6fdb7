"""The places at the web console's door, on real sockets: who is given up for whom, and how long a request may take."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn
from litestar import Litestar, Request, get, post
from uvicorn.server import ServerState

from gatepost.admin.web import door
from gatepost.admin.web.door import Connection, Door, Http
from tests.support.client import insecure
from tests.support.tls import pair, server

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\n"


class Served:
    """A small application behind a door."""

    def __init__(self) -> None:
        self.door = Door(3)
        self.port = 0
        self.release = asyncio.Event()
        self._writers: list[asyncio.StreamWriter] = []

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[Served]:
        @get("/")
        async def page() -> str:
            return "here"

        @get("/slow")
        async def slow() -> str:
            await self.release.wait()
            return "at last"

        @post("/", status_code=200)
        async def taken(request: Request[Any, Any, Any]) -> str:
            await request.body()
            return "taken"

        config = uvicorn.Config(Litestar([page, slow, taken], openapi_config=None), lifespan="off", log_level="critical")
        config.load()
        state, context = ServerState(), server(pair("localhost"))
        listener = await asyncio.get_running_loop().create_server(
            lambda: Connection(self.door, context, Http(config=config, server_state=state, app_state={})), "127.0.0.1", 0
        )
        self.port = listener.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            self.release.set()
            listener.close()
            for writer in self._writers:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()

    async def connect(self, tls: ssl.SSLContext | None = None, source: str = "127.0.0.1") -> Streams:
        streams = await asyncio.open_connection("127.0.0.1", self.port, ssl=tls, local_addr=(source, 0))
        self._writers.append(streams[1])
        return streams


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with Served().listening() as one:
        yield one


async def asked(streams: Streams, request: bytes = REQUEST) -> bytes:
    """Send a request, return the body of its answer."""
    reader, writer = streams
    writer.write(request)
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    return await reader.readexactly(length)


async def hung_up(streams: Streams) -> bool:
    """Wait for the other side to hang up."""
    try:
        return await asyncio.wait_for(streams[0].read(), 10) == b""
    except (ConnectionError, ssl.SSLError):
        return True


async def test_who_has_waited_longest_gives_the_place(served: Served) -> None:
    first = await served.connect()
    kept = await served.connect(insecure())
    assert await asked(kept) == b"here"
    last = await served.connect()
    assert await asked(await served.connect(insecure())) == b"here"
    assert await hung_up(first)
    assert await asked(kept) == b"here"
    assert not last[0].at_eof()


async def test_the_address_with_the_most_gives_a_place(served: Served) -> None:
    other = await served.connect(insecure(), "127.0.0.2")
    crowd = [await served.connect() for _ in range(2)]
    assert await asked(await served.connect(insecure())) == b"here"
    assert await hung_up(crowd[0])
    assert await asked(other) == b"here"


async def test_a_request_that_has_come_whole_is_not_given_up(served: Served) -> None:
    slow = await served.connect(insecure())
    slow[1].write(b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
    for _ in range(5):
        assert await asked(await served.connect(insecure())) == b"here"
    served.release.set()
    assert await asked(slow, b"") == b"at last"


@pytest.mark.parametrize(
    ("begun", "answers"),
    [
        (b"", 0),
        (b"G", 0),
        (REQUEST[:-2], 0),
        (POST, 0),
        (POST + b"abc", 0),
        (REQUEST, 1),
        (REQUEST + b"GET", 1),
        (POST + b"abcd" + REQUEST + POST, 2),
    ],
)
async def test_a_request_has_a_time_to_come_in(
    served: Served, monkeypatch: pytest.MonkeyPatch, begun: bytes, answers: int
) -> None:
    monkeypatch.setattr(door, "HEAD_SECONDS", 0.3)
    monkeypatch.setattr(door, "BODY_SECONDS", 0.3)
    reader, writer = await served.connect(insecure())
    writer.write(begun)
    came = b""
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        async with asyncio.timeout(10):
            while piece := await reader.read(65536):
                came += piece
    assert came.count(b"HTTP/1.1 200 OK") == answers


async def test_octet_by_octet_is_no_way_to_hold_a_place(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "HEAD_SECONDS", 0.5)
    reader, writer = await served.connect(insecure())

    async def drip() -> None:
        writer.write(b"GET / HTTP/1.1\r\nX: ")
        while True:
            writer.write(b"a")
            await asyncio.sleep(0.05)

    async with asyncio.TaskGroup() as tasks:
        dripping = tasks.create_task(drip())
        assert await hung_up((reader, writer))
        dripping.cancel()
