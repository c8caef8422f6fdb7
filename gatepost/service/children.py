"""The worker processes as the master sees them: started, watched, restarted on the same shard, stopped in order."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gatepost.errors import ControlError
from gatepost.records import metrics
from gatepost.service.control import Channel

SILENT = 20.0
"""Seconds without a report after which a worker counts as hung (stopped, or stuck) and is replaced."""
STARTING = 600.0
"""The same while it starts: a damaged shard may be salvaged page by page."""
SLOWLY = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Waits before a restart, by the number of deaths in quick succession."""
SETTLED = 10.0
"""Seconds after which a worker's death no longer counts as following from the one before."""


class Child:
    """One worker slot: the process may change, index and shard stay."""

    def __init__(
        self,
        state: Path,
        index: int,
        count: int,
        serve: Callable[[Child, str, dict[str, Any]], Any],
        tell: Callable[[str], None],
        died: Callable[[Child], None],
        tasks: asyncio.TaskGroup,
    ) -> None:
        self.index = index
        self.metrics: metrics.Snapshot = {}
        self.retired_metrics: metrics.Snapshot = {}
        """Last counts of the processes that died in this slot: a counter never goes backwards."""
        self.status: dict[str, Any] = {}
        self.ready = asyncio.Event()
        self.channel: Channel | None = None
        self.last_report = 0.0
        self._state, self._count, self._tasks = state, count, tasks
        self._serve, self._tell, self._died = serve, tell, died
        self._process: subprocess.Popen[bytes] | None = None
        self._fds: socket.socket | None = None
        self._deaths = 0

    @property
    def up(self) -> bool:
        """Whether the process runs and has said that it serves."""
        return self.ready.is_set()

    @property
    def pid(self) -> int:
        """Process number, 0 when there is none."""
        return self._process.pid if self._process is not None else 0

    async def keep_running(self, stopping: asyncio.Event) -> None:
        """Run the worker; start another one when it dies, until `stopping`."""
        while not stopping.is_set():
            started = time.monotonic()
            code = await self._run_once()
            if stopping.is_set():
                return
            self._deaths = 0 if time.monotonic() - started > SETTLED else self._deaths + 1
            wait = SLOWLY[min(self._deaths, len(SLOWLY) - 1)]
            how = f"by signal {signal.Signals(-code).name}" if code < 0 else f"with status {code}"
            self._tell(f"worker {self.index} ended {how}; starting another one in {wait:g} s on the same shard")
            try:
                async with asyncio.timeout(wait):
                    await stopping.wait()
            except TimeoutError:
                pass

    async def _run_once(self) -> int:
        ours, theirs = socket.socketpair()
        self._fds, their_fds = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        ours.setblocking(False)
        command = [sys.executable, "-m", "gatepost.service.worker", "--state", str(self._state)]
        numbers = {
            "index": self.index,
            "count": self._count,
            "channel": theirs.fileno(),
            "fds": their_fds.fileno(),
            "parent": os.getpid(),
        }
        for name, value in numbers.items():
            command += [f"--{name}", str(value)]
        process = self._process = _start(command, theirs, their_fds)
        theirs.close()
        their_fds.close()
        self.last_report = time.monotonic()
        channel = self.channel = Channel(lambda verb, arguments: self._serve(self, verb, arguments), self._tasks)
        await asyncio.get_running_loop().create_connection(lambda: channel, sock=ours)
        await channel.closed.wait()  # the kernel closes it with the process
        return await self._buried(process)

    async def _buried(self, process: subprocess.Popen[bytes]) -> int:
        code = await asyncio.to_thread(process.wait)
        self.ready.clear()
        self.channel = None
        if self._fds is not None:
            self._fds.close()
        self.retired_metrics = metrics.merge([self.retired_metrics, metrics.retired(self.metrics)])
        self.metrics = {}
        self._died(self)
        return code

    def send_sockets(self, sockets: list[socket.socket]) -> None:
        """Hand listening sockets over; the request that names them follows on the channel."""
        if sockets and self._fds is not None:
            socket.send_fds(self._fds, [b"s"], [sock.fileno() for sock in sockets])

    async def ask(self, verb: str, **arguments: Any) -> Any:
        """Ask the worker; ControlError when it is down."""
        if self.channel is None:
            raise ControlError(f"worker {self.index} is just being restarted; try again in a moment")
        return await self.channel.ask(verb, **arguments)

    def kill_when_silent(self) -> None:
        """Replace a process that has not reported for too long: it serves nobody and holds its shard."""
        patience = SILENT if self.up else STARTING
        if self._process is not None and self.channel is not None and time.monotonic() - self.last_report > patience:
            self._tell(f"worker {self.index} (process {self.pid}) has not answered for {patience:g} s; it is replaced")
            self.kill()

    def kill(self) -> None:
        """End the process at once."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()


def _start(command: list[str], *pass_on: socket.socket) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, pass_fds=[sock.fileno() for sock in pass_on], stdin=subprocess.DEVNULL)
