"""The listeners of one worker: which sockets are open, which sessions live, and how they come to an end.

A session takes the snapshot that is in force when its connection is accepted; a commit only changes what the next one gets.
"""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Callable, Collection, Coroutine

from gatepost.inbound.session import Session
from gatepost.inbound.shared import Shared
from gatepost.net.acceptor import Acceptor
from gatepost.net.wire import Wire
from gatepost.smtp import reply
from gatepost.snapshot import Snapshot


class Inbound:
    """All inbound mail of a worker."""

    def __init__(self, shared: Shared, snapshot: Callable[[], Snapshot], tasks: asyncio.TaskGroup) -> None:
        self._shared, self._snapshot, self._tasks = shared, snapshot, tasks
        self._servers: dict[str, tuple[tuple[str, int], Acceptor]] = {}
        self._sessions: set[Session] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._suspended: set[str] = set()
        self._stopping = False

    @property
    def sessions(self) -> int:
        """Number of connections that are open."""
        return len(self._sessions)

    def connections(self, listeners: Collection[str] = ()) -> Counter[tuple[str, str, str]]:
        """Count the open connections by address, name and listener of the hosts; `listeners`: only on these."""
        every = (session.place for session in self._sessions)
        return Counter(place for place in every if not listeners or place[2] in listeners)

    def close(self, listeners: Collection[str], *, abruptly: bool) -> None:
        """End the connections on these listeners, each when its message is through, or abruptly and at once."""
        for session in [session for session in self._sessions if session.place[2] in listeners]:
            session.stop(abruptly=abruptly)

    def configure(self, sockets: dict[str, socket.socket]) -> None:
        """Serve exactly these listeners. A socket that is served already on the same address is closed again."""
        for name in set(self._servers) - set(sockets):
            self._servers.pop(name)[1].close()
        for name, sock in sockets.items():
            place = sock.getsockname()[:2]
            present = self._servers.get(name)
            if present is not None and present[0] == place:
                sock.close()
                continue
            if present is not None:
                present[1].close()
            backlog = self._snapshot().listeners[name].tcp_queue
            self._servers[name] = (place, Acceptor(sock, backlog, self._session_on(name), self._tasks))

    def _session_on(self, name: str) -> Callable[[Wire], Coroutine[None, None, None]]:
        async def serve(wire: Wire) -> None:
            snapshot = self._snapshot()
            listener = snapshot.listeners.get(name)
            if listener is None or self._stopping or name in self._suspended:
                wire.write(reply.service_not_available(snapshot.gateway.hostname).encode())
                wire.close()
                return
            session = Session(wire, snapshot, listener, self._shared)
            self._sessions.add(session)
            self._shared.metrics.sessions["in"] += 1
            self._idle.clear()
            try:
                await session.run()
            finally:
                self._sessions.discard(session)
                self._shared.metrics.sessions["in"] -= 1
                if not self._sessions:
                    self._idle.set()

        return serve

    def suspend(self, names: list[str]) -> None:
        """Answer 421 to new connections on these listeners (empty: on all)."""
        self._suspended |= set(names) or set(self._servers)

    def resume(self, names: list[str]) -> None:
        """Take connections again on these listeners (empty: on all)."""
        self._suspended -= set(names) or set(self._suspended)

    async def stop(self, grace: float) -> None:
        """Take no new connection, let transactions under way finish, wait at most `grace` seconds for them."""
        self._stopping = True
        for _, server in self._servers.values():
            server.close()
        for session in self._sessions:
            session.stop()
        try:
            async with asyncio.timeout(grace):
                await self._idle.wait()
        except TimeoutError:
            pass
