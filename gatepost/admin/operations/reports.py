"""Reports: connections over time, which TLS they got, and with whom. From the counts that are kept beside the records."""

from __future__ import annotations

import time
from collections import Counter
from typing import Literal

import msgspec

from gatepost.admin.operations.operator import Operator
from gatepost.errors import GatepostError
from gatepost.records.reports import BOTH, By, Count, Kind, Order, Party, Reports
from gatepost.records.search import Gap, RecordSearch, Sessions
from gatepost.records.summary import DAY, HOUR
from gatepost.records.tls_record import TlsRecord

Direction = Literal["in", "out"]
PAGE = 50
"""Rows of one page of a table."""
MAX_PAGE = 200
"""How far a table is paged through: what comes later is found by a narrower question."""
HYBRID = "MLKEM"
"""What the names of hybrid post-quantum groups hold (draft-ietf-tls-ecdhe-mlkem)."""


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """A time that a report is about: whole days (UTC), the last of them today."""

    label: str
    days: int

    @property
    def step(self) -> int:
        """Seconds of one point of its chart."""
        return HOUR if self.days <= 2 else DAY


SPANS = {
    "day": Span(label="Since yesterday", days=2),
    "week": Span(label="7 days", days=7),
    "month": Span(label="30 days", days=30),
    "quarter": Span(label="90 days", days=90),
}


class Point(msgspec.Struct, kw_only=True):
    """One hour or day of a chart."""

    time: int
    """When it begins."""
    connections: int = 0
    encrypted: int = 0
    """Connections."""
    plain: int = 0
    messages: int = 0
    encrypted_messages: int = 0
    required_ok: int = 0
    required_failed: int = 0
    preferred_ok: int = 0
    preferred_failed: int = 0

    def add(self, one: Count) -> None:
        """Count connections in; failed are those of which TLS was tried and not enough, whatever they carried then."""
        self.connections += one.connections
        self.messages += one.messages
        if one.encrypted:
            self.encrypted += one.connections
            self.encrypted_messages += one.messages
        else:
            self.plain += one.connections
        if one.requirement == "no" or not (one.encrypted or one.failed):
            return
        if one.requirement == "required":
            self.required_failed += one.connections * one.failed
            self.required_ok += one.connections * (not one.failed)
        else:
            self.preferred_failed += one.connections * one.failed
            self.preferred_ok += one.connections * (not one.failed)

    @property
    def attempted(self) -> int:
        """Connections on which TLS was tried because a policy asks for it."""
        return self.required_ok + self.required_failed + self.preferred_ok + self.preferred_failed


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """Connections over time."""

    points: list[Point]
    total: Point


class Negotiated(msgspec.Struct, frozen=True, kw_only=True):
    """How many encrypted connections share something: a version, a suite or a group."""

    name: str
    connections: int
    share: float
    """Of all encrypted ones, 0 to 1."""


class Shares(msgspec.Struct, frozen=True, kw_only=True):
    """Which TLS was negotiated."""

    versions: list[Negotiated]
    suites: list[Negotiated]
    groups: list[Negotiated]
    hybrid: float
    """The share of encrypted connections with a hybrid post-quantum key exchange, 0 to 1."""
    connections: int


class TlsReport(msgspec.Struct, frozen=True, kw_only=True):
    """Monitor > TLS Connections, one half."""

    series: Series
    shares: Shares
    groups: list[Party]
    parties: list[Party]
    more: bool
    """There are more parties than are told."""
    gaps: list[Gap]
    """Times of which it is incomplete."""


class SessionPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some of the connections that were asked for, newest first."""

    sessions: list[TlsRecord]
    more: bool


def span_named(name: str) -> Span:
    """Return a span; GatepostError for one that there is not."""
    if name not in SPANS:
        raise GatepostError(f"there is no time {name!r}: one of {', '.join(SPANS)}")
    return SPANS[name]


def begin(span: Span, now: float) -> float:
    """Return when a span begins that ends now."""
    return (now // DAY - span.days + 1) * DAY


def tls_report(
    operator: Operator, direction: Direction, span: Span, *, find: str = "", order: Order = "connections", page: int = 1
) -> TlsReport:
    """Return the report for one direction: over time, by TLS, by sender group or destination control, and by domain."""
    found, now = _reports(operator), time.time()
    since = begin(span, now)
    rows = found.parties(
        direction, since, now, find=find.strip(), order=order, limit=PAGE + 1, offset=(_page(page) - 1) * PAGE
    )
    return TlsReport(
        series=_series(found.counts(since, now, step=span.step, of=(direction,)), since, now, span.step),
        shares=_shares(found.kinds(since, now, of=(direction,))),
        groups=found.parties(direction, since, now, by="group", limit=PAGE),
        parties=rows[:PAGE],
        more=len(rows) > PAGE,
        gaps=RecordSearch(operator.state).gaps(since),
    )


def sessions(operator: Operator, wanted: Sessions, *, page: int = 1) -> SessionPage:
    """Return the single connections behind a row of the report."""
    operator.require()
    found = RecordSearch(operator.state).sessions(wanted, limit=PAGE + 1, offset=(_page(page) - 1) * PAGE)
    return SessionPage(sessions=found[:PAGE], more=len(found) > PAGE)


def series(operator: Operator, span: Span, direction: Direction | None = None) -> Series:
    """Return connections over time, of both directions unless one is named."""
    now = time.time()
    since = begin(span, now)
    of = BOTH if direction is None else (direction,)
    return _series(_reports(operator).counts(since, now, step=span.step, of=of), since, now, span.step)


def shares(operator: Operator, span: Span) -> Shares:
    """Return which TLS was negotiated, in both directions."""
    now = time.time()
    return _shares(_reports(operator).kinds(begin(span, now), now))


def failing(operator: Operator, direction: Direction, *, by: By = "domain", limit: int = 5) -> list[Party]:
    """Return those with whom TLS has failed since yesterday, most failures first."""
    now = time.time()
    rows = _reports(operator).parties(direction, begin(SPANS["day"], now), now, by=by, order="failed", limit=limit)
    return [row for row in rows if row.failed]


def _reports(operator: Operator) -> Reports:
    operator.require()
    return Reports(operator.state)


def _page(page: int) -> int:
    return min(max(page, 1), MAX_PAGE)


def _series(counts: list[Count], since: float, until: float, step: int) -> Series:
    """Return a point for every hour or day, those without a connection too."""
    points = {when: Point(time=when) for when in range(int(since // step) * step, int(until) + 1, step)}
    total = Point(time=int(since))
    for one in counts:
        if one.time in points:
            points[one.time].add(one)
            total.add(one)
    return Series(points=list(points.values()), total=total)


def _shares(kinds: list[Kind]) -> Shares:
    total = sum(kind.connections for kind in kinds)
    hybrid = sum(kind.connections for kind in kinds if HYBRID in kind.key_exchange.upper())

    def told(names: list[str]) -> list[Negotiated]:
        counted = Counter[str]()
        for name, kind in zip(names, kinds, strict=True):
            counted[name] += kind.connections
        return [Negotiated(name=name, connections=count, share=count / total) for name, count in counted.most_common()]

    return Shares(
        versions=told([kind.protocol for kind in kinds]),
        suites=told([kind.cipher for kind in kinds]),
        groups=told([kind.key_exchange or "not told (plain RSA)" for kind in kinds]),
        hybrid=hybrid / total if total else 0.0,
        connections=total,
    )
