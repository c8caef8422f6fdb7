"""What is delivered when: leftovers, retries, limits, dead destinations, and operators' verbs against deliveries."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from gatepost.config.model import BounceProfile, DefaultDestination, DestinationControl, RecipientRate
from gatepost.errors import SpoolFull
from gatepost.outbound import intake, scheduler, settlement, transaction
from gatepost.outbound.outcome import Delivered
from gatepost.spool.message import Progress, RecipientState, Status
from gatepost.spool.store import Spool
from tests.outbound.test_delivery import free_port, states
from tests.support.outbound import BODY, Outbound, routed
from tests.support.peer import CLOSE, SILENT, Peer

# --- what was left, what is due --------------------------------------------------------------------------------------


async def test_what_a_crash_left_is_delivered_first(tmp_path: Path) -> None:
    async with Peer() as peer, Outbound(tmp_path, routed(peer.port), start=False) as out:
        mids = [(await out.commit("ann@example.com")).envelope.mid for _ in range(20)]
        out.run()
        for mid in mids:
            await out.finished(mid)
        assert len(peer.messages) == 20


async def test_recipients_that_are_settled_are_not_tried_again(tmp_path: Path) -> None:
    async with Peer() as peer, Outbound(tmp_path, routed(peer.port), start=False) as out:
        mid = (await out.commit("ann@example.com", "ben@example.com", "cat@example.com")).envelope.mid
        done = RecipientState(rid=0, status=Status.DELIVERED)
        waiting = RecipientState(rid=1, status=Status.DEFERRED, destination="example.com", due=1.0, attempts=3)
        await out.spool.settle(Progress(mid=mid, states=(done, waiting), finished=False))
        out.run()
        await out.finished(mid)
        assert sorted(recipient for message in peer.messages for recipient in message.rcpt) == [
            "RCPT TO:<ben@example.com>",
            "RCPT TO:<cat@example.com>",
        ]
        assert {outcome.rid: outcome.attempts for outcome in out.journal.outcomes} == {1: 4, 2: 1}


async def test_a_deferred_message_is_tried_again_by_its_bounce_profile(tmp_path: Path) -> None:
    async with Peer(answers={"RCPT": ["450 later"]}) as peer, Outbound(tmp_path, routed(peer.port)) as out:
        mid = await out.send("ann@example.com")
        await out.finished(mid)
        assert [outcome.outcome for outcome in out.journal.outcomes] == ["deferred", "delivered"]
        assert out.journal.outcomes[1].time - out.journal.outcomes[0].time >= 1.0


@pytest.mark.parametrize(
    ("profile", "received"),
    [(BounceProfile(max_retries=0), None), (BounceProfile(max_age=100), 1.0)],
    ids=["retries", "age"],
)
async def test_a_soft_bounce_becomes_hard_and_the_sender_is_told(
    tmp_path: Path, profile: BounceProfile, received: float | None
) -> None:
    async with Peer(answers={"RCPT": "450 4.2.1 later"}) as peer, Peer() as sender:
        config = routed(peer.port, bounce_profiles={"Default": profile})
        config.routes["sender.example"] = [f"127.0.0.1:{sender.port}"]
        async with Outbound(tmp_path, config) as out:
            mid = await out.send("ann@example.com", received=received or time.time())
            await out.until_line(f"Bounced: DCID 1 MID {mid} to RID 0 - 5.4.7 - Delivery time expired")
            await sender.until(lambda: sender.messages)
            assert sender.messages[0].mail.startswith("MAIL FROM:<>")
            assert b"450 4.2.1 later" in sender.messages[0].octets
            [record] = out.journal.messages
            assert (record.icid, record.recipients) == (0, ("bob@sender.example",))
            await out.finished(record.mid)


async def test_a_message_that_came_due_too_late_is_not_tried_once_more(tmp_path: Path) -> None:
    config = routed(free_port(), bounce_profiles={"Default": BounceProfile(max_age=100)})
    async with Outbound(tmp_path, config, start=False) as out:
        mid = (await out.commit("ann@example.com", received=time.time() - 200)).envelope.mid
        waiting = RecipientState(rid=0, status=Status.DEFERRED, due=time.time() - 1, attempts=3, detail="no answer at all")
        await out.spool.settle(Progress(mid=mid, states=(waiting,), finished=False))
        out.run()
        assert "no answer at all" in await out.until_line(f"Bounced: DCID 0 MID {mid} to RID 0 - 5.4.7")
        assert not out.lines("Connection Error")


@pytest.mark.parametrize("reverse_path", ["", "bob@sender.example"])
async def test_a_bounce_never_bounces(tmp_path: Path, reverse_path: str) -> None:
    async with Peer(answers={"RCPT": "550 5.1.1 unknown"}) as peer:
        config = routed(peer.port)
        config.routes["sender.example"] = [f"127.0.0.1:{peer.port}"]
        async with Outbound(tmp_path, config) as out:
            mid = await out.send("ann@example.com", reverse_path=reverse_path)
            await out.until_line("Double bounce: MID", "550")
            await out.finished(mid)
            assert len(out.lines("was generated for bounce of")) == bool(reverse_path)
            await out.scheduler._settlement.catch_up()
            assert out.spool.messages == 0


async def test_success_is_told_where_the_next_hop_does_not_speak_dsn(tmp_path: Path) -> None:
    async with Peer(extensions=("PIPELINING",)) as peer, Peer() as sender:
        config = routed(peer.port)
        config.routes["sender.example"] = [f"127.0.0.1:{sender.port}"]
        async with Outbound(tmp_path, config) as out:
            await out.send("ann@example.com", notify=("SUCCESS",))
            await sender.until(lambda: sender.messages)
            assert b"Action: relayed" in sender.messages[0].octets


# --- several destinations --------------------------------------------------------------------------------------------


async def test_a_message_for_several_domains_is_finished_when_all_are(tmp_path: Path) -> None:
    async with Peer() as one, Peer(answers={"RCPT": ["450 later"]}) as other:
        config = routed(one.port)
        config.routes["example.net"] = [f"127.0.0.1:{other.port}"]
        async with Outbound(tmp_path, config) as out:
            mid = await out.send("ann@example.com", "ben@Example.NET", "cat@example.com")
            await out.until_line(f"Delayed: DCID 2 MID {mid} to RID 1")
            assert not out.lines("Message finished")
            await out.scheduler.deliver_now(destination="example.net")
            await out.finished(mid)
            assert [len(message.rcpt) for message in one.messages] == [2]
            assert [message.rcpt for message in other.messages] == [["RCPT TO:<ben@Example.NET>"]]


async def test_one_slow_destination_delays_no_other(tmp_path: Path) -> None:
    async with Peer(answers={"END": SILENT}) as slow, Peer() as good:
        config = routed(good.port)
        config.routes["slow.example"] = [f"127.0.0.1:{slow.port}"]
        async with Outbound(tmp_path, config) as out:
            for _ in range(100):
                await out.send("ann@slow.example")
            await slow.until(lambda: slow.sessions)
            await out.finished(await out.send("ann@example.com"))


async def test_one_stuck_connection_does_not_hold_up_its_own_destination(tmp_path: Path) -> None:
    async with Peer(answers={"END": [SILENT]}) as peer, Outbound(tmp_path, routed(peer.port)) as out:
        stuck = await out.send("ann@example.com")
        await peer.until(lambda: peer.sessions and peer.sessions[0].messages)
        await out.finished(await out.send("ann@example.com"))
        assert not out.lines(f"Message finished MID {stuck}")


# --- connections -----------------------------------------------------------------------------------------------------


async def test_many_messages_are_no_reason_for_as_many_connections(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler, "TICK", 3600.0)  # where a busy machine stands still for a second, each is worth one more
    async with Peer() as peer, Outbound(tmp_path, routed(peer.port)) as out:
        mids = await asyncio.gather(*(out.send("ann@example.com") for _ in range(300)))
        await out.until(lambda: len(out.lines("Message finished")) == 300)
        assert len(mids) == len(peer.messages) == 300
        assert len(peer.sessions) <= 30 + 300 // 50  # a tenth, and those that carried their 50 messages
        assert len(set(out.leases.taken.values()) - {0}) <= 1


async def test_no_more_connections_than_the_destination_allows(tmp_path: Path) -> None:
    config = routed(0, default_destination=DefaultDestination(max_connections=2, max_messages_per_connection=5))
    async with Peer() as peer:
        config.routes["example.com"] = [f"127.0.0.1:{peer.port}"]
        async with Outbound(tmp_path, config) as out:
            for _ in range(60):
                await out.send("ann@example.com")
            await out.until(lambda: len(out.lines("Message finished")) == 60)
            assert out.leases.most["destination/example.com"] <= 2


async def test_places_that_other_workers_hold_are_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler, "CROWDED", 0.1)
    config = routed(0, default_destination=DefaultDestination(max_connections=1))
    async with Peer() as peer:
        config.routes["example.com"] = [f"127.0.0.1:{peer.port}"]
        async with Outbound(tmp_path, config) as out:
            assert await out.leases.take("destination/example.com", 1)
            mid = await out.send("ann@example.com")
            await out.until(lambda: out.scheduler._queues["example.com"].rest_until)
            out.leases.give_back("destination/example.com")
            await out.finished(mid)


async def test_a_host_that_takes_only_so_many_connections_gets_no_more_and_delays_nothing(tmp_path: Path) -> None:
    open_now = 0

    def greet(_: str) -> str:
        nonlocal open_now
        open_now = sum(not session.ended for session in peer.sessions)
        return "220 peer ESMTP" if open_now <= 2 else "421 4.7.0 too many connections"

    async with Peer(answers={"CONNECT": greet}) as peer, Outbound(tmp_path, routed(peer.port)) as out:
        await asyncio.gather(*(out.send("ann@example.com") for _ in range(200)))
        await out.until(lambda: len(out.lines("Message finished")) == 200)
        assert not out.lines("Delayed")


async def test_the_rate_of_recipients_is_kept_and_costs_no_attempt(tmp_path: Path) -> None:
    rate = RecipientRate(recipients=5, minutes=60)
    config = routed(0, default_destination=DefaultDestination(recipients_per_minutes=rate))
    async with Peer() as peer:
        config.routes["example.com"] = [f"127.0.0.1:{peer.port}"]
        async with Outbound(tmp_path, config) as out:
            for _ in range(8):
                await out.send("ann@example.com")
            await out.until(lambda: len(out.lines("Message finished")) == 5 and len(out.lines("pending till")) == 3)
            await out.scheduler._settlement.catch_up()
            rows = await out.spool.due(time.time() + 90_000, 10)
            assert [row.attempts for row in rows] == [0, 0, 0]
            assert [round(row.due - time.time(), -2) for row in rows] == [700, 1400, 2200]


# --- a destination that is down --------------------------------------------------------------------------------------


async def test_a_dead_host_is_not_tried_for_each_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = routed(free_port(), bounce_profiles={"Default": BounceProfile(initial_wait=60)})
    async with Outbound(tmp_path, config, start=False) as out:
        for _ in range(200):
            await out.commit("ann@example.com")
        out.run()
        await out.until(lambda: len(out.lines("Delayed")) == 200)
        assert len(out.lines("Connection Error")) == 1
        assert not out.scheduler._intake.parcels
        late = await out.send("ann@example.com")
        await out.until_line(f"MID {late} to RID [0] pending till")
        assert len(out.lines("Connection Error")) == 1
        await out.scheduler._settlement.catch_up()
        rows = await out.spool.due(time.time() + 100, 1000)
        assert sorted({row.attempts for row in rows}) == [0, 1]
        assert len(rows) == 201


async def test_a_destination_that_came_back_is_delivered_to(tmp_path: Path) -> None:
    port = free_port()
    async with Outbound(tmp_path, routed(port)) as out:
        mid = await out.send("ann@example.com")
        await out.until_line("Delayed")
        async with Peer(port=port) as peer:
            await out.finished(mid)
            await out.finished(await out.send("ann@example.com"))
            assert len(peer.messages) == 2


async def test_unroutable_mail_bounces_at_once(tmp_path: Path) -> None:
    config = routed(1, routes={})
    async with Outbound(tmp_path, config) as out:
        mids = [await out.send("ann@[0.0.0.0]") for _ in range(3)]
        for mid in mids:
            await out.until_line(f"Bounced: DCID 0 MID {mid} to RID 0 - 5.4.4")
        await out.finished(mids[-1])


# --- operators -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("verb", "word"), [("bounce", "Bounced: DCID 0 MID"), ("delete", "Deleted: MID")])
async def test_an_operator_ends_a_message_that_waits(tmp_path: Path, verb: str, word: str) -> None:
    async with Peer(answers={"RCPT": "450 later"}) as peer:
        config = routed(peer.port, bounce_profiles={"Default": BounceProfile(initial_wait=900)})
        async with Outbound(tmp_path, config) as out:
            mid = await out.send("ann@example.com", "ben@example.com")
            await out.until_line("pending till")
            assert await getattr(out.scheduler, verb)(mid) == 2
            await out.until_line(f"{word} {mid}")
            await out.finished(mid)
            assert await getattr(out.scheduler, verb)(mid) == 0
            assert bool(out.lines("was generated for bounce of")) == (verb == "bounce")
            await out.until(lambda: not out.scheduler._intake.parcels)


@pytest.mark.parametrize("verb", ["bounce", "delete"])
async def test_an_operator_ends_a_message_that_was_never_tried(tmp_path: Path, verb: str) -> None:
    async with Peer() as peer, Outbound(tmp_path, routed(peer.port)) as out:
        out.scheduler.suspend()
        mid = await out.send("ann@example.com", "ben@example.net")
        assert await getattr(out.scheduler, verb)(mid) == 2
        await out.finished(mid)
        out.scheduler.resume()
        await out.finished(await out.send("ann@example.com"))
        assert len(peer.messages) == 1


@pytest.mark.parametrize("verb", ["bounce", "delete"])
@pytest.mark.parametrize(("end", "outcome"), [("250 ok", "delivered"), ("450 later", "{verb}d"), (CLOSE, "{verb}d")])
async def test_an_operator_against_a_delivery_under_way_makes_one_outcome(
    tmp_path: Path, verb: str, end: object, outcome: str
) -> None:
    async with Peer(answers={"END": SILENT}) as peer, Outbound(tmp_path, routed(peer.port)) as out:
        release = asyncio.Event()

        async def wait_then_answer(self: object, step: str, line: str, default: str = "") -> str:
            if step == "END":
                await release.wait()
                peer.answers["END"] = end
            return await answer(self, step, line, default)  # type: ignore[arg-type]

        from tests.support import peer as peers

        answer = peers._Talk.answer
        peers._Talk.answer = wait_then_answer  # type: ignore[method-assign,assignment]
        try:
            mid = await out.send("ann@example.com")
            await peer.until(lambda: peer.sessions and peer.sessions[0].messages)
            assert await getattr(out.scheduler, verb)(mid) == 1
            release.set()
            await out.finished(mid)
        finally:
            peers._Talk.answer = answer  # type: ignore[method-assign]
        assert [each.outcome for each in out.journal.outcomes if each.mid == mid] == [outcome.format(verb=verb)]
        await out.until(lambda: mid not in out.scheduler._intake.parcels)


async def test_a_held_message_is_released_by_deliver_now(tmp_path: Path) -> None:
    async with Peer() as peer, Outbound(tmp_path, routed(peer.port)) as out:
        mid = (await out.commit("ann@example.com")).envelope.mid
        held = RecipientState(rid=0, status=Status.HELD, detail="looked odd")
        await out.spool.settle(Progress(mid=mid, states=(held,), finished=False))
        assert await out.scheduler.deliver_now() == 0
        assert await out.scheduler.deliver_now(mid=mid) == 1
        await out.finished(mid)
        assert len(peer.messages) == 1


async def test_suspended_deliveries_begin_nothing_and_go_on_when_resumed(tmp_path: Path) -> None:
    async with Peer() as peer, Outbound(tmp_path, routed(peer.port)) as out:
        await out.finished(await out.send("ann@example.com"))
        out.scheduler.suspend()
        await out.until_line("Deliveries are currently suspended")
        mid = await out.send("ann@example.com")
        await out.until_line("DCID 1 close")
        assert len(peer.messages) == 1
        out.scheduler.resume()
        await out.finished(mid)


# --- the end ---------------------------------------------------------------------------------------------------------


async def test_stop_lets_a_transaction_finish_and_begins_no_other(tmp_path: Path) -> None:
    async with Peer(answers={"RCPT": [SILENT]}) as peer, Outbound(tmp_path, routed(peer.port)) as out:
        await out.send("ann@example.com")
        await peer.until(lambda: peer.sessions and "RCPT" in peer.sessions[0].verbs)
        began = time.monotonic()
        await out.scheduler.stop(0.3)
        assert 0.25 < time.monotonic() - began < 3
        late = await out.send("ann@example.com")
        assert await states(out, late) == {}
        assert len(peer.sessions) == 1


async def test_stop_does_not_wait_for_idle_connections(tmp_path: Path) -> None:
    async with Peer() as peer, Outbound(tmp_path, routed(peer.port)) as out:
        await out.finished(await out.send("ann@example.com"))
        async with asyncio.timeout(2):
            await out.scheduler.stop(30)
        assert peer.sessions[0].verbs[-1] == "QUIT"


# --- bugs, bounds ----------------------------------------------------------------------------------------------------


async def test_a_poison_message_is_held_after_three_tries_and_the_queue_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = transaction.Exchange.run

    async def sometimes(self: transaction.Exchange, **options: object) -> transaction.Result:
        if "poison@example.com" in self._transaction.recipients:
            raise ZeroDivisionError("a bug")
        return await run(self, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(transaction.Exchange, "run", sometimes)
    async with Peer() as peer, Outbound(tmp_path, routed(peer.port)) as out:
        bad = await out.send("poison@example.com")
        good = await out.send("ann@example.com")
        await out.finished(good)
        assert "ZeroDivisionError" in await out.until_line(f"Held: MID {bad}")
        assert len(out.journal.faults) == 3
        assert await states(out, bad) == {0: Status.HELD}


async def test_a_bug_outside_a_message_is_not_repeated_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Peer() as peer, Outbound(tmp_path, routed(peer.port)) as out:
        monkeypatch.setattr(out.scheduler._router, "next_hops", None)
        await out.send("ann@example.com")
        await out.until_line("Internal error in delivery to example.com")
        await out.finished(await out.send("ann@elsewhere.example"))
        assert len(out.journal.faults) == 1


async def test_mail_beyond_what_may_be_in_hand_waits_in_the_spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "MAX_PARCELS", 20)
    monkeypatch.setattr(scheduler, "MAX_PARCELS", 1000)
    monkeypatch.setattr(intake, "BATCH", 7)
    async with Peer() as peer, Outbound(tmp_path, routed(peer.port), start=False) as out:
        for _ in range(50):
            await out.send("ann@example.com")
        assert len(out.scheduler._intake.parcels) == 20
        out.run()
        await out.until(lambda: len(out.lines("Message finished")) == 50)
        assert len(peer.messages) == 50


async def test_content_beyond_what_may_be_in_memory_is_loaded_in_its_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "MAX_OCTETS", 3 * len(BODY))
    async with Peer() as peer, Outbound(tmp_path, routed(peer.port), start=False) as out:
        for _ in range(10):
            await out.send("ann@example.com")
        assert out.scheduler._intake.octets == 3 * len(BODY)
        out.run()
        await out.until(lambda: len(out.lines("Message finished")) == 10)
        assert {message.octets for message in peer.messages} == {BODY}
        assert out.scheduler._intake.octets == 0


async def test_a_queue_keeps_its_share_and_the_rest_is_postponed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler, "MAX_PARCELS", 60)
    async with Peer(answers={"END": SILENT}) as peer:
        config = routed(peer.port, default_destination=DefaultDestination(max_connections=1))
        async with Outbound(tmp_path, config) as out:
            for _ in range(40):
                await out.send("ann@example.com")
            await out.until_line("pending till")
            assert len(out.scheduler._queues["example.com"].jobs) < 20
            assert len(out.scheduler._intake.parcels) < 20


async def test_an_outcome_that_the_disk_has_no_room_for_is_written_when_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settlement, "FULL_WAIT", 0.05)
    monkeypatch.setattr(Spool, "lack", "no room")
    settle, refused = Spool.settle, 0

    async def sometimes(self: Spool, progress: Progress) -> None:
        nonlocal refused
        if refused < 3:
            refused += 1
            raise SpoolFull("no room")
        await settle(self, progress)

    async with Peer() as peer, Outbound(tmp_path, routed(peer.port)) as out:
        message = await out.commit("ann@example.com")
        monkeypatch.setattr(Spool, "settle", sometimes)
        out.scheduler.enqueue(message)
        await out.until(lambda: out.spool.messages == 0)
        assert refused == 3
        assert len(peer.messages) == 1
        await out.until_line("What became of deliveries is written again")
        assert len(out.lines("What became of deliveries cannot be written: no room")) == 1


async def test_a_message_lost_from_memory_is_found_again_in_the_spool(tmp_path: Path) -> None:
    async with Peer() as peer, Outbound(tmp_path, routed(peer.port)) as out:
        await out.finished(await out.send("ann@example.com"))
        mid = (await out.commit("ann@example.com")).envelope.mid
        out.scheduler._intake.look_from_the_beginning()
        await out.finished(mid)
        assert len(peer.messages) == 2


async def test_a_message_that_is_gone_from_the_spool_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "MAX_OCTETS", 0)
    async with Peer() as peer, Outbound(tmp_path, routed(peer.port)) as out:
        out.scheduler.suspend()
        mid = await out.send("ann@example.com")
        await out.spool.settle(Progress(mid=mid, states=(), finished=True))
        out.scheduler.resume()
        await out.finished(await out.send("ann@example.com"))
        assert not peer.messages[1:]
        assert not out.scheduler._intake.parcels


# --- configuration, clock, shards ------------------------------------------------------------------------------------


async def test_what_was_committed_holds_from_the_next_message_on(tmp_path: Path) -> None:
    async with Peer() as peer, Outbound(tmp_path, routed(peer.port)) as out:
        await out.finished(await out.send("ann@example.com"))
        out.configure(routed(peer.port, destinations={"example.com": DestinationControl(tls="required")}), 2)
        mid = await out.send("ann@example.com")
        await out.until_line("Delayed", str(mid), "4.7.4")
        assert len(peer.messages) == 1


async def test_the_bounce_profile_of_the_destination_goes_before_the_listeners(tmp_path: Path) -> None:
    profiles = {"Default": BounceProfile(), "Slow": BounceProfile(initial_wait=500), "Once": BounceProfile(max_retries=0)}
    config = routed(
        free_port(), bounce_profiles=profiles, destinations={"once.example": DestinationControl(bounce_profile="Once")}
    )
    config.routes["once.example"] = config.routes["example.com"]
    async with Outbound(tmp_path, config) as out:
        once = await out.send("ann@once.example", bounce_profile="Slow")
        slow = await out.send("ann@example.com", bounce_profile="Slow")
        await out.until_line(f"Bounced: DCID 1 MID {once}")
        await out.until_line(f"MID {slow} to RID [0] pending till", "[Slow]")


async def test_a_clock_that_jumped_back_does_not_stall_retries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler, "BACK_OFF", 0.5)
    async with Peer() as peer, Outbound(tmp_path, routed(peer.port)) as out:
        mid = (await out.commit("ann@example.com")).envelope.mid
        waiting = RecipientState(rid=0, status=Status.DEFERRED, due=time.time() + 172_800, attempts=1)
        await out.spool.settle(Progress(mid=mid, states=(waiting,), finished=False))
        out.scheduler._clock += 172_800
        await out.until_line("Clock jumped back")
        await out.finished(mid)


async def test_a_shard_that_was_left_behind_is_adopted(tmp_path: Path) -> None:
    old = Outbound(tmp_path, routed(1), start=False)
    large = BODY + (b"y" * 98 + b"\r\n") * 5000
    mids = [
        (await old.commit("ann@example.com")).envelope.mid,
        (await old.commit("ann@example.com", octets=large)).envelope.mid,
        (await old.commit("ann@example.com", "ben@example.com")).envelope.mid,
    ]
    done = RecipientState(rid=0, status=Status.DELIVERED)
    await old.spool.settle(Progress(mid=mids[2], states=(done,), finished=False))
    await old.spool.close()
    async with Peer() as peer:
        out = Outbound(tmp_path, routed(peer.port))
        await out.spool.close()
        out.spool = Spool.open(tmp_path, 1)
        object.__setattr__(out.scheduler._shared, "spool", out.spool)
        async with out:
            assert await out.scheduler.adopt(tmp_path, 0) == 3
            for mid in mids:
                await out.finished(mid)
            assert sorted(len(message.octets) for message in peer.messages) == sorted([len(BODY), len(BODY), len(large)])
            assert await out.scheduler.adopt(tmp_path, 0) == 0


def test_delivered_says_whether_the_next_hop_speaks_dsn() -> None:
    assert Delivered.__struct_fields__ == ("reply", "dsn")
