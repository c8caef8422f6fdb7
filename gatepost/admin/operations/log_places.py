"""A log as it grows, each line with its place, by which reading goes on later: across rotation and restarts.

A place names the file by its inode, the offset behind the line, and a checksum of what stands before it, so that another
file, or one that was cut short, is never taken for the one that was read.
"""

from __future__ import annotations

import os
import re
import zlib
from pathlib import Path
from typing import BinaryIO

from gatepost.admin.operations.operator import Operator

MAX_LINE = 1 << 16
"""Octets of one line that are read at most."""
_CHECKED = 64
"""Octets before a place that its checksum is of."""
_PLACE = re.compile(r"([0-9a-f]{1,16})-([0-9a-f]{1,16})-([0-9a-f]{8})")


class PlacedLines:
    """The lines of a log behind a place, or those that are still to be written."""

    def __init__(self, operator: Operator, name: str, after: str = "") -> None:
        """`after`: a place; empty, or one that is not there any more (then `missed` says so): begin at the end."""
        self._current = operator.state / "log" / name
        self._file: BinaryIO | None = self._find(after) if after else None
        self.missed = bool(after) and self._file is None
        if self._file is None and (opened := _opened(self._current)) is not None:
            opened.seek(0, os.SEEK_END)
            self._file = opened

    def more(self, limit: int) -> list[tuple[str, str]]:
        """Return whole lines that were written since, each with its place; blocks for the disk only."""
        lines: list[tuple[str, str]] = []
        while len(lines) < limit:
            if self._file is None and (opened := _opened(self._current)) is not None:
                self._file = opened
            if self._file is None:
                break
            start = self._file.tell()
            line = self._file.readline(MAX_LINE)
            if line.endswith(b"\n") or len(line) == MAX_LINE:
                lines.append((_place(self._file), line.decode(errors="replace").rstrip("\r\n")))
                continue
            self._file.seek(start)
            if not self._go_on():
                break
        return lines

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()

    def _go_on(self) -> bool:
        """Open the file that follows the one that is read to its end, where there is one."""
        assert self._file is not None
        files, inode = self._files(), os.fstat(self._file.fileno()).st_ino
        inodes = [_inode(path) for path in files]
        if not files or inodes[-1] == inode:
            return False
        follower = files[inodes.index(inode) + 1] if inode in inodes else files[0]
        fresh = _opened(follower)
        if fresh is None:
            return False
        self._file.close()
        self._file = fresh
        return True

    def _find(self, place: str) -> BinaryIO | None:
        told = _PLACE.fullmatch(place)
        if told is None:
            return None
        inode, offset = int(told[1], 16), int(told[2], 16)
        for path in self._files():
            if _inode(path) != inode or (file := _opened(path)) is None:
                continue
            if offset <= os.fstat(file.fileno()).st_size:
                file.seek(offset)
                if _place(file) == place:
                    return file
            file.close()
        return None

    def _files(self) -> list[Path]:
        """Return the files of the log, oldest first."""
        rotated = [path for path in self._current.parent.glob(f"{self._current.name}.*") if path.suffix[1:].isdigit()]
        files = [*sorted(rotated, key=lambda path: -int(path.suffix[1:])), self._current]
        return [path for path in files if path.is_file()]


def _opened(path: Path) -> BinaryIO | None:
    try:
        return path.open("rb")
    except OSError:
        return None  # not begun, or rotated away this moment


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError:
        return -1


def _place(file: BinaryIO) -> str:
    """Return where a file is read; its position stays."""
    offset = file.tell()
    file.seek(max(0, offset - _CHECKED))
    checksum = zlib.crc32(file.read(min(offset, _CHECKED)))
    return f"{os.fstat(file.fileno()).st_ino:x}-{offset:x}-{checksum:08x}"
