"""The operator's verbs on one worker's queue: what was never tried counts as what waits for its retry does."""

from __future__ import annotations

import asyncio
import sqlite3
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


async def test_a_senders_mail_is_found_counted_and_ended(tmp_path: Path) -> None:
    async with Peer() as peer, Outbound(tmp_path, routed(peer.port)) as out:
        out.scheduler.suspend()
        queue = queue_of(out)
        first = await out.send("ann@example.com", "ben@example.net")
        other = await out.send("cid@example.com", reverse_path="Ann@Sender.example")
        report = await out.send("dan@example.com", reverse_path="")
        assert await listed(queue, sender="ann@sender.EXAMPLE") == [other]
        assert await listed(queue, sender="") == [report]
        assert await queue.serve("queue_count", {"sender": "bob@sender.example"}) == 2
        assert await queue.serve("delete", {"sender": "BOB@sender.example"}) == 2
        await out.finished(first)
        assert await listed(queue) == [other, report]


async def test_all_is_what_waits_now_and_not_the_notifications_that_it_causes(tmp_path: Path) -> None:
    async with Peer() as peer, Outbound(tmp_path, routed(peer.port)) as out:
        out.scheduler.suspend()
        queue = queue_of(out)
        mids = [await out.send(f"{number}@example.com", "ann@example.org") for number in range(250)]
        assert await queue.serve("queue_count", {"everything": True}) == 500
        assert await queue.serve("queue_count", {"destination": "example.org"}) == 250
        assert await queue.serve("bounce", {"everything": True}) == 500
        waiting = await listed(queue, limit=1000)
        assert len(waiting) == 250
        assert not set(waiting) & set(mids)
        assert await counts(queue) == {"sender.example": 250}


async def test_a_redirected_recipient_is_listed_where_it_goes(tmp_path: Path) -> None:
    async with Peer() as peer, Outbound(tmp_path, routed(peer.port)) as out:
        out.scheduler.suspend()
        queue = queue_of(out)
        mid = await out.send("ann@example.com", "ben@example.net")
        asked = {"destination": "example.com", "host": "relay.example"}
        assert await queue.serve("redirect", asked) == 1
        assert await counts(queue) == {"relay.example": 1, "example.net": 1}
        assert await listed(queue, destination="relay.example") == [mid]
        shown = (await queue.serve("queue_show", {"mid": mid}))["recipients"]
        assert [one.get("destination", "") for one in shown] == ["relay.example", ""]


@pytest.mark.parametrize("size", [100, 400_000])
async def test_the_beginning_of_a_message_is_shown(tmp_path: Path, size: int) -> None:
    async with Peer() as peer, Outbound(tmp_path, routed(peer.port)) as out:
        out.scheduler.suspend()
        octets = b"Subject: x\r\n\r\n" + b"x" * size
        mid = await out.send("ann@example.com", octets=octets)
        found = await queue_of(out).serve("queue_content", {"mid": mid, "limit": 50})
        assert found == {"size": len(octets), "octets": octets[:50]}
        assert await queue_of(out).serve("queue_content", {"mid": 9, "limit": 50}) is None


async def test_a_damaged_message_belongs_to_no_sender_but_to_all(tmp_path: Path) -> None:
    async with Peer() as peer, Outbound(tmp_path, routed(peer.port), start=False) as out:
        mid = (await out.commit("ann@example.com", reverse_path="")).envelope.mid
        with sqlite3.connect(tmp_path / "shard-0.db") as connection:
            connection.execute("UPDATE message SET envelope = x'00'")
        queue = queue_of(out)
        assert await listed(queue, sender="") == []
        assert await queue.serve("delete", {"everything": True}) == 1
        await out.finished(mid)
