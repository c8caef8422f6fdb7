"""Taking over the shard that a larger number of workers left behind, message by message.

A message leaves the old shard only when the new one has it on disk; a crash in between delivers it twice, never not at all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from gatepost.outbound.parcel import domain_of
from gatepost.spool.entries import QueueEntry
from gatepost.spool.message import Content, Envelope, Message, Progress, RecipientState, Status
from gatepost.spool.store import Spool

BATCH = 100
PIECE = 256 * 1024


async def adopt(spool: Spool, directory: Path, shard: int, enqueue: Callable[[Message], None]) -> int:
    """Move every message that is whole into `spool`; damaged ones stay where they are, set aside. Return how many moved."""
    old = await asyncio.to_thread(Spool.open, directory, shard)
    moved = left = 0
    try:
        while entries := await old.listing(limit=BATCH, offset=left):
            for entry in entries:
                if await _move(old, spool, entry, enqueue):
                    moved += 1
                else:
                    left += 1
    finally:
        await old.close()
    return moved


async def _move(old: Spool, spool: Spool, entry: QueueEntry, enqueue: Callable[[Message], None]) -> bool:
    message = await old.load(entry.envelope.mid)
    if message is None:
        return False
    envelope = message.envelope
    if await spool.entry(envelope.mid) is None:  # it is there already when a crash cut the last attempt short
        message = Message(envelope, await _copy(spool, envelope, message.content))
        # with the states in the same transaction, or a crash would make what was delivered fresh again
        await spool.commit(message, _states(envelope, entry) if entry.states else ())
        if not entry.states:
            enqueue(message)
    await old.settle(Progress(mid=envelope.mid, states=_gone(envelope, entry), finished=True))
    return True


def _states(envelope: Envelope, entry: QueueEntry) -> tuple[RecipientState, ...]:
    """The states as they were; what was never tried is due at once, for only whole messages are taken up as fresh."""
    known = {state.rid: state for state in entry.states}
    return tuple(
        known.get(rid)
        or RecipientState(rid=rid, status=Status.DEFERRED, destination=domain_of(address), due=envelope.received)
        for rid, address in enumerate(envelope.recipients)
    )


def _gone(envelope: Envelope, entry: QueueEntry) -> tuple[RecipientState, ...]:
    """What the old shard's count of recipients is told: those that were not final are no longer there."""
    final = {state.rid for state in entry.states if state.status.is_final}
    return tuple(
        RecipientState(rid=rid, status=Status.DELETED) for rid in range(len(envelope.recipients)) if rid not in final
    )


async def _copy(spool: Spool, envelope: Envelope, content: Content) -> Content:
    if not content.path:
        return content
    incoming = spool.incoming(envelope.mid)
    try:
        with await asyncio.to_thread(open, content.path, "rb") as file:
            while piece := await asyncio.to_thread(file.read, PIECE):
                incoming.write(piece)
                await incoming.drain()
        return await incoming.finish()
    except BaseException:
        incoming.discard()
        raise
