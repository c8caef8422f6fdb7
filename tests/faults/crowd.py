"""Many connections held by one thread: opened at once, listened to together, and each one's end noted to the moment."""

from __future__ import annotations

import resource
import selectors
import socket
import time
from collections.abc import Callable, Sequence

IP_BIND_ADDRESS_NO_PORT = 24
"""linux/in.h: the port is chosen in connect, where it need only be free towards that peer."""


def hosts(count: int, net: str = "127.0") -> list[str]:
    """Return so many addresses of loopback, 250 to a network, from `net`.1 on."""
    return [f"{net}.{1 + number // 250}.{1 + number % 250}" for number in range(count)]


class Crowd:
    """Connections of our making; a context manager that drops them."""

    def __init__(self, port: int, sources: Sequence[str]) -> None:
        """Connect once from each of `sources`; what the server says is not waited for."""
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self._selector = selectors.DefaultSelector()
        self.members: list[Member] = []
        for source in sources:
            self.members.append(self._connect(port, source))
            self._listen(0)  # so that the moment is noted in which each is greeted

    def _connect(self, port: int, source: str) -> Member:
        sock = socket.socket()
        sock.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        sock.bind((source, 0))
        sock.settimeout(60)
        sock.connect(("127.0.0.1", port))
        sock.setblocking(False)
        member = Member(sock, source)
        self._selector.register(sock, selectors.EVENT_READ, member)
        return member

    def __enter__(self) -> Crowd:
        return self

    def __exit__(self, *_: object) -> None:
        for member in self.members:
            member.sock.close()
        self._selector.close()

    def send(self, octets: bytes) -> None:
        """Send the same from every connection, and forget what was said before."""
        for member in self.members:
            member.said, member.since = b"", time.monotonic()
            member.sock.sendall(octets)

    def hear(self, enough: Callable[[Member], bool], timeout: float = 60.0) -> None:
        """Listen until each has said enough or has ended."""
        waiting = {member for member in self.members if not (member.ended or enough(member))}
        until = time.monotonic() + timeout
        while waiting:
            assert time.monotonic() < until, f"{len(waiting)} of {len(self.members)} do not come to it"
            waiting -= {member for member in self._listen(1) if member.ended or enough(member)}

    def _listen(self, timeout: float) -> list[Member]:
        """Take in what has come; return those it came to."""
        heard = [key.data for key, _ in self._selector.select(timeout)]
        for member in heard:
            if not member.read():
                self._selector.unregister(member.sock)
        return heard

    def see_the_end(self, timeout: float = 60.0) -> list[float]:
        """Wait until the server has closed them all; return how many seconds after their last word each one was."""
        self.hear(lambda member: False, timeout)
        return [member.ended - member.since for member in self.members]


class Member:
    """One connection."""

    def __init__(self, sock: socket.socket, source: str) -> None:
        self.sock, self.source = sock, source
        self.said = b""
        """What the server has said since we last spoke."""
        self.since = time.monotonic()
        """When the server's last word came, or ours went."""
        self.ended = 0.0
        """When the server closed; 0.0 while it has not."""

    def read(self) -> bool:
        """Take what is there; False at the end."""
        try:
            octets = self.sock.recv(65536)
        except ConnectionError:
            octets = b""
        if not octets:
            self.ended = time.monotonic()
            return False
        if not octets.startswith(b"421 "):  # a farewell comes with the end
            self.since = time.monotonic()
        self.said += octets
        return True
