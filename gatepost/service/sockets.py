"""The listening sockets: bound by the master, shared by all workers, kept open while workers come and go.

One socket per address and port serves all workers, so that a worker that dies strands no connection in a backlog of its own.
They travel to a worker as descriptors over a datagram socket pair (unix(7), SCM_RIGHTS); their names go another way.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from gatepost.config.model import Config, Listener
from gatepost.errors import GatepostError

Place = tuple[str, int]
AT_ONCE = 200
"""Descriptors in one message; the kernel takes 253."""


class BindError(GatepostError):
    """An address and port could not be bound; the sentence says why and what to do."""


class Sockets:
    """Bound sockets by address and port."""

    def __init__(self) -> None:
        self._open: dict[Place, socket.socket] = {}

    def prepare(self, config: Config) -> dict[Place, socket.socket]:
        """Bind what `config` needs and is not open yet, all or nothing. Raises BindError; then nothing stays bound."""
        wanted = _places(config)
        fresh: dict[Place, socket.socket] = {}
        try:
            for name, listener in config.listeners.items():
                place = (listener.address, listener.port)
                if place not in self._open and place not in fresh:
                    going = [sock for old, sock in self._open.items() if old[1] == listener.port and old not in wanted]
                    fresh[place] = _bind(name, listener, going)
        except BindError:
            discard(fresh)
            raise
        return fresh

    def adopt(self, fresh: dict[Place, socket.socket], config: Config) -> dict[str, socket.socket]:
        """Keep what `prepare` bound, close what no listener uses any more; return the sockets by listener name."""
        self._open |= fresh
        for place in set(self._open) - _places(config):
            self._open.pop(place).close()
        for listener in config.listeners.values():
            self._open[(listener.address, listener.port)].listen(listener.tcp_queue)
        return self.by_listener(config)

    def by_listener(self, config: Config) -> dict[str, socket.socket]:
        """Return the open sockets by listener name."""
        return {name: self._open[(listener.address, listener.port)] for name, listener in config.listeners.items()}

    def close(self) -> None:
        """Close them all."""
        discard(self._open)


def _places(config: Config) -> set[Place]:
    return {(listener.address, listener.port) for listener in config.listeners.values()}


def discard(sockets: dict[Place, socket.socket] | dict[str, socket.socket]) -> None:
    """Close sockets that are not wanted after all."""
    for sock in sockets.values():
        sock.close()
    sockets.clear()


def send(channel: socket.socket, sockets: Iterable[socket.socket]) -> None:
    """Hand sockets over to another process."""
    descriptors = [sock.fileno() for sock in sockets]
    for start in range(0, len(descriptors), AT_ONCE):
        socket.send_fds(channel, [b"s"], descriptors[start : start + AT_ONCE])


def receive(channel: socket.socket, names: list[str]) -> dict[str, socket.socket]:
    """Take over the sockets that were sent, in the order of their names."""
    descriptors: list[int] = []
    for start in range(0, len(names), AT_ONCE):
        descriptors += socket.recv_fds(channel, 1, len(names[start : start + AT_ONCE]))[1]
    sockets = [socket.socket(fileno=descriptor) for descriptor in descriptors]
    if len(sockets) < len(names):
        for sock in sockets:
            sock.close()
        raise OSError(errno.EMFILE, "too many open files for the sockets of all listeners")
    for sock in sockets:
        sock.setblocking(False)
    return dict(zip(names, sockets, strict=True))


def _bind(name: str, listener: Listener, going: list[socket.socket]) -> socket.socket:
    """Bind a socket and listen. `going`: our own on that port that the same commit closes, such as 127.0.0.1 for 0.0.0.0."""
    where = f"listener {name}: cannot listen on {listener.address} port {listener.port}"
    family = socket.AF_INET6 if ":" in listener.address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        with _sharing([sock, *going] if going else []):
            sock.bind((listener.address, listener.port))
            sock.listen(listener.tcp_queue)
    except PermissionError:
        sock.close()
        raise BindError(
            f"{where}: ports below 1024 need root or CAP_NET_BIND_SERVICE; with --user they are bound at the start only"
        ) from None
    except OSError as error:
        sock.close()
        in_use = error.errno == errno.EADDRINUSE
        mend = "stop the other program or choose another port" if in_use else "check the address"
        raise BindError(f"{where}: {error.strerror}; {mend}") from None
    sock.setblocking(False)
    return sock


@contextmanager
def _sharing(sockets: Iterable[socket.socket]) -> Iterator[None]:
    """Let sockets have overlapping addresses for this moment only: afterwards a foreign program is refused as before."""
    for sock in sockets:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        yield
    finally:
        for sock in sockets:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 0)
