"""The real `gatepost shell` over a pipe: lines in, and what a person would have seen on the screen out.

A line is typed once the console asks for it. What is returned holds the lines typed where a terminal shows them, so that
a dialogue of the model can be compared as it stands.
"""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys
from pathlib import Path
from types import TracebackType

_PROMPT = re.compile(r"(?:^|\n)[^\n]*> $")
PATIENCE = 60.0


class Console:
    """A console that runs for the length of a with block."""

    def __init__(self, state: Path, *, author: str = "") -> None:
        environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "GATEPOST_DEBUG")}
        if author:
            environment |= {"LOGNAME": author, "SUDO_USER": ""}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "gatepost", "shell", "--state", str(state)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            env=environment,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        self.screen = ""
        """All that was seen so far."""

    def __enter__(self) -> Console:
        self._await_prompt()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.end()

    def type(self, *lines: str) -> str:
        """Type lines, each when it is asked for; returns what was seen since, the lines among it."""
        before = len(self.screen)
        for line in lines:
            self._send(line)
            self._await_prompt()
        return self.screen[before:]

    def paste(self, text: str) -> str:
        """Type lines that are not prompted for, and the dot that ends them."""
        before = len(self.screen)
        for line in [*text.splitlines(), "."]:
            self._send(f"{line}\n", shown=f"{line}\n")
        self._await_prompt()
        return self.screen[before:]

    def interrupt(self) -> str:
        """Press Ctrl-C, and wait for the prompt that follows."""
        before = len(self.screen)
        self._process.send_signal(2)
        self._await_prompt()
        return self.screen[before:]

    def end(self) -> int:
        """End the input and return the exit status."""
        if self._process.returncode is not None:
            return self._process.returncode
        try:
            self._stdin.close()
        except BrokenPipeError:
            pass
        try:
            while chunk := self._read():
                self.screen += chunk
            return self._process.wait(PATIENCE)
        finally:
            self._process.kill()
            self._process.wait()
            self._stdout.close()

    def _send(self, line: str, shown: str | None = None) -> None:
        self.screen += line if shown is None else shown
        self._stdin.write(line.encode() + (b"" if line.endswith("\n") else b"\n"))
        self._stdin.flush()

    def _await_prompt(self) -> None:
        seen = ""
        while not _PROMPT.search(seen):
            chunk = self._read()
            if not chunk:
                return  # it has ended: what is compared next says so
            seen += chunk
            self.screen += chunk

    def _read(self) -> str:
        if not select.select([self._stdout], [], [], PATIENCE)[0]:
            raise AssertionError(f"the console said nothing for {PATIENCE:g} s after:\n{self.screen}")
        return os.read(self._stdout.fileno(), 65536).decode(errors="replace")


def dialogue(state: Path, *lines: str, status: int = 0, author: str = "") -> str:
    """Run a console from its host prompt to its end; returns the screen, and asserts the exit status."""
    with Console(state, author=author) as console:
        console.type(*lines)
        got = console.end()
    assert got == status, f"status {got}:\n{console.screen}"
    return console.screen
