"""Connections counted by whoever writes them, and the questions that reports ask: what they find, and what serves them."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from gatepost.errors import StateError
from gatepost.records import reports, tables
from gatepost.records.reports import Party, Reports
from gatepost.records.search import RecordSearch, Sessions
from gatepost.records.store import FILE_NAME, RecordStore
from gatepost.records.summary import DAY, HOUR
from gatepost.records.tls_record import TlsRecord
from gatepost.tls.outcome import TlsOutcome
from tests.support.records import TLS, a_connection

NOON = 20_000 * DAY + 12 * HOUR
OLD = TlsOutcome(protocol="TLSv1.2", cipher="AES256-SHA")
LIMIT = 0.5
"""Seconds that the report may take."""


def connection(number: int, **more: object) -> TlsRecord:
    return a_connection(number, **{"time": NOON + number, "rule": "PARTNERS: 198.51.100.0/24", **more})


def delivery(number: int, domain: str, **more: object) -> TlsRecord:
    facts = {"direction": "out", "domain": domain, "listener": "", "rule": "default", "peer_name": f"mx.{domain}"}
    return connection(number, **{**facts, "requirement": "preferred", **more})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RecordStore]:
    one = RecordStore(tmp_path / FILE_NAME)
    yield one
    one.close()


def named(rows: list[Party]) -> dict[str, tuple[int, ...]]:
    """Return of each row: connections, required ok and failed, preferred ok and failed, plain, messages, encrypted ones."""
    return {row.name: tuple(getattr(row, count) for count in reports.COUNTS) for row in rows}


def test_clients_are_told_by_domain_and_by_sender_group(store: RecordStore, tmp_path: Path) -> None:
    store.append([connection(1, messages=2), connection(2, peer_name="mx2.Partner.example", messages=1)])
    store.append([connection(3, outcome=None, failure="no shared cipher"), connection(4, peer_name="", rule="ALL: ALL")])
    store.append([connection(5, peer_name="bank.example", requirement="no", outcome=None, messages=3, listener="Second")])
    found = Reports(tmp_path)
    assert named(found.parties("in", NOON, NOON)) == {
        "partner.example": (3, 2, 1, 0, 0, 1, 3, 3),
        "": (1, 1, 0, 0, 0, 0, 0, 0),
        "bank.example": (1, 0, 0, 0, 0, 1, 3, 0),
    }
    groups = found.parties("in", NOON, NOON, by="group")
    assert [(row.listener, row.name, row.connections) for row in groups] == [
        ("InboundMail", "PARTNERS", 3),
        ("InboundMail", "ALL", 1),
        ("Second", "PARTNERS", 1),
    ]
    assert found.parties("out", NOON, NOON) == []


def test_deliveries_are_told_by_destination_and_why_the_last_one_failed(store: RecordStore, tmp_path: Path) -> None:
    store.append([delivery(9, "b.example", failure="certificate has expired", outcome=TLS, requirement="required-verify")])
    store.append([delivery(8, "b.example", failure="no shared cipher", outcome=None)])
    store.append([delivery(7, "a.example", messages=4), delivery(6, "c.example", outcome=None)])
    found = Reports(tmp_path)
    (first, *_) = found.parties("out", NOON, NOON)
    assert (first.name, first.failed_at, first.failure) == ("b.example", NOON + 9, "certificate has expired")
    assert (first.required_failed, first.preferred_failed, first.failed, first.attempted, first.plain) == (1, 1, 2, 2, 1)
    assert [row.name for row in found.parties("out", NOON, NOON, order="name")] == ["a.example", "b.example", "c.example"]
    assert [row.name for row in found.parties("out", NOON, NOON, order="failed", limit=1)] == ["b.example"]
    assert [row.name for row in found.parties("out", NOON, NOON, order="plain")][:2] == ["b.example", "c.example"]
    assert [row.name for row in found.parties("out", NOON, NOON, find="A.EX")] == ["a.example"]
    assert [row.name for row in found.parties("out", NOON, NOON, find="%")] == []
    assert [row.name for row in found.parties("out", NOON, NOON, order="name", limit=1, offset=1)] == ["b.example"]
    assert found.parties("out", NOON - DAY, NOON - DAY) == []


def test_counts_of_a_time_and_what_was_negotiated(store: RecordStore, tmp_path: Path) -> None:
    store.append([connection(1, messages=2), connection(2), connection(HOUR, outcome=OLD), delivery(3, "a.example")])
    store.append([connection(4, outcome=None, failure="handshake failure")])
    found = Reports(tmp_path)
    assert [(one.time - NOON, one.direction, one.failed, one.connections, one.messages) for one in found.counts(0, 9e9)] == [
        (0, "in", True, 1, 0),
        (0, "in", False, 2, 2),
        (0, "out", False, 1, 0),
        (HOUR, "in", False, 1, 0),
    ]
    by_day = found.counts(0, 9e9, step=DAY)
    assert {one.time for one in by_day} == {NOON - 12 * HOUR}
    assert sum(one.connections for one in by_day) == 5
    assert [(one.direction, one.protocol, one.key_exchange, one.connections) for one in found.kinds(0, 9e9)] == [
        ("in", "TLSv1.3", "X25519MLKEM768", 2),
        ("in", "TLSv1.2", "", 1),
        ("out", "TLSv1.3", "X25519MLKEM768", 1),
    ]
    assert found.counts(NOON + 2 * HOUR, 9e9) == []


def test_several_writers_count_into_the_same_rows(store: RecordStore, tmp_path: Path) -> None:
    other = RecordStore(tmp_path / FILE_NAME)
    for number in range(20):
        (store if number % 2 else other).append([connection(number, messages=1)])
    other.close()
    assert named(Reports(tmp_path).parties("in", NOON, NOON)) == {"partner.example": (20, 20, 0, 0, 0, 0, 20, 20)}


def test_counts_go_with_the_records_that_they_count(store: RecordStore, tmp_path: Path) -> None:
    store.append([connection(1), connection(3 * DAY)])
    store.purge(NOON + 2 * DAY)
    found = Reports(tmp_path)
    assert sum(one.connections for one in found.counts(0, 9e9)) == 1
    assert [row.connections for by in ("domain", "group") for row in found.parties("in", 0, 9e9, by=by)] == [1, 1]


def test_a_record_that_no_row_can_hold_is_not_counted_either(store: RecordStore, tmp_path: Path) -> None:
    assert store.append([connection(1), connection(2, messages=2**64), connection(3, time=float("nan"))]) == 2
    assert named(Reports(tmp_path).parties("in", NOON, NOON))["partner.example"][0] == 1


@pytest.mark.parametrize("text", ["'; DROP TABLE tls_parties; --", "a\0b", "\ud800 broken", "<script>alert(1)</script>"])
def test_hostile_names_are_counted_and_found(store: RecordStore, tmp_path: Path, text: str) -> None:
    store.append([delivery(1, text, rule=text, failure=text)])
    (row,) = Reports(tmp_path).parties("out", NOON, NOON)
    (group,) = Reports(tmp_path).parties("out", NOON, NOON, by="group")
    for name in (Sessions(direction="out", party=row.name), Sessions(direction="out", group=group.name)):
        assert [one.connection for one in RecordSearch(tmp_path).sessions(name)] == [1]


def test_sessions_of_a_row(store: RecordStore, tmp_path: Path) -> None:
    store.append([connection(1), connection(2, rule="PARTNERS2: 192.0.2.1"), connection(3, peer_name="x.bank.example")])
    store.append([connection(4, failure="no shared cipher"), delivery(5, "partner.example", rule="PARTNERS: x")])

    def found(**wanted: object) -> list[int]:
        asked = Sessions(**{"direction": "in", **wanted})  # type: ignore[arg-type]
        return [one.connection for one in RecordSearch(tmp_path).sessions(asked)]

    assert found() == [4, 3, 2, 1]
    assert found(party="Partner.example") == [4, 2, 1]
    assert found(group="PARTNERS") == [4, 3, 1]
    assert found(group="PARTNERS", party="bank.example") == [3]
    assert found(group="PARTNERS", listener="Second") == []
    assert found(group="PARTNERS", listener="InboundMail") == [4, 3, 1]
    assert found(failed=True) == [4]
    assert found(since=NOON + 2, until=NOON + 4) == [3, 2]
    assert found(direction="out", group="partners: x") == [5]
    assert [one.connection for one in RecordSearch(tmp_path).sessions(Sessions(direction="in"), limit=2, offset=1)] == [3, 2]


def test_what_an_older_version_wrote_is_counted_when_it_is_opened(store: RecordStore, tmp_path: Path) -> None:
    store.append([connection(number) for number in range(3)] + [delivery(9, "a.example", failure="expired")])
    store.close()
    with sqlite3.connect(tmp_path / FILE_NAME) as file:
        for statement in (
            "drop table tls_hours",
            "drop table tls_groups",
            "drop table tls_parties",
            "drop index ix_tls_connections_report",
            "create index ix_tls_connections_time on tls_connections (time)",
            "update tls_connections set domain = '' where direction = 'in'",
            "update schema set version = 1",
        ):
            file.execute(statement)
    with pytest.raises(StateError, match="of version 1"):
        Reports(tmp_path).kinds(0, 9e9)
    RecordStore(tmp_path / FILE_NAME).close()
    RecordStore(tmp_path / FILE_NAME).close()
    assert named(Reports(tmp_path).parties("in", NOON, NOON))["partner.example"][0] == 3
    assert [row.failure for row in Reports(tmp_path).parties("out", NOON, NOON)] == ["expired"]
    assert len(RecordSearch(tmp_path).sessions(Sessions(direction="in", party="partner.example"))) == 3
    with sqlite3.connect(tmp_path / FILE_NAME) as file:
        names = {name for (name,) in file.execute("select name from sqlite_master where type = 'index'")}
    assert ("ix_tls_connections_report" in names, "ix_tls_connections_time" in names) == (True, False)


# --- over many records -----------------------------------------------------------------------------------------------


def fill(state: Path, count: int, batch: int = 2000, days: int = 30) -> float:
    """Write connections of 30 days with 3,000 parties, a few of them with most; return when the last one was."""
    store, step = RecordStore(state / FILE_NAME), days * DAY / count
    for first in range(0, count, batch):
        records = []
        for number in range(first, min(first + batch, count)):
            party = int(3000 * (number * 7919 % 1000 / 1000) ** 3) + number % 3
            more = {"time": NOON + number * step, "failure": "no shared cipher" if number % 50 < 2 else ""}
            if number % 2:
                records.append(delivery(number, f"partner{party}.example", **more))
            else:
                records.append(connection(number, peer_name=f"mx.partner{party}.example", **more))
        assert store.append(records) == 0
    store.close()
    return NOON + days * DAY


def plan(state: Path, question: sa.Select[tuple[object, ...]]) -> list[str]:
    text = str(question.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True}))
    with sqlite3.connect(state / FILE_NAME) as file:
        return [row[3] for row in file.execute(f"EXPLAIN QUERY PLAN {text}")]


def hold_to_the_limit(state: Path, until: float) -> None:
    """Ask what the report's page asks, for 30 days: all of it together within the limit, and each drill-down."""
    found, search, since = Reports(state), RecordSearch(state), until - 30 * DAY

    def page(direction: reports.Direction) -> None:
        assert found.counts(since, until, step=DAY, of=(direction,))
        assert found.kinds(since, until, of=(direction,))
        assert found.parties(direction, since, until)
        assert found.parties(direction, since, until, by="group")

    def rare(direction: reports.Direction) -> None:
        assert not search.sessions(Sessions(direction=direction, since=since, party="nobody.example"))
        assert search.sessions(Sessions(direction=direction, since=since, failed=True))

    for ask in (page, rare):
        for direction in ("in", "out"):
            took = []
            for _ in range(3):  # others use the machine, too
                begun = time.perf_counter()
                ask(direction)
                took.append(time.perf_counter() - begun)
            assert min(took) < LIMIT, f"{ask.__name__} {direction}: {took}"


def test_the_questions_of_the_report_are_answered_by_an_index(tmp_path: Path) -> None:
    until = fill(tmp_path, 50_000)
    since = until - 30 * DAY
    hours = "SEARCH tls_hours USING PRIMARY KEY (direction=? AND hour>? AND hour<?)"
    assert plan(tmp_path, reports.counts(since, until, DAY))[0] == hours
    assert plan(tmp_path, reports.kinds(since, until))[0] == hours
    for by, table in (("domain", tables.tls_parties), ("group", tables.tls_groups)):
        days = f"SEARCH {table.name} USING PRIMARY KEY (direction=? AND day>? AND day<?)"
        assert plan(tmp_path, reports.ranking("in", since, until, by, "x", "failed"))[0] == days  # type: ignore[arg-type]
        for asked in (reports.details, reports.failures):
            key = "direction=? AND day=?" if by == "group" else "direction=? AND day=? AND name=?"
            (first, *_) = plan(tmp_path, asked("in", since, until, by, ["a", "b"]))  # type: ignore[arg-type]
            assert first == f"SEARCH {table.name} USING PRIMARY KEY ({key})"
    wanted = Sessions(direction="in", since=since, until=until, party="a.example", group="ALL", failed=True)
    sessions = "SEARCH tls_connections USING INDEX ix_tls_connections_report (time>? AND time<?)"
    assert plan(tmp_path, wanted.statement(50, 0))[0] == sessions
    hold_to_the_limit(tmp_path, until)


@pytest.mark.long
def test_the_report_over_a_million_records_takes_less_than_half_a_second(tmp_path: Path) -> None:
    hold_to_the_limit(tmp_path, fill(tmp_path, 1_000_000))
