"""Blocks of ICID, MID and DCID, reserved on disk before they are handed out, so that none is ever used twice.

The file `numbers` in the state directory holds the next free number of each kind. When it is missing or unreadable although
mail or records are there, counting goes on from the clock (seconds x 1,000), which lies beyond any number used before.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

KINDS = ("icid", "mid", "dcid")
BLOCK = 5_000
"""Numbers in a block: one disk sync for each so many connections or messages."""


class NumberBook:
    """The master's book of numbers."""

    def __init__(self, state: Path) -> None:
        self._path = state / "numbers"
        self.note = ""
        """What was wrong with the file, for the log; empty when nothing was."""
        self._next = self._read(state)

    def _read(self, state: Path) -> dict[str, int]:
        try:
            found = json.loads(self._path.read_text())
            return {kind: int(found[kind]) for kind in KINDS}
        except FileNotFoundError:
            if not (state / "records.db").exists() and not any((state / "spool").glob("shard-*.db")):
                return dict.fromkeys(KINDS, 1)
            why = "is missing"
        except (OSError, ValueError, KeyError, TypeError) as fault:
            why = f"cannot be read ({fault})"
        self.note = f"{self._path} {why}; numbers go on from the clock, so that none is used twice"
        return dict.fromkeys(KINDS, int(time.time()) * 1000)

    def block(self, kind: str) -> tuple[int, int]:
        """Reserve a block durably and return it as `(start, stop)`."""
        start = self._next[kind]
        self._next[kind] = start + BLOCK
        self._write()
        return start, start + BLOCK

    def _write(self) -> None:
        fresh = self._path.with_suffix(".new")
        with open(fresh, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            json.dump(self._next, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, self._path)
        directory = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
