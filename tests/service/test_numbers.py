"""Blocks of numbers: unique across restarts, crashes and lost files."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from gatepost.errors import ControlError, StateError
from gatepost.service import numbers
from gatepost.service.numbers import BLOCK, NumberBook, NumberSupply


def test_a_block_is_reserved_on_disk_before_it_is_handed_out(tmp_path: Path) -> None:
    assert NumberBook(tmp_path).block("mid") == (1, 1 + BLOCK)
    after_crash = NumberBook(tmp_path)
    assert after_crash.block("mid") == (1 + BLOCK, 1 + 2 * BLOCK)
    assert after_crash.block("icid") == (1, 1 + BLOCK)
    assert after_crash.note == ""
    assert (tmp_path / "numbers").stat().st_mode & 0o777 == 0o600


def test_a_lost_or_damaged_file_never_repeats_a_number(tmp_path: Path) -> None:
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool" / "shard-0.db").touch()
    lost = NumberBook(tmp_path)
    assert lost.block("mid")[0] >= int(time.time()) * 1000 - 10_000
    assert "is missing" in lost.note
    (tmp_path / "numbers").write_text("{half a fi")
    damaged = NumberBook(tmp_path)
    assert damaged.block("mid")[0] >= int(time.time()) * 1000 - 10_000
    assert "cannot be read" in damaged.note


def full(*_: object, **__: object) -> None:
    raise OSError(28, "No space left on device")


def test_without_room_for_a_second_file_the_first_is_written_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book = NumberBook(tmp_path)
    book.block("mid")
    monkeypatch.setattr(numbers.os, "replace", full)
    assert book.block("mid") == (1 + BLOCK, 1 + 2 * BLOCK)
    assert NumberBook(tmp_path).block("mid") == (1 + 2 * BLOCK, 1 + 3 * BLOCK)


def test_numbers_that_are_not_on_disk_are_not_handed_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book = NumberBook(tmp_path)
    book.block("mid")
    monkeypatch.setattr(numbers.os, "fsync", full)
    with pytest.raises(StateError, match="numbers cannot be written: No space left on device"):
        book.block("mid")
    monkeypatch.undo()
    assert book.block("mid")[0] > 1 + BLOCK, "what may have reached the disk after all is left out"


class Master:
    """Hands out blocks, or refuses."""

    def __init__(self, refusals: int = 0) -> None:
        self.asked: list[str] = []
        self.refusals = refusals

    async def ask(self, verb: str, kind: str) -> tuple[int, int]:
        self.asked.append(kind)
        if self.refusals:
            self.refusals -= 1
            raise ControlError("the disk is full")
        return len(self.asked) * 1_000_000, len(self.asked) * 1_000_000 + BLOCK


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_supply_is_refilled_once_before_it_runs_dry() -> None:
    master: Any = Master()
    async with asyncio.TaskGroup() as tasks:
        supply = NumberSupply(master, tasks, lambda text: None)
        await supply.fill()
        assert master.asked == ["icid", "mid", "dcid"]
        assert supply.take("mid") == 2_000_000
        for _ in range(BLOCK // 2 + 10):
            supply.take("mid")
        await settled()
        assert master.asked == ["icid", "mid", "dcid", "mid"]
        taken = [supply.take("mid") for _ in range(BLOCK)]
        assert taken == sorted(set(taken))


async def test_a_refusal_is_told_once_and_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numbers, "AGAIN", 0.0)
    master: Any = Master(refusals=3)
    told: list[str] = []
    async with asyncio.TaskGroup() as tasks:
        await NumberSupply(master, tasks, told.append).fill()
    assert told == ["No new numbers for connections and messages: the disk is full; it is tried again each second"]
    assert master.asked == ["icid"] * 4 + ["mid", "dcid"]
