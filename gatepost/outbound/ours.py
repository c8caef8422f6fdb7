"""What this gateway itself answers to, so that mail is never sent back to it (RFC 5321 5.1, 6.3). Opens no connection."""

from __future__ import annotations

import ipaddress
import socket

import msgspec


class Ours(msgspec.Struct, frozen=True, kw_only=True):
    """What this gateway answers to: mail sent there would come back (RFC 5321 5.1, 6.3)."""

    hostname: str
    listeners: tuple[tuple[str, int], ...]
    """Address and port of each listener."""

    def holds(self, address: str, port: int) -> bool:
        """Return whether one of our listeners stands there."""
        candidates = [listener for listener, own_port in self.listeners if own_port == port]
        if not candidates:
            return False
        ip = ipaddress.ip_address(address)
        for listener in map(ipaddress.ip_address, candidates):
            if ip == listener or (listener.is_unspecified and is_local(address)):
                return True
        return False


def is_local(address: str) -> bool:
    """Return whether the address is one of this machine's: only then can a socket be bound to it."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.bind((address, 0))
    except OSError:
        return False
    return True
