"""The files of a spool shard, who owns them, and their modes.

`shard-N.db` (with SQLite's `-wal` and `-shm`) holds envelopes, states and small bodies; `shard-N/` holds one file for each
body over 256 KiB, named by its MID; `shard-N.lock` says who owns the shard; `shard-N.reserve` is room kept for a full disk.
Beside them lie `shard-N.delivering` and `shard-N.crash` of `outbound.suspects`.
Never deletes anything but body files that no message owns.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Container, Iterator
from pathlib import Path

from gatepost.durable import sync_directory
from gatepost.errors import StateError

SHARD_FILE = re.compile(r"shard-(0|[1-9][0-9]*)\.db")


class Layout:
    """Paths of one shard, and the lock on it while it is open."""

    def __init__(self, directory: Path, shard: int) -> None:
        self.directory = directory
        self.shard = shard
        self.database = directory / f"shard-{shard}.db"
        self.bodies = directory / f"shard-{shard}"
        self.reserve = directory / f"shard-{shard}.reserve"
        self.suspect = directory / f"shard-{shard}.suspect"
        self._lock_file = directory / f"shard-{shard}.lock"
        self._lock = -1

    def prepare(self) -> None:
        """Make what is missing, with modes that keep mail from other users, and durable names."""
        for directory in (self.directory, self.bodies):
            if not directory.is_dir():
                directory.mkdir(mode=0o700, parents=True)
                sync_directory(directory)
                sync_directory(directory.parent)
        if not self.database.exists():
            # SQLite gives its -wal and -shm the mode of the database; made here so that the umask has no say
            os.close(os.open(self.database, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            sync_directory(self.directory)

    def lock(self) -> None:
        """Own the shard until `unlock` or the end of this process; two owners would deliver everything twice."""
        self._lock = os.open(self._lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(self._lock, 20).decode("ascii", "replace").strip() or "unknown"
            os.close(self._lock)
            self._lock = -1
            raise StateError(f"spool shard {self.shard} in {self.directory} is in use by process {owner}") from None
        try:
            os.ftruncate(self._lock, 0)
            os.pwrite(self._lock, f"{os.getpid()}\n".encode(), 0)
        except OSError:
            pass  # only for the sentence above; mail must leave a full disk, too

    def unlock(self) -> None:
        """Give the shard up. The lock file stays: to unlink it would let two processes lock two files of one name."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def mark_suspect(self, reason: str) -> None:
        """Leave word for the next start, which then looks at every page however long it takes."""
        try:
            self.suspect.write_text(reason + "\n")
            self.suspect.chmod(0o600)
        except OSError:
            pass  # the next start may still find the damage by itself, or meets it as we did

    def body(self, mid: int) -> Path:
        """Return where the body of a large message lies."""
        return self.bodies / str(mid)

    def body_mids(self) -> Iterator[int]:
        """Yield the MID of every body file."""
        with os.scandir(self.bodies) as entries:
            for entry in entries:
                if entry.name.isdecimal():
                    yield int(entry.name)

    def remove_orphans(self, owned: Container[int]) -> int:
        """Remove body files whose message never became durable: the crash came before the commit, so no 250 was given."""
        orphans = [mid for mid in self.body_mids() if mid not in owned]
        for mid in orphans:
            os.unlink(self.body(mid))
        return len(orphans)


def leftover_shards(directory: Path, workers: int) -> list[int]:
    """Return the shards that no worker of `workers` owns by its number: the worker count was larger once."""
    if not directory.is_dir():
        return []
    numbers = (SHARD_FILE.fullmatch(entry.name) for entry in directory.iterdir())
    return sorted(number for match in numbers if match and (number := int(match[1])) >= workers)
