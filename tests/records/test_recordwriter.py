"""A database that cannot be written: what waits, what is told, what is noted as missing."""

import os
import resource
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from gatepost.records import database, recordwriter
from gatepost.records.recordwriter import RecordWriter
from gatepost.records.search import RecordSearch
from gatepost.records.store import FILE_NAME, RecordStore
from tests.support.records import a_message


@pytest.fixture(autouse=True)
def hurries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.01)
    monkeypatch.setattr(recordwriter, "RETRY_SECONDS", 0.0)
    monkeypatch.setattr(recordwriter, "CHECK_SECONDS", 0.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / FILE_NAME


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def writer(tmp_path: Path, told: list[str]) -> Iterator[RecordWriter]:
    writer = RecordWriter(tmp_path, 1, told.append)
    yield writer
    writer.close()


def mids(state: Path) -> list[int]:
    return [message.mid for message in reversed(RecordSearch(state).track())]


def checkpoint(path: Path) -> None:
    """Move all that was written from the log of changes into the file: from there it will be read again."""
    other = sqlite3.connect(path)
    other.execute("pragma wal_checkpoint(truncate)")
    other.close()


def test_records_are_written_and_nothing_is_said(writer: RecordWriter, tmp_path: Path, told: list[str]) -> None:
    assert writer.write([], 0) == 0
    assert writer.write([a_message(1)], 0) == 1
    assert (mids(tmp_path), told) == ([1], [])


def test_a_locked_database_keeps_records_waiting(writer: RecordWriter, path: Path, tmp_path: Path, told: list[str]) -> None:
    writer.write([a_message(1)], 0)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("begin exclusive")
    assert writer.write([a_message(2)], 0) == 0
    assert writer.write([a_message(2)], 0) == 0
    assert told == [
        "Records cannot be written: database is locked; mail goes on, and records are kept as long as memory allows"
    ]
    other.execute("commit")
    other.close()
    assert writer.write([a_message(2)], 0) == 1
    assert told[1:] == ["Records are written again"]
    assert mids(tmp_path) == [1, 2]
    assert RecordSearch(tmp_path).gaps() == []  # nothing is missing


def test_records_dropped_meanwhile_are_noted_as_a_gap(
    writer: RecordWriter, path: Path, tmp_path: Path, told: list[str]
) -> None:
    writer.write([a_message(1)], 0)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("begin exclusive")
    writer.write([a_message(2)], 0)
    other.close()
    assert writer.write([a_message(2)], 7) == 1
    (gap,) = RecordSearch(tmp_path).gaps()
    assert (gap.worker, gap.lost, gap.reason) == (1, 7, "database is locked")
    assert 0 < gap.since <= gap.until
    assert told[1:] == ["7 records were lost: database is locked", "Records are written again"]
    writer.write([a_message(3)], 7)
    assert len(RecordSearch(tmp_path).gaps()) == 1


def test_a_record_that_no_row_can_hold_is_a_gap_of_one(writer: RecordWriter, tmp_path: Path, told: list[str]) -> None:
    assert writer.write([a_message(1), a_message(2**70)], 0) == 2
    assert writer.bad == 1
    writer.write([], 0)
    assert [gap.lost for gap in RecordSearch(tmp_path).gaps()] == [1]
    assert told == ["1 record was lost: no database takes it, or the disk was too slow"]


def test_a_failing_database_is_left_alone_for_a_while(
    writer: RecordWriter, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.mkdir()
    writer.write([a_message(1)], 0)
    path.rmdir()
    monkeypatch.setattr(recordwriter, "RETRY_SECONDS", 60.0)
    path.mkdir()
    writer.write([a_message(1)], 0)
    path.rmdir()
    assert writer.write([a_message(1)], 0) == 0


@pytest.mark.parametrize("opened", [True, False], ids=["in use", "at the start"])
def test_a_damaged_database_is_set_aside_and_a_new_one_begun(
    writer: RecordWriter, path: Path, tmp_path: Path, told: list[str], opened: bool
) -> None:
    if opened:
        writer.write([a_message(1)], 0)
        checkpoint(path)
    rubbish = os.urandom(100_000)
    path.write_bytes(rubbish)
    assert writer.write([a_message(2)], 0) == 0
    assert writer.write([a_message(2)], 0) == 1
    assert mids(tmp_path) == [2]
    aside = [entry for entry in tmp_path.glob("records.db.damaged-*") if not entry.name.endswith(("-wal", "-shm"))]
    assert [entry.read_bytes() for entry in aside] == [rubbish]
    assert "is damaged (" in told[0]
    assert aside[0].name in told[0]
    (gap,) = RecordSearch(tmp_path).gaps()
    assert (gap.lost, gap.reason) == (0, told[0])


def test_of_two_writers_one_sets_the_damaged_file_aside(
    writer: RecordWriter, path: Path, tmp_path: Path, told: list[str]
) -> None:
    said: list[str] = []
    other = RecordWriter(tmp_path, 2, said.append)
    writer.write([a_message(1)], 0)
    other.write([a_message(2)], 0)
    checkpoint(path)
    path.write_bytes(os.urandom(100_000))
    for mid, one in ((3, writer), (4, other), (3, writer), (4, other)):
        one.write([a_message(mid)], 0)
    assert sorted(mids(tmp_path)) in ([3, 4], [3, 3, 4], [3, 4, 4])
    assert len([entry for entry in tmp_path.glob("records.db.damaged-*") if entry.name[-4] != "-"]) == 1
    assert len([text for text in told + said if "set aside" in text]) == 1
    other.close()


def test_a_damaged_file_that_cannot_be_moved_stays_and_mail_goes_on(
    writer: RecordWriter, path: Path, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, target: Path) -> Path:
        raise PermissionError(13, "Permission denied")

    path.write_bytes(os.urandom(10_000))
    monkeypatch.setattr(Path, "rename", refuse)
    assert writer.write([a_message(1)], 0) == 0
    assert writer.write([a_message(1)], 0) == 0
    assert path.stat().st_size == 10_000
    assert len([text for text in told if "could not be set aside" in text]) == 1


def test_a_database_that_was_removed_is_begun_anew(writer: RecordWriter, path: Path, tmp_path: Path) -> None:
    writer.write([a_message(1)], 0)
    for entry in tmp_path.glob("records.db*"):
        entry.unlink()
    assert writer.write([a_message(2)], 0) == 1
    assert mids(tmp_path) == [2]


def test_a_database_of_another_version_is_refused_once_in_the_log(writer: RecordWriter, path: Path, told: list[str]) -> None:
    RecordStore(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("update schema set version = 99")
    assert writer.write([a_message(1)], 0) == 0
    assert writer.write([a_message(1)], 0) == 0
    assert len(told) == 1
    assert "is of version 99" in told[0]


def test_a_full_disk_keeps_records_waiting(writer: RecordWriter, tmp_path: Path, told: list[str]) -> None:
    writer.write([a_message(1)], 0)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    many = [a_message(mid, subject="x" * 900) for mid in range(2, 400)]
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
    try:
        assert writer.write([*many], 0) == 0
        assert writer.write([*many], 0) == 0
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert len(told) == 1
    assert writer.write([*many], 0) == len(many)
    assert len(RecordSearch(tmp_path).track(limit=1000)) == 1 + len(many)


def test_the_last_space_on_the_disk_is_left_to_the_spool(tmp_path: Path, told: list[str]) -> None:
    writer = RecordWriter(tmp_path, 0, told.append, reserve=2**62)
    assert writer.write([a_message(1)], 0) == 0
    assert "left to the spool" in told[0]
    assert list(tmp_path.iterdir()) == []
    writer.close()


def test_a_killed_worker_leaves_a_gap_and_a_closed_one_does_not(tmp_path: Path, told: list[str]) -> None:
    closed = RecordWriter(tmp_path, 0, told.append)
    closed.write([a_message(1)], 0)
    closed.close()
    killed = RecordWriter(tmp_path, 0, told.append)
    killed.write([a_message(2)], 0)
    killed._drop_store()
    assert (told, RecordSearch(tmp_path).gaps()) == ([], [])
    again = RecordWriter(tmp_path, 0, told.append)
    again.write([], 0)
    again.close()
    assert told == ["Worker 0 ended without closing its records; those of its last second may be missing"]
    assert [(gap.worker, gap.lost) for gap in RecordSearch(tmp_path).gaps()] == [(0, 0)]


def test_old_records_are_purged_by_the_one_who_keeps_house(writer: RecordWriter, tmp_path: Path) -> None:
    writer.write([a_message(1)], 0)  # of 1970
    assert mids(tmp_path) == [1]
    writer.retention_days = 30
    writer.write([], 0)
    assert mids(tmp_path) == []


def test_signing_out_of_a_locked_database_is_not_waited_for(writer: RecordWriter, path: Path) -> None:
    writer.write([a_message(1)], 0)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("begin exclusive")
    writer.close()
    other.close()


def test_another_process_may_be_making_the_file(writer: RecordWriter, path: Path, tmp_path: Path) -> None:
    with database.exclusive(path):
        assert writer.write([a_message(1)], 0) == 0
    assert writer.write([a_message(1)], 0) == 1


def test_a_fault_in_housekeeping_writes_no_batch_twice(
    writer: RecordWriter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: RecordStore, older_than: float) -> bool:
        raise OSError("the disk is on fire")

    writer.retention_days = 10**6
    with monkeypatch.context() as broken:
        broken.setattr(RecordStore, "purge", fail)
        done = writer.write([a_message(1)], 0)
    assert done == len(mids(tmp_path)) == 0
    assert writer.write([a_message(1)], 0) == 1
    assert mids(tmp_path) == [1]


def test_what_closes_badly_is_closed(writer: RecordWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: RecordStore) -> None:
        raise OSError("the disk is on fire")

    writer.write([], 0)
    with monkeypatch.context() as broken:
        broken.setattr(RecordStore, "close", fail)
        writer.close()
    assert writer._store is None
