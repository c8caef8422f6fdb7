"""Blocks of ICID, MID and DCID, reserved on disk before they are handed out, so that none is ever used twice.

`NumberBook` is the master's: the file `numbers` in the state directory holds the next free number of each kind. When it is
missing or unreadable although mail or records are there, counting goes on from the clock (seconds x 1,000), which lies
beyond any number used before. `NumberSupply` is a worker's share, refilled before it runs dry.
"""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from gatepost.durable import replace_file
from gatepost.errors import ControlError, StateError
from gatepost.ids import Numbers
from gatepost.records import maillog
from gatepost.service.control import Channel

KINDS = ("icid", "mid", "dcid")
BLOCK = 5_000
"""Numbers in a block: one disk sync for each so many connections or messages."""
AGAIN = 1.0
"""Seconds until a worker asks once more for what it was refused."""


class NumberBook:
    """The master's book of numbers; `block` may be called from any thread."""

    def __init__(self, state: Path) -> None:
        self._path = state / "numbers"
        self._lock = threading.Lock()
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
        self.note = maillog.numbers_lost(str(self._path), why)
        return dict.fromkeys(KINDS, int(time.time()) * 1000)

    def block(self, kind: str) -> tuple[int, int]:
        """Reserve a block durably and return it as `(start, stop)`; StateError when the disk does not take it."""
        with self._lock:
            start = self._next[kind]
            self._next[kind] = start + BLOCK
            page = json.dumps(self._next).encode()
            try:
                replace_file(self._path, page)
            except OSError:
                self._overwrite(page)
            return start, start + BLOCK

    def _overwrite(self, page: bytes) -> None:
        """Write where there is no room for a second file: deliveries need numbers, too. If it is torn, the clock helps."""
        try:
            descriptor = os.open(self._path, os.O_WRONLY)
            try:
                if os.pwrite(descriptor, page, 0) != len(page):
                    raise OSError(0, "it was written only in part")
                os.ftruncate(descriptor, len(page))
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise StateError(f"{self._path} cannot be written: {error.strerror}") from None


class NumberSupply:
    """A worker's numbers of every kind."""

    def __init__(self, master: Channel, tasks: asyncio.TaskGroup, warn: Callable[[str], None]) -> None:
        self._master, self._tasks, self._warn = master, tasks, warn
        self._numbers = {kind: Numbers() for kind in KINDS}
        self._refilling: set[str] = set()

    async def fill(self) -> None:
        """Have some of each kind; waits until the master has them."""
        for kind in KINDS:
            await self._refill(kind)

    def take(self, kind: str) -> int:
        """Return the next number, asking for more in good time; LookupError when the master had none for too long."""
        numbers = self._numbers[kind]
        if numbers.left < BLOCK // 2 and kind not in self._refilling:
            self._refilling.add(kind)
            self._tasks.create_task(self._refill(kind))
        return numbers.take()

    def last(self) -> dict[str, int]:
        """Return the number of each kind that was taken last."""
        return {kind: numbers.last for kind, numbers in self._numbers.items()}

    async def _refill(self, kind: str) -> None:
        told = False
        while True:
            try:
                start, stop = await self._master.ask("numbers", kind=kind)
                break
            except ControlError as refusal:
                if not told:
                    self._warn(maillog.no_numbers(str(refusal)))
                told = True
                await asyncio.sleep(AGAIN)
        self._numbers[kind].refill(start, stop)
        self._refilling.discard(kind)
