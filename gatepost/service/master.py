"""The master: owns listening sockets, limits, numbers, the committed configuration; starts and watches the workers.

No mail passes through it. It answers the command line on `control.sock`. When it dies its children end at once (their
channel closes and the kernel kills them), so that a spool shard never has two owners.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gatepost import __version__
from gatepost.config.checks import certificates
from gatepost.errors import ControlError, GatepostError
from gatepost.records import exposition, maillog
from gatepost.records.backlog import note
from gatepost.records.journal import Journal
from gatepost.service.attendants import Attendant
from gatepost.service.children import Child
from gatepost.service.configuration import HANDING_OUT, Configuration
from gatepost.service.control import Channel
from gatepost.service.exporter import Exporter
from gatepost.service.ledger import REFUSED, Ledger
from gatepost.service.numbers import NumberBook
from gatepost.service.status import counters, flat, status
from gatepost.service.suspension import Suspension
from gatepost.service.tally import Tally
from gatepost.service.verbs import Verbs

GRACE = 35.0
"""Seconds for workers to end by themselves; a little more than they give their sessions."""
WATCH = 1.0
"""Seconds between two looks at the workers."""
REMINDER = 86_400.0
"""Seconds between two alarms about one certificate."""
STALLED = 5.0
"""Seconds by which a look comes late when it was we who stood still, stopped or starved: then nobody else is to blame."""
PATIENCE = 1.0
"""Seconds that a worker has to give back places it keeps, while another's client waits for one."""


class Master:
    """The service as a whole."""

    def __init__(self, state: Path, workers: int, configuration: Configuration) -> None:
        self._state, self._count, self._configuration = state, workers, configuration
        self._started = time.time()
        self._numbers = NumberBook(state)
        self._ledger = Ledger()
        days = configuration.config.gateway.records_retention_days
        self._journal = Journal(state, -1, retention_days=days)
        self._children: list[Child] = []
        self._attendants: list[Attendant] = []
        self._suspension = Suspension(state)
        self._verbs = Verbs(self._children, lambda: self._configuration.config.listeners, self._suspension)
        self._exporter = Exporter(self._metrics_text)
        self._tally = Tally(state, lambda: flat(counters(self._children)))
        self._stopping = asyncio.Event()
        self._committing = asyncio.Lock()

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        loop.add_signal_handler(signal.SIGHUP, self._reopen_logs)
        notes = self._configuration.note, self._numbers.note, self._suspension.note
        for text in (*notes, maillog.running_as_root() if os.geteuid() == 0 else ""):
            if text:
                self.warn(text)
        control = self._state / "control.sock"
        async with asyncio.TaskGroup() as tasks:
            self._children += [Child(self._state, index, self._count, self, tasks) for index in range(self._count)]
            keepers = [tasks.create_task(child.keep_running(self._stopping)) for child in self._children]
            self._attendants += self._attending()
            for attendant in self._attendants:
                tasks.create_task(attendant.keep_running(self._stopping))
            control.unlink(missing_ok=True)  # left by a master that was killed; we hold the lock
            server = await loop.create_unix_server(lambda: Channel(self._operator, tasks), str(control))
            control.chmod(0o600)
            others = [
                tasks.create_task(work())
                for work in (self._watch, self._announce, self._catch_up, self._remind, self._tally.run)
            ]
            await self._serve_metrics()
            await self._stopping.wait()
            self.tell(maillog.gateway_stops())
            for task in others:
                task.cancel()
            await self._stop_workers(keepers)
            server.close()
        self._tally.save()
        self._exporter.close()
        control.unlink(missing_ok=True)
        self._configuration.close()
        self._journal.close()

    def tell(self, text: str) -> None:
        """Say something to whoever watches the service, and to the log."""
        note(text)
        self._journal.info(text)

    def warn(self, text: str) -> None:
        """Say something that an operator should look at."""
        note(text)
        self._journal.warning(text)

    # --- workers -----------------------------------------------------------------------------------------------------

    def serve(self, child: Child, verb: str, arguments: dict[str, Any]) -> Any:
        """Answer what a worker asks."""
        match verb:
            case "take":
                return self._take(child, **arguments)
            case "give_back":
                return self._ledger.give_back(child.index, arguments["places"])
            case "spend":
                return self._ledger.spend(**arguments, now=time.monotonic())
            case "numbers":
                return asyncio.to_thread(self._numbers.block, arguments["kind"])
            case "alive":
                return child.hear()
            case "stats":
                child.metrics, child.status = arguments["metrics"], arguments["status"]
                child.hear()
                return None
            case "hello":
                return self._for(child)
            case "ready":
                return self._ready(child, arguments["revision"])
            case "failed":
                child.failed(arguments["reason"])
                return self.warn(maillog.worker_failed(child.index, arguments["reason"]))
        raise ControlError(f"unknown verb {verb!r}")

    async def _ready(self, child: Child, revision: int) -> None:
        """Let a worker begin, once it has what was committed and suspended while it was starting."""
        again = child.decided.is_set()
        child.ready()
        child.order("suspension", **self._verbs.suspension())
        if revision != self._configuration.revision:
            await self._configure(child)
        if again:
            self.tell(maillog.worker_serves(child.index))

    def _take(self, child: Child, key: str, limit: int) -> int | Coroutine[None, None, int]:
        """Give a worker a place; before it is refused, the others give back what they only keep."""
        ledger = self._ledger
        answer = ledger.take(child.index, key, limit)
        if answer == REFUSED and (keepers := ledger.keepers(key, child.index)):
            return self._take_recalled(child, key, limit, [self._children[index] for index in keepers])
        return answer

    async def _take_recalled(self, child: Child, key: str, limit: int, keepers: list[Child]) -> int:
        await asyncio.gather(*(self._recall(keeper, key) for keeper in keepers))
        return self._ledger.take(child.index, key, limit)

    async def _recall(self, child: Child, key: str) -> None:
        """Have a worker give back what it keeps; one that does not soon is not waited for, and is replaced if it hangs."""
        with contextlib.suppress(ControlError, TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await child.ask("recall", key=key)

    def bury(self, child: Child) -> None:
        """Take back the places that a dead worker held."""
        self._ledger.give_back_all(child.index)

    def _attending(self) -> list[Attendant]:
        """Return the consoles; whether one is served is up to the configuration in force."""

        def ssh() -> bool:
            return self._configuration.config.ssh.enabled

        def web() -> bool:
            return self._configuration.config.web.enabled

        return [
            Attendant("console over SSH", "gatepost.admin.console.ssh", self._state, ssh, self.warn),
            Attendant("web console", "gatepost.admin.web.server", self._state, web, self.warn),
        ]

    async def _watch(self) -> None:
        """Have hung workers replaced, unless it was the master that could not hear them."""
        while True:
            began = time.monotonic()
            await asyncio.sleep(WATCH)
            stalled = time.monotonic() - began > WATCH + STALLED
            for child in self._children:
                if stalled:
                    child.hear()
                child.kill_when_silent()

    async def _announce(self) -> None:
        for child in self._children:
            await child.decided.wait()
        up = sum(child.up for child in self._children)
        self.tell(maillog.gateway_serves(__version__, up, self._count, self._configuration.places()))

    async def _remind(self) -> None:
        """Say at the start and once a day which of our certificates want renewing."""
        while True:
            for problem in certificates.alarms(self._configuration.config, datetime.now(UTC)):
                self.warn(maillog.certificate_alarm(problem))
            await asyncio.sleep(REMINDER)

    async def _stop_workers(self, keepers: list[asyncio.Task[None]]) -> None:
        for child in self._children:
            child.order("stop")
        _, late = await asyncio.wait(keepers, timeout=GRACE)
        if late:
            self.warn(maillog.workers_killed(len(late), GRACE))
            for child in self._children:
                child.kill()

    # --- configuration -----------------------------------------------------------------------------------------------

    async def _commit(self, tag: str, author: str, comment: str) -> dict[str, Any]:
        async with self._committing:
            revision = await self._configuration.commit(tag, author, comment)
            self._journal.info(maillog.configuration_committed(revision.number, author, comment))
            await self._hand_out()
        return {"revision": revision.number, "time": revision.time}

    async def _catch_up(self) -> None:
        async with self._committing:
            try:
                if await self._configuration.catch_up():
                    await self._hand_out()
            except GatepostError as fault:
                self.warn(maillog.revision_not_in_force(str(fault)))

    async def _hand_out(self) -> None:
        """Have every worker take the configuration; return when they have."""
        self._configuration.doing = HANDING_OUT
        try:
            await asyncio.gather(*(self._configure(child) for child in self._children if child.up))
        finally:
            self._configuration.doing = ""
        for attendant in self._attendants:
            attendant.configure()
        await self._serve_metrics()

    def _for(self, child: Child) -> dict[str, Any]:
        """Return the configuration for one worker; its sockets go ahead on the descriptor channel."""
        told, listening = self._configuration.for_worker()
        child.send_sockets(listening)
        return told

    async def _configure(self, child: Child) -> None:
        """Give one worker the configuration; a worker that cannot take it must not go on under the old one."""
        pid = child.pid
        try:
            await child.ask("configure", **self._for(child))
        except (GatepostError, OSError) as fault:
            if child.up and child.pid == pid:
                self.warn(maillog.worker_unconfigured(child.index, str(fault)))
                child.kill()

    async def _serve_metrics(self) -> None:
        address = self._configuration.config.gateway.metrics_address
        if address != self._exporter.address:
            try:
                await asyncio.to_thread(self._exporter.serve, address)
            except GatepostError as fault:
                self.warn(maillog.metrics_not_served(address, str(fault)))

    # --- the operator ------------------------------------------------------------------------------------------------

    def _operator(self, verb: str, arguments: dict[str, Any]) -> Any:
        match verb:
            case "ping":
                return None
            case "status":
                return status(self._children, self._configuration, self._verbs, self._started) | self._tally.told()
            case "reset_counters":
                return self._tally.reset()
            case "commit":
                return self._commit(**arguments)
            case "commit_progress":
                return self._configuration.progress()
            case "metrics":
                return self._metrics_text().decode()
            case "reopen_logs":
                return self._reopen_logs()
            case "stop":
                return self._stopping.set()
        return self._verbs.serve(verb, arguments)

    def _metrics_text(self) -> bytes:
        return exposition.text(counters(self._children))

    def _reopen_logs(self) -> None:
        self._journal.reopen()
        for child in self._children:
            if child.up:
                child.order("reopen_logs")
