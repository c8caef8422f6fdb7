"""A shard gives disk space back that mail no longer needs, also without being asked for mail."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from gatepost.spool import schema, upkeep, writer
from gatepost.spool.layout import Layout
from gatepost.spool.room import RESERVE, Floor
from gatepost.spool.store import Spool
from tests.support.spool import delivered, message, opened, pattern, waiting_mids


async def swell(spool: Spool) -> None:
    """Let the file grow, then let most mail leave."""
    await asyncio.gather(*(spool.commit(message(mid, pattern(mid, 20_000))) for mid in range(1, 201)))
    await asyncio.gather(*(spool.settle(delivered(mid)) for mid in range(1, 200)))


async def test_an_idle_shard_shrinks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "ROOM_SECONDS", 0.02)
    monkeypatch.setattr(upkeep, "SPARE", 10)
    monkeypatch.setattr(upkeep, "STEP", 100)
    async with opened(tmp_path) as spool:
        await swell(spool)
        async with asyncio.timeout(10):
            while os.stat(tmp_path / "shard-0.db").st_size > 200_000 or spool.messages > 1:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        assert await waiting_mids(spool) == [200]
        assert await spool.load(200) == message(200, pattern(200, 20_000))


async def test_shrinking_gives_way_to_mail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(tmp_path) as spool:
        await swell(spool)
    connection = schema.connect(Layout(tmp_path, 0))

    def free() -> int:
        return int(connection.execute("PRAGMA freelist_count").fetchone()[0])

    before = free()
    assert before > 900
    upkeep.shrink(connection, before - 100, lambda: False)
    assert before - 102 <= free() <= before - 100  # pages that map others go with them
    with monkeypatch.context() as small:
        small.setattr(upkeep, "STEP", 50)
        upkeep.shrink(connection, 0, lambda: True)
    assert before - 154 <= free() <= before - 150
    upkeep.shrink(connection, 0, lambda: False)
    assert free() == 0
    connection.close()


async def test_a_shard_without_room_gives_back_all_it_can_and_takes_mail_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "ROOM_SECONDS", 0.02)
    async with opened(tmp_path) as spool:
        await swell(spool)
        database = tmp_path / "shard-0.db"
        monkeypatch.setattr(spool._writer.room, "lack", lambda: "full" if os.stat(database).st_size > 200_000 else "")
        async with asyncio.timeout(10):
            while not (os.stat(database).st_size < 200_000 and spool.accepting):  # noqa: ASYNC110
                await asyncio.sleep(0.02)


async def swell_without_reserve(spool: Spool, wal: Path, monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    """Let the WAL grow on a disk that has given the reserve away; `free`: what the disk has then, beside the WAL."""
    await swell(spool)
    assert os.stat(wal).st_size > 4_000_000
    spool.keep_free(Floor(space=0, inodes=0))
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_bavail=free, f_frsize=1, f_files=0))
    monkeypatch.setattr(spool._writer.room, "hold", lambda: os.stat(wal).st_size == 0)
    spool._writer.room.release()


async def test_a_wal_that_stands_in_the_way_of_the_reserve_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "ROOM_SECONDS", 0.02)
    async with opened(tmp_path) as spool:
        wal = tmp_path / "shard-0.db-wal"
        await swell_without_reserve(spool, wal, monkeypatch, RESERVE - 4_000_000)
        async with asyncio.timeout(10):
            while not (spool.accepting and os.stat(wal).st_size == 0):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        await spool.commit(message(300, b"mail again"))


async def test_a_wal_that_may_have_the_last_blocks_of_a_disk_keeps_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as spool:
        wal = tmp_path / "shard-0.db-wal"
        await swell_without_reserve(spool, wal, monkeypatch, 0)
        held = os.stat(wal).st_size
        spool._writer._look()
        assert spool.lack == "there is no room for the spool's reserve"
        assert os.stat(wal).st_size >= held
