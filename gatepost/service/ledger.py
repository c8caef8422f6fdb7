"""The limits that all workers share: who holds how many places, and what was spent in the running window.

`Ledger` is the book, kept by the master; `gatepost.service.places` is how a worker asks it. What a worker held when it died
comes back when the master says so. The book is plain numbers under string keys, so that another engine can keep it one day.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

MANY = 100_000
"""Windows remembered before the ones that are over are swept out for the first time."""
REFUSED, GRANTED, AMPLE = range(3)
"""What comes of asking for a place. AMPLE: granted, and so many are left that the holder may keep it for its next taker."""
AMPLE_FROM = 100
"""Places that a limit must allow before one may be kept. What a hung worker keeps is out of reach until it is replaced,
which in a small limit would be much of it."""


class Ledger:
    """Places taken and amounts spent, exact over all workers. Time comes from the caller, monotonic seconds."""

    def __init__(self) -> None:
        self._taken: Counter[str] = Counter()
        self._held: defaultdict[int, Counter[str]] = defaultdict(Counter)
        self._ample: dict[str, set[int]] = {}
        self._spent: dict[str, tuple[float, int]] = {}
        self._sweep_at = MANY

    def take(self, holder: int, key: str, limit: int) -> int:
        """Give `holder` one of at most `limit` places under `key`: REFUSED, GRANTED or AMPLE."""
        taken = self._taken[key]
        if 0 <= limit <= taken:
            return REFUSED
        self._taken[key] = taken + 1
        self._held[holder][key] += 1
        if limit < AMPLE_FROM or 2 * taken >= limit:
            return GRANTED
        self._ample.setdefault(key, set()).add(holder)
        return AMPLE

    def keepers(self, key: str, besides: int) -> list[int]:
        """Return who, besides one, may keep places under `key` that nobody is in."""
        return [holder for holder in self._ample.get(key, ()) if holder != besides and self._held[holder][key]]

    def give_back(self, holder: int, places: Mapping[str, int]) -> None:
        """Take places back, so many under each key; a holder cannot return more than it has."""
        held = self._held[holder]
        for key, count in places.items():
            if (returned := min(count, held[key])) > 0:
                _less(held, key, returned)
                self._free(key, returned)

    def give_back_all(self, holder: int) -> None:
        """The holder died: everything it held is free again."""
        for key, count in self._held.pop(holder, Counter()).items():
            self._free(key, count)

    def _free(self, key: str, count: int) -> None:
        _less(self._taken, key, count)
        if key not in self._taken:
            self._ample.pop(key, None)

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


def _less(counter: Counter[str], key: str, count: int) -> None:
    counter[key] -= count
    if counter[key] <= 0:
        del counter[key]
