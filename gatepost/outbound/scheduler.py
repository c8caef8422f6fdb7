"""What is delivered when: a queue for each destination, connections as its work deserves, and retries as they come due.

Owns the tasks of the outbound side; every delivery is one of them. One slow destination never delays another: each has its
own connections and its own share of what may be in hand. Suspends nothing but by an operator's word.
"""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gatepost.errors import SpoolFull, SpoolSick
from gatepost.leases import Leases
from gatepost.net.dns import Resolver
from gatepost.outbound.adoption import adopt
from gatepost.outbound.delivery import Delivery
from gatepost.outbound.intake import MAX_PARCELS, Intake
from gatepost.outbound.outcome import Carrier, Postponed
from gatepost.outbound.parcel import Job, Parcel
from gatepost.outbound.queue import DestinationQueue
from gatepost.outbound.router import Router
from gatepost.outbound.settlement import Settlement
from gatepost.outbound.shared import Shared
from gatepost.outbound.suspects import Suspects
from gatepost.outbound.verbs import Verbs
from gatepost.policy.failure import Cost
from gatepost.records import maillog
from gatepost.records.journal import Journal
from gatepost.records.metrics import Metrics
from gatepost.snapshot import Snapshot
from gatepost.spool.message import Message
from gatepost.spool.store import Spool

TICK = 1.0
"""Seconds between two looks at what has come due and what stands still."""
MAX_CONNECTIONS = 2000
"""Connections of one worker, all destinations together."""
BACK_OFF = 60.0
"""Seconds, at most, for which a destination that nothing gets through to is left alone."""
MIN_SHARE = 10
"""Jobs that any queue may hold, however much is in hand."""
CROWDED = 2.0
"""Seconds until another place is asked for where other workers hold all of them."""
CEILING_SECONDS = 30.0
"""Seconds for which a next hop's refusal of one more connection is heeded."""
JUMP = 60.0
"""Seconds by which the wall clock must leave the monotonic one to be called a jump."""


class Scheduler:
    """The outbound side of one worker."""

    def __init__(
        self,
        *,
        snapshot: Callable[[], Snapshot],
        spool: Spool,
        suspects: Suspects,
        journal: Journal,
        metrics: Metrics,
        leases: Leases,
        next_mid: Callable[[], int],
        next_dcid: Callable[[], int],
        resolver: Callable[[], Resolver],
        mx_port: int = 25,
    ) -> None:
        self._shared = shared = Shared(
            snapshot=snapshot,
            spool=spool,
            suspects=suspects,
            journal=journal,
            metrics=metrics,
            leases=leases,
            resolver=resolver,
            next_mid=next_mid,
            next_dcid=next_dcid,
        )
        self._settlement = Settlement(shared, self.enqueue, self._released)
        self._intake = Intake(shared, self._settlement, self._dispatch)
        self._router = Router(resolver, mx_port)
        self._queues: dict[str, DestinationQueue] = {}
        self._verbs = Verbs(shared, self._settlement, self._intake, self._queues)
        self._tasks: asyncio.TaskGroup | None = None
        self._running: dict[asyncio.Task[None], Delivery] = {}
        self._suspended = False
        self._stopping = asyncio.Event()
        self._stopped = asyncio.Event()
        self._clock = time.time() - time.monotonic()

    # --- life --------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Deliver until `stop`; first of all what a crash left behind."""
        try:
            async with asyncio.TaskGroup() as self._tasks:
                for queue in list(self._queues.values()):
                    self._wake(queue)  # what was enqueued before
                while not self._stopping.is_set():
                    await self._tick()
                    try:
                        async with asyncio.timeout(TICK):
                            await self._stopping.wait()
                    except TimeoutError:
                        pass
        finally:
            self._stopped.set()

    async def stop(self, grace: float) -> None:
        """Begin no transaction any more, let those under way finish for `grace` seconds, then drop them."""
        self._stopping.set()
        self._dismiss()
        if self._tasks is None:
            return
        for task, delivery in self._running.items():
            if not delivery.connected:
                task.cancel()  # it only looks for a host
        try:
            async with asyncio.timeout(grace):
                await self._stopped.wait()
        except TimeoutError:
            for task in self._running:
                task.cancel()
            await self._stopped.wait()

    async def _tick(self) -> None:
        self._watch_clock()
        if not self._suspended:
            await self._look()
        now = time.monotonic()
        for queue in list(self._queues.values()):
            if queue.down is not None and queue.down_until < now and not queue.jobs:
                queue.down = None  # nobody wants to go there any more
            if queue.is_idle:
                del self._queues[queue.domain]
                continue
            if queue.ceiling_until <= now:
                queue.ceiling = -1
            self._wake(queue, standstill=queue.stands_still())

    async def _look(self) -> None:
        try:
            await self._intake.look()
        except (SpoolFull, SpoolSick):
            pass  # the worker sees it, too; the next look may be luckier
        except Exception as bug:  # deliveries of what is in hand go on
            self._shared.journal.critical(maillog.internal_error("the look at the spool", _trace(bug)))

    def _watch_clock(self) -> None:
        """A clock that jumps back leaves retries days away: look at them again soon."""
        clock = time.time() - time.monotonic()
        jump, self._clock = clock - self._clock, clock
        if abs(jump) < JUMP:
            return
        self._shared.journal.warning(maillog.clock_jumped(jump))
        self._intake.look_from_the_beginning()
        if jump < 0 and self._tasks is not None:
            self._tasks.create_task(self._pull_retries())

    async def _pull_retries(self) -> None:
        try:
            await self._shared.spool.reschedule(due=time.time() + BACK_OFF)
        except SpoolSick:
            pass  # the worker sees it, too

    # --- mail comes and goes -----------------------------------------------------------------------------------------

    def enqueue(self, message: Message) -> None:
        """Take a message that was committed this moment; it is delivered from memory as far as there is room."""
        self._intake.accept(message)

    def _released(self, parcel: Parcel) -> None:
        self._intake.release(parcel)

    def _dispatch(self, job: Job) -> None:
        """Queue a job for its destination, or put it back into the spool where it could only wait in memory."""
        queue = self._queues.get(job.destination)
        if queue is None:
            queue = self._queues[job.destination] = DestinationQueue(job.destination, self._wake)
        if queue.down is not None and (wait := queue.down_until - time.monotonic()) > 0:
            self._settlement.postpone(job, time.time() + wait, queue.down.diagnostic)
        elif len(queue.jobs) > MIN_SHARE and len(queue.jobs) > self._share():
            due = queue.book(1.0 / max(1, queue.taken - queue.taken_before), time.time() + BACK_OFF)
            self._settlement.postpone(job, due, "more mail waits for this destination than goes out")
        else:
            queue.put(job)

    def _share(self) -> int:
        """A queue may have a quarter of what room is left: so some is left for every other, however many are slow."""
        return max(MIN_SHARE, (MAX_PARCELS - len(self._intake.parcels)) // 4)

    # --- connections -------------------------------------------------------------------------------------------------

    @property
    def open_for_work(self) -> bool:
        """Whether another transaction may begin."""
        return not (self._suspended or self._stopping.is_set())

    def _wake(self, queue: DestinationQueue, *, standstill: bool = False) -> None:
        """Open a connection for a queue if its work deserves one."""
        if self._tasks is None or not self.open_for_work or len(self._running) >= MAX_CONNECTIONS:
            return
        if not queue.wants_connection(standstill=standstill):  # mostly not, and that is cheap to see
            return
        if queue.rest_until and queue.rest_until > time.monotonic():
            return
        limit = self._shared.snapshot().destinations.find(queue.domain).max_connections
        if queue.wants_connection(limit, standstill=standstill):
            queue.connections += 1
            delivery = Delivery(self._shared, self, self._router, self._settlement, queue)
            task = self._tasks.create_task(self._serve(delivery, queue, limit))
            self._running[task] = delivery
            task.add_done_callback(self._running.pop)

    async def _serve(self, delivery: Delivery, queue: DestinationQueue, limit: int) -> None:
        """Run one delivery; whatever goes wrong in it stays in it."""
        key = f"destination/{queue.domain}"
        try:
            if not await self._shared.leases.take(key, limit):
                queue.rest_until = time.monotonic() + CROWDED
                return
            try:
                await delivery.run()
            finally:
                self._shared.leases.give_back(key)
        except Exception as bug:
            if not isinstance(bug, SpoolSick):  # of a sick spool the worker takes care
                self._shared.journal.critical(maillog.internal_error(f"delivery to {queue.domain}", _trace(bug)))
            queue.rest_until = time.monotonic() + BACK_OFF  # or it would happen again, at once and for ever
        finally:
            queue.connections -= 1
            self._wake(queue)

    # --- what a delivery reports -------------------------------------------------------------------------------------

    async def destination_failed(self, queue: DestinationQueue, cost: Cost, carrier: Carrier) -> None:
        """Settle what waits: one failure answers for all of it, and a dead host is not tried for each message."""
        now = time.monotonic()
        if queue.ready:
            # Others get through: the next hop only has enough of them.
            queue.ceiling, queue.ceiling_until = queue.ready, now + CEILING_SECONDS
            return
        if cost.action != "bounce":
            snapshot = self._shared.snapshot()
            profile = snapshot.bounce_profile(snapshot.destinations.find(queue.domain).bounce_profile)
            queue.down, queue.down_until = cost, now + min(BACK_OFF, profile.initial_wait)
        for number, job in enumerate(queue.drain()):
            await self._settlement.settle(job.parcel, dict.fromkeys(job.rids, cost), attempts=job.attempts, carrier=carrier)
            if number % 20 == 19:
                await asyncio.sleep(0)  # others' turn

    def out_of_rate(self, queue: DestinationQueue, recipients: int) -> Postponed:
        """Give everything that waits a time of its own, as far apart as the rate allows."""
        rate = self._shared.snapshot().destinations.find(queue.domain).recipients_per_minutes
        each = rate.minutes * 60 / max(1, rate.recipients) if rate else 1.0
        detail = "the destination's recipients per minutes are spent"
        now = time.time()
        postponed = Postponed(queue.book(each * recipients, now), detail)
        for job in queue.drain():
            self._settlement.postpone(job, queue.book(each * len(job.rids), now), detail)
        return postponed

    def host(self, domain: str) -> dict[str, Any]:
        """Describe one destination as it stands here: what it got, what is open to it, whether it is down."""
        counts, queue = self._settlement.hosts.of(domain), self._queues.get(domain)
        when, said, by = counts.last_error
        return {
            "delivered": counts.delivered,
            "soft_bounced": counts.soft,
            "hard_bounced": dict(counts.hard),
            "deleted": counts.deleted,
            "last_activity": counts.last_activity,
            "last_error": {"time": when, "text": said, "peer": by},
            "connections": queue.ready if queue else 0,
            "pending": queue.connections - queue.ready if queue else 0,
            "down": queue.down.diagnostic if queue and queue.down else "",
        }

    @property
    def under_way(self) -> int:
        """Connections that carry mail, or may."""
        return sum(delivery.connected for delivery in self._running.values())

    def domains(self) -> set[str]:
        """Return the destinations that `host` can say something of."""
        return set(self._queues).union(self._settlement.hosts.domains())

    # --- the operator's verbs ----------------------------------------------------------------------------------------

    async def deliver_now(self, destination: str | None = None, mid: int | None = None) -> int:
        """Try deferred recipients now: all, of one destination, or of one message; return how many."""
        for queue in self._queues.values():
            if destination is None or queue.domain == destination:
                queue.down, queue.rest_until, queue.booked = None, 0.0, 0.0
        count = await self._verbs.bring_forward(mid, destination)
        if not self._suspended:
            await self._look()
        return count

    def suspend(self) -> None:
        """Begin no transaction any more; those under way finish."""
        self._suspended = True
        self._shared.journal.info(maillog.delivery_suspended())
        self._dismiss()

    def resume(self) -> None:
        """Deliver again."""
        self._suspended = False
        for queue in self._queues.values():
            self._wake(queue)

    def _dismiss(self) -> None:
        for queue in self._queues.values():
            queue.dismiss()

    async def bounce(self, mid: int, destination: str = "") -> int:
        """Bounce what is not final of a message, all or what goes to one destination; return for how many recipients."""
        return await self._verbs.end(mid, "bounce", destination)

    async def delete(self, mid: int, destination: str = "") -> int:
        """Delete what is not final of a message, all or what goes to one destination; return how many recipients."""
        return await self._verbs.end(mid, "delete", destination)

    async def catch_up(self) -> None:
        """Return when everything that was settled until now is durable."""
        await self._settlement.catch_up()

    async def redirect(self, mid: int, host: str, destination: str = "") -> int:
        """Send what is not final of a message, all or what goes to one destination, to `host`; return how many recipients.

        They are due at once, and durable where they go; the next look takes them up.
        """
        return await self._verbs.redirect(mid, host, destination)

    async def adopt(self, directory: Path, shard: int) -> int:
        """Move the messages of a shard that no worker owns into ours; return how many."""
        try:
            return await adopt(self._shared.spool, directory, shard, self.enqueue)
        finally:
            self._intake.look_from_the_beginning()  # what was put off there may be due before what was seen last here


def _trace(bug: Exception) -> str:
    return "".join(traceback.format_exception(bug))
