"""Reports over many connections, from the counts that `records.summary` keeps: never from the connections themselves.

Blocks while it reads: ask from a thread.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
import sqlalchemy as sa

from gatepost.records.reading import Reader
from gatepost.records.summary import DAY, HOUR
from gatepost.records.tables import folded, tls_groups, tls_hours, tls_parties

Direction = Literal["in", "out"]
By = Literal["domain", "group"]
Order = Literal["connections", "failed", "plain", "name"]
Of = tuple[Direction, ...]
BOTH: Of = ("in", "out")
MAX_DAYS = 100
COUNTS = (
    "connections",
    "required_ok",
    "required_failed",
    "preferred_ok",
    "preferred_failed",
    "plain",
    "messages",
    "encrypted_messages",
)


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """Connections of some time that are alike."""

    time: int
    """When the hour or the day begins, seconds since the epoch."""
    direction: Direction
    requirement: str
    """`required`, `preferred` or `no`."""
    encrypted: bool
    failed: bool
    connections: int
    messages: int


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """Connections that got the same TLS."""

    direction: Direction
    protocol: str
    cipher: str
    key_exchange: str
    """Empty: plain RSA key exchange, or the library did not tell."""
    connections: int


class Party(msgspec.Struct, frozen=True, kw_only=True):
    """What one domain, sender group or destination control got: a row of the TLS Connections report."""

    listener: str = ""
    """Of a sender group."""
    name: str = ""
    """The domain, the group or the control; empty: hosts without a verified name."""
    connections: int = 0
    required_ok: int = 0
    required_failed: int = 0
    preferred_ok: int = 0
    preferred_failed: int = 0
    plain: int = 0
    """Connections that stayed in the clear."""
    messages: int = 0
    encrypted_messages: int = 0
    failed_at: float = 0.0
    failure: str = ""
    """Why TLS failed last; empty: it did not."""

    @property
    def failed(self) -> int:
        """Connections of which TLS failed."""
        return self.required_failed + self.preferred_failed

    @property
    def attempted(self) -> int:
        """Connections on which TLS was tried."""
        return self.required_ok + self.preferred_ok + self.failed


class Reports(Reader):
    """Questions about connections as a whole; a time between means all of the hours or days (UTC) that it touches."""

    def counts(self, since: float, until: float, *, step: int = HOUR, of: Of = BOTH) -> list[Count]:
        """Return how many connections there were, of each direction and kind, in each hour or day: the oldest first."""
        return [Count(**row._mapping) for row in self.rows(counts(since, until, step, of))]

    def kinds(self, since: float, until: float, *, of: Of = BOTH) -> list[Kind]:
        """Return which TLS was negotiated, the most frequent first."""
        return [Kind(**row._mapping) for row in self.rows(kinds(since, until, of))]

    def parties(
        self,
        direction: Direction,
        since: float,
        until: float,
        *,
        by: By = "domain",
        find: str = "",
        order: Order = "connections",
        limit: int = 50,
        offset: int = 0,
    ) -> list[Party]:
        """Return who connected, those with most of `order` first.

        The order is found by one count of every row of the time, the rest then read for those alone that are told.
        """
        found = self.rows(ranking(direction, since, until, by, find, order).limit(limit).offset(offset))
        if not found:
            return []
        names = [row.name for row in found]
        told = {(row.listener, row.name): row for row in self.rows(details(direction, since, until, by, names))}
        why = {(row.listener, row.name): row.failure for row in self.rows(failures(direction, since, until, by, names))}
        keys = ((row.listener, row.name) for row in found)
        return [Party(**told[key]._mapping, failure=why.get(key, "")) for key in keys if key in told]


def counts(since: float, until: float, step: int, of: Of = BOTH) -> sa.Select[Any]:
    """Return the question that `Reports.counts` asks."""
    found = tls_hours.c
    begins = (found.hour - found.hour % (step // HOUR)) * HOUR
    alike = (begins.label("time"), found.direction, found.requirement, found.encrypted, found.failed)
    asked = sa.select(*alike, *_sums(tls_hours, "connections", "messages")).where(_hours(since, until, of))
    return asked.group_by(*alike).order_by(begins)


def kinds(since: float, until: float, of: Of = BOTH) -> sa.Select[Any]:
    """Return the question that `Reports.kinds` asks."""
    found = tls_hours.c
    alike = (found.direction, found.protocol, found.cipher, found.key_exchange)
    (connections,) = _sums(tls_hours, "connections")
    asked = sa.select(*alike, connections).where(_hours(since, until, of), found.encrypted)
    return asked.group_by(*alike).order_by(connections.desc(), *alike)


def ranking(direction: Direction, since: float, until: float, by: By, find: str, order: Order) -> sa.Select[Any]:
    """Return the question for the names that come first."""
    table, named = _named(by)
    found = table.c
    most: dict[Order, list[sa.ColumnElement[Any]]] = {
        "connections": [],
        "failed": [sa.desc(sa.func.sum(found.required_failed + found.preferred_failed))],
        "plain": [sa.desc(sa.func.sum(found.plain))],
        "name": named,
    }
    where = [found.direction == direction, found.day >= int(since // DAY), found.day <= int(until // DAY)]
    if find:
        where.append(sa.func.lower(found.name).contains(folded(find), autoescape=True))
    busy = sa.desc(sa.func.sum(found.connections))
    return sa.select(*named).where(*where).group_by(*named).order_by(*most[order], busy, *named)


def details(direction: Direction, since: float, until: float, by: By, names: list[str]) -> sa.Select[Any]:
    """Return the question for all counts of these names."""
    table, named = _named(by)
    asked = sa.select(*named, *_sums(table, *COUNTS), sa.func.max(table.c.failed_at).label("failed_at"))
    return asked.where(*_rows(table, direction, since, until, names)).group_by(*named)


def failures(direction: Direction, since: float, until: float, by: By, names: list[str]) -> sa.Select[Any]:
    """Return the question for the reasons of these names' failures, the last one last."""
    table, named = _named(by)
    where = [*_rows(table, direction, since, until, names), table.c.failed_at > 0]
    return sa.select(*named, table.c.failure).where(*where).order_by(table.c.failed_at)


def _named(by: By) -> tuple[sa.Table, list[sa.ColumnElement[Any]]]:
    """Return what a row of the report is named by: groups of two listeners may have one name."""
    if by == "group":
        return tls_groups, [tls_groups.c.listener, tls_groups.c.name]
    return tls_parties, [sa.literal_column("''").label("listener"), tls_parties.c.name]


def _sums(table: sa.Table, *names: str) -> list[sa.Label[int]]:
    return [sa.func.sum(table.c[name]).label(name) for name in names]


def _hours(since: float, until: float, of: Of) -> sa.ColumnElement[bool]:
    """Directions by name: the key begins with them."""
    found = tls_hours.c
    begun = (found.hour >= int(since // HOUR), found.hour <= int(until // HOUR))
    return sa.and_(found.direction.in_(of), *begun)


def _rows(
    table: sa.Table, direction: Direction, since: float, until: float, names: list[str]
) -> list[sa.ColumnElement[bool]]:
    """Rows by their keys; each day of a time that is short enough, for then every row is found by itself."""
    first, last = int(since // DAY), int(until // DAY)
    days = table.c.day.in_(range(first, last + 1)) if last - first <= MAX_DAYS else table.c.day.between(first, last)
    return [table.c.direction == direction, days, table.c.name.in_(names)]
