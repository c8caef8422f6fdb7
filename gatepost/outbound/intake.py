"""Mail is taken in hand here: what was just accepted, what a crash left in the spool, and what has come due again.

What is in hand is bounded, in messages and in octets; everything else waits in the spool, where it is safe, and is taken up
batch by batch. Knows no queue: it hands each job to `dispatch`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import groupby

from gatepost.outbound.outcome import Outcome
from gatepost.outbound.parcel import Job, Parcel, split
from gatepost.outbound.ruling import profile_name
from gatepost.outbound.settlement import Settlement
from gatepost.outbound.shared import Shared
from gatepost.policy import failure
from gatepost.policy.failure import Cost
from gatepost.spool import retry
from gatepost.spool.entries import RecipientDue
from gatepost.spool.message import Content, Envelope, Message, RecipientState, Status
from gatepost.spool.store import FIRST

MAX_PARCELS = 20_000
"""Messages in hand."""
MAX_OCTETS = 64 * 1024 * 1024
"""Content kept in memory, so that mail which flows straight through is not read back; beyond it is loaded in its turn."""
BATCH = 500
LOOK_AGAIN = 300.0
"""Seconds after which the spool is looked through from the beginning: nothing is lost for good by a slip of ours."""


class Intake:
    """The stock of mail in hand."""

    def __init__(self, shared: Shared, settlement: Settlement, dispatch: Callable[[Job], None]) -> None:
        self._shared = shared
        self._settlement = settlement
        self._dispatch = dispatch
        self.parcels: dict[int, Parcel] = {}
        self.octets = 0
        self._fresh_after: int | None = 0
        """MID behind which the spool holds messages never tried that are not in hand; None: there are none."""
        self._left_behind = 0
        self._cursor = FIRST
        self._look_again = 0.0

    @property
    def has_room(self) -> bool:
        """Whether more may be taken from the spool; what comes in from outside has the other half for itself."""
        return len(self.parcels) < MAX_PARCELS // 2

    # --- in and out --------------------------------------------------------------------------------------------------

    def accept(self, message: Message) -> None:
        """Take a message that was committed this moment."""
        envelope, content = message.envelope, message.content
        if envelope.mid in self.parcels:
            return
        if len(self.parcels) >= MAX_PARCELS:
            self._left_behind += 1
            before = envelope.mid - 1
            self._fresh_after = before if self._fresh_after is None else min(self._fresh_after, before)
            return
        parcel = self._add(envelope, content if self.octets + len(content.octets) <= MAX_OCTETS else None, None)
        for job in split(parcel, range(len(envelope.recipients))):
            self._dispatch(job)

    def _add(self, envelope: Envelope, content: Content | None, open_rids: Sequence[int] | None) -> Parcel:
        parcel = self.parcels[envelope.mid] = Parcel(envelope, content, open_rids)
        if content is not None:
            self.octets += len(content.octets)
        return parcel

    def release(self, parcel: Parcel) -> None:
        """Let go of a message of which nothing is in hand any more."""
        if self.parcels.get(parcel.envelope.mid) is parcel:
            del self.parcels[parcel.envelope.mid]
            if parcel.content is not None:
                self.octets -= len(parcel.content.octets)

    def take_up(self, envelope: Envelope, states: Sequence[RecipientState]) -> Parcel:
        """Take a message from the spool in hand, if it is not; the caller claims recipients or releases it."""
        found = self.parcels.get(envelope.mid)
        if found is not None:
            return found
        final = {state.rid for state in states if state.status.is_final}
        parcel = self._add(envelope, None, [rid for rid in range(len(envelope.recipients)) if rid not in final])
        for state in states:
            # set aside before it was ever tried, a recipient has no destination
            if state.rid in parcel.open and state.destination not in ("", parcel.destination(state.rid)):
                parcel.redirect([state.rid], state.destination)
        return parcel

    # --- from the spool ----------------------------------------------------------------------------------------------

    async def look(self) -> None:
        """Take up what was never tried and what has come due, as far as there is room."""
        if time.monotonic() >= self._look_again:
            self.look_from_the_beginning()
        await self._settlement.catch_up()
        with self._settlement.fence.reading() as mark:
            await self._look_for_fresh(mark)
            await self._look_for_due(mark)

    async def _look_for_fresh(self, mark: int) -> None:
        while self._fresh_after is not None and self.has_room:
            after, left_behind = self._fresh_after, self._left_behind
            entries = await self._shared.spool.fresh(after, BATCH)
            if left_behind != self._left_behind and self._fresh_after < after:
                continue  # something further down was left behind meanwhile
            for entry in entries:
                mid = entry.envelope.mid
                if mid in self.parcels or self._settlement.fence.is_newer(mid, mark):
                    continue
                parcel = self.take_up(entry.envelope, entry.states)
                tried = {state.rid for state in entry.states}
                self._claim(parcel, [rid for rid in parcel.open if rid not in tried], {})
            if entries:
                self._fresh_after = entries[-1].envelope.mid
            elif left_behind == self._left_behind:
                self._fresh_after = None

    async def _look_for_due(self, mark: int) -> None:
        while self.has_room:
            rows = await self._shared.spool.due(time.time(), BATCH, self._cursor)
            for mid, group in groupby(sorted(rows, key=lambda row: row.mid), key=lambda row: row.mid):
                await self._take_due(mid, list(group), mark)
            if rows:
                self._cursor = (rows[-1].due, rows[-1].mid, rows[-1].rid)
            if len(rows) < BATCH:
                return

    def look_from_the_beginning(self) -> None:
        """Forget how far the spool was looked through; what is in hand is known by its parcels."""
        self._cursor = FIRST
        self._fresh_after = 0
        self._look_again = time.monotonic() + LOOK_AGAIN

    async def _take_due(self, mid: int, rows: Sequence[RecipientDue], mark: int) -> None:
        """Take up the due recipients of one message."""
        entry = await self._shared.spool.entry(mid)
        if self._settlement.fence.is_newer(mid, mark):
            self._look_again = 0.0  # what was read may be older than what we did since: look again next time
            return
        if entry is None:
            return
        waiting = {state.rid: state for state in entry.states if state.status is Status.DEFERRED}
        parcel = self.take_up(entry.envelope, entry.states)
        mine = [row for row in rows if row.rid in waiting and row.rid in parcel.open and row.rid not in parcel.claimed]
        late = {row.rid: cost for row in mine if (cost := self._too_late(parcel, row, waiting[row.rid])) is not None}
        attempts = {row.rid: row.attempts for row in mine}
        parcel.claimed.update(late)
        self._claim(parcel, [row.rid for row in mine if row.rid not in late], attempts)
        if late:
            outcomes: dict[int, Outcome] = {**late}
            await self._settlement.settle(parcel, outcomes, attempts=attempts)

    def _too_late(self, parcel: Parcel, row: RecipientDue, state: RecipientState) -> Cost | None:
        """A message that has waited its time out is not tried once more (asyncos.md 11.3)."""
        snapshot = self._shared.snapshot()
        envelope, destination = parcel.envelope, snapshot.destinations.find(parcel.destination(row.rid))
        profile = snapshot.bounce_profile(profile_name(envelope, destination))
        expired = retry.overdue(envelope.received, row.due, profile)
        if expired is None:
            return None
        last = Cost(scope="recipient", action="retry", status="4.4.7", diagnostic=state.detail)
        return failure.of_expiry(last, expired.reason)

    def _claim(self, parcel: Parcel, rids: Sequence[int], attempts: dict[int, int]) -> None:
        """Make jobs of some recipients and hand them on; nothing to claim means nothing in hand."""
        if rids:
            for job in split(parcel, rids, attempts):
                self._dispatch(job)
        elif not parcel.claimed:
            self.release(parcel)
