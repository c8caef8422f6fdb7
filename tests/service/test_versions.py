"""Whether a state directory is one of a newer version."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from gatepost.config.store import ConfigStore
from gatepost.errors import StateError
from gatepost.records.store import RecordStore
from gatepost.service.versions import refuse_newer
from gatepost.spool.store import Spool


def test_what_we_wrote_ourselves_is_fine(tmp_path: Path) -> None:
    refuse_newer(tmp_path)
    ConfigStore.open(tmp_path).close()
    RecordStore(tmp_path / "records.db").close()
    Spool.open(tmp_path / "spool", 0).close_now()
    refuse_newer(tmp_path)


def test_everything_that_is_newer_is_named(tmp_path: Path) -> None:
    ConfigStore.open(tmp_path).close()
    Spool.open(tmp_path / "spool", 3).close_now()
    for name, statement in (
        ("config.db", "UPDATE config_schema SET version = 7"),
        ("spool/shard-3.db", "PRAGMA user_version = 8"),
    ):
        with closing(sqlite3.connect(tmp_path / name, isolation_level=None)) as connection:
            connection.execute(statement)
    with pytest.raises(StateError) as refusal:
        refuse_newer(tmp_path)
    assert "(config.db has version 7 and this one knows 1, spool/shard-3.db has version 8 and this one knows 1)" in str(
        refusal.value
    )


def test_what_is_damaged_is_left_to_who_opens_it(tmp_path: Path) -> None:
    (tmp_path / "spool").mkdir()
    for name in ("config.db", "records.db", "spool/shard-0.db"):
        (tmp_path / name).write_bytes(b"this was a database once " * 200)
    (tmp_path / "spool" / "shard-0.db-wal").write_bytes(b"and this its WAL")
    refuse_newer(tmp_path)
