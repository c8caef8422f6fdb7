"""The spool as sessions and the scheduler use it: what was awaited is there after a reopen, in order, once."""

# ruff: noqa: ASYNC230, ASYNC240 -- tests may look at files while the loop waits

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path

import pytest

from gatepost.errors import SpoolFull, SpoolSick, StateError
from gatepost.spool import groups, store, writer
from gatepost.spool.message import Content, Message, Progress, Status
from gatepost.spool.store import Floor, Spool, leftover_shards
from tests.support.spool import (
    NO_FLOOR,
    deferred,
    delivered,
    envelope,
    message,
    opened,
    pattern,
    state,
    waiting_mids,
)


async def test_a_committed_message_is_there_after_a_reopen(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        await spool.commit(message(5))
        assert (spool.messages, spool.recipients) == (1, 1)
    async with opened(tmp_path) as spool:
        assert await spool.load(5) == message(5)
        assert (spool.messages, spool.recipients) == (1, 1)
        assert spool.repaired == ""


async def test_a_settled_message_is_gone_after_a_reopen(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        await spool.commit(message(1))
        await spool.settle(delivered(1))
        await spool.commit(message(2))
        spool.settle_later(delivered(2))
    async with opened(tmp_path) as spool:
        assert await waiting_mids(spool) == []
        assert await spool.load(1) is None
        assert (spool.messages, spool.recipients) == (0, 0)


async def test_a_dsn_comes_with_the_progress_that_caused_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        await spool.commit(message(1))
        bounced = Progress(mid=1, states=(state(0, Status.BOUNCED),), finished=True, bounce=message(2))
        await spool.settle(bounced)
        assert await waiting_mids(spool) == [2]
        assert (spool.messages, spool.recipients) == (1, 1)


async def test_many_sessions_share_commits_and_each_gets_its_own_answer(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        await spool.commit(message(70))
        wishes = [spool.commit(message(mid)) for mid in range(1, 101)]
        answers = await asyncio.gather(*wishes, return_exceptions=True)
        refused = [(mid, str(answer)) for mid, answer in enumerate(answers, 1) if answer is not None]
        assert [mid for mid, _ in refused] == [70]
        assert isinstance(answers[69], StateError)
        assert "refused an entry" in refused[0][1]
        assert await waiting_mids(spool) == list(range(1, 101))
        await asyncio.gather(*(spool.settle(delivered(mid)) for mid in range(1, 101)))
        assert (spool.messages, spool.recipients) == (0, 0)


async def test_a_cancelled_session_leaves_a_whole_message_and_disturbs_nobody(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool, asyncio.TaskGroup() as group:
        task = group.create_task(spool.commit(message(1)))
        other = group.create_task(spool.commit(message(2)))
        await asyncio.sleep(0)
        task.cancel()
        await other
        assert await waiting_mids(spool) == [1, 2]


async def test_fresh_gives_what_was_never_tried_in_order(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        for mid in (3, 1, 2):
            await spool.commit(message(mid, recipients=("a@x.example", "b@y.example")))
        await spool.settle(deferred(1, due=50.0))
        both = (state(0, Status.DEFERRED, due=9.0), state(1, Status.DELIVERED))
        await spool.settle(Progress(mid=2, states=both, finished=False))
        found = await spool.fresh(0, 10)
        assert [(entry.envelope.mid, [s.rid for s in entry.states]) for entry in found] == [(1, [0]), (3, [])]
        assert [entry.envelope.mid for entry in await spool.fresh(1, 10)] == [3]
        assert spool.recipients == 5
        await spool.settle(Progress(mid=1, states=(state(1, Status.BOUNCED),), finished=False))
        assert [entry.envelope.mid for entry in await spool.fresh(0, 10)] == [3]


async def test_a_message_of_another_shard_comes_with_the_states_it_had_there(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        states = (state(0, Status.DELIVERED), state(1, Status.DEFERRED, due=5.0))
        await spool.commit(message(1, recipients=("a@x.example", "b@x.example")), states)
        await spool.commit(message(2, recipients=("a@x.example", "b@x.example")), states[:1])
        assert [(entry.envelope.mid, entry.states) for entry in await spool.fresh(0, 9)] == [(2, states[:1])]
        assert [one.rid for one in await spool.due(9.0, 9)] == [1]
        assert spool.recipients == 2


async def test_due_comes_earliest_first_and_goes_on_behind_the_last_one_seen(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        assert await spool.next_due() is None
        for mid, due in ((1, 30.0), (2, 10.0), (3, 20.0), (4, 20.0), (5, 99.0)):
            await spool.commit(message(mid))
            await spool.settle(deferred(mid, due))
        first = await spool.due(50.0, 2)
        assert [(one.mid, one.rid, one.destination, one.attempts) for one in first] == [
            (2, 0, "example.net", 1),
            (3, 0, "example.net", 1),
        ]
        last = first[-1]
        assert [one.mid for one in await spool.due(50.0, 9, after=(last.due, last.mid, last.rid))] == [4, 1]
        assert await spool.next_due() == 10.0


async def test_what_waits_is_counted_by_destination(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        for mid in (1, 2, 3):
            await spool.commit(message(mid, recipients=("a@x.example", "b@y.example")))
        await spool.settle(deferred(1, 20.0, destination="x.example"))
        await spool.settle(deferred(2, 10.0, destination="x.example"))
        held = Progress(mid=2, states=(state(1, Status.HELD, "y.example"),), finished=False)
        await spool.settle(held)
        await spool.settle(Progress(mid=3, states=(state(0, Status.DELIVERED, "x.example"),), finished=False))
        x, y = await spool.by_destination()
        assert (x.destination, x.recipients, x.deferred, x.held, x.oldest_mid, x.next_due) == ("x.example", 2, 2, 0, 1, 10)
        assert (y.destination, y.recipients, y.deferred, y.held, y.oldest_mid, y.next_due) == ("y.example", 1, 0, 1, 2, None)
        listed = await spool.listing(destination="x.example", limit=1, offset=1)
        assert [entry.envelope.mid for entry in listed] == [2]
        assert [one.rid for one in listed[0].states] == [0, 1]
        assert [entry.envelope.mid for entry in await spool.listing(limit=2, offset=1)] == [2, 3]


async def test_deliver_now_brings_forward_what_it_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "CHUNK", 3)
    async with opened(tmp_path) as spool:
        for mid in range(1, 9):
            await spool.commit(message(mid))
            await spool.settle(deferred(mid, 100.0 + mid, destination="odd.example" if mid % 2 else "even.example"))
        assert await spool.reschedule(mid=3, due=5.0) == 1
        assert await spool.reschedule(destination="even.example", due=6.0) == 4
        assert [one.mid for one in await spool.due(50.0, 99)] == [3, 2, 4, 6, 8]
        assert await spool.reschedule(due=7.0) == 3
        assert await spool.reschedule(due=7.0) == 0
        assert await spool.next_due() == 5.0


async def test_a_delivery_that_ends_after_its_message_was_deleted_leaves_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        await spool.commit(message(1))
        await spool.settle(delivered(1))
        await spool.settle(deferred(1, 10.0))
        assert await spool.due(99.0, 9) == []
        assert await spool.entry(1) is None


async def test_one_entry_can_be_looked_at(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        await spool.commit(message(1))
        entry = await spool.entry(1)
        assert entry is not None
        assert (entry.envelope, entry.states) == (message(1).envelope, ())


async def test_a_second_owner_is_refused_and_told_who_the_first_is(tmp_path: Path) -> None:
    async with opened(tmp_path):
        with pytest.raises(StateError, match=f"spool shard 0 in .* is in use by process {os.getpid()}"):
            Spool.open(tmp_path, 0)
        async with opened(tmp_path, shard=1):
            pass
    async with opened(tmp_path):
        pass


async def test_nothing_is_readable_by_others(tmp_path: Path) -> None:
    os.umask(previous := os.umask(0))
    os.umask(0)
    try:
        async with opened(tmp_path / "state" / "spool") as spool:
            await commit_large(spool, 1, 300 << 10)
            for path in [tmp_path / "state" / "spool", *(tmp_path / "state" / "spool").rglob("*")]:
                assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    finally:
        os.umask(previous)


async def commit_large(spool: Spool, mid: int, size: int) -> Message:
    """Commit a message the way a session does."""
    incoming = spool.incoming(mid)
    octets = pattern(mid, size)
    for start in range(0, size, 65536):
        incoming.write(octets[start : start + 65536])
        if incoming.backlog > 1 << 20:
            await incoming.drain()
    content = await incoming.finish()
    committed = Message(envelope(mid, size), content)
    await spool.commit(committed)
    incoming.discard()  # as a session's cleanup may do: harmless once the message is the spool's
    return committed


async def test_a_large_body_lies_in_a_file_until_its_message_is_settled(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        await commit_large(spool, 1, 3 << 20)
    async with opened(tmp_path) as spool:
        loaded = await spool.load(1)
        assert loaded is not None
        body = Path(loaded.content.path)
        assert body.read_bytes() == pattern(1, 3 << 20)
        await spool.settle(delivered(1))
    assert not body.exists()


async def test_body_files_without_a_message_are_removed_at_the_next_start(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        kept = await commit_large(spool, 1, 300 << 10)
        incoming = spool.incoming(2)
        incoming.write(pattern(2, 300 << 10))
        orphan = await incoming.finish()
    (tmp_path / "shard-0" / "notes.txt").write_text("not ours")
    async with opened(tmp_path):
        assert Path(kept.content.path).exists()
        assert not Path(orphan.path).exists()
        assert (tmp_path / "shard-0" / "notes.txt").exists()


@pytest.mark.parametrize("harm", ["cut", "changed", "missing", "foreign"])
async def test_a_body_that_is_not_whole_is_set_aside_and_others_flow(tmp_path: Path, harm: str) -> None:
    async with opened(tmp_path) as spool:
        body = Path((await commit_large(spool, 1, 300 << 10)).content.path)
        await spool.commit(message(2))
        match harm:
            case "cut":
                os.truncate(body, 10_000)
            case "changed":
                with body.open("r+b") as file:
                    file.seek(100_000)
                    file.write(b"X")
            case "missing":
                body.unlink()
            case "foreign":
                body.unlink()
                body.symlink_to("/etc/hostname")
        assert await spool.load(1) is None
        entry = await spool.entry(1)
        assert entry is not None
        assert [one.status for one in entry.states] == [Status.HELD]
        assert "set aside: the body file" in entry.states[0].detail
        assert await spool.load(2) == message(2)
        assert [one.envelope.mid for one in await spool.fresh(0, 9)] == [2]
        assert spool.recipients == 2


def peak_kib() -> int:
    """Return the most memory that this process had resident."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


async def test_100_mb_cost_less_than_5_mb_of_memory(tmp_path: Path) -> None:
    size = 100 << 20
    piece = pattern(1, 65536)
    async with opened(tmp_path) as spool:
        incoming = spool.incoming(1)
        Path("/proc/self/clear_refs").write_text("5")  # resets the peak
        before = peak_kib()
        for _ in range(size // len(piece)):
            incoming.write(bytes(piece))
            if incoming.backlog > 1 << 20:
                await incoming.drain()
        content = await incoming.finish()
        await spool.commit(Message(envelope(1, size), content))
        loaded = await spool.load(1)
        after = peak_kib()
    assert loaded is not None
    assert Path(content.path).stat().st_size == size
    assert after - before < 5 << 10


async def test_below_the_floor_nothing_new_is_taken_but_mail_leaves(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        await spool.commit(message(1))
    async with opened(tmp_path, floor=Floor(space=1 << 60)) as spool:
        assert not spool.accepting
        assert "less than the floor" in spool.lack
        with pytest.raises(SpoolFull, match="less than the floor"):
            await spool.commit(message(2))
        incoming = spool.incoming(3)
        incoming.write(pattern(3, 300 << 10))
        with pytest.raises(SpoolFull, match="less than the floor"):
            await incoming.finish()
        await spool.settle(delivered(1))
        assert spool.messages == 0
    assert list((tmp_path / "shard-0").iterdir()) == []


async def test_a_refused_commit_drops_its_body_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(tmp_path) as spool:
        incoming = spool.incoming(1)
        incoming.write(pattern(1, 300 << 10))
        content = await incoming.finish()
        monkeypatch.setattr(store, "MAX_WAITING", 0)
        with pytest.raises(SpoolSick, match="the spool's disk is slow"):
            await spool.commit(Message(envelope(1, 300 << 10), content))
        assert not spool.sick
    assert list((tmp_path / "shard-0").iterdir()) == []


async def test_when_the_disk_is_slow_memory_stays_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MAX_WAITING_OCTETS", 100_000)
    async with opened(tmp_path) as spool, asyncio.TaskGroup() as group:
        accepted = [group.create_task(spool.commit(message(mid, b"x" * 60_000))) for mid in (1, 2)]
        await asyncio.sleep(0)
        with pytest.raises(SpoolSick, match="2 commits wait"):
            await spool.commit(message(3))
        await asyncio.gather(*accepted)
        await spool.commit(message(4))
        assert await waiting_mids(spool) == [1, 2, 4]


async def test_shards_of_a_larger_worker_count_are_found(tmp_path: Path) -> None:
    assert leftover_shards(tmp_path / "missing", 1) == []
    for shard in (0, 1, 2, 10):
        Spool.open(tmp_path, shard, NO_FLOOR).close_now()
    (tmp_path / "shard-7.db.damaged").touch()
    assert leftover_shards(tmp_path, 2) == [2, 10]
    assert leftover_shards(tmp_path, 16) == []


async def test_a_closed_spool_takes_nothing(tmp_path: Path) -> None:
    spool = Spool.open(tmp_path, 0, NO_FLOOR)
    incoming = spool.incoming(1)
    incoming.write(pattern(1, 300 << 10))
    await spool.close()
    incoming.discard()
    with pytest.raises(SpoolSick, match="is closed"):
        await spool.commit(message(1))


async def test_close_writes_what_was_submitted_in_the_same_turn(tmp_path: Path) -> None:
    spool = Spool.open(tmp_path, 0, NO_FLOOR)
    async with asyncio.TaskGroup() as group:
        group.create_task(spool.commit(message(1)))
        await asyncio.sleep(0)
        spool.close_now()
    async with opened(tmp_path) as spool:
        assert await waiting_mids(spool) == [1]


async def test_a_group_never_exceeds_its_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "MAX_OPERATIONS", 7)
    monkeypatch.setattr(writer, "CHECKPOINT_OCTETS", 1)
    async with opened(tmp_path) as spool:
        await asyncio.gather(*(spool.commit(message(mid)) for mid in range(1, 31)))
        assert spool.messages == 30


async def test_a_content_file_is_not_read_back_into_memory(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        committed = await commit_large(spool, 1, 300 << 10)
        loaded = await spool.load(1)
        assert loaded == committed
        assert loaded is not None
        assert loaded.content == Content(path=committed.content.path, checksum=committed.content.checksum)
