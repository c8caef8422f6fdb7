"""The files of a shard: made durable, owned once, and refused in one sentence when they cannot be used."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from gatepost.errors import StateError
from gatepost.spool import layout, queries
from gatepost.spool.layout import Layout
from gatepost.spool.store import Spool
from tests.support.spool import error


def test_names_are_made_durable_with_their_parents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(layout, "sync_directory", synced.append)
    Layout(tmp_path / "spool", 3).prepare()
    spool = tmp_path / "spool"
    assert synced == [spool, tmp_path, spool / "shard-3", spool, spool]
    synced.clear()
    Layout(spool, 3).prepare()
    assert synced == []


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("a file in the way")
    with pytest.raises(StateError, match=f"spool shard 0 in {tmp_path}/spool cannot be opened: "):
        Spool.open(tmp_path / "spool", 0)


def test_damage_met_in_opening_makes_the_next_start_thorough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreadable(_: object) -> tuple[int, int]:
        raise error(sqlite3.SQLITE_CORRUPT)

    with monkeypatch.context() as damaged:
        damaged.setattr(queries, "counts", unreadable)
        with pytest.raises(StateError, match="cannot be opened"):
            Spool.open(tmp_path, 0)
    assert (tmp_path / "shard-0.suspect").exists()
    Spool.open(tmp_path, 0).close_now()  # the lock was given back
    assert not (tmp_path / "shard-0.suspect").exists()


def test_a_mark_that_cannot_be_left_is_no_fault(tmp_path: Path) -> None:
    Layout(tmp_path / "missing", 0).mark_suspect("damage")


def test_the_lock_of_a_dead_owner_is_nobody_s(tmp_path: Path) -> None:
    (tmp_path / "shard-0.lock").write_text("4194305\n")
    first = Layout(tmp_path, 0)
    first.lock()
    first.unlock()
    first.unlock()
