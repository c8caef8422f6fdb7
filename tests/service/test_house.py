"""What a worker does beside mail: reports, word about a full disk, shards that nobody owns any more."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gatepost.errors import StateError
from gatepost.records.metrics import Metrics
from gatepost.service import house
from gatepost.service.house import House


class Journal:
    """Remembers lines."""

    lines_lost, records_lost = 4, 5

    def __init__(self) -> None:
        self.lines: list[str] = []

    def info(self, text: str) -> None:
        self.lines.append(text)

    critical = info


class Scheduler:
    """Adopts shards, each after so many failures."""

    def __init__(self, **failures: int) -> None:
        self.failures = {int(name[1:]): count for name, count in failures.items()}
        self.tried: list[int] = []

    async def adopt(self, directory: Path, shard: int) -> int:
        self.tried.append(shard)
        if self.failures.get(shard, 0) > 0:
            self.failures[shard] -= 1
            raise StateError(f"shard {shard} is in use")
        return shard % 10


def a_spool(**facts: Any) -> Any:
    return SimpleNamespace(**{"shard": 0, "messages": 2, "recipients": 3, "lack": "", "sick": ""} | facts)


def a_house(spool: Any) -> tuple[Any, list[str], list[dict[str, Any]]]:
    journal, reports = Journal(), []
    return House(spool, journal, Metrics(), reports.append), journal.lines, reports  # type: ignore[arg-type]


async def test_a_report_holds_what_the_master_shows() -> None:
    keeper, _, reports = a_house(a_spool())
    stop = asyncio.Event()
    stop.set()
    assert await keeper.keep(stop), "told to stop before it began"
    keeper.report()
    assert reports[0]["status"] == {"messages": 2, "recipients": 3, "lack": "", "sick": ""}
    assert reports[0]["metrics"]["queue_recipients"] == [([], 3)]
    assert reports[0]["metrics"]["log_lines_lost"] == [([], 4)]


async def test_a_sick_shard_ends_it() -> None:
    keeper, lines, _ = a_house(a_spool(shard=2, sick="disk I/O error"))
    assert not await keeper.keep(asyncio.Event())
    assert lines == ["Spool shard 2 failed: disk I/O error; new mail is answered 451"]


async def test_a_full_disk_is_told_once_and_so_is_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(house, "HEARTBEAT", 0.001)
    spool, stop = a_spool(lack="spool has 10 KiB free"), asyncio.Event()
    keeper, lines, reports = a_house(spool)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(keeper.keep(stop))
        for lack in ("", "spool has 9 KiB free"):
            seen = len(reports)
            while len(reports) < seen + 3:  # noqa: ASYNC110
                await asyncio.sleep(0)
            spool.lack = lack
        seen = len(reports)
        while len(reports) < seen + 3:  # noqa: ASYNC110
            await asyncio.sleep(0)
        stop.set()
    full = "new mail is answered 452 until there is more room, delivery goes on"
    assert lines == [
        f"Spool shard 0: spool has 10 KiB free; {full}",
        "Spool shard 0: there is room again, and new mail is accepted",
        f"Spool shard 0: spool has 9 KiB free; {full}",
    ]


async def test_leftovers_are_shared_out_and_one_that_fails_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(house, "ADOPT_AGAIN", 0.0)
    for shard in range(7):
        (tmp_path / f"shard-{shard}.db").touch()
    scheduler: Any = Scheduler(s3=2)
    keeper, lines, _ = a_house(a_spool(shard=1))
    await keeper.adopt_leftovers(scheduler, tmp_path, 2)
    assert scheduler.tried == [3, 5, 3, 3], "those of worker 1 of 2; the rest goes on meanwhile"
    assert lines == [
        "Spool shard 3 cannot be adopted: shard 3 is in use; its mail stays there, next try in 0 s",
        "Spool shard 5 adopted by worker 1: 5 messages",
        "Spool shard 3 adopted by worker 1: 3 messages",
    ]


async def test_an_empty_leftover_is_no_news(tmp_path: Path) -> None:
    (tmp_path / "shard-10.db").touch()
    keeper, lines, _ = a_house(a_spool())
    await keeper.adopt_leftovers(Scheduler(), tmp_path, 1)
    assert lines == []
