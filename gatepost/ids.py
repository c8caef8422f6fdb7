"""Numbers of connections and messages (ICID, MID, DCID), drawn from blocks so that they are unique across workers.

A block is a half-open range that the master reserved on disk before handing it out; a number is never used twice, also
after a crash. Knows nothing of where blocks come from.
"""

from __future__ import annotations

from collections.abc import Iterator


class Numbers:
    """A supply of numbers from blocks; the owner refills it before it runs dry."""

    def __init__(self) -> None:
        self._blocks: list[Iterator[int]] = []
        self.left = 0
        self.last = 0
        """The number that was taken last; 0: none yet."""

    def refill(self, start: int, stop: int) -> None:
        """Add the block `start` … `stop - 1`."""
        self._blocks.append(iter(range(start, stop)))
        self.left += stop - start

    def take(self) -> int:
        """Return the next number; LookupError when the supply is dry, which the owner must not let happen."""
        while self._blocks:
            number = next(self._blocks[0], None)
            if number is not None:
                self.left -= 1
                self.last = number
                return number
            del self._blocks[0]
        raise LookupError("no numbers left")
