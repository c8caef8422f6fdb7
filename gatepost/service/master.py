"""The master: owns listening sockets, limits, numbers, the committed configuration; starts and watches the workers.

No mail passes through it. It answers the command line on `control.sock`. When it dies its children end at once (their
channel closes and the kernel kills them), so that a spool shard never has two owners.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import uvloop

from gatepost import __version__
from gatepost.config.model import Config
from gatepost.config.state import last_good
from gatepost.config.store import ConfigStore, Revision
from gatepost.errors import ControlError, GatepostError, StateError
from gatepost.records import exposition, maillog, metrics
from gatepost.records.journal import Journal
from gatepost.service import demo, exporter, sockets
from gatepost.service.children import Child
from gatepost.service.control import Channel
from gatepost.service.ledger import Ledger
from gatepost.service.numbers import NumberBook
from gatepost.service.process import drop_privileges, own_state, refuse_orphans
from gatepost.service.sockets import Sockets
from gatepost.snapshot import Snapshot

GRACE = 35.0
"""Seconds for workers to end by themselves; a little more than they give their sessions."""
ALL_WORKERS = {"suspend_delivery", "resume_delivery", "suspend_listener", "resume_listener", "reopen_logs"}
Build = Callable[[Config, int], None]
Taken = TypeVar("Taken", Revision, Revision | None)
COUNTED = {"deliver_now", "bounce", "delete"}


class Master:
    """The service as a whole."""

    def __init__(self, state: Path, workers: int, config: Config, revision: int, bound: Sockets) -> None:
        self._state, self._count = state, workers
        self._config, self._revision, self._sockets = config, revision, bound
        self._started = time.time()
        self._numbers = NumberBook(state)
        self._ledger = Ledger()
        self._journal = Journal(state, -1)
        self._children: list[Child] = []
        self._stopping = asyncio.Event()
        self._committing = asyncio.Lock()
        self._suspended: set[str] = set()
        self._deliveries_suspended = False

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        loop.add_signal_handler(signal.SIGHUP, self._reopen_logs)
        if self._numbers.note:
            self._tell(self._numbers.note)
        async with asyncio.TaskGroup() as tasks:
            self._children = [self._child(index, tasks) for index in range(self._count)]
            keepers = [tasks.create_task(child.keep_running(self._stopping)) for child in self._children]
            server = await loop.create_unix_server(lambda: Channel(self._operator, tasks), self._control_path())
            os.chmod(self._state / "control.sock", 0o600)
            tasks.create_task(self._watch())
            tasks.create_task(self._announce())
            tasks.create_task(self._catch_up())
            exposition = exporter.start(self._config.gateway.metrics_address, self._metrics_text)
            await self._stopping.wait()
            self._tell("stopping; transactions under way may finish")
            await self._stop_workers(keepers)
            server.close()
            if exposition is not None:
                exposition.shutdown()
        (self._state / "control.sock").unlink(missing_ok=True)
        self._sockets.close()
        self._journal.close()

    def _control_path(self) -> str:
        (self._state / "control.sock").unlink(missing_ok=True)  # left by a master that was killed; we hold the lock
        return str(self._state / "control.sock")

    def _child(self, index: int, tasks: asyncio.TaskGroup) -> Child:
        return Child(self._state, index, self._count, self._worker, self._tell, self._worker_died, tasks)

    async def _announce(self) -> None:
        for child in self._children:
            await child.ready.wait()
        places = [f"{name} on {item.address} port {item.port}" for name, item in self._config.listeners.items()]
        self._tell(f"Gatepost {__version__} serves with {self._count} workers: {', '.join(places) or 'no listeners yet'}")

    def _tell(self, text: str) -> None:
        """Say something to whoever watches the service, and to the log."""
        print(f"gatepost: {text}", file=sys.stderr, flush=True)
        self._journal.info(text)

    # --- workers -----------------------------------------------------------------------------------------------------

    def _worker(self, child: Child, verb: str, arguments: dict[str, Any]) -> Any:
        match verb:
            case "take":
                return self._ledger.take(child.index, **arguments)
            case "give_back":
                return self._ledger.give_back(child.index, **arguments)
            case "spend":
                return self._ledger.spend(**arguments, now=time.monotonic())
            case "numbers":
                return self._numbers.block(arguments["kind"])
            case "stats":
                child.metrics, child.status = arguments["metrics"], arguments["status"]
                child.last_report = time.monotonic()
                return None
            case "ready":
                child.ready.set()
                # a commit may have passed while the worker was starting with the configuration before it
                return None if arguments["revision"] == self._revision else self._configure(child)
            case "hello":
                return self._configuration(child)
        raise ControlError(f"unknown verb {verb!r}")

    def _configuration(self, child: Child) -> dict[str, Any]:
        """Return the configuration for one worker; its sockets go ahead on the descriptor channel."""
        by_name = self._sockets.by_listener(self._config)
        child.send_sockets(list(by_name.values()))
        document = msgspec.msgpack.encode(self._config)
        return {"document": document, "revision": self._revision, "listeners": list(by_name)}

    def _worker_died(self, child: Child) -> None:
        self._ledger.give_back_all(child.index)

    async def _watch(self) -> None:
        while not self._stopping.is_set():
            await asyncio.sleep(1)
            for child in self._children:
                child.kill_when_silent()

    async def _stop_workers(self, keepers: list[asyncio.Task[None]]) -> None:
        for child in self._children:
            if child.channel is not None:
                child.channel.tell("stop")
        _, late = await asyncio.wait(keepers, timeout=GRACE)
        if late:
            self._tell(f"{len(late)} workers did not end within {GRACE:g} s and are killed; their mail is on disk")
            for child in self._children:
                child.kill()

    # --- configuration -----------------------------------------------------------------------------------------------

    async def _commit(self, tag: str, author: str, comment: str) -> dict[str, Any]:
        """Build and bind everything for the draft, store the revision, then hand it to every worker."""

        def store(configs: ConfigStore, build: Build) -> Revision:
            return configs.commit(tag, author=author, comment=comment, build=build)

        revision = await self._take(store)
        self._journal.info(maillog.configuration_committed(revision.number, author, comment))
        return {"revision": revision.number, "time": revision.time}

    async def _catch_up(self) -> None:
        """Take what the command line committed by itself after we had read and before it could ask us."""

        def read(configs: ConfigStore, build: Build) -> Revision | None:
            revision = configs.committed()
            if revision is None or revision.number <= self._revision:
                return None
            build(revision.config, revision.number)
            return revision

        try:
            await self._take(read)
        except GatepostError as fault:
            self._tell(f"the latest revision is not in force: {fault}")

    async def _take(self, step: Callable[[ConfigStore, Build], Taken]) -> Taken:
        """Put in force the revision that `step` returns, after it had everything built; nothing changes when it raises."""
        async with self._committing:
            fresh: dict[sockets.Place, Any] = {}

            def build(config: Config, number: int) -> None:
                Snapshot.build(config, number)
                fresh.update(self._sockets.prepare(config))

            try:
                revision = await asyncio.to_thread(self._with_store, step, build)
            except Exception:
                sockets.discard(fresh)
                raise
            if revision is not None:
                self._config, self._revision = revision.config, revision.number
                self._sockets.adopt(fresh, revision.config)
                await asyncio.gather(*(self._configure(child) for child in self._children), return_exceptions=True)
            return revision

    def _with_store(self, step: Callable[[ConfigStore, Build], Taken], build: Build) -> Taken:
        configs = ConfigStore.open(self._state)
        try:
            return step(configs, build)
        finally:
            configs.close()

    async def _configure(self, child: Child) -> None:
        if child.up:
            await child.ask("configure", **self._configuration(child))

    # --- the operator ------------------------------------------------------------------------------------------------

    def _operator(self, verb: str, arguments: dict[str, Any]) -> Any:
        match verb:
            case "ping":
                return None
            case "status":
                return self._status()
            case "commit":
                return self._commit(**arguments)
            case "metrics":
                return self._metrics_text().decode()
            case "stop":
                self._stopping.set()
                return None
            case "queue_list":
                return self._queue_list(**arguments)
            case "queue_show":
                return self._queue_show(**arguments)
        if verb in ALL_WORKERS:
            return self._ask_all(verb, arguments)
        if verb in COUNTED:
            return self._ask_counted(verb, arguments)
        raise ControlError(f"unknown verb {verb!r}")

    async def _ask_all(self, verb: str, arguments: dict[str, Any]) -> list[Any]:
        names = set(arguments.get("names") or self._config.listeners) if "listener" in verb else set()
        if unknown := names - set(self._config.listeners):
            raise ControlError(f"there is no listener {', '.join(sorted(unknown))}")
        answers = await asyncio.gather(*(child.ask(verb, **arguments) for child in self._children))
        match verb:
            case "suspend_delivery" | "resume_delivery":
                self._deliveries_suspended = verb == "suspend_delivery"
            case "suspend_listener":
                self._suspended |= names
            case "resume_listener":
                self._suspended -= names
            case "reopen_logs":
                self._journal.reopen()
        return answers

    async def _ask_counted(self, verb: str, arguments: dict[str, Any]) -> dict[str, int]:
        answers = await asyncio.gather(*(child.ask(verb, **arguments) for child in self._children))
        return {"recipients": sum(answers)}

    async def _queue_list(self, destination: str = "", limit: int = 100, offset: int = 0) -> dict[str, Any]:
        arguments = {"destination": destination, "limit": limit + offset, "offset": 0}
        answers = await asyncio.gather(*(child.ask("queue_list", **arguments) for child in self._children))
        destinations: dict[str, dict[str, Any]] = {}
        for row in (row for answer in answers for row in answer["destinations"]):
            known = destinations.setdefault(row["destination"], {**row, "recipients": 0})
            known["recipients"] += row["recipients"]
            due = [moment for moment in (known["next_due"], row["next_due"]) if moment]
            known["next_due"] = min(due, default=0.0)
        messages = sorted((message for answer in answers for message in answer["messages"]), key=lambda item: item["mid"])
        ordered = sorted(destinations.values(), key=lambda row: -row["recipients"])
        return {"destinations": ordered, "messages": messages[offset : offset + limit]}

    async def _queue_show(self, mid: int) -> dict[str, Any]:
        for answer in await asyncio.gather(*(child.ask("queue_show", mid=mid) for child in self._children)):
            if answer is not None:
                return answer  # type: ignore[no-any-return]
        raise ControlError(f"MID {mid} is not in the queue; `gatepost track {mid}` tells what became of it")

    def _status(self) -> dict[str, Any]:
        workers = [{**child.status, "index": child.index, "pid": child.pid, "up": child.up} for child in self._children]
        return {
            "version": __version__,
            "revision": self._revision,
            "pid": os.getpid(),
            "started": self._started,
            "workers": workers,
            "listeners": [
                {
                    "name": name,
                    "address": item.address,
                    "port": item.port,
                    "tls": item.default_policy.tls,
                    "suspended": name in self._suspended,
                }
                for name, item in self._config.listeners.items()
            ],
            "queue": {kind: sum(worker.get(kind, 0) for worker in workers) for kind in ("messages", "recipients")},
            "counters": _flat(metrics.merge(self._counts())),
            "deliveries_suspended": self._deliveries_suspended,
        }

    def _counts(self) -> list[metrics.Snapshot]:
        return [counts for child in self._children for counts in (child.retired_metrics, child.metrics)]

    def _metrics_text(self) -> bytes:
        return exposition.text(metrics.merge(self._counts()))

    def _reopen_logs(self) -> None:
        self._journal.reopen()
        for child in self._children:
            if child.channel is not None:
                child.channel.tell("reopen_logs")


def _flat(counts: metrics.Snapshot) -> dict[str, float]:
    """Return the counters as `name{label,label}` and a number; what has buckets is left to the metrics."""
    flat: dict[str, float] = {}
    for name, series in counts.items():
        for labels, value in series:
            if not isinstance(value, list):
                flat[f"{name}{{{','.join(labels)}}}" if labels else name] = value
    return flat


def _load(state: Path) -> tuple[Config, int, str]:
    """Return the committed configuration; the last good copy, with a note, when config.db is damaged."""
    try:
        store = ConfigStore.open(state)
        try:
            revision = store.committed()
        finally:
            store.close()
    except StateError as fault:
        good = last_good(state)
        if good is None:
            raise
        return good, 0, f"{fault}; going on with the last good copy; commits are refused until it is mended"
    if revision is None:
        return Config(), 0, "nothing is committed yet: no listener is open; see `gatepost config import`"
    return revision.config, revision.number, ""


def serve(state: Path, *, workers: int = 0, user: str = "", demo_mode: bool = False) -> None:
    """Run the gateway in the foreground until SIGTERM or Ctrl-C. `workers` of 0: one per core."""
    state = state.resolve()
    own_state(state)
    refuse_orphans(state / "spool")
    if demo_mode:
        demo.prepare(state)
    config, revision, note = _load(state)
    Snapshot.build(config, revision)
    bound = Sockets()
    bound.adopt(bound.prepare(config), config)
    if user:
        drop_privileges(user, state)
    elif os.geteuid() == 0:
        print("gatepost: running as root; --user NAME gives that up after the ports are bound", file=sys.stderr)
    if note:
        print(f"gatepost: {note}", file=sys.stderr)
    inside = demo.start_inside(state) if demo_mode else None

    async def run() -> None:
        await Master(state, workers or os.cpu_count() or 1, config, revision, bound).run()

    try:
        uvloop.run(run())
    except* GatepostError as faults:
        raise faults.exceptions[0] from None
    finally:
        if inside is not None:
            inside.terminate()
