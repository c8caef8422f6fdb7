"""The queue of one destination: jobs that wait, the connections that serve it, and whether it is down.

Decides how many connections the waiting work deserves; opens none itself and settles nothing. All of it lives in memory:
what waits here stands in the spool as well.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

from gatepost.outbound.parcel import Job
from gatepost.policy.failure import Cost

JOBS_PER_CONNECTION = 10
"""Another connection is opened when this many jobs wait for each one that is being opened: 500 messages are no reason for
500 handshakes."""


class DestinationQueue:
    """One recipient domain."""

    __slots__ = (
        "_idle",
        "_loop",
        "_timer",
        "_wake",
        "booked",
        "ceiling",
        "ceiling_until",
        "connections",
        "domain",
        "down",
        "down_until",
        "jobs",
        "ready",
        "rest_until",
        "taken",
        "taken_before",
    )

    def __init__(self, domain: str, wake: Callable[[DestinationQueue], None]) -> None:
        self.domain = domain
        self.jobs: deque[Job] = deque()
        self.connections = 0
        """Connections that are open or being opened."""
        self.ready = 0
        """Of these, the ones that can carry mail."""
        self.ceiling = -1
        """Connections that the next hop puts up with, learnt from its refusal of one more; -1: not known."""
        self.ceiling_until = 0.0
        """Monotonic time up to which that is believed."""
        self.down: Cost | None = None
        """Why nothing gets through; None: all is well."""
        self.down_until = 0.0
        """Monotonic time at which it is tried again."""
        self.rest_until = 0.0
        """Monotonic time before which no connection is opened: a limit was met that other workers share."""
        self.booked = 0.0
        """Wall clock up to which what goes out is spoken for: where a limit postpones, each next one comes later."""
        self.taken = 0
        self.taken_before = 0
        self._idle: deque[tuple[float, asyncio.Future[Job | None]]] = deque()
        """Connections that wait for work, and until when."""
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._wake = wake

    # --- work --------------------------------------------------------------------------------------------------------

    def put(self, job: Job) -> None:
        """Hand a job to a connection that waits for one, or queue it and ask for a connection."""
        while self._idle:
            _, waiting = self._idle.pop()  # the one that waits shortest: the others may go
            if not waiting.done():
                self._hand(job)
                waiting.set_result(job)
                return
        self.jobs.append(job)
        self._wake(self)

    def put_back(self, job: Job) -> None:
        """Return a job that was taken and not settled; it is the next one."""
        job.taken = False
        self.jobs.appendleft(job)

    def take(self) -> Job | None:
        """Return the next job, None when none waits."""
        while self.jobs:
            job = self.jobs.popleft()
            if not job.void:
                self._hand(job)
                return job
        return None

    async def wait(self, seconds: float) -> Job | None:
        """Wait for a job; None when none came in time, or when the connection is asked to end."""
        waiting: asyncio.Future[Job | None] = self._loop.create_future()
        until = self._loop.time() + seconds
        idle = (until, waiting)
        self._idle.append(idle)
        if self._timer is None or self._timer.when() > until:
            self._look_at(until)
        try:
            return await waiting
        except asyncio.CancelledError:
            if idle in self._idle:
                self._idle.remove(idle)
            raise

    def dismiss(self) -> None:
        """Ask the connections that wait for work to end."""
        while self._idle:
            _give_up(self._idle.pop()[1])

    def _look_at(self, when: float) -> None:
        """See then who has waited long enough: one timer serves all waits, and a wait that ends early leaves it alone."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(when, self._end_waits)

    def _end_waits(self) -> None:
        self._timer = None
        now = self._loop.time() + 0.001  # the loop's clock is no finer
        for idle in [idle for idle in self._idle if idle[0] <= now]:
            self._idle.remove(idle)
            _give_up(idle[1])
        if self._idle:
            self._look_at(min(until for until, _ in self._idle))

    def _hand(self, job: Job) -> None:
        job.taken = True
        self.taken += 1

    # --- connections -------------------------------------------------------------------------------------------------

    def wants_connection(self, limit: int = -1, *, standstill: bool = False) -> bool:
        """Return whether the waiting work deserves one more connection of at most `limit` (-1: any number).

        Grows by doubling, as long as enough work waits; `standstill` (nothing was taken for a while) is enough work.
        """
        if not self.jobs or self._idle or 0 <= limit <= self.connections:
            return False
        if not self.connections:
            return True
        if 0 <= self.ceiling <= self.connections:
            return False
        opening = self.connections - self.ready
        if opening >= max(1, self.ready):
            return False
        return standstill or len(self.jobs) >= JOBS_PER_CONNECTION * (opening + 1)

    def connected(self) -> None:
        """One of the connections can carry mail: the destination is up, and may deserve more of them."""
        self.ready += 1
        self.down = None
        self._wake(self)

    def stands_still(self) -> bool:
        """Return whether work waits and nothing was taken since this was asked last."""
        still = bool(self.jobs) and self.taken == self.taken_before
        self.taken_before = self.taken
        return still

    def drain(self) -> list[Job]:
        """Take all that waits."""
        jobs: list[Job] = []
        while (job := self.take()) is not None:
            jobs.append(job)
        return jobs

    def book(self, seconds: float, now: float) -> float:
        """Return a time of its own for work that is postponed: `seconds` behind the last one, never before `now`."""
        self.booked = max(self.booked, now) + seconds
        return self.booked

    @property
    def is_idle(self) -> bool:
        """Whether nothing is lost by forgetting this queue."""
        return not (self.jobs or self.connections or self.down or self.booked > time.time())


def _give_up(waiting: asyncio.Future[Job | None]) -> None:
    if not waiting.done():
        waiting.set_result(None)
