"""What was settled in memory and may not be on the disk yet: nobody must take up again what the spool shows out of date.

Settling is numbered; the spool writes in that order. Who reads the spool takes a mark before, and afterwards asks of each
message whether it was settled behind the mark. Writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class Fence:
    """Numbers of what was settled, by MID, as long as somebody's reading may be older."""

    def __init__(self) -> None:
        self.settled = 0
        """Number of the last thing settled."""
        self.durable = 0
        """Everything up to this number is on the disk."""
        self._last: dict[int, int] = {}
        self._marks: list[int] = []

    def note(self, mid: int) -> int:
        """Number something that is settled now."""
        self.settled += 1
        self._last.pop(mid, None)
        self._last[mid] = self.settled
        return self.settled

    def note_durable(self, number: int) -> None:
        """Everything up to `number` has reached the disk."""
        self.durable = max(self.durable, number)
        oldest = min(self._marks, default=self.durable)
        while self._last:
            mid = next(iter(self._last))
            if self._last[mid] > min(oldest, self.durable):
                return
            del self._last[mid]

    @contextmanager
    def reading(self) -> Iterator[int]:
        """Hand out the mark of a reading that begins now."""
        mark = self.durable
        self._marks.append(mark)
        try:
            yield mark
        finally:
            self._marks.remove(mark)

    def is_newer(self, mid: int, mark: int) -> bool:
        """Return whether a message was settled behind the mark, so that what was read of it may be out of date."""
        return self._last.get(mid, 0) > mark
