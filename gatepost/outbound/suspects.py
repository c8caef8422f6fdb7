"""Which messages were being delivered when the process crashed: a fault in a library, which no `except` catches.

Without this such a message would be delivered again at the next start, crash that too, and the whole shard would wait
behind it. Each message that is taken back from the spool stands in a small file while it is delivered; the file outlives the
process, not the machine, so nothing is synced. After a crash what stood there goes out one at a time, and what was in hand
at two crashes is set aside. A process that is killed from outside (SIGKILL) accuses nobody.
Never touches the spool, never deletes a message.
"""

from __future__ import annotations

import asyncio
import faulthandler
import os
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

CRASHES = 2
"""At so many crashes a message was in hand when it is set aside. At the second it was the only suspect in hand."""
_RECORD = struct.Struct("<QII")
"""MID (0: the place is free), crashes that it was in hand at, and in how many deliveries it is in hand now."""
MAX_TRACE = 16_384


class Suspects:
    """The messages in hand of one shard, and those that are under suspicion."""

    def __init__(self, directory: Path, shard: int) -> None:
        """Read what the process before left, which must be gone: its messages in hand and, if it crashed, its farewell."""
        self._file = _opened(directory / f"shard-{shard}.delivering")
        self._trace = _opened(directory / f"shard-{shard}.crash")
        self.crash = os.read(self._trace, MAX_TRACE).decode("utf-8", "replace").strip()
        """Where the process before was when it crashed; empty: it did not."""
        self._places: dict[int, int] = {}
        self._crashes: dict[int, int] = {}
        self._in_hand: dict[int, int] = {}
        self._free: list[int] = []
        self._one_at_a_time = asyncio.Lock()
        self._read()

    def watch(self) -> None:
        """Have a crash of this process leave its farewell: where each thread was."""
        os.ftruncate(self._trace, 0)
        os.lseek(self._trace, 0, os.SEEK_SET)
        faulthandler.enable(self._trace)

    def close(self) -> None:
        """Give the files up; faults are told to nobody from here on."""
        faulthandler.disable()
        os.close(self._file)
        os.close(self._trace)

    @property
    def accused(self) -> list[int]:
        """MIDs that were in hand at a crash and are not settled since."""
        return sorted(self._crashes)

    def is_condemned(self, mid: int) -> bool:
        """Whether a message was in hand at so many crashes that it is not to be tried again."""
        return self._crashes.get(mid, 0) >= CRASHES

    @asynccontextmanager
    async def in_hand(self, mid: int) -> AsyncIterator[None]:
        """Let a message stand in the file; a suspect waits until no other suspect does."""
        if mid not in self._crashes:
            with self._noted(mid):
                yield
            return
        async with self._one_at_a_time:
            with self._noted(mid):
                yield

    def acquit(self, mid: int) -> None:
        """Suspect a message no longer: its delivery came to an end, or an operator lets it go out again."""
        if self._crashes.pop(mid, 0):
            self._write(mid)

    @contextmanager
    def _noted(self, mid: int) -> Iterator[None]:
        self._in_hand[mid] = self._in_hand.get(mid, 0) + 1
        self._write(mid)
        try:
            yield
        finally:
            self._in_hand[mid] -= 1
            self._crashes.pop(mid, None)  # it came to its end in this process
            self._write(mid)

    def _read(self) -> None:
        """Take over from the process before; places of messages that nobody suspects are free again."""
        data = os.pread(self._file, os.fstat(self._file).st_size, 0)
        os.ftruncate(self._file, 0)
        for mid, crashes, in_hand in _RECORD.iter_unpack(data[: len(data) // _RECORD.size * _RECORD.size]):
            crashes += bool(in_hand and self.crash)
            if mid and crashes:
                self._crashes[mid] = crashes
                self._write(mid)

    def _write(self, mid: int) -> None:
        """Bring the file up to date about one message."""
        crashes, in_hand = self._crashes.get(mid, 0), self._in_hand.get(mid, 0)
        place = self._places.get(mid)
        if place is None:
            place = self._places[mid] = self._free.pop() if self._free else len(self._places)
        if not crashes and not in_hand:
            self._free.append(self._places.pop(mid))
            self._in_hand.pop(mid, None)
            mid = 0
        try:
            os.pwrite(self._file, _RECORD.pack(mid, crashes, in_hand), place * _RECORD.size)
        except OSError:
            pass  # a full disk: mail leaves it all the same, and a crash of just then accuses nobody


def _opened(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        return os.memfd_create(path.name)  # of a full disk mail is to leave; a crash of now then accuses nobody
