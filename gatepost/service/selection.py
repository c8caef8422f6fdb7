"""Which messages of a worker's queue an operator means: those for a destination, of a sender, or all of them.

The spool knows the destination of a recipient only once it was tried; of the others it is read from their messages here.
Reads in pages, between which mail has its turn, and changes nothing.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncIterator

import msgspec

from gatepost.outbound.parcel import domain_of
from gatepost.spool.store import Spool

PAGE = 10_000
"""Messages that are read at once: some 15 ms."""
BATCH = 100
"""Messages that are handed on together."""


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """What is meant, as it comes over the control socket."""

    mid: int = 0
    destination: str = ""
    sender: str | None = None
    """A whole reverse-path, in any case; empty: the null reverse-path."""
    everything: bool = False


async def chosen(spool: Spool, selection: Selection) -> AsyncIterator[list[int]]:
    """Yield the MIDs that are meant, some at a time; what comes in meanwhile, a notification for one, is not meant."""
    if selection.mid:
        yield [selection.mid]
    elif selection.destination:
        async for mids in _batches(await for_destination(spool, selection.destination)):
            yield mids
    else:
        wanted = None if selection.sender is None else selection.sender.lower()
        async for mids in _sent(spool, wanted):
            for start in range(0, len(mids), BATCH):
                yield mids[start : start + BATCH]


async def for_destination(spool: Spool, destination: str) -> list[int]:
    """Return the MIDs with a recipient waiting for a destination, in order."""
    return (await survey(spool, destination))[1]


async def survey(spool: Spool, destination: str = "") -> tuple[Counter[str], list[int]]:
    """Return how many recipients were never tried, by destination; and the MIDs with any recipient waiting for one."""
    written, found, after = Counter[str](), set[int](), 0
    while (page := await spool.untried(after, PAGE)).last_mid:
        after = page.last_mid
        written.update(page.domains)
        if destination:
            meant = {domain for domain in set(page.domains) if _destination(domain) == destination}
            found.update(mid for mid, domain in zip(page.mids, page.domains, strict=True) if domain in meant)
    counts = Counter[str]()
    for domain, number in written.items():
        counts[_destination(domain)] += number
    if not destination:
        return counts, []
    return counts, sorted({*found, *await spool.waiting_for(destination)})


def _destination(written: str) -> str:
    return domain_of(f"x{written}")


async def by_sender(spool: Spool, sender: str, limit: int) -> list[int]:
    """Return the first MIDs of a sender."""
    found: list[int] = []
    async for mids in _sent(spool, sender.lower()):
        found += mids
        if len(found) >= limit:
            break
    return found[:limit]


async def _sent(spool: Spool, wanted: str | None) -> AsyncIterator[list[int]]:
    after, now = 0, time.time()
    while page := await spool.sent(after, PAGE):
        after = page[-1].mid
        there = [one for one in page if one.received <= now]
        yield [
            one.mid
            for one in there
            if wanted is None or (one.reverse_path is not None and one.reverse_path.lower() == wanted)
        ]


async def _batches(mids: list[int]) -> AsyncIterator[list[int]]:
    for start in range(0, len(mids), BATCH):
        yield mids[start : start + BATCH]
