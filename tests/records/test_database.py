"""The embedded engine's file."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from gatepost.records import database
from gatepost.records.store import FILE_NAME, RecordStore


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    RecordStore(tmp_path / FILE_NAME).close()
    with (
        database.connect(tmp_path / FILE_NAME, writing=False) as connection,
        pytest.raises(sa.exc.OperationalError, match="readonly"),
    ):
        connection.exec_driver_sql("delete from schema")


def test_a_file_that_was_set_aside_already_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    path.write_bytes(b"new")
    assert database.set_aside(path, (1, 1)) is None
    assert path.read_bytes() == b"new"


def test_only_one_process_moves_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    path = tmp_path / FILE_NAME
    with database.exclusive(path), pytest.raises(BlockingIOError), database.exclusive(path):
        pass


def test_a_disk_error_is_no_damage() -> None:
    assert not database.is_damaged(OSError("no"))
    assert not database.is_damaged(sa.exc.OperationalError("", {}, Exception("disk I/O error")))
