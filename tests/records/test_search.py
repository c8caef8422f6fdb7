"""Questions and what they find."""

from pathlib import Path

import pytest

from gatepost.errors import StateError
from gatepost.records.search import Gap, RecordSearch
from gatepost.records.store import FILE_NAME, RecordStore
from tests.support.records import a_connection, a_message, an_outcome


@pytest.fixture
def store(tmp_path: Path) -> RecordStore:
    return RecordStore(tmp_path / FILE_NAME)


@pytest.fixture
def search(tmp_path: Path, store: RecordStore) -> RecordSearch:
    store.append(
        [
            a_message(1, recipients=("bob@example.com", "Carol@example.org")),
            a_message(2, reverse_path="Ann@Bank.example", peer="192.0.2.1", peer_name="", subject="Größe 100% _x_"),
            a_message(3, reverse_path="", peer="192.0.2.10", message_id="<zz@Other.example>", icid=0),
            a_message(4, reverse_path="joann@partner.example", peer="2001:db8::1", peer_name="mx.bank.example"),
        ]
    )
    store.append([an_outcome(1, 1, dcid=700), an_outcome(1, 0, outcome="deferred", dcid=0), an_outcome(1, 0, dcid=700)])
    store.append(
        [
            a_connection(10),
            a_connection(700, direction="out", domain="Example.com", peer="203.0.113.5", peer_name="mx1.example.com"),
            a_connection(11, outcome=None, failure="no shared protocol", peer_name="mx.bank.example"),
            a_connection(701, direction="out", domain="notexample.com", peer_name="mx.notexample.com"),
        ]
    )
    store.append([an_outcome(9)])
    return RecordSearch(tmp_path)


def test_no_file_yet_means_nothing_on_record(tmp_path: Path) -> None:
    search = RecordSearch(tmp_path)
    assert (search.message(1), search.last_message(), search.track(), search.tls(), search.gaps()) == (
        None,
        None,
        [],
        [],
        [],
    )
    assert list(tmp_path.iterdir()) == []


def test_a_message_comes_with_its_outcomes_and_connections(search: RecordSearch) -> None:
    tracked = search.message(1)
    assert tracked is not None
    assert tracked.message is not None
    assert tracked.message.recipients == ("bob@example.com", "Carol@example.org")
    assert [(one.rid, one.outcome) for one in tracked.outcomes] == [(1, "delivered"), (0, "deferred"), (0, "delivered")]
    assert [(one.direction, one.connection) for one in tracked.connections] == [("in", 10), ("out", 700)]


def test_outcomes_whose_message_was_lost_are_told_all_the_same(search: RecordSearch) -> None:
    tracked = search.message(9)
    assert tracked is not None
    assert tracked.message is None
    assert len(tracked.outcomes) == 1


def test_unknown_numbers_are_none(search: RecordSearch) -> None:
    assert search.message(77) is None
    assert search.tls_by_id("in", 700) is None
    assert search.tls_by_id("out", 700) is not None


def test_the_last_message_is_the_newest(search: RecordSearch) -> None:
    last = search.last_message()
    assert last is not None
    assert last.mid == 4


@pytest.mark.parametrize(
    ("question", "mids"),
    [
        ({}, [4, 3, 2, 1]),
        ({"limit": 2}, [4, 3]),
        ({"since": 1002.0}, [4, 3, 2]),
        ({"since": 1002.0, "until": 1004.0}, [3, 2]),
        ({"sender": "ann@partner.example"}, [1]),
        ({"sender": "<ANN@partner.example>"}, [1]),
        ({"sender": "ann"}, [4, 2, 1]),
        ({"sender": "@bank.example"}, [2]),
        ({"sender": "<>"}, [3]),
        ({"sender": ""}, [3]),
        ({"recipient": "carol@example.org"}, [1]),
        ({"recipient": "arol@example.org"}, []),
        ({"recipient": "@example.org"}, [1]),
        ({"recipient": "BOB"}, [4, 3, 2, 1]),
        ({"recipient": "ob@example.com\ncarol"}, []),
        ({"subject": "GRÖSSE"}, []),
        ({"subject": "größe 100%"}, [2]),
        ({"subject": "1__"}, []),
        ({"subject": "_X_"}, [2]),
        ({"message_id": "<zz@other.example>"}, [3]),
        ({"message_id": "zz@"}, [3]),
        ({"peer": "192.0.2.1"}, [2]),
        ({"peer": "192.0.2."}, [3, 2]),
        ({"peer": "2001:DB8:0::1"}, [4]),
        ({"peer": "bank.example"}, [4]),
        ({"peer": "192.0.2.10", "sender": "<>"}, [3]),
        ({"peer": "192.0.2.10", "sender": "ann"}, []),
        ({"sender": "' OR 1=1 --"}, []),
    ],
)
def test_tracking(search: RecordSearch, question: dict[str, object], mids: list[int]) -> None:
    assert [message.mid for message in search.track(**question)] == mids  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("question", "numbers"),
    [
        ({}, [701, 700, 11, 10]),
        ({"limit": 1}, [701]),
        ({"direction": "in"}, [11, 10]),
        ({"domain": "example.com"}, [700]),
        ({"domain": ".Bank.example"}, [11]),
        ({"peer": "203.0.113.5"}, [700]),
        ({"failures_only": True}, [11]),
        ({"since": 1011.0, "until": 1700.5}, [700, 11]),
    ],
)
def test_connections(search: RecordSearch, question: dict[str, object], numbers: list[int]) -> None:
    assert [record.connection for record in search.tls(**question)] == numbers  # type: ignore[arg-type]


def test_gaps_are_told(store: RecordStore, search: RecordSearch) -> None:
    store.gap(1, 10.0, 20.0, 3, "database is locked")
    store.gap(0, 30.0, 40.0, 0, "killed")
    assert search.gaps(since=25.0) == [Gap(since=30.0, until=40.0, worker=0, lost=0, reason="killed")]
    assert len(search.gaps()) == 2


def test_reading_goes_on_while_a_writer_is_in_mid_transaction(store: RecordStore, search: RecordSearch) -> None:
    with store._connection.begin():
        store._append([a_message(5)])
        assert len(search.track()) == 4
    assert len(search.track()) == 5


def test_a_damaged_file_is_told_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"this is not a database, and never was one" * 100)
    with pytest.raises(StateError, match="cannot be read: file is not a database"):
        RecordSearch(tmp_path).last_message()
