"""Batches in, whole or not at all; versions, gaps, age."""

import sqlite3
import stat
from pathlib import Path

import pytest

from gatepost.errors import StateError
from gatepost.records import store as store_module
from gatepost.records.search import RecordSearch
from gatepost.records.store import FILE_NAME, RecordStore
from tests.support.records import a_connection, a_message, an_outcome


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / FILE_NAME


def rows(path: Path, table: str) -> int:
    with sqlite3.connect(path) as connection:
        return int(connection.execute(f"select count(*) from {table}").fetchone()[0])


def test_a_batch_of_every_kind_is_kept_whole(path: Path, tmp_path: Path) -> None:
    store = RecordStore(path)
    assert store.append([a_message(1), an_outcome(1), a_connection(10), a_message(2)]) == 0
    store.close()
    tracked = RecordSearch(tmp_path).message(1)
    assert tracked is not None
    assert (tracked.message, tracked.outcomes, tracked.connections) == (a_message(1), (an_outcome(1),), (a_connection(10),))


def test_only_the_owner_may_read(path: Path, tmp_path: Path) -> None:
    path.touch(0o644)
    store = RecordStore(path)
    store.append([a_message(1)])
    assert {entry.name for entry in tmp_path.iterdir() if stat.S_IMODE(entry.stat().st_mode) & 0o077} == set()
    store.close()


def test_two_writers_and_a_reader_share_the_file(path: Path, tmp_path: Path) -> None:
    one, two = RecordStore(path), RecordStore(path)
    for mid in range(0, 20, 2):
        one.append([a_message(mid)])
        two.append([a_message(mid + 1)])
        assert len(RecordSearch(tmp_path).track()) == mid + 2
    one.close()
    two.close()


@pytest.mark.parametrize("bad", [a_message(2**70), a_connection(1, messages=2**64), "no record"])
def test_a_record_that_no_row_can_hold_costs_only_itself(path: Path, bad: object) -> None:
    store = RecordStore(path)
    assert store.append([a_message(1), bad, an_outcome(1)]) == 1  # type: ignore[list-item]
    assert (rows(path, "messages"), rows(path, "outcomes")) == (1, 1)
    store.close()


@pytest.mark.parametrize("text", ["'; DROP TABLE messages; --", "a\0b", "\ud800 broken", "\u202ebackwards", "e\u0301"])
def test_hostile_text_is_kept_and_found(path: Path, tmp_path: Path, text: str) -> None:
    store = RecordStore(path)
    mending = a_message(1, subject=text, reverse_path=f"{text}@x.example", recipients=(text, "b@x.example"))
    offer = a_connection(10, failure=text)
    assert store.append([mending, an_outcome(1, reply=text, address=text), offer]) == 0
    store.close()
    search = RecordSearch(tmp_path)
    (found,) = search.track(subject=text)
    assert found.subject == text.encode("utf-8", "backslashreplace").decode()
    assert search.track(sender=f"{text}@x.example") == [found]
    assert search.track(recipient=text) == [found]


def test_a_batch_that_fails_leaves_nothing(path: Path) -> None:
    store = RecordStore(path)
    other = sqlite3.connect(path)
    other.execute("drop table outcomes")
    with pytest.raises(Exception, match="no such table"):
        store.append([a_message(1), an_outcome(1)])
    assert rows(path, "messages") == 0
    other.close()
    store.close()


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        ("update schema set version = 99", "is of version 99 and this Gatepost knows version 2"),
        ("drop table schema", "is not a records database"),
    ],
)
def test_a_file_of_another_kind_is_refused_and_left_alone(path: Path, tmp_path: Path, statement: str, sentence: str) -> None:
    RecordStore(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute(statement)
    before = path.read_bytes()
    with pytest.raises(StateError, match=sentence):
        RecordStore(path)
    with pytest.raises(StateError, match=sentence):
        RecordSearch(tmp_path).last_message()
    assert path.read_bytes() == before


def test_a_worker_that_never_signed_out_is_noticed(path: Path, tmp_path: Path) -> None:
    store = RecordStore(path)
    assert not store.enter(1, 100.0, "first")
    store.leave(1, 150.0)
    assert not store.enter(1, 200.0, "second")
    store.append([a_message(1)])  # at 1001
    assert not store.enter(2, 300.0, "another")
    assert store.enter(1, 2000.0, "killed")
    assert store.enter(1, 3000.0, "killed again")  # nothing since: from its start
    store.close()
    gaps = RecordSearch(tmp_path).gaps()
    assert [(gap.since, gap.until, gap.reason) for gap in gaps] == [
        (2000.0, 3000.0, "killed again"),
        (1001.0, 2000.0, "killed"),
    ]


def test_purge_takes_the_old_in_small_bites(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "PURGE_ROWS", 3)
    store = RecordStore(path)
    store.append([a_message(mid, time=float(mid)) for mid in range(10)])
    store.append([an_outcome(mid, time=float(mid)) for mid in range(10)])
    store.append([a_connection(mid, time=float(mid)) for mid in range(10)])
    store.gap(0, 1.0, 2.0, 5, "old")
    store.gap(0, 1.0, 9.0, 5, "new")
    bites = 0
    while store.purge(8.0):
        bites += 1
    assert bites == 2
    assert [rows(path, table) for table in ("messages", "outcomes", "tls_connections")] == [2, 2, 2]
    assert [gap.reason for gap in RecordSearch(tmp_path).gaps()] == ["new"]
    store.close()


def test_purge_spares_what_a_late_writer_mixed_in(path: Path, tmp_path: Path) -> None:
    store = RecordStore(path)
    store.append([a_message(1, time=1.0), a_message(2, time=9.0), a_message(3, time=1.0)])
    assert not store.purge(5.0)
    assert [message.mid for message in RecordSearch(tmp_path).track()] == [2]
    store.close()
