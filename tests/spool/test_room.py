"""Room for new mail: the floor in octets and in inodes, and the reserve."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from gatepost.spool import room as rooms
from gatepost.spool.room import RESERVE, Floor, Room


def disk(monkeypatch: pytest.MonkeyPatch, **facts: int) -> None:
    """Let the file system look as told."""
    full = {"f_bavail": 1000, "f_frsize": 4096, "f_files": 1000, "f_favail": 500} | facts
    monkeypatch.setattr(rooms.os, "statvfs", lambda _: SimpleNamespace(**full))


@pytest.mark.parametrize(
    ("facts", "lack"),
    [
        ({}, ""),
        ({"f_bavail": 10}, "40 KiB free, less than the floor of 400 KiB"),
        ({"f_favail": 9}, "9 inodes free, less than the floor of 10"),
        ({"f_files": 0, "f_favail": 0}, ""),
    ],
)
def test_the_floor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, facts: dict[str, int], lack: str) -> None:
    disk(monkeypatch, **facts)
    told = Room(tmp_path, Floor(space=400 << 10, inodes=10), tmp_path / "reserve").lack()
    assert told.endswith(lack)
    assert bool(told) == bool(lack)


def test_the_reserve_is_held_released_and_held_again(tmp_path: Path) -> None:
    reserve = tmp_path / "reserve"
    room = Room(tmp_path, Floor(), reserve)
    assert room.hold()
    assert room.hold()
    assert os.stat(reserve).st_blocks * 512 >= RESERVE
    room.release()
    assert not reserve.exists()
    room.release()
    assert room.hold()


def test_a_reserve_that_the_disk_does_not_give_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(rooms.os, "posix_fallocate", full)
    room = Room(tmp_path, Floor(), tmp_path / "reserve")
    assert not room.hold()
    assert os.listdir(tmp_path) == []


def test_a_limit_on_file_size_leaves_room_for_what_lets_mail_leave(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = tmp_path / "shard-0.db"
    room = Room(tmp_path, Floor(space=0, inodes=0), tmp_path / "shard-0.reserve")
    monkeypatch.setattr(rooms.resource, "getrlimit", lambda _: (100 << 20, 100 << 20))
    assert not room.lack(), "there is no database yet"
    with database.open("wb") as file:
        file.truncate((100 << 20) - RESERVE)
        assert not room.lack()
        file.truncate((100 << 20) - RESERVE + 1024)
    assert room.lack() == f"{database} has 86017 KiB, and a file may have 102400 KiB here (RLIMIT_FSIZE)"
    monkeypatch.setattr(rooms.resource, "getrlimit", lambda _: (rooms.resource.RLIM_INFINITY,) * 2)
    assert not room.lack()


@pytest.mark.parametrize(("free", "held"), [(256, True), (255, False)])
def test_a_disk_too_full_to_open_a_shard_gets_the_reserve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, held: bool
) -> None:
    reserve = tmp_path / "reserve"
    room = Room(tmp_path, Floor(), reserve)
    assert room.hold()
    disk(monkeypatch, f_bavail=free)
    room.make_way()
    assert reserve.exists() == held
