"""A worker's share of the limits (gatepost.leases): it asks the master for places, and keeps freed ones for a moment.

Most connections come right after another one has gone. So where the ledger says that places are ample, a place that is given
back waits here for the next taker, who then asks nobody; what was not needed for a second goes back in one notice for all
keys. The limits stay exact: what is kept counts as taken, and before the master refuses anybody it recalls what others keep.
"""

from __future__ import annotations

import asyncio
from collections import Counter

from gatepost.service.control import Channel
from gatepost.service.ledger import AMPLE, REFUSED

KEEP = 1.0
"""Seconds without need after which a place goes back to the master."""


class _Kept:
    """Places under one key that wait for a taker."""

    __slots__ = ("count", "least", "limit", "used")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.count = 0
        self.least = 0  # how few there were since the last look: so many were not needed
        self.used = True  # since the last look


class LeasesFromMaster:
    """See `gatepost.leases.Leases`: no round trip where there is no limit, or a place was kept; else one."""

    def __init__(self, master: Channel) -> None:
        self._master = master
        self._unlimited: Counter[str] = Counter()
        self._kept: dict[str, _Kept] = {}
        self._timer: asyncio.TimerHandle | None = None

    async def take(self, key: str, limit: int) -> bool:
        """See `Leases.take`."""
        kept = self._kept.get(key)
        if kept is not None:
            if kept.count and kept.limit == limit:
                kept.count -= 1
                if kept.count < kept.least:
                    kept.least = kept.count
                return True
            if kept.limit != limit:  # another configuration: the master must count anew
                self._return({key: self._drop(key)})
        if limit < 0:
            self._unlimited[key] += 1
            return True
        answer = await self._master.ask("take", key=key, limit=limit)
        if answer == AMPLE:
            self._keep(key, limit)
        return bool(answer != REFUSED)

    def give_back(self, key: str) -> None:
        """See `Leases.give_back`."""
        if self._unlimited[key] > 0:
            self._unlimited[key] -= 1
            if not self._unlimited[key]:
                del self._unlimited[key]
        elif (kept := self._kept.get(key)) is not None:
            kept.count += 1
            kept.used = True
        else:
            self._return({key: 1})

    async def spend(self, key: str, amount: int, limit: int, seconds: int) -> bool:
        """See `Leases.spend`."""
        return limit < 0 or bool(await self._master.ask("spend", key=key, amount=amount, limit=limit, seconds=seconds))

    async def recall(self, key: str) -> None:
        """The master needs what is kept under `key`: give it back.

        A coroutine, so that it begins behind what the answers that came before it on the channel set going: a place that
        they granted is kept by now. And a notice goes ahead of its answer, for the answer may come too late to be heard.
        """
        self._return({key: self._drop(key)})

    def _keep(self, key: str, limit: int) -> None:
        if key not in self._kept:
            self._kept[key] = _Kept(limit)
            if self._timer is None:
                self._timer = asyncio.get_running_loop().call_later(KEEP, self._look)

    def _drop(self, key: str) -> int:
        kept = self._kept.pop(key, None)
        return kept.count if kept is not None else 0

    def _return(self, places: dict[str, int]) -> None:
        if any(places.values()):
            self._master.tell("give_back", places=places)

    def _look(self) -> None:
        """Give back what was not needed since the last look, and forget the keys that were not."""
        surplus = {}
        for key, kept in list(self._kept.items()):
            if kept.least:
                surplus[key] = kept.least
                kept.count -= kept.least
            if not (kept.count or kept.used):
                del self._kept[key]
            kept.least, kept.used = kept.count, False
        self._return(surplus)
        self._timer = asyncio.get_running_loop().call_later(KEEP, self._look) if self._kept else None
