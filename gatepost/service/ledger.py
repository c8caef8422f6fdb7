"""The limits that all workers share: who holds how many places, and what was spent in the running window.

`Ledger` is the book, kept by the master; `LeasesFromMaster` is how a worker asks it. What a worker held when it died comes
back when the master says so. The book is plain numbers under string keys, so that another engine can keep it one day.
"""

from __future__ import annotations

from collections import Counter, defaultdict

from gatepost.service.control import Channel

MANY = 100_000
"""Windows remembered before the ones that are over are swept out for the first time."""


class Ledger:
    """Places taken and amounts spent, exact over all workers. Time comes from the caller, monotonic seconds."""

    def __init__(self) -> None:
        self._taken: Counter[str] = Counter()
        self._held: defaultdict[int, Counter[str]] = defaultdict(Counter)
        self._spent: dict[str, tuple[float, int]] = {}
        self._sweep_at = MANY

    def take(self, holder: int, key: str, limit: int) -> bool:
        """Give `holder` one of at most `limit` places under `key`."""
        if 0 <= limit <= self._taken[key]:
            return False
        self._taken[key] += 1
        self._held[holder][key] += 1
        return True

    def give_back(self, holder: int, key: str) -> None:
        """Take one place back; a holder cannot return more than it has."""
        if self._held[holder][key] > 0:
            _less(self._held[holder], key)
            _less(self._taken, key)

    def give_back_all(self, holder: int) -> None:
        """The holder died: everything it held is free again."""
        for key, count in self._held.pop(holder, Counter()).items():
            _less(self._taken, key, count)

    def spend(self, key: str, amount: int, limit: int, seconds: int, now: float) -> bool:
        """Count `amount` in the window of `seconds` that began with the first spending; False when it would pass `limit`."""
        end, spent = self._spent.get(key, (0.0, 0))
        if now >= end:
            end, spent = now + seconds, 0
        if 0 <= limit < spent + amount:
            return False
        self._spent[key] = (end, spent + amount)
        if len(self._spent) > self._sweep_at:
            self._spent = {key: entry for key, entry in self._spent.items() if entry[0] > now}
            # as many again before the next sweep: where most windows still run, each spending would pay for one
            self._sweep_at = max(MANY, 2 * len(self._spent))
        return True

    def taken(self, prefix: str = "") -> dict[str, int]:
        """Return the places in use, by key."""
        return {key: count for key, count in self._taken.items() if key.startswith(prefix)}


def _less(counter: Counter[str], key: str, count: int = 1) -> None:
    counter[key] -= count
    if counter[key] <= 0:
        del counter[key]


class LeasesFromMaster:
    """A worker's `Leases` (gatepost.leases): one round trip for each place, none where there is no limit."""

    def __init__(self, master: Channel) -> None:
        self._master = master
        self._unlimited: Counter[str] = Counter()

    async def take(self, key: str, limit: int) -> bool:
        """See `Leases.take`."""
        if limit < 0:
            self._unlimited[key] += 1
            return True
        return bool(await self._master.ask("take", key=key, limit=limit))

    def give_back(self, key: str) -> None:
        """See `Leases.give_back`."""
        if self._unlimited[key] > 0:
            _less(self._unlimited, key)
        else:
            self._master.tell("give_back", key=key)

    async def spend(self, key: str, amount: int, limit: int, seconds: int) -> bool:
        """See `Leases.spend`."""
        return limit < 0 or bool(await self._master.ask("spend", key=key, amount=amount, limit=limit, seconds=seconds))
