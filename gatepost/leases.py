"""What a worker must ask for before it takes more of something that all workers share (DESIGN.md section 2).

Only the interface stands here, at the bottom, because inbound and outbound both hold it and must not know each other. It
names no process and no socket: one machine answers it from the master, several machines will from a shared engine.
Keys are short strings such as `host/InboundMail/192.0.2.1`.
"""

from __future__ import annotations

from typing import Protocol


class Leases(Protocol):
    """Exact limits across workers."""

    async def take(self, key: str, limit: int) -> bool:
        """Take one of at most `limit` places (-1: unlimited) under `key`; True when granted, then `give_back` is owed."""

    def give_back(self, key: str) -> None:
        """Return one place taken under `key`."""

    async def spend(self, key: str, amount: int, limit: int, seconds: int) -> bool:
        """Count `amount` against at most `limit` per `seconds` under `key`; False (and nothing counted) when over."""
