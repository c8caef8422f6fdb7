"""Where the console's lines come from on this machine: a keyboard, through prompt_toolkit, or a pipe, line by line.

The history is a file in the state directory that only its owner reads. It keeps what was typed at the host prompt and no
answer of any dialogue, so that no secret is ever in it.
"""

from __future__ import annotations

import asyncio
import getpass
import os
import select
import shutil
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from gatepost.admin.cli_base import Cli
from gatepost.admin.console.talk import Ended, Kind, Left, Source, Told

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession

HISTORY = "console_history"
LOOK = 0.1
"""Seconds between two looks for input while something is only shown."""


def local_source(state: Path) -> Source:
    """Return the keyboard when there is one, or else standard input as it comes."""
    return Keyboard(state) if sys.stdin.isatty() and sys.stdout.isatty() else Pipe()


class _Local:
    """What both have in common: standard output."""

    @property
    def width(self) -> int:
        """Columns of the terminal, or 80."""
        return shutil.get_terminal_size().columns

    def write(self, text: str) -> None:
        """Print at once, so that a prompt is there before its answer."""
        sys.stdout.write(text)
        sys.stdout.flush()

    def progress(self, what: str) -> AbstractContextManager[Told]:
        """Show how far something has come."""
        return Cli().progress(what)


class Pipe(_Local):
    """Standard input line by line: no echo, no colour, no editing."""

    def __init__(self) -> None:
        self._ahead = b""
        """What came behind the last line that was read."""

    async def read(self, prompt: str, kind: Kind, words: Sequence[str] = ()) -> str:
        """Read one line; a prompt's line is ended, as the Return key ends it on a terminal."""
        try:
            self.write(prompt)
            if kind == "secret" and sys.stdin.isatty():
                return getpass.getpass("")
            line = self._line()
        except KeyboardInterrupt:
            raise Left from None
        if prompt:
            self.write("\n")
        if not line:
            raise Ended
        return line.decode(errors="replace").rstrip("\r\n")

    def _line(self) -> bytes:
        """Return the next line with its end; empty at the end of the input."""
        while b"\n" not in self._ahead and (piece := os.read(sys.stdin.fileno(), 65536)):
            self._ahead += piece
        line, end, self._ahead = self._ahead.partition(b"\n")
        return line + end

    async def idle(self, seconds: float) -> bool:
        """Look for input now and then: a file can be looked at in no other way."""
        until = time.monotonic() + seconds
        while not self._ahead and not select.select([sys.stdin], [], [], 0)[0]:
            left = until - time.monotonic()
            if left <= 0:
                return False
            await asyncio.sleep(min(left, LOOK))
        return True


class Keyboard(_Local):
    """A terminal: completion with the Tab key, editing, and a history of commands."""

    def __init__(self, state: Path) -> None:
        from prompt_toolkit import PromptSession
        from prompt_toolkit.history import DummyHistory, FileHistory, History, InMemoryHistory

        kept = _history_file(state)
        history: History = FileHistory(str(kept)) if kept else InMemoryHistory()
        self._commands: PromptSession[str] = PromptSession(history=history)
        self._answers: PromptSession[str] = PromptSession(history=DummyHistory())

    async def read(self, prompt: str, kind: Kind, words: Sequence[str] = ()) -> str:
        """Read one line; only a command is kept in the history."""
        from prompt_toolkit.completion import WordCompleter
        from prompt_toolkit.shortcuts import CompleteStyle

        session = self._commands if kind == "command" else self._answers
        try:
            return await session.prompt_async(
                prompt,
                completer=WordCompleter(list(words), ignore_case=True),
                complete_while_typing=False,
                complete_style=CompleteStyle.READLINE_LIKE,
                reserve_space_for_menu=0,
                is_password=kind == "secret",
            )
        except KeyboardInterrupt:
            raise Left from None
        except EOFError:
            raise Ended from None

    async def idle(self, seconds: float) -> bool:
        """Wait; Ctrl-C ends it from outside."""
        await asyncio.sleep(seconds)
        return False


def _history_file(state: Path) -> Path | None:
    """Make the history for its owner alone; None where there is no place for it, or it is not ours."""
    path = state / HISTORY
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError:
        return None
    try:
        if os.geteuid() == 0:  # root acts for the service's user
            owner = path.parent.stat()
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
        os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)
    return path
