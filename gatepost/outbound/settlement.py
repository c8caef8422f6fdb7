"""Settling: what an attempt came to becomes durable, is logged, recorded and counted, and the sender is told.

The only place of the outbound side that writes to the spool. What a failure costs was decided by `policy.failure`, where the
recipient stands then by `ruling`; nothing is decided here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence

from gatepost.errors import SpoolFull
from gatepost.outbound import dsn, tell
from gatepost.outbound.fence import Fence
from gatepost.outbound.hosts import HostBook
from gatepost.outbound.outcome import NOBODY, Carrier, Delivered, Outcome, Postponed
from gatepost.outbound.parcel import Job, Parcel
from gatepost.outbound.ruling import Ruling, delivered, profile_name, rule
from gatepost.outbound.shared import Shared
from gatepost.records import maillog
from gatepost.spool.message import Content, Message, Progress, Status

FULL_WAIT = 5.0
"""Seconds until an outcome is written again that the disk had no room for."""
UNFENCED = 50
"""Outcomes that may be on their way to the disk before one is waited for: after a crash so many are delivered twice."""


class Settlement:
    """Writes outcomes; `enqueue` takes the notifications that they cause, `released` a parcel that is no longer in hand."""

    def __init__(self, shared: Shared, enqueue: Callable[[Message], None], released: Callable[[Parcel], None]) -> None:
        self._shared = shared
        self._enqueue = enqueue
        self._released = released
        self.fence = Fence()
        self.hosts = HostBook()
        self._no_room = False
        """Outcomes wait for room on the disk, and the log says so."""

    async def catch_up(self) -> None:
        """Return when everything settled so far is durable: what is read from the spool then is as new as that."""
        number = self.fence.settled
        if number > self.fence.durable:
            # The spool writes in the order in which it is told: an entry of nothing, behind the rest.
            await self._shared.spool.settle(Progress(mid=0, states=(), finished=False))
            self.fence.note_durable(number)

    def delivered_whole(self, job: Job, outcome: Delivered, carrier: Carrier) -> bool:
        """Settle a job whose message has nothing else left and was delivered to everybody; then it is out of hand.

        Does what `settle` does in this case, the usual one, and says False for any other, having done nothing.
        """
        parcel, rids = job.parcel, job.rids
        envelope = parcel.envelope
        spool, fence = self._shared.spool, self.fence
        alone = len(parcel.open) == len(rids) and parcel.open.issubset(rids)
        if not alone or (envelope.notify and not outcome.dsn):
            return False  # some of it waits elsewhere, or the sender asked to be told
        if spool.lack or fence.settled - fence.durable >= UNFENCED:
            return False  # the disk must be waited for
        parcel.open.clear()
        tell.delivered_whole(self._shared, envelope, rids, outcome, job.attempts, carrier)
        self.hosts.delivered(job.destination, len(rids))
        fence.note(envelope.mid)
        spool.finish_later(envelope.mid, len(rids))
        self.forget(job)
        return True

    async def settle(
        self,
        parcel: Parcel,
        outcomes: Mapping[int, Outcome],
        *,
        attempts: Mapping[int, int] | None = None,
        carrier: Carrier = NOBODY,
    ) -> None:
        """Settle some recipients of a parcel; afterwards they are no longer in hand.

        Waits for the disk only where a notification follows, or where too much is on its way already: what is lost of
        the rest in a crash costs one more attempt.
        """
        now = time.time()
        verdict = parcel.verdict
        rulings = [self._rule(parcel, rid, outcome, attempts, now) for rid, outcome in outcomes.items()]
        reports = self._reports(parcel, rulings, carrier, now)
        bounce = await self._notification(parcel, reports, now) if reports else None
        # No await from here to the spool: of two jobs that end at the same time, the one that finds nothing left open must
        # also be the later one on the disk.
        parcel.open.difference_update(ruling.state.rid for ruling in rulings if ruling.state.status.is_final)
        finished = not parcel.open
        tell.outcomes(self._shared, parcel.envelope, rulings, carrier, now, finished=finished)
        for ruling in rulings:
            self.hosts.note(parcel.destination(ruling.state.rid), ruling, carrier)
        states = tuple(ruling.state for ruling in rulings)
        await self._write(Progress(mid=parcel.envelope.mid, states=states, finished=finished, bounce=bounce))
        spoken = parcel.verdict and not verdict
        again = {
            state.rid: state.attempts
            for state in states
            if (spoken and not state.status.is_final)
            or (state.status is Status.DEFERRED and state.destination != parcel.destination(state.rid))
        }
        if again:
            # The operator spoke while the disk was awaited: his word holds for what was put off a moment ago.
            await self.settle(parcel, dict.fromkeys(again, Postponed(now, "")), attempts=again, carrier=carrier)
        parcel.claimed.difference_update(outcomes)
        if not parcel.claimed:
            self._released(parcel)
        if bounce is not None:
            tell.notification(self._shared, bounce)
            self._enqueue(bounce)

    def postpone(self, job: Job, due: float, detail: str) -> None:
        """Put a job that waits back into the spool, without waiting for the disk: lost in a crash, it is tried earlier."""
        parcel = job.parcel
        postponed = Postponed(due, detail)
        now = time.time()
        rulings = [self._rule(parcel, rid, postponed, job.attempts, now) for rid in job.rids]
        tell.outcomes(self._shared, parcel.envelope, rulings, NOBODY, now, finished=False)
        self.fence.note(parcel.envelope.mid)
        self._shared.spool.settle_later(
            Progress(mid=parcel.envelope.mid, states=tuple(ruling.state for ruling in rulings), finished=False)
        )
        self.forget(job)

    def forget(self, job: Job) -> None:
        """Take a job out of hand; the spool's word on its recipients holds again."""
        job.parcel.claimed.difference_update(job.rids)
        if not job.parcel.claimed:
            self._released(job.parcel)

    def _rule(self, parcel: Parcel, rid: int, outcome: Outcome, attempts: Mapping[int, int] | None, now: float) -> Ruling:
        made = attempts.get(rid, 0) if attempts else 0
        if isinstance(outcome, Delivered):
            return delivered(rid, outcome, made)
        envelope = parcel.envelope
        domain = parcel.destination(rid)
        snapshot = self._shared.snapshot()
        profile = snapshot.bounce_profile(profile_name(envelope, snapshot.destinations.find(domain)))
        return rule(envelope, rid, domain, outcome, made, parcel.verdict, profile, now)

    # --- the notification --------------------------------------------------------------------------------------------

    def _reports(self, parcel: Parcel, rulings: Sequence[Ruling], carrier: Carrier, now: float) -> list[dsn.Report]:
        """Return what the sender is to be told; nobody is ever told about a notification (RFC 5321 6.1)."""
        if not parcel.envelope.reverse_path:
            return []
        found = (dsn.report(parcel.envelope, ruling.state.rid, ruling.outcome, carrier, now) for ruling in rulings)
        return [report for report in found if report is not None]

    async def _notification(self, parcel: Parcel, reports: Sequence[dsn.Report], now: float) -> Message:
        start = await self._start(parcel)
        hostname = self._shared.snapshot().gateway.hostname
        return dsn.compose(parcel.envelope, start, reports, hostname=hostname, mid=self._shared.next_mid(), now=now)

    async def _start(self, parcel: Parcel) -> bytes:
        """Return the first octets of the content; none when the message cannot be read any more."""
        content = parcel.content
        if content is None:
            message = await self._shared.spool.load(parcel.envelope.mid)
            content = message.content if message else Content()
        return await asyncio.to_thread(_read_start, content.path) if content.path else content.octets

    # --- writing -----------------------------------------------------------------------------------------------------

    async def _write(self, progress: Progress) -> None:
        number = self.fence.note(progress.mid)
        spool = self._shared.spool
        if progress.bounce is None and not spool.lack and number - self.fence.durable <= UNFENCED:
            spool.settle_later(progress)
            return
        while True:
            try:
                await spool.settle(progress)
                break
            except SpoolFull as full:
                # What was delivered must not be delivered again for want of room to say so: try until there is some.
                if not self._no_room:
                    self._no_room = True
                    self._shared.journal.warning(maillog.outcomes_unwritable(str(full)))
                await asyncio.sleep(FULL_WAIT)
        if self._no_room:
            self._no_room = False
            self._shared.journal.info(maillog.outcomes_recovered())
        self.fence.note_durable(number)


def _read_start(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(dsn.MAX_COPY + 1)
    except OSError:
        return b""  # the notification then goes without it
