"""One listening socket, several who accept: each gets its share, and running out of descriptors is survived."""

from __future__ import annotations

import asyncio
import resource
import socket

import pytest

from gatepost.net import acceptor
from gatepost.net.acceptor import Acceptor
from gatepost.net.wire import Wire


class Door:
    """An acceptor that counts, on its own duplicate of a shared socket."""

    def __init__(self, sock: socket.socket, tasks: asyncio.TaskGroup) -> None:
        self.count = 0
        self.came = asyncio.Semaphore(0)
        self.acceptor = Acceptor(sock.dup(), 50, self._session, tasks)

    async def _session(self, wire: Wire) -> None:
        self.count += 1
        self.came.release()
        await wire.read(10)
        wire.close()


async def test_a_burst_is_shared() -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        clients = [socket.create_connection(sock.getsockname()) for _ in range(20)]
        async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
            doors = [Door(sock, tasks), Door(sock, tasks)]
            for _ in range(5):
                for door in doors:
                    await door.came.acquire()
            for client in clients:
                client.close()
            for door in doors:
                door.acceptor.close()
        assert min(door.count for door in doors) >= 5


async def test_without_descriptors_it_pauses_and_recovers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acceptor, "PAUSE", 0.05)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.create_server(("127.0.0.1", 0)) as sock:
        async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
            door = Door(sock, tasks)
            client = socket.create_connection(sock.getsockname())
            probe = socket.socket()
            resource.setrlimit(resource.RLIMIT_NOFILE, (probe.fileno(), hard))
            probe.close()
            held: list[socket.socket] = []
            try:
                while True:
                    held.append(socket.socket())
            except OSError:
                pass
            await asyncio.sleep(0.12)
            assert door.count == 0
            for one in held:
                one.close()
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            await door.came.acquire()
            client.close()
            door.acceptor.close()
