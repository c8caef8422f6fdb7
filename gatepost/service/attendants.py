"""Processes beside the workers that mail can do without: the consoles of the administrators.

Each is started when the configuration wants it, and again, after a wait, when it dies. After a commit it is told to read the
configuration once more (SIGHUP); one that is not wanted any more ends by itself when its last session does, so that nobody
is cut off by a change of the port that they came in by. It gets no socket and no spool, and its death touches no mail.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Callable
from pathlib import Path

from gatepost.records import maillog
from gatepost.service.children import ending
from gatepost.service.process import python_module

WAITS = (0.0, 1.0, 5.0, 30.0)
"""Seconds before a restart, by the number of deaths in quick succession."""
SETTLED = 60.0
"""Seconds of life after which a death no longer counts as following from the one before."""
GRACE = 5.0
"""Seconds to end in when the gateway stops."""


class Attendant:
    """One such process: a module that is run with `--state DIR --parent PID`."""

    def __init__(self, name: str, module: str, state: Path, wanted: Callable[[], bool], warn: Callable[[str], None]) -> None:
        """`name`: for the log."""
        self._name, self._module, self._state, self._wanted, self._warn = name, module, state, wanted, warn
        self._process: Process | None = None
        self._turn = asyncio.Event()
        self._deaths = 0
        self._ending = False

    def configure(self) -> None:
        """Have it look at what is committed now; it may be wanted from now on, or no longer."""
        self._turn.set()
        self._signal(signal.SIGHUP)

    async def keep_running(self, stopping: asyncio.Event) -> None:
        """Run it whenever it is wanted, until `stopping`."""
        async with asyncio.TaskGroup() as tasks:
            ended = tasks.create_task(self._run_while_wanted())
            await stopping.wait()
            await self._end()
            ended.cancel()

    async def _run_while_wanted(self) -> None:
        while True:
            while not self._wanted():
                self._turn.clear()
                await self._turn.wait()
            began = time.monotonic()
            how = await self._run_once()
            if self._ending:
                return
            if self._wanted():
                wait = self._wait_after(time.monotonic() - began)
                self._warn(maillog.attendant_ended(self._name, how, wait))
                await asyncio.sleep(wait)

    async def _run_once(self) -> str:
        command = [*python_module(self._module), "--state", str(self._state), "--parent", str(os.getpid())]
        try:
            self._process = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL)
        except OSError as error:  # no memory, no descriptors: that passes
            return f"before it began: {error.strerror}"
        return ending(await self._process.wait())

    def _wait_after(self, lived: float) -> float:
        if lived > SETTLED:
            self._deaths = 0
        wait = WAITS[min(self._deaths, len(WAITS) - 1)]
        self._deaths += 1
        return wait

    async def _end(self) -> None:
        self._ending = True  # so that its end is no death
        self._signal(signal.SIGTERM)
        if self._process is not None:
            try:
                async with asyncio.timeout(GRACE):
                    await self._process.wait()
            except TimeoutError:
                self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            try:
                self._process.send_signal(number)
            except ProcessLookupError:
                pass  # it is just ending
