"""One console over SSH: a thread of its own with an event loop of its own, for verbs block and must hold up nobody else.

The connection lives in the loop of the process. Lines, Ctrl-C and the end come over from there as calls into the session's
loop; what is printed goes back piece by piece, each waited for, so that a client that does not read holds up only itself.
With a terminal asyncssh edits the line; its history ends with the session and is written nowhere.
"""

from __future__ import annotations

import asyncio
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

import asyncssh

from gatepost.admin.console.shell import shell
from gatepost.admin.console.talk import Ended, Kind, Left, Told, matching
from gatepost.admin.operations.operator import Operator
from gatepost.admin.users import Role
from gatepost.records.backlog import note

IDLE = 1800.0
"""Seconds that a console waits for a line."""
PIECE = 16_384
PATIENCE = 60.0
"""Seconds for a client to take a piece of output."""


class Session(asyncssh.SSHServerSession[str]):
    """The console of one SSH channel, and the source of its lines."""

    def __init__(self, operator: Operator, origin: str, role: Callable[[], Role], closed: Callable[[], None]) -> None:
        """`closed` is called, in the loop of the process, when the session is over."""
        self._operator, self._origin, self._role, self._closed = operator, origin, role, closed
        self._outer = asyncio.get_running_loop()
        self._inner = asyncio.new_event_loop()
        self._command = ""
        self._terminal = False
        self._width = 80
        self._partial = ""
        self._writable = threading.Event()
        self._writable.set()
        self._gone = False
        self._started = False
        # These belong to the session's own loop.
        self._task: asyncio.Task[int] | None = None
        self._lines: deque[str] = deque()
        self._waiting: asyncio.Future[str] | None = None
        self._ended = False
        self._stirred = asyncio.Event()
        """Something came that nobody waited for."""
        self._words: Sequence[str] = ()

    # --- what the connection says, in the loop of the process ----------------------------------------------------------

    def connection_made(self, chan: asyncssh.SSHServerChannel[str]) -> None:
        """Keep the channel."""
        self._channel: Any = chan

    def pty_requested(self, term_type: str, term_size: tuple[int, int, int, int], term_modes: Any) -> bool:
        """Take a terminal; without one lines come as from a pipe."""
        self._terminal = True
        self._width = term_size[0] or 80
        return True

    def terminal_size_changed(self, width: int, height: int, pixwidth: int, pixheight: int) -> None:
        """Print tables in the new width from now on."""
        self._width = width or 80

    def shell_requested(self) -> bool:
        """Open the host prompt."""
        return True

    def exec_requested(self, command: str) -> bool:
        """Run one command, its answers from standard input."""
        self._command = command
        return True

    def session_started(self) -> None:
        """Begin."""
        if self._terminal:
            self._channel.register_key("\t", self._complete)
        self._started = True
        threading.Thread(target=self._run, name=f"console of {self._operator.author}", daemon=True).start()

    def data_received(self, data: str, datatype: asyncssh.DataType) -> None:
        """Take lines."""
        *lines, self._partial = (self._partial + data.replace("\r\n", "\n").replace("\r", "\n")).split("\n")
        for line in lines:
            self._post(self._take, line)

    def eof_received(self) -> bool:
        """Take the end of the input; output may follow."""
        if self._partial:
            self._post(self._take, self._partial)
        self._post(self._end)
        return True

    def soft_eof_received(self) -> None:
        """Take Ctrl-D: it leaves the dialogue, or the console at the host prompt."""
        self._post(self._leave)

    def break_received(self, msec: int) -> bool:
        """Take Ctrl-C."""
        self._post(self._interrupt)
        return True

    def signal_received(self, signal: str) -> None:
        """Take Ctrl-C of a client that has no terminal."""
        if signal == "INT":
            self._post(self._interrupt)

    def pause_writing(self) -> None:
        """Let the session wait before it prints more."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Let it go on."""
        self._writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """End what is being done, and the session."""
        self._gone = True
        self._writable.set()
        if self._started:
            self._post(self._end)
            self._post(self._interrupt)
        else:
            self._inner.close()
            self._closed()

    def _complete(self, line: str, place: int) -> tuple[str, int] | bool:
        found = [word for word in matching(line[:place], self._words) if place == len(line)]
        if not found:
            return False
        common = found[0]
        while not all(word.startswith(common) for word in found):
            common = common[:-1]
        made = common + " " if len(found) == 1 else common
        return (made, len(made)) if len(made) > len(line) else False

    # --- the session's own thread --------------------------------------------------------------------------------------

    def _run(self) -> None:
        status = 1
        try:
            with asyncio.Runner(loop_factory=lambda: self._inner) as runner:
                refused = runner.run(self._console())
            status = int(refused > 0 and not (self._terminal and not self._command))
        except Exception:
            note(f"bug in a console over SSH\n{traceback.format_exc()}")
        finally:
            self._outer.call_soon_threadsafe(self._finish, status)

    async def _console(self) -> int:
        self._task = asyncio.current_task()
        try:
            return await shell(self._operator, self, origin=self._origin, role=self._role, only=self._command)
        except asyncio.CancelledError:
            return 1

    def _finish(self, status: int) -> None:
        if not self._gone:
            self._channel.exit(status)
        self._closed()

    def _post(self, call: Callable[..., None], *arguments: str) -> None:
        try:
            self._inner.call_soon_threadsafe(call, *arguments)
        except RuntimeError:
            pass  # the session is over

    def _take(self, line: str) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(line)
        else:
            self._lines.append(line)
        self._stirred.set()

    def _end(self) -> None:
        self._ended = True
        self._stirred.set()
        self._leave()

    def _leave(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(Ended())

    def _interrupt(self) -> None:
        self._lines.clear()
        if self._waiting is not None:
            if not self._waiting.done():
                self._waiting.set_exception(Left())
        elif self._task is not None:
            self._task.cancel()

    # --- a source of lines, in that thread -----------------------------------------------------------------------------

    @property
    def width(self) -> int:
        """Columns of the client's terminal, or 80."""
        return self._width

    async def read(self, prompt: str, kind: Kind, words: Sequence[str] = ()) -> str:
        """Read one line; a secret is not shown."""
        hidden = self._terminal and kind == "secret"
        self._words = words
        if hidden:
            self._call(self._channel.set_echo, False)
        self.write(prompt)
        try:
            line = await self._next()
        finally:
            if hidden:
                self._call(self._channel.set_echo, True)
        if prompt and (hidden or not self._terminal):
            self.write("\n")
        return line

    async def _next(self) -> str:
        if self._lines:
            return self._lines.popleft()
        if self._ended:
            raise Ended
        self._waiting = self._inner.create_future()
        try:
            async with asyncio.timeout(IDLE):
                return await self._waiting
        except TimeoutError:
            self.write(f"\nNothing was typed for {IDLE / 60:g} minutes.\n")
            self._ended = True
            raise Ended from None
        finally:
            self._waiting = None

    async def idle(self, seconds: float) -> bool:
        """Wait for a line, which stays to be read, or the end; Ctrl-C cancels it."""
        self._stirred.clear()
        if not self._lines and not self._ended:
            try:
                async with asyncio.timeout(seconds):
                    await self._stirred.wait()
            except TimeoutError:
                return False
        return True

    def write(self, text: str) -> None:
        """Print, and return when the client's side has taken it."""
        for place in range(0, len(text), PIECE):
            self._writable.wait(PATIENCE)
            self._call(self._channel.write, text[place : place + PIECE])

    @contextmanager
    def progress(self, what: str) -> Iterator[Told]:
        """Say what is being done; a bar would need more of the terminal than asyncssh lets us have."""
        yield lambda doing, done, of: None

    def _call(self, call: Callable[[Any], None], argument: Any) -> None:
        done: Future[None] = Future()

        def run() -> None:
            try:
                if not self._gone:
                    call(argument)
            except OSError:
                pass  # it is just being closed
            finally:
                done.set_result(None)

        self._outer.call_soon_threadsafe(run)
        done.result(PATIENCE)
