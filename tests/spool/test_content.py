"""Mail data on its way in: bounded memory, whole files, and no trace of what was given up."""

# ruff: noqa: ASYNC240 -- tests may look at files while the loop waits

from __future__ import annotations

import asyncio
import errno
import os
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from gatepost.errors import SpoolFull, SpoolSick
from gatepost.spool import content as contents
from gatepost.spool.content import IN_MEMORY, Incoming
from gatepost.spool.message import Content
from gatepost.spool.store import Spool
from tests.support.spool import opened, pattern


def files(directory: Path) -> list[str]:
    return os.listdir(directory / "shard-0")


async def fed(spool: Spool, mid: int, size: int) -> Incoming:
    """Return a collector that took a message and wrote what a session would have had written."""
    incoming = spool.incoming(mid)
    octets = pattern(mid, size)
    for start in range(0, size, 65536):
        incoming.write(octets[start : start + 65536])
    await incoming.drain()
    return incoming


async def test_up_to_256_kib_stay_in_memory_and_one_octet_more_is_a_file(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        small = await fed(spool, 1, IN_MEMORY)
        assert small.backlog == small.size == IN_MEMORY
        assert await small.finish() == Content(octets=pattern(1, IN_MEMORY))
        assert files(tmp_path) == []
        large = await fed(spool, 2, IN_MEMORY + 1)
        assert (large.backlog, large.size) == (0, IN_MEMORY + 1)
        content = await large.finish()
        assert Path(content.path).read_bytes() == pattern(2, IN_MEMORY + 1)
        assert content.checksum == zlib.crc32(pattern(2, IN_MEMORY + 1))


async def test_a_message_that_comes_two_octets_at_a_time_costs_its_size(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        incoming = spool.incoming(1)
        octets = pattern(1, 100_000)
        tracemalloc.start()
        try:
            for at in range(0, len(octets), 2):
                incoming.write(octets[at : at + 2])
            assert tracemalloc.get_traced_memory()[0] < 2 * len(octets)
        finally:
            tracemalloc.stop()
        assert await incoming.finish() == Content(octets=octets)


async def test_an_empty_message_is_a_message(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        assert await spool.incoming(1).finish() == Content()


@pytest.mark.parametrize("size", [1000, IN_MEMORY + 1])
async def test_what_is_discarded_leaves_nothing(tmp_path: Path, size: int) -> None:
    async with opened(tmp_path) as spool:
        incoming = await fed(spool, 1, size)
        incoming.discard()
        incoming.write(b"late")
        assert incoming.backlog == 0
        await incoming.drain()
        incoming.discard()
    assert files(tmp_path) == []


async def test_a_finished_file_that_is_discarded_goes(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        incoming = await fed(spool, 1, IN_MEMORY + 1)
        await incoming.finish()
        incoming.discard()
    assert files(tmp_path) == []


async def test_a_session_that_is_cancelled_in_mid_write_leaves_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        incoming = spool.incoming(1)
        for _ in range(64):
            incoming.write(pattern(1, 65536))
        async with asyncio.TaskGroup() as group:
            writing = group.create_task(incoming.drain())
            await asyncio.sleep(0)
            writing.cancel()
            incoming.discard()
    assert files(tmp_path) == []


async def test_a_short_write_is_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(contents.os, "write", lambda file, octets: write(file, octets[:1000]))
    async with opened(tmp_path) as spool:
        content = await (await fed(spool, 1, IN_MEMORY + 1)).finish()
    assert Path(content.path).read_bytes() == pattern(1, IN_MEMORY + 1)


def failing(number: int) -> Callable[..., int]:
    def fail(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize("call", ["write", "open", "fsync"])
async def test_a_failing_disk_is_told_at_the_end_and_makes_the_shard_sick(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    async with opened(tmp_path) as spool:
        with monkeypatch.context() as broken:
            broken.setattr(contents.os, call, failing(errno.EIO))
            incoming = await fed(spool, 1, IN_MEMORY + 1)
            incoming.write(b"the session goes on to swallow")
            await incoming.drain()
            with pytest.raises(SpoolSick, match="cannot be written: Input/output error"):
                await incoming.finish()
        assert "Input/output error" in spool.sick
    assert files(tmp_path) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
async def test_a_full_disk_is_told_at_the_end_and_leaves_no_stump(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    async with opened(tmp_path) as spool:
        with monkeypatch.context() as broken:
            broken.setattr(contents.os, "write", failing(number))
            incoming = await fed(spool, 1, IN_MEMORY + 1)
            for _ in range(100):
                incoming.write(pattern(1, 65536))
            assert incoming.backlog == 0
            with pytest.raises(SpoolFull, match="cannot grow"):
                await incoming.finish()
        assert spool.sick == ""
    assert files(tmp_path) == []


async def test_a_file_that_somebody_cut_is_not_finished(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        incoming = await fed(spool, 1, IN_MEMORY + 1)
        os.truncate(tmp_path / "shard-0" / "1", 10)
        with pytest.raises(SpoolSick, match="has 10 octets of"):
            await incoming.finish()


async def test_what_cannot_be_removed_is_left_to_the_next_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(tmp_path) as spool:
        incoming = await fed(spool, 1, IN_MEMORY + 1)
        monkeypatch.setattr(Path, "unlink", failing(errno.EIO))
        incoming.discard()
    assert files(tmp_path) == ["1"]
    monkeypatch.undo()
    async with opened(tmp_path):
        assert files(tmp_path) == []
