"""Which ways an input took through Gatepost's code: the steps from line to line, so that what goes new ways can be kept.

A trace function of our own instead of a coverage library: it has to answer one question, and about our package only.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from inspect import CO_GENERATOR
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import gatepost

_HOME = str(Path(gatepost.__file__).parent)


class Edges:
    """The steps seen so far, and those of the last run."""

    def __init__(self) -> None:
        self.seen: set[int] = set()
        self.ran: set[int] = set()
        self.new = False
        """Whether the last run was the first to take some step."""
        self._numbers: dict[CodeType, int] = {}
        self._known: dict[int, int] = {}

    def run(self, check: Callable[[bytes], None], octets: bytes) -> None:
        """Run `check` and note which ways it went; whatever it raises is passed on."""
        self.ran = set()
        before = sys.gettrace()
        sys.settrace(self._call)
        try:
            check(octets)
        finally:
            sys.settrace(before)
            self.new = not self.ran <= self.seen
            self.seen |= self.ran

    def _call(self, frame: FrameType, event: str, argument: object) -> Any:
        code = frame.f_code
        number = self._known.get(id(code))
        if number is None:
            number = self._number(code)
        if not number:
            return None
        start = number << 40
        last = 0
        ran = self.ran

        def line(frame: FrameType, event: str, argument: object) -> Any:
            nonlocal last
            if event == "line":
                here = frame.f_lineno
                ran.add(start | last << 20 | here)
                last = here
            return line

        return line

    def _number(self, code: CodeType) -> int:
        """Number a function of ours, 0 for any other; kept alive, so that its id stays its own."""
        ours = code.co_filename.startswith(_HOME) and not code.co_flags & CO_GENERATOR  # a generator is entered too often
        number = len(self._numbers) + 1 if ours else 0
        self._numbers.setdefault(code, number)
        self._known[id(code)] = self._numbers[code]
        return self._known[id(code)]
