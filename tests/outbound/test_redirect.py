"""Recipients that an operator sends elsewhere: durable where they go, each with one outcome, whatever goes on meanwhile."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gatepost.config.model import BounceProfile
from tests.support.outbound import Outbound, routed
from tests.support.peer import CLOSE, Peer, Session, _Talk


class Held(Peer):
    """A next hop that answers one step, the end of the mail data if no other, only when it is let."""

    def __init__(self, answer: object, step: str = "END") -> None:
        super().__init__()
        self.release = asyncio.Event()
        self.held = False
        self._answer, self._step = answer, step

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = self

        class Talk(_Talk):
            async def answer(self, step: str, line: str, default: str = "") -> str:
                if step == peer._step:
                    peer.held = True
                    peer.changed()
                    await peer.release.wait()
                    peer.answers[step] = peer._answer
                return await super().answer(step, line, default)

        session = Session()
        self.sessions.append(session)
        try:
            await Talk(self, session, reader, writer).run()
        except (EOFError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            self.changed()


SLOW = {"Default": BounceProfile(initial_wait=900)}


def two(first: Peer, other: Peer, **fields: object) -> dict[str, object]:
    """The routes of both: example.com to the first, relay.example to the other."""
    return {
        "routes": {
            "example.com": [f"127.0.0.1:{first.port}"],
            "relay.example": [f"127.0.0.1:{other.port}"],
            "ALL": ["/dev/null"],
        },
        **fields,
    }


async def test_what_was_never_tried_goes_to_the_other_host_after_a_restart_too(tmp_path: Path) -> None:
    async with Peer() as first, Peer() as other:
        config = routed(0, **two(first, other))
        async with Outbound(tmp_path, config) as out:
            out.scheduler.suspend()
            mid = await out.send("ann@example.com", "ben@example.net")
            assert await out.scheduler.redirect(mid, "relay.example") == 2
            entry = await out.spool.entry(mid)
            assert entry is not None
            assert [state.destination for state in entry.states] == ["relay.example", "relay.example"]
            assert out.lines(f"Redirected: MID {mid} to RID [0, 1] - to relay.example")
        async with Outbound(tmp_path, config) as out:
            await out.finished(mid)
        assert [len(message.rcpt) for message in other.messages] == [2], "one transaction for both domains"
        assert other.messages[0].rcpt[0].startswith("RCPT TO:<ann@example.com>")
        assert not first.sessions


async def test_what_was_put_off_goes_at_once_and_keeps_its_attempts(tmp_path: Path) -> None:
    async with (
        Peer(answers={"RCPT": "450 later"}) as first,
        Peer(answers={"RCPT": "451 not now"}) as other,
        Outbound(tmp_path, routed(0, **two(first, other), bounce_profiles=SLOW)) as out,
    ):
        mid = await out.send("ann@example.com")
        await out.until_line("pending till")
        assert await out.scheduler.redirect(mid, "relay.example") == 1
        await out.until_line("not now")
        await out.scheduler._settlement.catch_up()
        entry = await out.spool.entry(mid)
        assert entry is not None
        (state,) = entry.states
        assert (state.destination, state.attempts) == ("relay.example", 2), "a failure there leaves it there"
        assert [row.destination for row in await out.spool.by_destination()] == ["relay.example"]


async def test_only_one_destination_is_redirected_and_can_be_redirected_back(tmp_path: Path) -> None:
    async with Peer() as first, Peer() as other, Outbound(tmp_path, routed(0, **two(first, other))) as out:
        out.scheduler.suspend()
        mid = await out.send("ann@example.com", "ben@example.net")
        assert await out.scheduler.redirect(mid, "relay.example", "example.net") == 1
        assert await out.scheduler.redirect(mid, "relay.example", "example.net") == 0
        assert await out.scheduler.redirect(mid, "example.net", "relay.example") == 1
        out.scheduler.resume()
        await out.finished(mid)
        assert [len(message.rcpt) for message in first.messages] == [1]
        assert not other.sessions, "ben is thrown away by example.net's route"


@pytest.mark.parametrize(("end", "here", "there"), [("250 ok", 1, 0), ("450 later", 0, 1), (CLOSE, 0, 1)])
async def test_what_a_delivery_has_in_hand_is_delivered_there_or_goes_to_the_other_host(
    tmp_path: Path, end: object, here: int, there: int
) -> None:
    async with Held(end) as first, Peer() as other, Outbound(tmp_path, routed(0, **two(first, other))) as out:
        mid = await out.send("ann@example.com")
        await first.until(lambda: first.held)
        assert await out.scheduler.redirect(mid, "relay.example") == 1
        first.release.set()
        await out.finished(mid)
        assert len(first.messages) == here
        assert len(other.messages) == there
        await out.until(lambda: mid not in out.scheduler._intake.parcels)


async def test_what_a_host_hands_on_goes_to_the_other_host_instead_of_the_next_one(tmp_path: Path) -> None:
    async with Held("421 not here", "MAIL") as first, Peer() as second, Peer() as other:
        config = two(first, other)
        config["routes"]["example.com"].append(f"127.0.0.1:{second.port}/pri=10")  # type: ignore[index]
        async with Outbound(tmp_path, routed(0, **config)) as out:
            mid = await out.send("ann@example.com")
            await first.until(lambda: first.held)
            assert await out.scheduler.redirect(mid, "relay.example") == 1
            first.release.set()
            await out.finished(mid)
            assert (len(first.messages), len(second.messages), len(other.messages)) == (0, 0, 1)


async def test_an_operators_end_finds_what_was_redirected(tmp_path: Path) -> None:
    async with Peer() as first, Peer() as other, Outbound(tmp_path, routed(0, **two(first, other))) as out:
        out.scheduler.suspend()
        mid = await out.send("ann@example.com", "ben@example.net")
        await out.scheduler.redirect(mid, "relay.example", "example.com")
        assert await out.scheduler.delete(mid, "example.com") == 0
        assert await out.scheduler.delete(mid, "relay.example") == 1
        assert await out.scheduler.redirect(99, "relay.example") == 0
        out.scheduler.resume()
        await out.finished(mid)
        outcomes = {one.address: one.outcome for one in out.journal.outcomes}
        assert outcomes == {"ann@example.com": "deleted", "ben@example.net": "delivered"}


async def test_what_each_destination_got_is_counted(tmp_path: Path) -> None:
    answers = {"RCPT": ["550 5.1.1 nobody of that name", "250 ok", "250 ok", "450 later"]}
    async with Peer(answers=answers) as first, Outbound(tmp_path, routed(first.port, bounce_profiles=SLOW)) as out:
        await out.finished(await out.send("ann@example.com", reverse_path=""))
        await out.finished(await out.send("ben@example.com", "cid@example.com"))
        last = await out.send("dan@example.com")
        await out.until_line("Delayed", f"MID {last}")
        now = out.scheduler.host("example.com")
        assert (now["delivered"], now["soft_bounced"], now["hard_bounced"]) == (2, 1, {"5xx": 1})
        assert "nobody of that name" in now["last_error"]["text"]
        assert now["last_error"]["peer"] == "127.0.0.1"
        assert "example.com" in out.scheduler.domains()
        await out.scheduler.delete(last)
        assert out.scheduler.host("example.com")["deleted"] == 1
        assert out.scheduler.host("example.org")["delivered"] == 0
