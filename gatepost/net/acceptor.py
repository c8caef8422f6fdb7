"""Taking connections from a listening socket that several processes share.

One at a time, and then a short rest: whoever accepted last is awake and would be first again, so that one worker would have
all the long-lived sessions of a burst and the others none. Knows nothing of what a connection is for.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine

from gatepost.net.wire import Wire

REST = 0.001
"""Seconds that a worker leaves the next connection to the others."""
PAUSE = 1.0
"""Seconds without accepting when descriptors or memory have run out: to ask again at once would only spin."""

Session = Callable[[Wire], Coroutine[None, None, None]]


class Acceptor:
    """An open door; `close` shuts it, and the socket with it."""

    def __init__(self, sock: socket.socket, backlog: int, session: Session, tasks: asyncio.TaskGroup) -> None:
        """Begin to accept; each connection gets a task of `session` in `tasks`, which must not raise."""
        self._loop = asyncio.get_running_loop()
        self._sock, self._session, self._tasks = sock, session, tasks
        self._paused: asyncio.TimerHandle | None = None
        sock.setblocking(False)
        sock.listen(backlog)
        self._loop.add_reader(sock.fileno(), self._accept)

    def close(self) -> None:
        """Take no further connection; what was accepted goes on."""
        if self._paused is not None:
            self._paused.cancel()
        if self._sock.fileno() >= 0:
            self._loop.remove_reader(self._sock.fileno())
            self._sock.close()

    def _accept(self) -> None:
        """Something came: take it, and rest."""
        if (rest := self._take()) is not None:
            self._loop.remove_reader(self._sock.fileno())
            self._paused = self._loop.call_later(rest, self._go_on)

    def _go_on(self) -> None:
        """Take what came meanwhile, or watch again: as long as there is always something, watching would be work in vain."""
        if (rest := self._take()) is not None:
            self._paused = self._loop.call_later(rest, self._go_on)
        else:
            self._paused = None
            self._loop.add_reader(self._sock.fileno(), self._accept)

    def _take(self) -> float | None:
        """Accept one connection, if there is any; return for how many seconds to rest then."""
        try:
            connection, _ = self._sock.accept()
        except (BlockingIOError, InterruptedError, ConnectionError):
            return None  # another process was faster, or the client is gone already
        except OSError:
            return PAUSE
        self._tasks.create_task(self._serve(connection))  # who makes a transport of it makes it non-blocking
        return REST

    async def _serve(self, connection: socket.socket) -> None:
        wire = Wire()
        try:
            await self._loop.connect_accepted_socket(lambda: wire, connection)
        except OSError:
            connection.close()
            return
        if not wire.peer_address:  # reset before it was accepted: nobody knows who it was
            wire.abort()
            return
        await self._session(wire)
