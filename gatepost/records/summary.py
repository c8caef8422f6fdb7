"""Connections counted: by hour and kind of TLS for the charts, by day, sender group and party for the
TLS Connections report.

Kept beside the records by whoever writes them, in the same transaction, so that a report over a million connections reads
some thousands of rows. A batch is counted here first and then added with one statement for each row that it touches. Only
counts; `records.store` writes them and `records.reports` reads them.

What a peer sends never makes rows by the hour. By the day it can, one for each name that its reverse zone is verified for:
as many as it makes connections, and for as long as records are kept.
"""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa

from gatepost.records import database, tables
from gatepost.records.tables import Row, kept, party
from gatepost.records.tls_record import TlsRecord

HOUR, DAY = 3600, 86_400
MAX_FAILURE = 200
"""Characters of the reason that is kept of the last failure."""


def group(record: TlsRecord) -> str:
    """Return the sender group of a client, or the destination control that a delivery fell under."""
    return record.rule.partition(": ")[0] if record.direction == "in" else record.rule


def requirement(record: TlsRecord) -> str:
    """`required`, `preferred` or `no`: with or without verification is a matter of its own."""
    for kind in ("required", "preferred"):
        if record.requirement.startswith(kind):
            return kind
    return "no"


def added(records: list[TlsRecord]) -> list[tuple[sa.Table, list[Row]]]:
    """Return for each table the rows whose counts have to be added to it, in the order of its columns."""
    return [
        (tables.tls_hours, _hours(records)),
        (tables.tls_groups, _days(records, lambda record: (kept(record.listener), kept(group(record))))),
        (tables.tls_parties, _days(records, lambda record: (party(record),))),
    ]


def statement(table: sa.Table) -> sa.Insert:
    """Return the statement that adds such a row."""
    return database.adding(table, latest=() if table is tables.tls_hours else ("failed_at", "failure"))


def _hours(records: list[TlsRecord]) -> list[Row]:
    counted: dict[Row, list[int]] = {}
    for record in records:
        tls = record.outcome
        got = (tls.protocol, tls.cipher, tls.group) if tls else ("", "", "")
        when = int(record.time // HOUR)
        key = (record.direction, when, requirement(record), tls is not None, bool(record.failure), *got)
        found = counted.setdefault(key, [0, 0])
        found[0] += 1
        found[1] += record.messages
    return [(*key, *counts) for key, counts in counted.items()]


def _days(records: list[TlsRecord], named: Callable[[TlsRecord], tuple[str, ...]]) -> list[Row]:
    counted: dict[Row, list[int]] = {}
    failures: dict[Row, tuple[float, str]] = {}
    for record in records:
        key = (record.direction, int(record.time // DAY), *named(record))
        counts = counted.get(key)
        if counts is None:
            counts = counted[key] = [0] * 8
        kind, tls, failed = requirement(record), record.outcome is not None, bool(record.failure)
        counts[0] += 1
        if kind != "no" and (tls or failed):
            counts[(1 if kind == "required" else 3) + failed] += 1
        counts[5] += not tls
        counts[6] += record.messages
        counts[7] += record.messages * tls
        if failed:
            failures[key] = max(failures.get(key, (0.0, "")), (record.time, kept(record.failure[:MAX_FAILURE])))
    return [(*key, *counts, *failures.get(key, (0.0, ""))) for key, counts in counted.items()]
