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
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from gatepost.config.model import Config
from gatepost.errors import GatepostError
from gatepost.ids import Numbers
from gatepost.inbound.listener import Inbound
from gatepost.inbound.shared import Shared
from gatepost.net.dns import Resolver
from gatepost.outbound.scheduler import Scheduler
from gatepost.records import maillog
from gatepost.records.journal import Journal
from gatepost.records.metrics import Metrics
from gatepost.service.control import Channel
from gatepost.service.ledger import LeasesFromMaster
from gatepost.service.numbers import BLOCK, KINDS
from gatepost.service.process import die_with_parent
from gatepost.service.queue import QueueVerbs
from gatepost.snapshot import Snapshot
from gatepost.spool.store import Floor, Spool, leftover_shards

GRACE = 30.0
"""Seconds for transactions under way when the gateway stops."""
HEARTBEAT = 1.0
"""Seconds between two reports to the master."""
DAY = 86_400
EXIT_SICK = 3


class Worker:
    """Everything one worker process owns."""

    def __init__(self, state: Path, index: int, count: int, fds: socket.socket, tasks: asyncio.TaskGroup) -> None:
        self._state, self._index, self._count, self._fds, self._tasks = state, index, count, fds, tasks
        self._master = Channel(self._serve, tasks, gone=lambda _: os._exit(1))
        self._numbers = {kind: Numbers() for kind in KINDS}
        self._refilling: set[str] = set()
        self.stop_asked = asyncio.Event()
        self.exit_code = 0

    async def run(self, channel: socket.socket) -> None:
        """Serve until told to stop."""
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: self._master, sock=channel)
        start = await self._master.ask("hello", worker=self._index)
        self._snapshot = Snapshot.build(msgspec.msgpack.decode(start["document"], type=Config), start["revision"])
        gateway = self._snapshot.gateway
        self._resolver = Resolver(gateway.dns_servers)
        self._journal = Journal(self._state, self._index, retention_days=gateway.records_retention_days)
        self._metrics = Metrics()
        self._spool = Spool.open(self._state / "spool", self._index, Floor(space=gateway.min_free_space))
        if self._spool.repaired:
            self._journal.critical(self._spool.repaired)
        for kind in KINDS:
            await self._refill(kind)
        self._assemble()
        self._tasks.create_task(self._scheduler.run())
        self._tasks.create_task(self._adopt_leftovers())
        await self._inbound.configure(self._receive_sockets(start["listeners"]))
        gc.collect()
        gc.freeze()
        self._master.tell("ready", revision=self._snapshot.revision)
        await self._keep_house()
        await self._close()

    def _assemble(self) -> None:
        leases = LeasesFromMaster(self._master)
        self._scheduler = Scheduler(
            snapshot=lambda: self._snapshot,
            spool=self._spool,
            journal=self._journal,
            metrics=self._metrics,
            leases=leases,
            next_mid=partial(self._take, "mid"),
            next_dcid=partial(self._take, "dcid"),
            resolver=lambda: self._resolver,
        )
        shared = Shared(
            spool=self._spool,
            journal=self._journal,
            metrics=self._metrics,
            leases=leases,
            resolver=lambda: self._resolver,
            next_icid=partial(self._take, "icid"),
            next_mid=partial(self._take, "mid"),
            enqueue=self._scheduler.enqueue,
        )
        self._inbound = Inbound(shared, lambda: self._snapshot, self._tasks)
        self._queue = QueueVerbs(self._spool, self._scheduler, self._journal)

    # --- numbers -----------------------------------------------------------------------------------------------------

    def _take(self, kind: str) -> int:
        numbers = self._numbers[kind]
        if numbers.left < BLOCK // 2 and kind not in self._refilling:
            self._refilling.add(kind)
            self._tasks.create_task(self._refill(kind))
        return numbers.take()

    async def _refill(self, kind: str) -> None:
        try:
            start, stop = await self._master.ask("numbers", kind=kind)
            self._numbers[kind].refill(start, stop)
        finally:
            self._refilling.discard(kind)

    # --- what the master asks ----------------------------------------------------------------------------------------

    def _serve(self, verb: str, arguments: dict[str, Any]) -> Any:
        match verb:
            case "ping":
                return None
            case "configure":
                return self._configure(**arguments)
            case "stop":
                self.stop_asked.set()
                return None
            case "reopen_logs":
                self._journal.reopen()
                return None
            case "status":
                return self._status()
            case "suspend_listener":
                self._inbound.suspend(arguments["names"])
                return None
            case "resume_listener":
                self._inbound.resume(arguments["names"])
                return None
        return self._queue.serve(verb, arguments)

    async def _configure(self, document: bytes, revision: int, listeners: list[str]) -> None:
        """Take a committed configuration: build it aside, then swap one reference."""
        sockets = self._receive_sockets(listeners)
        config = msgspec.msgpack.decode(document, type=Config)
        snapshot = await asyncio.to_thread(Snapshot.build, config, revision)
        if snapshot.gateway.dns_servers != self._snapshot.gateway.dns_servers:
            self._resolver = Resolver(snapshot.gateway.dns_servers)
        self._snapshot = snapshot
        self._journal.retain(snapshot.gateway.records_retention_days)
        await self._inbound.configure(sockets)

    def _receive_sockets(self, names: list[str]) -> dict[str, socket.socket]:
        if not names:
            return {}
        _, fds, _, _ = socket.recv_fds(self._fds, 1, len(names))
        sockets = {name: socket.socket(fileno=fd) for name, fd in zip(names, fds, strict=True)}
        for sock in sockets.values():
            sock.setblocking(False)
        return sockets

    def _status(self) -> dict[str, Any]:
        return {
            "index": self._index,
            "pid": os.getpid(),
            "revision": self._snapshot.revision,
            "sessions": self._inbound.sessions,
            "messages": self._spool.messages,
            "recipients": self._spool.recipients,
            "accepting": self._spool.accepting,
            "sick": self._spool.sick,
        }

    # --- housekeeping ------------------------------------------------------------------------------------------------

    async def _keep_house(self) -> None:
        """Report to the master every second until told to stop; leave when the shard is sick."""
        while not self.stop_asked.is_set():
            self._report()
            if self._spool.sick:
                self._journal.critical(maillog.shard_sick(self._index, self._spool.sick))
                self.exit_code = EXIT_SICK
                return
            try:
                async with asyncio.timeout(HEARTBEAT):
                    await self.stop_asked.wait()
            except TimeoutError:
                pass

    def _report(self) -> None:
        counts = self._metrics
        counts.queue_messages, counts.queue_recipients = self._spool.messages, self._spool.recipients
        counts.log_lines_lost, counts.records_lost = self._journal.lines_lost, self._journal.records_lost
        self._master.tell("stats", metrics=counts.snapshot(), status=self._status())

    async def _adopt_leftovers(self) -> None:
        """Take over shards that a larger number of workers left behind; each is moved message by message."""
        for shard in leftover_shards(self._state / "spool", self._count):
            if shard % self._count == self._index:
                moved = await self._scheduler.adopt(self._state / "spool", shard)
                self._journal.info(
                    f"Spool shard {shard} was left by a larger number of workers; {moved} messages of it go on here"
                )

    async def _close(self) -> None:
        grace = 1.0 if self.exit_code else GRACE
        await asyncio.gather(self._inbound.stop(grace), self._scheduler.stop(grace))
        await self._spool.close()
        self._report()
        self._journal.close()


async def _main(arguments: argparse.Namespace) -> int:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C is for the master, who stops us in order
    channel = socket.socket(fileno=arguments.channel)
    fds = socket.socket(fileno=arguments.fds)
    channel.setblocking(False)
    async with asyncio.TaskGroup() as tasks:
        worker = Worker(Path(arguments.state), arguments.index, arguments.count, fds, tasks)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, worker.stop_asked.set)
        await worker.run(channel)
        os._exit(worker.exit_code)  # all is on disk; what is left are tasks that wait for peers


def main() -> None:
    """Entry point of the worker process; its arguments come from the master."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--state", required=True)
    for name in ("index", "count", "channel", "fds", "parent"):
        parser.add_argument(f"--{name}", type=int, required=True)
    arguments = parser.parse_args()
    die_with_parent(arguments.parent)
    fault = ""
    try:
        uvloop.run(_main(arguments))
    except* GatepostError as faults:
        fault = str(faults.exceptions[0])
    if fault:
        sys.exit(f"gatepost: worker {arguments.index}: {fault}")


if __name__ == "__main__":
    main()
