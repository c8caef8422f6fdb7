"""The listening sockets: bound by the master, shared by all workers, kept open while workers come and go.

One socket per address and port serves all workers, so that a worker that dies strands no connection in a backlog of its own.
"""

from __future__ import annotations

import socket

from gatepost.config.model import Config, Listener
from gatepost.errors import GatepostError

Place = tuple[str, int]


class BindError(GatepostError):
    """An address and port could not be bound; the sentence says why and what to do."""


class Sockets:
    """Bound sockets by address and port."""

    def __init__(self) -> None:
        self._open: dict[Place, socket.socket] = {}

    def prepare(self, config: Config) -> dict[Place, socket.socket]:
        """Bind what `config` needs and is not open yet, all or nothing. Raises BindError; then nothing stays bound."""
        fresh: dict[Place, socket.socket] = {}
        try:
            for name, listener in config.listeners.items():
                place = (listener.address, listener.port)
                if place not in self._open and place not in fresh:
                    fresh[place] = _bind(name, listener)
        except BindError:
            discard(fresh)
            raise
        return fresh

    def adopt(self, fresh: dict[Place, socket.socket], config: Config) -> dict[str, socket.socket]:
        """Keep what `prepare` bound, close what no listener uses any more; return the sockets by listener name."""
        self._open |= fresh
        wanted = {(listener.address, listener.port) for listener in config.listeners.values()}
        for place in set(self._open) - wanted:
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


def discard(sockets: dict[Place, socket.socket]) -> None:
    """Close sockets that were prepared and are not wanted after all."""
    for sock in sockets.values():
        sock.close()
    sockets.clear()


def _bind(name: str, listener: Listener) -> socket.socket:
    where = f"listener {name}: cannot listen on {listener.address} port {listener.port}"
    family = socket.AF_INET6 if ":" in listener.address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((listener.address, listener.port))
        sock.listen(listener.tcp_queue)
    except PermissionError:
        sock.close()
        raise BindError(f"{where}: ports below 1024 need root or CAP_NET_BIND_SERVICE; start as root with --user") from None
    except OSError as error:
        sock.close()
        mend = "stop the other program or choose another port" if error.errno == 98 else "check the address"
        raise BindError(f"{where}: {error.strerror}; {mend}") from None
    sock.setblocking(False)
    return sock
