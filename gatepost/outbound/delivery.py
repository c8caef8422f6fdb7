"""One delivery: from the next hops of a destination, through a connection, to the outcome of each message it carries.

Reads top to bottom: find the hops, try them in order, open a connection, carry what waits until nothing does, say QUIT.
Takes the configuration when it starts and ends when a newer one is in force. Never has two transactions on a connection.
"""

from __future__ import annotations

import enum
import time
import traceback
from collections.abc import Sequence
from typing import Protocol

from gatepost.errors import SpoolSick
from gatepost.outbound.connection import Connection, HostFailed
from gatepost.outbound.ours import Ours
from gatepost.outbound.outcome import NOBODY, Carrier, Delivered, Held, Outcome, Postponed
from gatepost.outbound.parcel import Job
from gatepost.outbound.queue import DestinationQueue
from gatepost.outbound.router import NextHop, Router, Unroutable
from gatepost.outbound.settlement import Settlement
from gatepost.outbound.shared import Shared
from gatepost.outbound.suspects import CRASHES
from gatepost.outbound.transaction import Exchange, Result, transaction
from gatepost.policy.failure import Cost
from gatepost.records import maillog
from gatepost.smtp.reply import Reply
from gatepost.spool.message import Content

IDLE = 5.0
"""Seconds a connection without work is kept: a burst's next message saves a handshake, and few servers mind so long."""
MAX_TRIES = 3
"""Bugs that one message may cause before it is set aside."""


class Host(Protocol):
    """What a delivery needs of the scheduler."""

    @property
    def open_for_work(self) -> bool:
        """Whether another transaction may begin: deliveries are neither suspended nor stopping."""

    async def destination_failed(self, queue: DestinationQueue, cost: Cost, carrier: Carrier) -> None:
        """No host of the destination can be reached: settle what waits, and leave the destination alone for a while."""

    def out_of_rate(self, queue: DestinationQueue, recipients: int) -> Postponed:
        """The destination's recipients per minutes are spent: postpone all that waits, and say to when this job is."""


class _End(enum.Enum):
    DONE = enum.auto()
    NEXT_HOST = enum.auto()
    REDIAL = enum.auto()


class Delivery:
    """One connection's worth of work for one destination."""

    def __init__(self, shared: Shared, host: Host, router: Router, settlement: Settlement, queue: DestinationQueue) -> None:
        self._shared = shared
        self._host = host
        self._router = router
        self._settlement = settlement
        self._queue = queue
        self._snapshot = shared.snapshot()
        self._destination = self._snapshot.destinations.find(queue.domain)
        self.connected = False
        """Whether mail may be under way: an open connection."""
        self._carried: Job | None = None
        """A job that this host did not take and the next one may."""

    async def run(self) -> None:
        """Serve the queue with one connection until nothing waits or no host takes it."""
        route = self._snapshot.routes.find(self._queue.domain)
        if route.discard:
            await self._discard(route.source)
            return
        try:
            hops = await self._router.next_hops(self._queue.domain, route, self._ours())
        except Unroutable as unroutable:
            await self._give_up(unroutable.cost, NOBODY)
            return
        try:
            await self._try_hosts(self._router.known_bad_last(hops))
        finally:
            if self._carried is not None:
                self._queue.put_back(self._carried)  # cut short: the next delivery has it

    def _ours(self) -> Ours:
        listeners = tuple((listener.address, listener.port) for listener in self._snapshot.listeners.values())
        return Ours(hostname=self._snapshot.gateway.hostname, listeners=listeners)

    async def _try_hosts(self, hops: Sequence[NextHop]) -> None:
        for left, hop in zip(range(len(hops) - 1, -1, -1), hops, strict=True):
            end = _End.REDIAL
            while end is _End.REDIAL:
                end = await self._visit(hop, hosts_left=left > 0)
            if end is _End.DONE:
                return

    # --- one host ----------------------------------------------------------------------------------------------------

    async def _visit(self, hop: NextHop, *, hosts_left: bool) -> _End:
        connection = Connection(
            self._shared, self._snapshot, self._destination, self._queue.domain, hop, hosts_left=hosts_left
        )
        try:
            await connection.open()
        except HostFailed as failed:
            self._router.note_bad(hop)
            await connection.close()
            if failed.cost.action == "next_host":
                return _End.NEXT_HOST
            await self._give_up(failed.cost, connection.carrier)
            return _End.DONE
        except BaseException:
            connection.drop()
            raise
        self._router.note_good(hop)
        return await self._work(connection, hosts_left=hosts_left)

    async def _work(self, connection: Connection, *, hosts_left: bool) -> _End:
        """Carry messages over an open connection, one after another."""
        queue = self._queue
        queue.connected()
        self.connected = True
        try:
            while (job := await self._next_job(connection)) is not None:
                end = await self._carry(connection, job, hosts_left=hosts_left)
                if end is not None:
                    return end
            return _End.REDIAL if self._carried is not None else _End.DONE
        except BaseException:
            connection.drop()
            raise
        finally:
            queue.ready -= 1
            self.connected = False
            await connection.close()

    async def _next_job(self, connection: Connection) -> Job | None:
        """Return what is to go next; None when the connection has done its part."""
        job, self._carried = self._carried, None
        if job is None:
            limit = self._destination.max_messages_per_connection
            if 0 <= limit <= connection.messages or not self._host.open_for_work:
                return None
            job = self._queue.take() or await self._queue.wait(IDLE)
            if job is None:
                return None
            if self._shared.snapshot() is not self._snapshot:
                self._queue.put_back(job)  # what was committed since holds from this message on
                return None
            if not connection.is_fit:
                # The peer closed an idle connection: dial again, nothing has failed. The job then goes without this look.
                self._carried = job
                return None
        if job.parcel.redirected and job.parcel.destination(job.rids[0]) != job.destination:
            # redirected while it was in hand: what no host took yet goes where it is to go now
            self._settlement.postpone(job, time.time(), "redirected by the administrator")
            return None
        if self._destination.recipients_per_minutes is not None and not await self._within_rate(job):
            postponed = self._host.out_of_rate(self._queue, len(job.rids))
            await self._settlement.settle(job.parcel, dict.fromkeys(job.rids, postponed), attempts=job.attempts)
            return None
        return job

    async def _within_rate(self, job: Job) -> bool:
        rate = self._destination.recipients_per_minutes
        assert rate is not None
        amount = min(len(job.rids), rate.recipients)  # a message larger than the limit goes alone
        key = f"destination-recipients/{self._queue.domain}"
        return await self._shared.leases.spend(key, amount, rate.recipients, rate.minutes * 60)

    # --- one message -------------------------------------------------------------------------------------------------

    async def _carry(
        self, connection: Connection, job: Job, *, hosts_left: bool, content: Content | None = None
    ) -> _End | None:
        """Carry one job; None when the connection may go on."""
        content = content or job.parcel.content
        if content is None:
            return await self._carry_from_spool(connection, job, hosts_left=hosts_left)
        self._shared.journal.info(maillog.delivery_start(connection.dcid, job.parcel.envelope.mid, job.rids))
        try:
            exchange = Exchange(connection.dialogue, transaction(job.parcel.envelope, job.rids), content)
            result = await exchange.run(host=connection.hop.host, hosts_left=hosts_left)
        except SpoolSick:
            raise
        except Exception as bug:
            connection.drop()
            await self._poisoned(job, bug)
            return _End.DONE
        if result.stale and connection.messages:
            self._carried = job
            return _End.REDIAL
        connection.messages += 1
        done = result.delivered
        if done is not None and self._settlement.delivered_whole(job, done, connection.carrier):
            self._shared.metrics.bytes["out"] += job.parcel.envelope.size
            return None
        return await self._settle(connection, job, result)

    async def _carry_from_spool(self, connection: Connection, job: Job, *, hosts_left: bool) -> _End | None:
        """Carry a job whose content is not in memory: one that may have been in hand when the process before crashed."""
        mid = job.parcel.envelope.mid
        suspects = self._shared.suspects
        if suspects.is_condemned(mid):
            held = Held(f"the process crashed {CRASHES} times while this message was being delivered")
            await self._settlement.settle(job.parcel, dict.fromkeys(job.rids, held), attempts=job.attempts)
            suspects.acquit(mid)
            return None
        async with suspects.in_hand(mid):
            content = await self._load(job)
            if content is None:
                return None
            return await self._carry(connection, job, hosts_left=hosts_left, content=content)

    async def _load(self, job: Job) -> Content | None:
        """Fetch content that is not in memory; None when the message is gone or was set aside by the spool."""
        message = await self._shared.spool.load(job.parcel.envelope.mid)
        if message is None:
            self._settlement.forget(job)
            return None
        return message.content

    async def _settle(self, connection: Connection, job: Job, result: Result) -> _End | None:
        moved: list[int] = []
        settled: dict[int, Outcome] = {}
        for rid, outcome in zip(job.rids, result.outcomes, strict=True):
            if isinstance(outcome, Cost) and outcome.action == "next_host" and not job.parcel.verdict:
                moved.append(rid)
            else:
                settled[rid] = outcome
        if moved:
            job.rids = tuple(moved)
            self._carried = job
        if any(isinstance(outcome, Delivered) for outcome in result.outcomes):
            self._shared.metrics.bytes["out"] += job.parcel.envelope.size
        if not result.alive:
            _tell_broken(connection, result)
        if settled:
            await self._settlement.settle(job.parcel, settled, attempts=job.attempts, carrier=connection.carrier)
        if moved:
            return _End.NEXT_HOST
        return None if result.alive else _End.DONE

    async def _poisoned(self, job: Job, bug: Exception) -> None:
        """A bug met while delivering one message must neither end the queue nor come back for ever."""
        job.tries += 1
        mid = job.parcel.envelope.mid
        trace = "".join(traceback.format_exception(bug))
        self._shared.journal.critical(maillog.internal_error(f"delivery of MID {mid}", trace))
        if job.tries < MAX_TRIES:
            self._queue.put_back(job)
            return
        held = Held(f"its delivery failed {job.tries} times by an internal error: {type(bug).__name__}: {bug}")
        await self._settlement.settle(job.parcel, dict.fromkeys(job.rids, held), attempts=job.attempts)

    # --- without a connection ----------------------------------------------------------------------------------------

    async def _give_up(self, cost: Cost, carrier: Carrier) -> None:
        """No host is left to try: the job in hand, then all that waits."""
        job, self._carried = self._carried, None
        if job is not None:
            outcomes = dict.fromkeys(job.rids, cost)
            await self._settlement.settle(job.parcel, outcomes, attempts=job.attempts, carrier=carrier)
        await self._host.destination_failed(self._queue, cost, carrier)

    async def _discard(self, source: str) -> None:
        """/dev/null: accepted and forgotten, and the log says so."""
        done = Delivered(Reply(250, f"discarded by {source}"))
        while (job := self._queue.take()) is not None:
            await self._settlement.settle(job.parcel, dict.fromkeys(job.rids, done), attempts=job.attempts)


def _tell_broken(connection: Connection, result: Result) -> None:
    for outcome in result.outcomes:
        if isinstance(outcome, Cost):
            connection.broke(outcome.diagnostic)
            return
