"""The operator's verbs on one worker's queue: what was never tried counts as what waits for its retry does."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from gatepost.config.model import BounceProfile
from gatepost.service.queue import QueueVerbs
from tests.support.outbound import Outbound, routed
from tests.support.peer import Peer

SLOW = {"Default": BounceProfile(initial_wait=900)}


def queue_of(out: Outbound) -> QueueVerbs:
    return QueueVerbs(out.spool, out.scheduler)


async def counts(queue: QueueVerbs) -> dict[str, int]:
    totals: dict[str, int] = {}
    for row in (await queue.serve("queue_list", {}))["destinations"]:
        totals[row["destination"]] = totals.get(row["destination"], 0) + row["recipients"]
    return totals


async def listed(queue: QueueVerbs, **arguments: Any) -> list[int]:
    return [message["mid"] for message in (await queue.serve("queue_list", arguments))["messages"]]


async def test_what_was_never_tried_is_listed_under_its_destination(tmp_path: Path) -> None:
    async with Peer() as peer, Outbound(tmp_path, routed(peer.port)) as out:
        out.scheduler.suspend()
        first = await out.send("ann@example.com", "ben@Example.COM", "cid@example.net")
        second = await out.send("dan@example.net")
        third = await out.send("eve@example.com")
        queue = queue_of(out)
        assert await counts(queue) == {"example.com": 3, "example.net": 2}
        assert await listed(queue, destination="example.com") == [first, third]
        assert await listed(queue, destination="example.com", limit=1, offset=1) == [third]
        assert await listed(queue, limit=2) == [first, second]
        assert await listed(queue, destination="example.org") == []


async def test_tried_and_never_tried_are_listed_together(tmp_path: Path) -> None:
    async with (
        Peer(answers={"RCPT": "450 later"}) as peer,
        Outbound(tmp_path, routed(peer.port, bounce_profiles=SLOW)) as out,
    ):
        first = await out.send("ann@example.com")
        await out.until_line("pending till")
        out.scheduler.suspend()
        second = await out.send("ben@example.com")
        await out.scheduler._settlement.catch_up()
        queue = queue_of(out)
        assert await counts(queue) == {"example.com": 2}
        assert await listed(queue, destination="example.com") == [first, second]


async def test_a_page_may_begin_behind_the_first_thousand(tmp_path: Path) -> None:
    async with Peer() as peer, Outbound(tmp_path, routed(peer.port), start=False) as out:
        await asyncio.gather(*(out.commit(f"{number}@example.com") for number in range(1003)))
        mids = await listed(queue_of(out), limit=1003)
        assert len(mids) == 1003
        assert await listed(queue_of(out), limit=50, offset=1001) == mids[1001:]
        assert await listed(queue_of(out), destination="example.com", limit=50, offset=1001) == mids[1001:]


@pytest.mark.parametrize("verb", ["bounce", "delete"])
async def test_a_destination_is_emptied_of_what_was_never_tried_too(tmp_path: Path, verb: str) -> None:
    async with (
        Peer(answers={"RCPT": "450 later"}) as peer,
        Outbound(tmp_path, routed(peer.port, bounce_profiles=SLOW)) as out,
    ):
        tried = await out.send("ann@example.com")
        await out.until_line("pending till")
        out.scheduler.suspend()
        fresh = await out.send("ben@example.com", "cid@example.com")
        other = await out.send("dan@example.net")
        assert await queue_of(out).serve(verb, {"destination": "example.com", "mid": 0}) == 3
        await out.finished(tried)
        await out.finished(fresh)
        assert other in await listed(queue_of(out))
        assert await queue_of(out).serve(verb, {"destination": "example.com", "mid": 0}) == 0


@pytest.mark.parametrize("verb", ["bounce", "delete"])
async def test_recipients_in_other_destinations_are_not_touched(tmp_path: Path, verb: str) -> None:
    async with Peer() as peer, Outbound(tmp_path, routed(peer.port)) as out:
        out.scheduler.suspend()
        mixed = await out.send("ann@example.com", "ben@example.net", "cid@example.net")
        assert await queue_of(out).serve(verb, {"destination": "example.net", "mid": 0}) == 2
        await out.scheduler._settlement.catch_up()
        assert (await counts(queue_of(out)))["example.com"] == 1
        out.scheduler.resume()
        await out.finished(mixed)
        assert [len(message.rcpt) for message in peer.messages] == [1]
        said = [(one.address, one.outcome) for one in out.journal.outcomes if one.mid == mixed]
        ended = "bounced" if verb == "bounce" else "deleted"
        assert sorted(said) == [("ann@example.com", "delivered"), ("ben@example.net", ended), ("cid@example.net", ended)]
