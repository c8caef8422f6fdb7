"""One log file that several processes append to, and that can neither block nor lose its own thread of lines.

Each write is one `write(2)` on a descriptor opened O_APPEND, so batches of different processes never mix, and O_NONBLOCK, so
that a FIFO put in the file's place (nobody reads it, or too slowly) answers with an error instead of waiting. One process
may rotate by size; every process notices within CHECK_SECONDS that the name now means another file, and follows it.

Knows bytes only. Raises OSError and leaves to `records.journal` what that costs.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from time import monotonic

CHECK_SECONDS = 2.0
"""How often the name is looked up again: the longest that lines go to a file which was renamed away."""
ROTATE_BYTES = 100_000_000
KEEP_FILES = 10


class LogFile:
    """The file at `path`. `rotate_bytes` 0: some other process rotates it."""

    def __init__(self, path: Path, rotate_bytes: int = 0, keep: int = KEEP_FILES) -> None:
        self._path = path
        self._rotate_bytes = rotate_bytes
        self._keep = keep
        self._fd = -1
        self._identity = (0, 0)
        self._checked = 0.0
        self._stump = False

    def write(self, data: bytes) -> int:
        """Append `data`; the octets of whole lines that went out, less than all when the disk fills up half-way."""
        self._follow()
        # A write that stopped in mid-line left a stump; it must not become the head of the next line.
        lead = b"\n" if self._stump else b""
        sent = max(0, os.write(self._fd, lead + data) - len(lead))
        whole = sent if sent == len(data) else data.rfind(b"\n", 0, sent) + 1
        self._stump = whole < sent and not self._cut(sent - whole)
        return whole

    def close(self) -> None:
        """Let go of the file; the next write opens it again."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _cut(self, octets: int) -> bool:
        """Take back the end of what was just written; False when that cannot be, or somebody wrote behind it."""
        try:
            end = os.lseek(self._fd, 0, os.SEEK_CUR)
            if os.fstat(self._fd).st_size != end:
                return False
            # nobody can write in between: there is no room
            os.ftruncate(self._fd, end - octets)
        except OSError:
            return False  # a FIFO
        return True

    def _follow(self) -> None:
        """Have the descriptor open on what the name means now."""
        now = monotonic()
        if self._fd >= 0 and now - self._checked < CHECK_SECONDS:
            return
        self._checked = now
        if self._fd >= 0:
            if self._rotate_bytes:
                self._rotate()
            try:
                found = os.stat(self._path, follow_symlinks=False)
                if (found.st_dev, found.st_ino) == self._identity:
                    return
            except FileNotFoundError:
                pass  # removed or renamed: begin a new one
            self.close()
        self._open()

    def _open(self) -> None:
        self._path.parent.mkdir(mode=0o700, exist_ok=True)
        # O_NOFOLLOW: nothing outside the state directory is written, whatever stands in the file's place.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NOCTTY
        self._fd = os.open(self._path, flags, 0o600)
        status = os.fstat(self._fd)
        self._identity = (status.st_dev, status.st_ino)
        self._stump = False

    def _rotate(self) -> None:
        """Rename `mail_logs` to `mail_logs.1` and so on when it has grown past its size; the oldest one goes."""
        status = os.fstat(self._fd)
        if status.st_size < self._rotate_bytes or not stat.S_ISREG(status.st_mode):
            return
        try:
            for number in range(self._keep - 1, 0, -1):
                older = self._numbered(number)
                if older.exists():
                    older.replace(self._numbered(number + 1))
            self._path.replace(self._numbered(1))
        except OSError:
            pass  # a directory that may not be changed: better one file that grows than no log

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")
