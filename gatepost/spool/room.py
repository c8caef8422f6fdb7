"""Room on the disk: the free-space floor, and a reserve that is given up so that mail can still leave a full disk.

When a disk is full, deletes fail as inserts do, and a delivered message that cannot be ticked off goes out again and again.
So the shard keeps some megabytes of real blocks and releases them then. Never deletes anything but its own reserve.
"""

from __future__ import annotations

import os
import resource
from pathlib import Path

import msgspec

RESERVE = 16 << 20
"""More than the WAL ever holds (writer.CHECKPOINT_OCTETS and a group), so that a last checkpoint always succeeds."""

OPENING = 1 << 20
"""More than opening a shard writes: the index of its WAL, a page or two."""


FILE_MARGIN = 1 << 20
"""Octets that the database stays below a limit on file size (RLIMIT_FSIZE), so that a checkpoint never meets it: a WAL that
cannot be copied back grows until it meets the limit, too, and then not even a delivery can be noted."""


def file_limit() -> int:
    """Return the octets that one file of this process may have at most; 0 when nothing limits them."""
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    return 0 if limit == resource.RLIM_INFINITY else limit


class Floor(msgspec.Struct, frozen=True):
    """What must stay free on the spool's file system; below it no new mail is accepted."""

    space: int = 64 << 20
    """Octets."""
    inodes: int = 100
    """File entries, on file systems that have a fixed number of them."""


class Room:
    """Knows whether there is room for new mail, and holds the reserve."""

    def __init__(self, directory: Path, floor: Floor, reserve: Path) -> None:
        self._directory = directory
        self.floor = floor
        self._reserve = reserve
        self._database = reserve.with_suffix(".db")

    def lack(self) -> str:
        """Say what is lacking, in one sentence; empty when there is room."""
        state = os.statvfs(self._directory)
        space = state.f_bavail * state.f_frsize
        if space < self.floor.space:
            return f"{self._directory} has {space >> 10} KiB free, less than the floor of {self.floor.space >> 10} KiB"
        # f_files is 0 where inodes are made on demand (btrfs)
        if state.f_files and state.f_favail < self.floor.inodes:
            return f"{self._directory} has {state.f_favail} inodes free, less than the floor of {self.floor.inodes}"
        return self._outgrown()

    def _outgrown(self) -> str:
        """Say that the database nears a limit on file size; the rest of it is for what lets mail leave."""
        limit = file_limit()
        if not limit or not self._database.exists():
            return ""
        size = self._database.stat().st_size
        if size <= limit - min(RESERVE, limit // 4):
            return ""
        return f"{self._database} has {size >> 10} KiB, and a file may have {limit >> 10} KiB here (RLIMIT_FSIZE)"

    def wal_is_in_the_way(self) -> bool:
        """Whether the WAL's blocks are what is lacking: given back, they would do for the floor and the reserve.

        Where they would not they must stay, for they may be the last ones in which it can be noted that mail has left.
        """
        try:
            state = os.statvfs(self._directory)
            wal = os.stat(f"{self._database}-wal").st_size
        except OSError:
            return False
        free = state.f_bavail * state.f_frsize
        wanted = self.floor.space + (0 if self._reserve.exists() else RESERVE)
        return free < wanted <= free + wal

    def make_way(self) -> None:
        """Give the reserve up where there is no room even to open the shard: that writes, and mail is to leave it."""
        state = os.statvfs(self._directory)
        if state.f_bavail * state.f_frsize < OPENING:
            self.release()

    def hold(self) -> bool:
        """Take the reserve if it is not held; False when the disk does not give it."""
        try:
            descriptor = os.open(self._reserve, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                if os.fstat(descriptor).st_size < RESERVE:
                    os.posix_fallocate(descriptor, 0, RESERVE)
            finally:
                os.close(descriptor)
        except OSError:
            self.release()
            return False
        return True

    def release(self) -> None:
        """Give the reserve back to the file system."""
        try:
            os.unlink(self._reserve)
        except OSError:
            pass  # there was none: then there is nothing to gain
