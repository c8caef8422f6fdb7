"""A console in this process: what is typed is known beforehand, what is printed is kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from gatepost.admin.console.talk import Ended, Kind, Left, Talk, Told
from gatepost.admin.operations.operator import Operator

INTERRUPT = "\x03"


class Script:
    """A source of lines; INTERRUPT stands for Ctrl-C."""

    width = 80

    def __init__(self, *lines: str) -> None:
        self.lines = list(lines)
        self.screen = ""
        self.kinds: list[Kind] = []
        self.words: list[list[str]] = []

    async def read(self, prompt: str, kind: Kind, words: Sequence[str] = ()) -> str:
        self.screen += prompt
        self.kinds.append(kind)
        self.words.append(list(words))
        if not self.lines:
            raise Ended
        line = self.lines.pop(0)
        if line == INTERRUPT:
            raise Left
        self.screen += "\n"
        return line

    async def idle(self, seconds: float) -> bool:
        return True

    def write(self, text: str) -> None:
        self.screen += text

    @contextmanager
    def progress(self, what: str) -> Iterator[Told]:
        yield lambda doing, done, of: None


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    return Operator(tmp_path / "state", "tester")


def talk(operator: Operator, *lines: str) -> tuple[Talk, Script]:
    script = Script(*lines)
    return Talk(operator, script), script
