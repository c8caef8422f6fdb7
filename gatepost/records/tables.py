"""The tables of the records database, and how a record becomes a row.

Every table keeps the whole record as JSON in `detail`, which is what readers get back, and beside it the columns that are
searched, folded to lower case. Rows are only ever appended, and purged by age. Two small tables count connections, for
reports; `records.summary` says what.

Indexes are on ids and times only, which grow with the table, so that an insert touches its last page. An index over
addresses would touch a random page for each row: measured on 100,000 messages, 10 µs of CPU for each such index against
7 µs for the whole row. A search by address therefore reads the rows of its time range instead. For connections the index
on the time carries what the report leads to sessions by (the party, the rule, whether it failed): still one page at its end
for the writer, and a reader looks at the entries of a range, not at the rows.
"""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa

from gatepost.records.message_record import MessageRecord, OutcomeRecord
from gatepost.records.tls_record import TlsRecord

VERSION = 2
"""Raise it, and teach `migration` how, with every change below."""

SUBJECT_LIMIT = 1000
"""Characters of a subject that are searched; all of it is in `detail`."""

Record = TlsRecord | MessageRecord | OutcomeRecord
Row = tuple[int | float | str | bool, ...]

metadata = sa.MetaData()


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def _number(name: str, *, index: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False, index=index)


def _time(name: str = "time", *, index: bool = False) -> sa.Column[float]:
    return sa.Column(name, sa.Double, nullable=False, index=index)


def _id() -> sa.Column[int]:
    # SQLite gives the plain INTEGER key its own row number, which costs nothing; a BIGINT would cost a second tree.
    return sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True)


tls_connections = sa.Table(
    "tls_connections",
    metadata,
    _id(),
    _time(),
    _number("connection", index=True),
    _text("direction"),
    _text("peer"),
    _text("peer_name"),
    _text("listener"),
    _text("domain"),
    _text("rule"),
    _text("requirement"),
    sa.Column("encrypted", sa.Boolean, nullable=False),
    sa.Column("failed", sa.Boolean, nullable=False),
    sa.Column("verified", sa.Boolean, nullable=False),
    _text("protocol"),
    _text("cipher"),
    _text("key_exchange"),
    _number("messages"),
    _text("detail"),
    sa.Index("ix_tls_connections_report", "time", "direction", "domain", "rule", "failed"),
)
"""`domain` is the party: see `party`."""

messages = sa.Table(
    "messages",
    metadata,
    _id(),
    _time(index=True),
    _number("mid", index=True),
    _number("icid"),
    _text("peer"),
    _text("peer_name"),
    _text("listener"),
    _text("sender_group"),
    _text("sender"),
    _text("recipients"),
    _text("subject"),
    _text("message_id"),
    _text("encrypted"),
    _text("detail"),
)

outcomes = sa.Table(
    "outcomes",
    metadata,
    _id(),
    _time(),
    _number("mid", index=True),
    _number("rid"),
    _number("dcid"),
    _text("outcome"),
    _text("address"),
    _text("detail"),
)


def _key(name: str, kind: type[sa.types.TypeEngine[Any]]) -> sa.Column[Any]:
    return sa.Column(name, kind, primary_key=True, autoincrement=False)


tls_hours = sa.Table(
    "tls_hours",
    metadata,
    _key("direction", sa.Text),
    _key("hour", sa.Integer),
    _key("requirement", sa.Text),
    _key("encrypted", sa.Boolean),
    _key("failed", sa.Boolean),
    _key("protocol", sa.Text),
    _key("cipher", sa.Text),
    _key("key_exchange", sa.Text),
    _number("connections"),
    _number("messages"),
    sqlite_with_rowid=False,
)
"""Connections by hour since the epoch."""


def _counts() -> list[sa.Column[Any]]:
    names = ("connections", "required_ok", "required_failed", "preferred_ok", "preferred_failed", "plain")
    counts = [_number(name) for name in (*names, "messages", "encrypted_messages")]
    return [*counts, _time("failed_at"), _text("failure")]


tls_groups = sa.Table(
    "tls_groups",
    metadata,
    _key("direction", sa.Text),
    _key("day", sa.Integer),
    _key("listener", sa.Text),
    _key("name", sa.Text),
    *_counts(),
    sqlite_with_rowid=False,
)
"""Connections by day since the epoch (UTC), and sender group or destination control. No failure: 0 and empty."""

tls_parties = sa.Table(
    "tls_parties",
    metadata,
    _key("direction", sa.Text),
    _key("day", sa.Integer),
    _key("name", sa.Text),
    *_counts(),
    sqlite_with_rowid=False,
)
"""The same by day and party."""

gaps = sa.Table(
    "gaps",
    metadata,
    _id(),
    _time("since"),
    _time("until"),
    _number("worker"),
    _number("lost"),
    _text("reason"),
)

writers = sa.Table(
    "writers",
    metadata,
    sa.Column("worker", sa.Integer, primary_key=True, autoincrement=False),
    _time("opened"),
    _time("closed"),
)
"""Who writes: a worker whose row is not closed when it comes back was killed."""

schema = sa.Table("schema", metadata, sa.Column("version", sa.Integer, nullable=False))

_encode = msgspec.json.Encoder().encode


def _detail(record: Record) -> str:
    try:
        return _encode(record).decode()
    except UnicodeEncodeError:  # a lone surrogate somewhere: octets that were not UTF-8
        return _encode(_mended(msgspec.to_builtins(record))).decode()


def _mended(value: object) -> object:
    """`value` with everything escaped that no database takes."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {key: _mended(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_mended(item) for item in value]
    return value


def kept(text: str) -> str:
    """`text` in its own case, without what no database takes."""
    if text.isascii():
        return text if "\0" not in text else text.replace("\0", "\\0")
    return text.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()


def folded(text: str) -> str:
    """`text` as the searched columns hold it: lower case, no NUL (PostgreSQL takes none), no lone surrogate."""
    if text.isascii():
        return text.lower() if "\0" not in text else text.lower().replace("\0", "\\0")
    return text.lower().replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()


def party(record: TlsRecord) -> str:
    """Whose connection it is: a destination domain, or the domain that a client's verified name stands in.

    That is the name without its first label, where two or more are left: `mx1.partner.example` is of `partner.example`.
    """
    if record.direction == "out":
        return folded(record.domain)
    name = folded(record.peer_name)
    rest = name.partition(".")[2]
    return rest if "." in rest else name


def tls_row(record: TlsRecord) -> Row:
    """The row of `tls_connections`, in the order of its columns but the id."""
    outcome = record.outcome
    return (
        record.time,
        record.connection,
        record.direction,
        folded(record.peer),
        folded(record.peer_name),
        record.listener,
        party(record),
        folded(record.rule),
        record.requirement,
        outcome is not None,
        bool(record.failure),
        record.verified,
        outcome.protocol if outcome else "",
        outcome.cipher if outcome else "",
        outcome.group if outcome else "",
        record.messages,
        _detail(record),
    )


def message_row(record: MessageRecord) -> Row:
    """The row of `messages`, in the order of its columns but the id."""
    return (
        record.time,
        record.mid,
        record.icid,
        folded(record.peer),
        folded(record.peer_name),
        record.listener,
        record.group,
        folded(record.reverse_path),
        folded("\n".join(("", *record.recipients, ""))),  # a line end on both sides of each: whole addresses can be told
        folded(record.subject[:SUBJECT_LIMIT]),
        folded(record.message_id),
        record.encrypted,
        _detail(record),
    )


def outcome_row(record: OutcomeRecord) -> Row:
    """The row of `outcomes`, in the order of its columns but the id."""
    return (
        record.time,
        record.mid,
        record.rid,
        record.dcid,
        record.outcome,
        folded(record.address),
        _detail(record),
    )
