"""The worker processes as the master sees them: started, watched, restarted on the same shard, stopped in order.

Never gives up on a worker: its shard holds mail. A worker that dies again and again is waited for a little longer each time.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from gatepost.errors import ControlError
from gatepost.records import maillog, metrics
from gatepost.service import sockets
from gatepost.service.control import Channel
from gatepost.service.process import python_module

SILENT = 10.0
"""Seconds without a report (there is one each second) after which a worker counts as hung and is replaced."""
STARTING = 60.0
"""The same while it starts, for Python has much to read before it says a word."""
WAITS = (0.0, 0.5, 1.0, 2.0, 5.0)
"""Seconds before a restart, by the number of deaths in quick succession; mail is back within ten seconds of the last."""
SETTLED = 10.0
"""Seconds of service after which a worker's death no longer counts as following from the one before."""


class Parent(Protocol):
    """What a child needs of the master."""

    def serve(self, child: Child, verb: str, arguments: dict[str, Any]) -> Any:
        """Answer what the worker asks."""

    def warn(self, text: str) -> None:
        """Say something that an operator should look at."""

    def bury(self, child: Child) -> None:
        """Take back what the worker held: its process is gone."""


class Child:
    """One worker slot: the process may change, index and shard stay."""

    def __init__(self, state: Path, index: int, count: int, parent: Parent, tasks: asyncio.TaskGroup) -> None:
        self.index = index
        self.metrics: metrics.Snapshot = {}
        self.retired_metrics: metrics.Snapshot = {}
        """Last counts of the processes that died in this slot: a counter never goes backwards."""
        self.status: dict[str, Any] = {}
        self.reason = ""
        """Why it does not serve: it could not start, or its shard fell sick; empty when it does, or nothing is known."""
        self.decided = asyncio.Event()
        """It has served once, or failed to."""
        self._state, self._count, self._parent, self._tasks = state, count, parent, tasks
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: Channel | None = None
        self._fds: socket.socket | None = None
        self._heard = 0.0
        self._ready_since: float | None = None
        self._deaths = 0

    @property
    def up(self) -> bool:
        """Whether the process runs and has said that it serves."""
        return self._ready_since is not None

    @property
    def pid(self) -> int:
        """Process number of the last process, 0 before the first."""
        return self._process.pid if self._process is not None else 0

    # --- life --------------------------------------------------------------------------------------------------------

    async def keep_running(self, stopping: asyncio.Event) -> None:
        """Run the worker; start another one when it dies, until `stopping`."""
        while not stopping.is_set():
            try:
                how, served = await self._run_once()
            except OSError as error:  # no memory, no descriptors: that passes
                how, served = f"before it began: {error.strerror}", 0.0
            if stopping.is_set():
                return
            wait = self._wait_after(served)
            self._parent.warn(maillog.worker_ended(self.index, how, wait))
            try:
                async with asyncio.timeout(wait):
                    await stopping.wait()
            except TimeoutError:
                pass

    def _wait_after(self, served: float) -> float:
        if served > SETTLED:
            self._deaths = 0
        wait = WAITS[min(self._deaths, len(WAITS) - 1)]
        self._deaths += 1
        return wait

    async def _run_once(self) -> tuple[str, float]:
        """Run one process to its end; return how it ended, and for how many seconds it had served."""
        ours, theirs = socket.socketpair()
        self._fds, their_fds = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        with self._fds, theirs, their_fds:
            ours.setblocking(False)
            channel = Channel(lambda verb, arguments: self._parent.serve(self, verb, arguments), self._tasks)
            self.hear()
            await asyncio.get_running_loop().create_connection(lambda: channel, sock=ours)
            try:
                process = self._process = self._start(theirs, their_fds)
                theirs.close()
                their_fds.close()
                self._channel = channel
                await channel.closed.wait()  # the kernel closes it with the process
            finally:
                channel.close()
            code = await asyncio.to_thread(process.wait)
        return ending(code), self._bury()

    def _start(self, *pass_on: socket.socket) -> subprocess.Popen[bytes]:
        channel, fds = (sock.fileno() for sock in pass_on)
        return subprocess.Popen(self._command(channel, fds), pass_fds=(channel, fds), stdin=subprocess.DEVNULL)

    def _command(self, channel: int, fds: int) -> list[str]:
        numbers = {"index": self.index, "count": self._count, "channel": channel, "fds": fds, "parent": os.getpid()}
        command = [*python_module("gatepost.service.worker"), "--state", str(self._state)]
        for name, value in numbers.items():
            command += [f"--{name}", str(value)]
        return command

    def _bury(self) -> float:
        served = time.monotonic() - self._ready_since if self._ready_since is not None else 0.0
        self._ready_since = None
        self._channel = None
        self.reason = self.status.pop("sick", "") or self.reason  # it ended for that, and until the next serves it is why
        self.retired_metrics = metrics.merge([self.retired_metrics, metrics.retired(self.metrics)])
        self.metrics = {}
        self._parent.bury(self)
        return served

    # --- what it says ------------------------------------------------------------------------------------------------

    def ready(self) -> None:
        """It serves."""
        self._ready_since = time.monotonic()
        self.reason = ""
        self.decided.set()

    def failed(self, reason: str) -> None:
        """It cannot serve."""
        self.reason = reason
        self.decided.set()

    def hear(self) -> None:
        """It is alive."""
        self._heard = time.monotonic()

    # --- what it is told ---------------------------------------------------------------------------------------------

    def send_sockets(self, listening: Sequence[socket.socket]) -> None:
        """Hand listening sockets over; the request that names them follows on the channel."""
        if self._channel is not None and self._fds is not None:
            sockets.send(self._fds, listening)

    async def ask(self, verb: str, **arguments: Any) -> Any:
        """Ask the worker; ControlError when it is down."""
        if self._channel is None:
            raise ControlError(f"worker {self.index} is just being restarted; try again in a moment")
        return await self._channel.ask(verb, **arguments)

    def order(self, verb: str, **arguments: Any) -> None:
        """Tell the worker something that wants no answer; nothing happens when it is down."""
        if self._channel is not None:
            self._channel.tell(verb, **arguments)

    def kill_when_silent(self) -> None:
        """Replace a process that has not reported for too long: it serves nobody and holds its shard."""
        patience = SILENT if self.up else STARTING
        if self._channel is not None and time.monotonic() - self._heard > patience:
            self._parent.warn(maillog.worker_silent(self.index, self.pid, patience))
            self.hear()
            self.kill()

    def kill(self) -> None:
        """End the process at once."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()


def ending(code: int) -> str:
    """Say how a process ended, by its exit status as subprocess has it."""
    if code >= 0:
        return f"with status {code}"
    named = {number.value: number.name for number in signal.Signals}
    return f"by signal {named.get(-code, -code)}"
