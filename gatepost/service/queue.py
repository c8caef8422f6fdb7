"""The operator's verbs on one worker's queue, as the master forwards them. They only translate to scheduler and spool."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from gatepost.errors import ControlError
from gatepost.outbound.scheduler import Scheduler
from gatepost.service import selection
from gatepost.service.selection import Selection
from gatepost.spool.entries import QueueEntry
from gatepost.spool.message import RecipientState
from gatepost.spool.store import Spool

LISTING = 10_000
"""Messages that one answer holds at most: a page of the whole queue is cut out of the first pages of all workers."""


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
            case "queue_content":
                return self._content(**arguments)
            case "queue_oldest":
                return self._oldest()
            case "queue_count":
                return self._count(Selection(**arguments))
            case "deliver_now":
                return self._scheduler.deliver_now(arguments["destination"] or None, arguments["mid"] or None)
            case "bounce":
                return self._each(self._scheduler.bounce, Selection(**arguments))
            case "delete":
                return self._each(self._scheduler.delete, Selection(**arguments))
            case "redirect":
                host = arguments.pop("host")
                return self._each(lambda mid, of: self._scheduler.redirect(mid, host, of), Selection(**arguments))
            case "suspend_delivery":
                return self._scheduler.suspend()
            case "resume_delivery":
                return self._scheduler.resume()
        raise ControlError(f"unknown verb {verb!r}")

    async def _each(self, verb: Callable[[int, str], Awaitable[int]], meant: Selection) -> int:
        """Do something to all that is meant, durable on return; return for how many recipients.

        Some messages at once, so that they share their syncs.
        """
        total = 0
        async for mids in selection.chosen(self._spool, meant):
            total += sum(await asyncio.gather(*(verb(mid, meant.destination) for mid in mids)))
        await self._scheduler.catch_up()
        return total

    async def _count(self, meant: Selection) -> int:
        """Return how many recipients are meant."""
        if meant.everything:
            return self._spool.recipients
        if meant.destination:
            rows = {row.destination: row.recipients for row in await self._spool.by_destination()}
            return rows.get(meant.destination, 0) + (await selection.survey(self._spool))[0][meant.destination]
        total = 0
        async for mids in selection.chosen(self._spool, meant):
            for mid in mids:
                entry = await self._spool.entry(mid)
                if entry is not None:
                    total += len(entry.envelope.recipients) - sum(state.status.is_final for state in entry.states)
        return total

    async def _list(
        self, destination: str = "", limit: int = 100, offset: int = 0, sender: str | None = None
    ) -> dict[str, Any]:
        end = min(offset + limit, LISTING)
        known: dict[int, QueueEntry] = {}
        untried, mids = await selection.survey(self._spool, destination)
        if sender is not None:
            mids = await selection.by_sender(self._spool, sender, end)
        elif not destination:
            known = {entry.envelope.mid: entry for entry in await self._spool.listing(limit=end)}
            mids = list(known)
        shown = [known.get(mid) or await self._spool.entry(mid) for mid in mids[offset:end]]
        counts = [msgspec.to_builtins(count) for count in await self._spool.by_destination()]
        counts += [
            {"destination": domain, "recipients": count, "untried": count, "next_due": None}
            for domain, count in untried.items()
        ]
        return {"destinations": counts, "messages": [_shown(entry) for entry in shown if entry is not None]}

    async def _oldest(self) -> float:
        """Return when the message came that waits longest; 0: none does."""
        first = await self._spool.listing(limit=1)
        return first[0].envelope.received if first else 0.0

    async def _show(self, mid: int) -> dict[str, Any] | None:
        entry = await self._spool.entry(mid)
        return _shown(entry) if entry is not None else None

    async def _content(self, mid: int, limit: int) -> dict[str, Any] | None:
        """Return the beginning of a message as it is stored."""
        message = await self._spool.load(mid)
        if message is None:
            return None
        content = message.content
        octets = await asyncio.to_thread(_start, content.path, limit) if content.path else content.octets[:limit]
        return {"size": message.envelope.size, "octets": octets}


def _start(path: str, limit: int) -> bytes:
    with open(path, "rb") as file:
        return file.read(limit)


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
        "destination": state.destination,
        "due": state.due,
        "attempts": state.attempts,
        "detail": state.detail,
    }
