"""A shard gives disk space back that mail no longer needs, also without being asked for mail."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from gatepost.spool import schema, upkeep, writer
from gatepost.spool.layout import Layout
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
