"""The operator's verbs on one worker's queue, as the master forwards them. They only translate to scheduler and spool.

The spool knows the destination of a recipient only once it was tried; of the others it is read from their messages here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec

from gatepost.errors import ControlError
from gatepost.outbound.parcel import domain_of
from gatepost.outbound.scheduler import Scheduler
from gatepost.spool.entries import QueueEntry
from gatepost.spool.message import RecipientState
from gatepost.spool.store import Spool

LISTING = 10_000
"""Messages that one answer holds at most: a page of the whole queue is cut out of the first pages of all workers."""
BATCH = 1000
"""Messages that are read at once where many are looked through."""


class QueueVerbs:
    """Queue verbs of a worker."""

    def __init__(self, spool: Spool, scheduler: Scheduler) -> None:
        self._spool, self._scheduler = spool, scheduler

    def serve(self, verb: str, arguments: dict[str, Any]) -> Any:
        """Answer a verb; ControlError for one that is not known."""
        match verb:
            case "queue_list":
                return self._list(**arguments)
            case "queue_show":
                return self._show(arguments["mid"])
            case "deliver_now":
                return self._scheduler.deliver_now(arguments["destination"] or None, arguments["mid"] or None)
            case "bounce":
                return self._end(self._scheduler.bounce, **arguments)
            case "delete":
                return self._end(self._scheduler.delete, **arguments)
            case "suspend_delivery":
                return self._scheduler.suspend()
            case "resume_delivery":
                return self._scheduler.resume()
        raise ControlError(f"unknown verb {verb!r}")

    async def _end(self, verb: Callable[[int, str], Awaitable[int]], mid: int, destination: str) -> int:
        """Bounce or delete one message, or all that wait for a destination; return for how many recipients."""
        if mid:
            return await verb(mid, "")
        mids = {mid async for mid, domains in self._untried() if destination in domains}
        mids.update(await self._spool.waiting_for(destination))
        return sum([await verb(each, destination) for each in sorted(mids)])

    async def _untried(self) -> AsyncIterator[tuple[int, list[str]]]:
        """Yield the messages with recipients never tried, in MID order, and where those go."""
        after = 0
        while found := await self._spool.untried(after, BATCH):
            for one in found:
                yield one.mid, [domain_of(address) for address in one.addresses]
            after = found[-1].mid

    async def _list(self, destination: str = "", limit: int = 100, offset: int = 0) -> dict[str, Any]:
        end = min(offset + limit, LISTING)
        untried, mids = Counter[str](), set[int]()
        async for mid, domains in self._untried():
            untried.update(domains)
            if destination in domains and len(mids) < end:
                mids.add(mid)
        entries = await self._spool.listing(destination=destination, limit=end)
        known = {entry.envelope.mid: entry for entry in entries}
        page = sorted(mids | known.keys())[offset:end]
        shown = [known.get(mid) or await self._spool.entry(mid) for mid in page]
        counts = [msgspec.to_builtins(count) for count in await self._spool.by_destination()]
        counts += [{"destination": domain, "recipients": count, "next_due": None} for domain, count in untried.items()]
        return {"destinations": counts, "messages": [_shown(entry) for entry in shown if entry is not None]}

    async def _show(self, mid: int) -> dict[str, Any] | None:
        entry = await self._spool.entry(mid)
        return _shown(entry) if entry is not None else None


def _shown(entry: QueueEntry) -> dict[str, Any]:
    envelope = entry.envelope
    states = {state.rid: state for state in entry.states}
    return {
        "mid": envelope.mid,
        "received": envelope.received,
        "reverse_path": envelope.reverse_path,
        "size": envelope.size,
        "subject": envelope.subject,
        "listener": envelope.listener,
        "recipients": [
            {"rid": rid, "address": address, **_state(states.get(rid))} for rid, address in enumerate(envelope.recipients)
        ],
    }


def _state(state: RecipientState | None) -> dict[str, Any]:
    if state is None:
        return {"status": "queued", "due": 0, "attempts": 0, "detail": ""}
    return {
        "status": state.status.name.lower(),
        "due": state.due,
        "attempts": state.attempts,
        "detail": state.detail,
    }
