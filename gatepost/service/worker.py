"""A worker: a complete mail system on one event loop, with a spool shard of its own.

It is started by the master with two descriptors: one end of a `Channel`, over which it is configured and asked, and one
end of a socket pair over which listening sockets arrive. It ends with the master, and it ends itself when its shard is sick:
what cannot be written durably is better served by a fresh process on the same shard.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import signal
import socket
import sys
import traceback
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from gatepost.config.model import Config
from gatepost.errors import GatepostError
from gatepost.inbound.listener import Inbound
from gatepost.inbound.shared import Shared
from gatepost.net.dns import Resolver
from gatepost.outbound.scheduler import Scheduler
from gatepost.outbound.suspects import Suspects
from gatepost.policy.access import PackedTable
from gatepost.records import maillog
from gatepost.records.backlog import note
from gatepost.records.journal import Journal
from gatepost.records.metrics import Metrics
from gatepost.service import sockets
from gatepost.service.control import Channel
from gatepost.service.house import HEARTBEAT, House
from gatepost.service.numbers import NumberSupply
from gatepost.service.places import LeasesFromMaster
from gatepost.service.process import die_with_parent, giving_way
from gatepost.service.queue import QueueVerbs
from gatepost.service.traffic import TrafficVerbs
from gatepost.snapshot import Snapshot
from gatepost.spool.store import Floor, Spool

GRACE = 30.0
"""Seconds for transactions under way when the gateway stops."""
SICK_GRACE = 1.0
"""The same when the shard is sick: nothing more can be accepted anyway."""
EXIT_FAILED, EXIT_SICK = 1, 3


class Worker:
    """Everything one worker process owns."""

    def __init__(self, state: Path, index: int, count: int, fds: socket.socket, tasks: asyncio.TaskGroup) -> None:
        self._state, self._index, self._count, self._fds, self._tasks = state, index, count, fds, tasks
        self._master = Channel(self._serve, tasks, gone=lambda _: os._exit(EXIT_FAILED))
        self._leases = LeasesFromMaster(self._master)
        self._configuring = asyncio.Lock()
        self._deliveries_suspended = False
        self.stop_asked = asyncio.Event()
        self.exit_code = 0

    async def run(self, channel: socket.socket) -> None:
        """Serve until told to stop."""
        await asyncio.get_running_loop().create_connection(lambda: self._master, sock=channel)
        start = await self._master.ask("hello")
        listening = sockets.receive(self._fds, start["listeners"])
        alive = self._tasks.create_task(self._say_alive())
        try:
            await asyncio.to_thread(self._open, start["document"], start["revision"], start["packed"])
            await self._numbers.fill()
        except GatepostError as fault:
            await self._master.ask("failed", reason=str(fault))
            self.exit_code = EXIT_FAILED
            return
        finally:
            alive.cancel()
        self._assemble()
        # Nothing begins under a revision that is no longer the latest: a newer one comes before the answer.
        await self._master.ask("ready", revision=start["revision"])
        async with self._configuring:
            if self._snapshot.revision == start["revision"]:
                self._inbound.configure(listening)
            else:
                sockets.discard(listening)
        self._tasks.create_task(self._scheduler.run())
        self._tasks.create_task(self._house.adopt_leftovers(self._scheduler, self._state / "spool", self._count))
        gc.collect()
        gc.freeze()
        gc.set_threshold(100_000, 50, 1000)
        if not await self._house.keep(self.stop_asked):
            self.exit_code = EXIT_SICK
        await self._close()

    async def _say_alive(self) -> None:
        """Be heard while the shard is opened: a damaged one may be salvaged for an hour, page by page."""
        while True:
            self._master.tell("alive")
            await asyncio.sleep(HEARTBEAT)

    def _open(self, document: bytes, revision: int, packed: Any) -> None:
        """Own the shard; the journal comes after it, for a worker that never served has nothing to sign out from."""
        self._snapshot = _snapshot(document, revision, packed)
        gateway = self._snapshot.gateway
        self._spool = Spool.open(self._state / "spool", self._index, Floor(space=gateway.min_free_space))
        self._journal = Journal(self._state, self._index, retention_days=gateway.records_retention_days)
        self._suspects = Suspects(self._state / "spool", self._index)
        if self._suspects.crash:
            self._journal.critical(maillog.crashed(self._index, self._suspects.accused, self._suspects.crash))
        self._suspects.watch()
        if self._spool.repaired:
            self._journal.critical(maillog.shard_repaired(self._index, self._spool.repaired))
        self._resolver = Resolver(gateway.dns_servers)
        self._metrics = Metrics()
        self._numbers = NumberSupply(self._master, self._tasks, self._journal.critical)

    def _assemble(self) -> None:
        take = self._numbers.take
        self._scheduler = Scheduler(
            snapshot=lambda: self._snapshot,
            spool=self._spool,
            suspects=self._suspects,
            journal=self._journal,
            metrics=self._metrics,
            leases=self._leases,
            next_mid=partial(take, "mid"),
            next_dcid=partial(take, "dcid"),
            resolver=lambda: self._resolver,
        )
        shared = Shared(
            spool=self._spool,
            journal=self._journal,
            metrics=self._metrics,
            leases=self._leases,
            resolver=lambda: self._resolver,
            next_icid=partial(take, "icid"),
            next_mid=partial(take, "mid"),
            enqueue=self._scheduler.enqueue,
        )
        self._inbound = Inbound(shared, lambda: self._snapshot, self._tasks)
        self._queue = QueueVerbs(self._spool, self._scheduler)
        self._traffic = TrafficVerbs(self._inbound, self._scheduler)
        self._house = House(self._spool, self._journal, self._metrics, self._report)

    # --- what the master asks ----------------------------------------------------------------------------------------

    def _serve(self, verb: str, arguments: dict[str, Any]) -> Any:
        match verb:
            case "ping":
                return None
            case "recall":
                return self._leases.recall(arguments["key"])
            case "configure":
                listening = sockets.receive(self._fds, arguments["listeners"])
                return self._configure(arguments["document"], arguments["revision"], arguments["packed"], listening)
            case "suspension":
                return self._suspend(**arguments)
            case "stop":
                return self.stop_asked.set()
            case "reopen_logs":
                return self._journal.reopen()
            case "hosts" | "connections" | "drain":
                return self._traffic.serve(verb, arguments)
        return self._queue.serve(verb, arguments)

    async def _configure(self, document: bytes, revision: int, packed: Any, listening: dict[str, socket.socket]) -> None:
        """Take a committed configuration: build it aside, then swap one reference; one after another, as they came."""
        async with self._configuring:
            with giving_way():
                snapshot = await asyncio.to_thread(_snapshot, document, revision, packed)
            before, self._snapshot = self._snapshot.gateway, snapshot
            gateway = snapshot.gateway
            if gateway.dns_servers != before.dns_servers:
                self._resolver = Resolver(gateway.dns_servers)
            self._journal.retain(gateway.records_retention_days)
            self._spool.keep_free(Floor(space=gateway.min_free_space))
            self._inbound.configure(listening)

    def _suspend(self, listeners: list[str], deliveries: bool) -> None:
        """Suspend exactly this."""
        self._inbound.resume([])
        if listeners:
            self._inbound.suspend(listeners)
        if deliveries != self._deliveries_suspended:
            self._deliveries_suspended = deliveries
            if deliveries:
                self._scheduler.suspend()
            else:
                self._scheduler.resume()

    def _report(self, counts: dict[str, Any]) -> None:
        counts["status"] |= {"revision": self._snapshot.revision, "sessions": self._inbound.sessions}
        counts["status"] |= {"deliveries": self._metrics.sessions["out"], "last": self._numbers.last()}
        self._master.tell("stats", **counts)

    # --- the end -----------------------------------------------------------------------------------------------------

    async def _close(self) -> None:
        grace = SICK_GRACE if self.exit_code else GRACE
        await asyncio.gather(self._inbound.stop(grace), self._scheduler.stop(grace))
        await self._spool.close()
        self._house.report()
        self._journal.close()

    def mourn(self, bug: BaseException) -> None:
        """Leave word of what ended this worker."""
        trace = "".join(traceback.format_exception(bug))
        note(f"bug in worker {self._index}\n{trace}")
        if hasattr(self, "_journal"):
            self._journal.critical(maillog.internal_error(f"worker {self._index}", trace))
            self._journal.close()


def _snapshot(document: bytes, revision: int, packed: Any) -> Snapshot:
    """Make ready to run what came from the master."""
    config = msgspec.msgpack.decode(document, type=Config)
    return Snapshot.unpack(config, revision, msgspec.convert(packed, dict[str, PackedTable]))


async def _main(arguments: argparse.Namespace) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C is for the master, who stops us in order
    channel = socket.socket(fileno=arguments.channel)
    fds = socket.socket(fileno=arguments.fds)
    channel.setblocking(False)
    try:
        async with asyncio.TaskGroup() as tasks:
            worker = Worker(Path(arguments.state), arguments.index, arguments.count, fds, tasks)
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, worker.stop_asked.set)
            await worker.run(channel)
            os._exit(worker.exit_code)  # all is on disk; what is left are tasks that wait for peers
    except* Exception as bugs:
        worker.mourn(bugs)
        sys.exit(EXIT_FAILED)


def main() -> None:
    """Entry point of the worker process; its arguments come from the master."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--state", required=True)
    for name in ("index", "count", "channel", "fds", "parent"):
        parser.add_argument(f"--{name}", type=int, required=True)
    arguments = parser.parse_args()
    die_with_parent(arguments.parent)
    uvloop.run(_main(arguments))


if __name__ == "__main__":
    main()
