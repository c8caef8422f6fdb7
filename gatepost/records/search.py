"""The records database, read: by whoever asks what became of a message or why a connection got what it got.

Blocks while it reads: ask from a thread. A search looks through its time range from the newest row backwards and stops at
`limit`; giving `since` bounds it.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any, Literal, TypeVar

import msgspec
import sqlalchemy as sa

from gatepost.records.message_record import MessageRecord, OutcomeRecord
from gatepost.records.reading import Reader
from gatepost.records.tables import folded, gaps, messages, outcomes, tls_connections
from gatepost.records.tls_record import TlsRecord

Kind = TypeVar("Kind", MessageRecord, OutcomeRecord, TlsRecord)
Condition = sa.ColumnElement[bool]


class Tracked(msgspec.Struct, frozen=True, kw_only=True):
    """Everything on record about one message."""

    message: MessageRecord | None
    """None: lost in a gap, although outcomes are there."""
    outcomes: tuple[OutcomeRecord, ...]
    connections: tuple[TlsRecord, ...]
    """The inbound one first, then those that it went out by."""


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """A time of which records are incomplete."""

    since: float
    until: float
    worker: int
    lost: int
    """0: nobody knows how many."""
    reason: str


class Sessions(msgspec.Struct, frozen=True, kw_only=True):
    """Which connections are meant: all that is given holds."""

    direction: Literal["in", "out"]
    since: float = 0.0
    until: float | None = None
    party: str | None = None
    """As the report names it; empty: connections of nobody who has a name."""
    group: str | None = None
    """Sender group, or destination control."""
    listener: str | None = None
    """Of the sender group: two listeners may have groups of one name."""
    failed: bool = False
    """Only those of which TLS failed."""

    def statement(self, limit: int, offset: int) -> sa.Select[Any]:
        """Return the question."""
        found = tls_connections.c
        where = [*_between(found.time, self.since, self.until), found.direction == self.direction]
        if self.party is not None:
            where.append(found.domain == folded(self.party))
        if self.group is not None:
            rule = folded(self.group)
            inside = sa.and_(found.rule >= f"{rule}: ", found.rule < f"{rule}:!")  # `!` follows the blank
            where.append(inside if self.direction == "in" else found.rule == rule)
        if self.listener is not None:
            where.append(found.listener == self.listener)
        if self.failed:
            where.append(found.failed)
        return sa.select(found.detail).where(*where).order_by(found.time.desc(), found.id.desc()).limit(limit).offset(offset)


class RecordSearch(Reader):
    """Questions about single messages and connections."""

    def message(self, mid: int) -> Tracked | None:
        """Everything about one message, or None."""
        told = self._ask(MessageRecord, messages, messages.c.mid == mid, limit=1)
        became = self._ask(OutcomeRecord, outcomes, outcomes.c.mid == mid, limit=-1)[::-1]
        if not told and not became:
            return None
        ways = [self.tls_by_id("in", told[0].icid)] if told and told[0].icid else []
        ways += [self.tls_by_id("out", dcid) for dcid in dict.fromkeys(one.dcid for one in became if one.dcid)]
        connections = tuple(way for way in ways if way is not None)
        return Tracked(message=told[0] if told else None, outcomes=tuple(became), connections=connections)

    def last_message(self) -> MessageRecord | None:
        """The newest message, or None."""
        found = self.track(limit=1)
        return found[0] if found else None

    def track(
        self,
        *,
        sender: str | None = None,
        recipient: str | None = None,
        subject: str | None = None,
        message_id: str | None = None,
        peer: str | None = None,
        since: float = 0.0,
        until: float | None = None,
        limit: int = 100,
        offset: int = 0,
    ) -> list[MessageRecord]:
        """Messages for which all that is given holds, newest first; `sender` `<>` or empty is the null reverse-path.

        A whole address or IP address must be equal; anything else must be contained. Case does not matter.
        """
        found = messages.c
        where = [*_between(found.time, since, until)]
        if sender is not None:
            where.append(_address(found.sender, sender, whole="{}"))
        if recipient is not None:
            where.append(_address(found.recipients, recipient, whole="\n{}\n"))
        if subject is not None:
            where.append(found.subject.contains(folded(subject), autoescape=True))
        if message_id is not None:
            where.append(found.message_id.contains(folded(message_id), autoescape=True))
        if peer is not None:
            where.append(_peer(found.peer, found.peer_name, peer))
        return self._ask(MessageRecord, messages, *where, order=found.time, limit=limit, offset=offset)

    def tls(
        self,
        *,
        direction: Literal["in", "out"] | None = None,
        domain: str | None = None,
        peer: str | None = None,
        since: float = 0.0,
        until: float | None = None,
        failures_only: bool = False,
        limit: int = 100,
    ) -> list[TlsRecord]:
        """Connections for which all that is given holds, newest first; `domain` holds for its subdomains too."""
        found = tls_connections.c
        where = [*_between(found.time, since, until)]
        if direction is not None:
            where.append(found.direction == direction)
        if domain is not None:
            name = folded(domain).lstrip(".")
            inside = [column.endswith("." + name, autoescape=True) for column in (found.domain, found.peer_name)]
            where.append(sa.or_(found.domain == name, found.peer_name == name, *inside))
        if peer is not None:
            where.append(_peer(found.peer, found.peer_name, peer))
        if failures_only:
            where.append(found.failed)
        return self._ask(TlsRecord, tls_connections, *where, order=found.time, limit=limit)

    def sessions(self, wanted: Sessions, *, limit: int = 100, offset: int = 0) -> list[TlsRecord]:
        """Connections of one party or one rule, newest first; looks at an index alone until it knows which they are."""
        return [msgspec.json.decode(row.detail, type=TlsRecord) for row in self.rows(wanted.statement(limit, offset))]

    def tls_by_id(self, direction: Literal["in", "out"], connection: int) -> TlsRecord | None:
        """The connection of this ICID (`in`) or DCID (`out`), or None."""
        found = tls_connections.c
        records = self._ask(
            TlsRecord, tls_connections, found.connection == connection, found.direction == direction, limit=1
        )
        return records[0] if records else None

    def gaps(self, since: float = 0.0) -> list[Gap]:
        """Times of which records are incomplete, newest first."""
        rows = self.rows(sa.select(gaps).where(gaps.c.until >= since).order_by(gaps.c.id.desc()))
        return [Gap(since=row.since, until=row.until, worker=row.worker, lost=row.lost, reason=row.reason) for row in rows]

    def _ask(
        self,
        kind: type[Kind],
        table: sa.Table,
        *where: Condition,
        limit: int,
        offset: int = 0,
        order: sa.Column[Any] | None = None,
    ) -> list[Kind]:
        key = table.c.id if order is None else order
        statement = sa.select(table.c.detail).where(*where).order_by(key.desc(), table.c.id.desc())
        rows = self.rows(statement if limit < 0 else statement.limit(limit).offset(offset))
        return [msgspec.json.decode(row.detail, type=kind) for row in rows]


def _between(column: sa.Column[Any], since: float, until: float | None) -> list[Condition]:
    return [column >= since] if until is None else [column >= since, column < until]


def _address(column: sa.Column[Any], value: str, whole: str) -> Condition:
    """`ann@example.com` is meant as a whole, `@example.com` or `ann` as a part; `<>` is the null reverse-path."""
    wanted = folded(value.removeprefix("<").removesuffix(">"))
    if not wanted:
        return column == whole.format("")
    if "@" in wanted.strip("@"):
        return column.contains(whole.format(wanted), autoescape=True) if "\n" in whole else column == wanted
    return column.contains(wanted, autoescape=True)


def _peer(address: sa.Column[Any], name: sa.Column[Any], value: str) -> Condition:
    """`192.0.2.1` must not find 192.0.2.10."""
    wanted = folded(value)
    try:
        return address == str(ip_address(wanted))
    except ValueError:
        return sa.or_(address.contains(wanted, autoescape=True), name.contains(wanted, autoescape=True))
