"""The operator's verbs on one worker's queue, as the master forwards them. They only translate to scheduler and spool."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from gatepost.errors import ControlError
from gatepost.outbound.scheduler import Scheduler
from gatepost.spool.entries import QueueEntry
from gatepost.spool.message import RecipientState
from gatepost.spool.store import Spool

LISTING = 1000
"""Messages that one listing shows at most."""


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

    async def _end(self, verb: Callable[[int], Awaitable[int]], mid: int, destination: str) -> int:
        """Bounce or delete one message, or all that wait for a destination; return for how many recipients."""
        if mid:
            return await verb(mid)
        count = 0
        while entries := await self._spool.listing(destination=destination, limit=LISTING):
            done = [await verb(entry.envelope.mid) for entry in entries]
            if not any(done):
                break  # what is left is in the hands of deliveries
            count += sum(done)
        return count

    async def _list(self, destination: str = "", limit: int = 100, offset: int = 0) -> dict[str, Any]:
        destinations = await self._spool.by_destination()
        entries = await self._spool.listing(destination=destination, limit=min(limit, LISTING), offset=offset)
        return {
            "destinations": [msgspec.to_builtins(count) for count in destinations],
            "messages": [_shown(entry) for entry in entries],
        }

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
