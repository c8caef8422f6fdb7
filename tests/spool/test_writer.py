"""When the disk fails: who is told what, and what still works."""

# ruff: noqa: ASYNC240 -- tests may look at files while the loop waits

from __future__ import annotations

import asyncio
import resource
import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from gatepost.errors import SpoolFull, SpoolSick, StateError
from gatepost.spool import batch, groups, writer
from gatepost.spool import room as rooms
from gatepost.spool.message import Content, Message, Progress, Status
from gatepost.spool.store import Spool
from tests.support.spool import (
    Failing,
    deferred,
    delivered,
    envelope,
    error,
    message,
    opened,
    pattern,
    state,
    waiting_mids,
)


def fail(spool: Spool, at: str, *errors: Exception | None) -> None:
    """Let the writer's next statements that begin with `at` fail; None: one that succeeds."""
    spool._writer._connection = Failing(spool._writer._connection, at, errors)  # type: ignore[assignment]


async def until(fact: Callable[[], object]) -> None:
    """Wait for what another thread brings about."""
    async with asyncio.timeout(10):
        while not fact():  # noqa: ASYNC110 -- a thread sets no asyncio.Event
            await asyncio.sleep(0.01)


async def test_a_failed_sync_is_told_to_the_whole_group_and_the_shard_takes_no_more(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        await spool.commit(message(1))
        fail(spool, "COMMIT", error(sqlite3.SQLITE_IOERR_FSYNC))
        wishes = [asyncio.gather(spool.commit(message(mid)), return_exceptions=True) for mid in (2, 3)]
        for wish in wishes:
            (answer,) = await wish
            assert isinstance(answer, SpoolSick)
        assert "cannot be written" in spool.sick
        assert not spool.accepting
        with pytest.raises(SpoolSick, match="cannot be written"):
            await spool.commit(message(4))
        with pytest.raises(SpoolSick, match="cannot be written"):
            await spool.settle(delivered(1))
        spool.settle_later(delivered(1))
    async with opened(tmp_path) as spool:
        assert spool.sick == ""
        assert (await waiting_mids(spool))[0] == 1
        await spool.commit(message(4))


async def test_what_waits_behind_a_failed_sync_fails_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "MAX_OPERATIONS", 1)
    async with opened(tmp_path) as spool:
        fail(spool, "COMMIT", error(sqlite3.SQLITE_IOERR_FSYNC))
        wishes = (spool.commit(message(mid)) for mid in (1, 2, 3))
        assert {type(answer) for answer in await asyncio.gather(*wishes, return_exceptions=True)} == {SpoolSick}


async def test_on_a_full_disk_mail_still_leaves_and_new_mail_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "ROOM_SECONDS", 0.02)
    async with opened(tmp_path) as spool:
        await spool.commit(message(1))
        incoming = spool.incoming(3)
        incoming.write(pattern(3, 300 << 10))
        content = await incoming.finish()
        fail(spool, "COMMIT", error(sqlite3.SQLITE_FULL))
        given = await asyncio.gather(
            spool.commit(message(2)),
            spool.commit(Message(envelope(3, 300 << 10), content)),
            spool.settle(delivered(1)),
            return_exceptions=True,
        )
        assert [type(answer) for answer in given] == [SpoolFull, SpoolFull, type(None)]
        assert "cannot grow" in str(given[0])
        assert spool.sick == ""
        assert (spool.messages, spool.recipients) == (0, 0)
        await until(lambda: spool.accepting)  # it sees for itself that there is room again
        assert not Path(content.path).exists()
        await spool.commit(message(4))
        assert (tmp_path / "shard-0.reserve").stat().st_size == rooms.RESERVE


async def test_without_any_room_even_progress_is_refused_but_stays_possible(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        await spool.commit(message(1))
        fail(spool, "COMMIT", error(sqlite3.SQLITE_FULL), error(sqlite3.SQLITE_FULL))
        with pytest.raises(SpoolFull, match="cannot grow"):
            await spool.settle(delivered(1))
        await spool.settle(delivered(1))
        assert spool.messages == 0


async def test_a_disk_that_fills_up_and_then_fails_is_sick(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        await spool.commit(message(1))
        fail(spool, "COMMIT", error(sqlite3.SQLITE_FULL), error(sqlite3.SQLITE_IOERR_FSYNC))
        with pytest.raises(SpoolSick):
            await spool.settle(delivered(1))
        assert spool.sick


async def commit_until_refused(spool: Spool, first: int) -> None:
    """Commit until the spool will not; what it raises is the caller's."""
    for mid in range(first, first + 1000):
        await spool.commit(message(mid, pattern(mid, 40_000)))


async def test_a_file_size_limit_is_a_full_disk(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, limits[1]))
        try:
            with pytest.raises(SpoolFull):
                await commit_until_refused(spool, 1)
            incoming = spool.incoming(5000)
            incoming.write(pattern(5000, 700_000))
            with pytest.raises(SpoolFull, match="cannot grow"):
                await incoming.finish()
            await spool.settle(delivered(1))
            kept = await waiting_mids(spool)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    async with opened(tmp_path) as spool:
        assert len(kept) > 5
        assert await waiting_mids(spool) == kept
        for mid in kept:
            loaded = await spool.load(mid)
            assert loaded is not None
            assert loaded.content.octets == pattern(mid, 40_000)


async def test_a_limit_on_file_size_stops_the_database_before_its_checkpoints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else WAL and database both stand at the limit, and what was delivered can be noted nowhere."""
    monkeypatch.setattr(writer, "CHECKPOINT_OCTETS", 400_000)
    async with opened(tmp_path):
        pass  # the reserve is larger than the limit that comes
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4 << 20, limits[1]))
    try:
        async with opened(tmp_path) as spool:
            spool._writer.room.lack = lambda: ""  # nobody looked in time
            with pytest.raises(SpoolFull, match="database or disk is full"):
                await commit_until_refused(spool, 1)
            kept = await waiting_mids(spool)
            for mid in kept:
                await spool.settle(delivered(mid))
            assert len(kept) > 40
            assert await waiting_mids(spool) == []
            assert not spool.sick
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


async def test_a_damaged_page_met_in_writing_makes_the_shard_sick_and_the_next_start_thorough(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        fail(spool, "COMMIT", error(sqlite3.SQLITE_CORRUPT))
        with pytest.raises(SpoolSick, match="is damaged"):
            await spool.commit(message(1))
        assert (tmp_path / "shard-0.suspect").exists()
    async with opened(tmp_path):
        assert not (tmp_path / "shard-0.suspect").exists()


async def test_a_failing_checkpoint_makes_the_shard_sick_but_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "CHECKPOINT_OCTETS", 1)
    async with opened(tmp_path) as spool:
        fail(spool, "PRAGMA wal_checkpoint", error(sqlite3.SQLITE_FULL), error(sqlite3.SQLITE_IOERR_FSYNC))
        await spool.commit(message(1))
        await spool.commit(message(2))
        await until(lambda: spool.sick)
    async with opened(tmp_path) as spool:
        assert await waiting_mids(spool) == [1, 2]


async def test_a_checkpoint_that_fails_at_the_end_is_left_to_the_next_start(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        await spool.commit(message(1))
        fail(spool, "PRAGMA wal_checkpoint", error(sqlite3.SQLITE_FULL))
    async with opened(tmp_path) as spool:
        assert await waiting_mids(spool) == [1]


async def test_one_bad_entry_does_not_take_its_group_down(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        bad = delivered(1 << 70)  # no SQLite integer
        given = await asyncio.gather(
            spool.commit(message(1)), spool.settle(bad), spool.settle(deferred(1, 5.0)), return_exceptions=True
        )
        assert [type(answer) for answer in given] == [type(None), StateError, type(None)]
        assert spool.messages == 1
        assert not spool.sick


async def test_a_file_system_that_does_not_answer_takes_no_mail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "ROOM_SECONDS", 0.02)
    async with opened(tmp_path) as spool:

        def lost() -> str:
            raise OSError("Stale file handle")

        monkeypatch.setattr(spool._writer.room, "lack", lost)
        await until(lambda: not spool.accepting)
        assert "does not answer" in spool.lack


async def test_the_floor_is_looked_at_while_nothing_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "ROOM_SECONDS", 0.02)
    async with opened(tmp_path) as spool:
        monkeypatch.setattr(spool._writer.room, "lack", lambda: "")
        monkeypatch.setattr(spool._writer.room, "hold", lambda: False)
        await until(lambda: not spool.accepting)
        assert "reserve" in spool.lack


def test_a_loop_that_is_gone_is_no_fault(tmp_path: Path) -> None:
    async def leave() -> Spool:
        spool = Spool.open(tmp_path, 0)
        spool.settle_later(delivered(1))
        await asyncio.sleep(0)
        return spool

    asyncio.run(leave()).close_now()


async def test_an_octet_count_follows_what_waits(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        both = Progress(mid=1, states=(state(0, Status.BOUNCED),), finished=True, bounce=message(2, b"x" * 1000))
        spool.settle_later(both)
        assert (spool._groups.waiting, spool._groups.waiting_octets) == (1, 1000)
        await spool.commit(Message(envelope(3, 3), Content(octets=b"abc")))
        assert (spool._groups.waiting, spool._groups.waiting_octets) == (0, 0)


async def test_what_nobody_waits_for_goes_with_the_next_commit_or_by_itself_in_the_end(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        await spool.commit(message(1))
        await spool.commit(message(2))
        spool.finish_later(1, 1)
        await spool.commit(message(3))
        assert (spool.messages, spool.recipients) == (2, 2)
        spool.finish_later(2, 1)
        await until(lambda: (spool.messages, spool.recipients) == (1, 1))
        assert await waiting_mids(spool) == [3]


async def test_a_database_locked_by_an_operator_s_tool_costs_a_group_and_no_more(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        fail(spool, "BEGIN", error(sqlite3.SQLITE_BUSY))
        with pytest.raises(SpoolSick, match="is locked by another program"):
            await spool.commit(message(1))
        await spool.commit(message(1))


async def test_a_bug_in_the_writer_leaves_nobody_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(tmp_path) as spool:

        def blunder(_: object) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr(spool._writer, "_commit", blunder)
        for _ in range(2):
            with pytest.raises(SpoolSick, match="the writer failed: ZeroDivisionError"):
                await spool.commit(message(1))


async def test_a_body_that_cannot_be_removed_harms_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(tmp_path) as spool:
        incoming = spool.incoming(1)
        incoming.write(pattern(1, 300 << 10))
        await spool.commit(Message(envelope(1, 300 << 10), await incoming.finish()))
        (tmp_path / "shard-0" / "1").unlink()
        await spool.settle(delivered(1))
        await spool.commit(message(2))
        assert spool.messages == 1


async def test_a_slow_sync_delays_answers_and_not_the_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(tmp_path) as spool:
        run = batch.run

        def slow(connection: sqlite3.Connection, group: Sequence[batch.Operation]) -> int:
            time.sleep(0.3)
            return run(connection, group)

        monkeypatch.setattr(batch, "run", slow)
        began, late = time.monotonic(), 0.0
        async with asyncio.TaskGroup() as tasks:
            commit = tasks.create_task(spool.commit(message(1)))
            while not commit.done():
                tick = time.monotonic()
                await asyncio.sleep(0.01)
                late = max(late, time.monotonic() - tick)
        assert time.monotonic() - began >= 0.3
        assert late < 0.1
