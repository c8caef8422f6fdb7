"""A bounded list that the event loop appends to and one thread empties: what keeps disks out of the way of mail.

`put` takes well under a microsecond, never blocks and never raises. What the thread cannot write stays in the list, oldest
first; when the list is full, new items are dropped and counted. The thread is a daemon, so that one that hangs in a dead
disk cannot keep the process alive.
"""

from __future__ import annotations

import os
import threading
import traceback
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Backlog(Generic[Item]):
    """`write(items, dropped)` is called in the thread only, also when there is nothing to write; it returns how many of
    `items`, from the front, it has dealt with. `dropped` is the number of items lost so far."""

    def __init__(
        self, name: str, write: Callable[[list[Item], int], int], *, limit: int, chunk: int, seconds: float
    ) -> None:
        self.dropped = 0
        """Items that found no room, since the start."""
        self._items: list[Item] = []
        self._write = write
        self._limit = limit
        self._chunk = chunk
        self._seconds = seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def __len__(self) -> int:
        return len(self._items)

    def start(self) -> None:
        """Start the thread: after the last fork, for a thread does not survive one."""
        self._thread.start()

    def put(self, item: Item) -> None:
        """Append, or drop and count."""
        if len(self._items) < self._limit:
            self._items.append(item)
        else:
            self.dropped += 1

    def put_all(self, items: list[Item]) -> None:
        """Append all of them, or drop and count them."""
        if len(self._items) < self._limit:
            self._items += items
        else:
            self.dropped += len(items)

    def close(self, seconds: float) -> bool:
        """Flush once more and end the thread, in at most `seconds`; False when something was left behind."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(seconds)
        return not self._thread.is_alive() and not self._items

    def _run(self) -> None:
        stopping = False
        while not stopping:
            stopping = self._stop.wait(self._seconds)
            self._flush()

    def _flush(self) -> None:
        # Another thread may append at any point between these lines. That is safe because the list is never replaced,
        # appending, extending by a list and deleting a slice are each atomic, and only this thread deletes.
        items = self._items
        while True:
            batch = items[: self._chunk]
            try:
                done = self._write(batch, self.dropped)
            except Exception:  # a bug costs this batch, not the thread: without it nothing would be written any more
                note(f"bug in {self._thread.name}\n{traceback.format_exc()}")
                self.dropped += len(batch)
                done = len(batch)
            del items[:done]
            if done < len(batch) or len(batch) < self._chunk:
                return


def note(text: str) -> None:
    """Say it on stderr, the last resort of those who cannot write where they should; in silence when that fails too."""
    try:
        os.write(2, f"gatepost: {text}\n".encode("utf-8", "backslashreplace"))
    except OSError:
        pass
