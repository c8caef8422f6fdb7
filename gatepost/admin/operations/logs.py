"""The log files: which there are, lines that match, what is said of one message, and what is being written now.

Rotated files are read with the current one, oldest first. Works in a thread, in portions, so that whoever asks may leave and
others go on. Only reads.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Literal

import msgspec

from gatepost.admin.operations.operator import Operator
from gatepost.config.paths import did_you_mean
from gatepost.errors import GatepostError, StateError

PORTION = 20_000
"""Lines that are looked through at once."""
MAX_EVENTS = 1000
Sought = Literal["from", "to", "subject", "message_id"]
_EVENTS: dict[Sought, re.Pattern[str]] = {
    "from": re.compile(r"MID (\d+) ICID \d+ From: <(.*)>$"),
    "to": re.compile(r"MID (\d+) ICID \d+ RID \d+ To: <(.*)>$"),
    "subject": re.compile(r"MID (\d+) Subject '(.*)'$"),
    "message_id": re.compile(r"MID (\d+) Message-ID '(.*)'$"),
}
_CONNECTION = re.compile(r"\b([ID]CID):? ([1-9]\d*)\b")


class Event(msgspec.Struct, frozen=True):
    """A message that was found, and the line that says it."""

    mid: int
    line: str


def names(operator: Operator) -> list[str]:
    """Return the logs that there are."""
    operator.require()
    directory = operator.state / "log"
    return sorted(path.name for path in directory.glob("*") if path.is_file() and not path.suffix[1:].isdigit())


def pattern(text: str, *, ignore_case: bool = False) -> re.Pattern[str]:
    """Compile a regular expression; GatepostError for one that is none."""
    try:
        return re.compile(text, re.IGNORECASE if ignore_case else 0)
    except re.error as error:
        raise GatepostError(f"{text!r} is no regular expression: {error}") from None


async def grep(operator: Operator, name: str, wanted: re.Pattern[str], *, invert: bool = False) -> AsyncIterator[list[str]]:
    """Yield the lines of a log that match, or do not, oldest first and some at a time."""
    async for portion in _portions(_files(operator, name)):
        yield [line for line in portion if (wanted.search(line) is None) == invert]


async def find(
    operator: Operator, name: str, sought: Sought, wanted: re.Pattern[str], *, current: bool = False
) -> list[Event]:
    """Return the messages of which the log says something that matches, oldest first, the last thousand of them."""
    found: deque[Event] = deque(maxlen=MAX_EVENTS)
    told, known = _EVENTS[sought], set[int]()
    async for portion in _portions(_files(operator, name)[-1 if current else 0 :]):
        for line in portion:
            match = told.search(line)
            if match is not None and wanted.search(match[2]) and int(match[1]) not in known:
                known.add(int(match[1]))
                found.append(Event(int(match[1]), line))
    return list(found)


async def of_message(operator: Operator, name: str, mid: int) -> list[str]:
    """Return the lines about a message, and those about the connections that it came and went by."""
    files = _files(operator, name)
    own = re.compile(rf"\bMID {mid}\b")
    connections: set[str] = set()
    async for portion in _portions(files):
        for line in portion:
            if own.search(line):
                connections.update(f"{kind}:? {number}" for kind, number in _CONNECTION.findall(line))
    theirs = re.compile(rf"\b(?:{'|'.join(sorted(connections))})\b") if connections else own
    kept = []
    async for portion in _portions(files):
        kept += [line for line in portion if own.search(line) or ("MID " not in line and theirs.search(line))]
    return kept


class Follower:
    """A log as it grows, across its rotation."""

    def __init__(self, operator: Operator, name: str) -> None:
        self._path = _files(operator, name)[-1]
        self._file = self._path.open("rb")
        self._rest = b""

    def last(self, count: int) -> list[str]:
        """Return the last lines that are there, and begin behind them."""
        return list(deque(self.more(), maxlen=count))

    def more(self) -> Iterator[str]:
        """Return the whole lines that were written since."""
        while True:
            for raw in self._file:
                self._rest += raw
                if self._rest.endswith(b"\n"):
                    line, self._rest = self._rest, b""
                    yield _text(line)
            if not self._was_renamed():
                return

    def _was_renamed(self) -> bool:
        """Open the file that has the name now, when it is another one."""
        try:
            fresh = self._path.open("rb")
        except OSError:
            return False  # it was moved, and the next one has not begun
        if os.path.sameopenfile(fresh.fileno(), self._file.fileno()):
            fresh.close()
            return False
        self._file.close()
        self._file = fresh
        return True

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def _files(operator: Operator, name: str) -> list[Path]:
    """Return the files of a log, oldest first."""
    known = names(operator)
    if name not in known:
        what = (
            f"there is no log {name}: {did_you_mean(name, known)}" if known else f"there is no log in {operator.state} yet"
        )
        raise GatepostError(what)
    current = operator.state / "log" / name
    rotated = [path for path in current.parent.glob(f"{name}.*") if path.suffix[1:].isdigit()]
    return [*sorted(rotated, key=lambda path: -int(path.suffix[1:])), current]


async def _portions(files: Sequence[Path]) -> AsyncIterator[list[str]]:
    lines = _lines(files)
    while portion := await asyncio.to_thread(lambda: list(islice(lines, PORTION))):
        yield portion


def _lines(files: Sequence[Path]) -> Iterator[str]:
    for path in files:
        try:
            with path.open("rb") as file:
                yield from map(_text, file)
        except FileNotFoundError:
            continue  # rotated away this moment
        except OSError as error:
            raise StateError(f"{path} cannot be read: {error.strerror}") from None


def _text(raw: bytes) -> str:
    return raw.decode(errors="replace").rstrip("\r\n")
