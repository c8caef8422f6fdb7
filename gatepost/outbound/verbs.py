"""What an operator may do to mail that waits: bounce, delete or redirect it, try it now. Each recipient has one outcome.

What waits is settled at once. What a delivery has in its hands at that moment is left to it: what it delivers is delivered,
and the operator's word holds for the rest.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping

from gatepost.outbound.intake import Intake
from gatepost.outbound.outcome import Deleted, Outcome, Postponed
from gatepost.outbound.parcel import Parcel, Verdict
from gatepost.outbound.queue import DestinationQueue
from gatepost.outbound.ruling import BY_OPERATOR
from gatepost.outbound.settlement import Settlement
from gatepost.outbound.shared import Shared
from gatepost.records import maillog
from gatepost.spool.entries import QueueEntry
from gatepost.spool.message import Progress, RecipientState, Status


class Verbs:
    """The operator's verbs on one worker's mail."""

    def __init__(
        self, shared: Shared, settlement: Settlement, intake: Intake, queues: Mapping[str, DestinationQueue]
    ) -> None:
        self._shared = shared
        self._settlement = settlement
        self._intake = intake
        self._queues = queues

    async def end(self, mid: int, verdict: Verdict, destination: str = "") -> int:
        """Bounce or delete what is not final of a message, or of that what goes to one destination; return how many.

        Where only a part of the message is meant, a delivery under way keeps what it has in hand, come of it what may.
        """
        entry = await self._entry(mid)
        if entry is None:
            return 0
        # No await from here to the claim: whoever takes the message in hand next finds it claimed.
        parcel = self._intake.take_up(entry.envelope, entry.states)
        meant = {rid for rid in parcel.open if destination in ("", parcel.destination(rid))}
        waiting = self._taken_from_queues(parcel, meant)
        decided = len(waiting)
        if meant == parcel.open:
            decided = len(meant)
            parcel.verdict = verdict
        parcel.claimed |= waiting
        if waiting:
            outcome: Outcome = Deleted() if verdict == "delete" else BY_OPERATOR
            attempts = {state.rid: state.attempts for state in entry.states}
            await self._settlement.settle(parcel, dict.fromkeys(sorted(waiting), outcome), attempts=attempts)
        elif not parcel.claimed:
            self._intake.release(parcel)
        return decided

    async def redirect(self, mid: int, host: str, destination: str = "") -> int:
        """Send what is not final of a message, or of that what goes to one destination, to `host`; return how many.

        The spool keeps `host` as the destination of these recipients, durable on return; they are due at once. What is
        held stays held. What a delivery has in hand and does not deliver is put off to `host`.
        """
        entry = await self._entry(mid)
        if entry is None:
            return 0
        # No await from here to the settling, as above.
        parcel = self._intake.take_up(entry.envelope, entry.states)
        held = {state.rid for state in entry.states if state.status is Status.HELD}
        elsewhere = {rid for rid in parcel.open - held if parcel.destination(rid) != host}
        meant = {rid for rid in elsewhere if destination in ("", parcel.destination(rid))}
        waiting = self._taken_from_queues(parcel, meant)
        parcel.redirect(meant, host)
        parcel.claimed |= waiting
        if waiting:
            now = time.time()
            self._shared.journal.info(maillog.redirected(mid, sorted(waiting), host))
            attempts = {state.rid: state.attempts for state in entry.states}
            postponed = Postponed(now, f"redirected to {host} by the administrator")
            await self._settlement.settle(parcel, dict.fromkeys(sorted(waiting), postponed), attempts=attempts)
            await self._settlement.catch_up()
        elif not parcel.claimed:
            self._intake.release(parcel)
        return len(meant)

    async def _entry(self, mid: int) -> QueueEntry | None:
        """Return a message as it stands, with all that was settled of it."""
        while True:
            await self._settlement.catch_up()
            with self._settlement.fence.reading() as mark:
                entry = await self._shared.spool.entry(mid)
                if entry is None or not self._settlement.fence.is_newer(mid, mark):
                    return entry

    def _taken_from_queues(self, parcel: Parcel, meant: Collection[int]) -> set[int]:
        """Return those of the recipients meant that no delivery has in its hands, taken away from the queues."""
        waiting = {rid for rid in meant if rid not in parcel.claimed}
        for domain in {parcel.destination(rid) for rid in meant if rid in parcel.claimed}:
            queue = self._queues.get(domain)
            for job in queue.jobs if queue is not None else ():
                if job.parcel is parcel and not job.void:
                    job.void = True
                    waiting.update(job.rids)
        return waiting

    async def bring_forward(self, mid: int | None, destination: str | None) -> int:
        """Make deferred recipients due now, all, of one destination or of one message, and release what was held of it."""
        await self._settlement.catch_up()
        now = time.time()
        count = await self._shared.spool.reschedule(mid=mid, destination=destination, due=now)
        if mid is not None:
            count += await self._release_held(mid, now)
        self._intake.look_from_the_beginning()
        return count

    async def _release_held(self, mid: int, now: float) -> int:
        entry = await self._shared.spool.entry(mid)
        held = [state for state in entry.states if state.status is Status.HELD] if entry else []
        if held:
            states = tuple(
                RecipientState(
                    rid=state.rid,
                    status=Status.DEFERRED,
                    destination=state.destination,
                    due=now,
                    attempts=state.attempts,
                    detail=state.detail,
                )
                for state in held
            )
            await self._shared.spool.settle(Progress(mid=mid, states=states, finished=False))
        return len(held)
