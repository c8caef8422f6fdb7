"""The real `gatepost shell` over a pipe: lines in, and what a person would have seen on the screen out.

A line is typed once the console asks for it. What is returned holds the lines typed where a terminal shows them, so that
a dialogue of the model can be compared as it stands.
"""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType

_PROMPT = re.compile(r"(?:^|\n)[^\n]*> $|type a \. on a line by itself\.\n$")
_CONTROLS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\r")
PATIENCE = 30.0


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
        self._process.send_signal(signal.SIGINT)
        self._await_prompt()
        return self.screen[before:]

    def kill(self) -> None:
        """Kill it without a word."""
        self._process.kill()
        self._process.wait()

    def end(self) -> int:
        """End the input and return the exit status."""
        if self._stdout.closed:
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


class Terminal:
    """A console at a terminal of its own, with keys pressed and what is seen waited for."""

    def __init__(self, state: Path, *command: str, environment: dict[str, str] | None = None) -> None:
        self.screen = ""
        """All that came, control sequences taken out."""
        self._place = 0
        shell = [sys.executable, "-m", "gatepost", "shell", "--state", str(state)]
        self.pid, self._keys = pty.fork()
        if not self.pid:
            os.environ.pop("GATEPOST_DEBUG", None)
            # Nobody answers where the cursor is.
            os.environ |= {"TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"} | (environment or {})
            os.execvp((command or shell)[0], command or shell)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self._keys)

    def send(self, keys: str) -> None:
        """Press keys."""
        os.write(self._keys, keys.encode())

    def expect(self, text: str) -> None:
        """Wait until `text` is seen, behind what was waited for before."""
        while (found := self.screen.find(text, self._place)) < 0:
            if not self._read():
                raise AssertionError(f"{text!r} was not seen behind {self._place}, and nothing more comes:\n{self.screen}")
        self._place = found + len(text)

    def wait(self) -> int:
        """Wait for the end; returns the exit status."""
        while self._read():
            pass
        status = os.waitpid(self.pid, 0)[1]
        self.pid = 0
        return os.waitstatus_to_exitcode(status)

    def _read(self) -> bool:
        if not select.select([self._keys], [], [], PATIENCE)[0]:
            raise AssertionError(f"nothing was seen for {PATIENCE:g} s after:\n{self.screen}")
        try:
            chunk = os.read(self._keys, 65536)
        except OSError:  # the other side is closed
            return False
        self.screen = _CONTROLS.sub("", self.screen + chunk.decode(errors="replace"))
        return bool(chunk)


def type_secret(terminal: Terminal, secret: str) -> None:
    """Go from the host prompt to where `certconfig` asks for a pass phrase, type one, and leave again."""
    for line, asked in (("certconfig", "[]>"), ("certificate", "[]>"), ("paste", "[]>"), ("x", "by itself.")):
        terminal.send(f"{line}\r")
        terminal.expect(asked)
    terminal.send(".\r")
    terminal.expect("pass phrase")
    terminal.expect("[]>")
    terminal.send(f"{secret}\r")
    terminal.expect("Choose the operation")
    terminal.expect("[]>")
    terminal.send("\x03")
    terminal.expect("mx1.example.com>")
