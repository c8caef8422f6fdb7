"""How the gateway stands: what it does now, what it did lately, and what needs somebody's attention."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Literal

import msgspec

from gatepost.admin.operations import queue, reports, service
from gatepost.admin.operations.operator import Operator
from gatepost.admin.operations.reports import Series, Shares, Span
from gatepost.admin.operations.service import Status
from gatepost.admin.operations.stores import load
from gatepost.config.checks import certificates
from gatepost.errors import GatepostError
from gatepost.records.search import RecordSearch
from gatepost.records.summary import DAY

About = Literal["service", "certificate", "inbound", "outbound", "queue", "delivery", "listener", "records"]


class Attention(msgspec.Struct, frozen=True, kw_only=True):
    """Something that somebody should look at."""

    about: About
    text: str
    subject: str = ""
    """The domain that it is about."""


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """The gateway at a glance."""

    status: Status | None
    """None: it does not run, and `attention` says so."""
    inbound: Series
    outbound: Series
    shares: Shares
    attention: list[Attention]


def overview(operator: Operator, span: Span) -> Overview:
    """Return how the gateway stands; what cannot be asked because nothing runs is told, not raised."""
    attention: list[Attention] = []
    status: Status | None = None
    try:
        status = service.status(operator)
        attention += _service(status)
        attention += _held(operator)
    except GatepostError as fault:
        attention.append(Attention(about="service", text=str(fault)))
    attention += _certificates(operator)
    attention += _failing(operator)
    attention += _gaps(operator)
    return Overview(
        status=status,
        inbound=reports.series(operator, span, "in"),
        outbound=reports.series(operator, span, "out"),
        shares=reports.shares(operator, span),
        attention=attention,
    )


def _service(status: Status) -> list[Attention]:
    told = [
        Attention(about="service", text=f"Worker {worker.index} does not serve: {worker.reason or 'no reason is known'}")
        for worker in status.workers
        if not worker.up
    ]
    told += [
        Attention(about="service", text=f"Worker {worker.index} takes no new mail: {worker.lack}")
        for worker in status.workers
        if worker.lack
    ]
    told += [
        Attention(about="listener", text=f"Listener {listener.name} is suspended: it answers 421 to everybody")
        for listener in status.listeners
        if listener.suspended
    ]
    if status.deliveries_suspended:
        told.append(Attention(about="delivery", text="Delivery is suspended: mail is accepted and waits"))
    return told


def _held(operator: Operator) -> list[Attention]:
    """Mail that waits for an operator, and mail that waits for destinations with which TLS has failed lately."""
    waiting = queue.listing(operator, limit=1)
    told = []
    if waiting.out_of_reach:
        told.append(Attention(about="queue", text=f"A part of the queue is out of reach: {waiting.out_of_reach}"))
    held = sum(one.held for one in waiting.destinations)
    if held:
        told.append(Attention(about="queue", text=f"{_recipients(held)} for an operator"))
    failing = {party.name: party for party in reports.failing(operator, "out", limit=100)}
    for one in waiting.destinations:
        party = failing.get(one.destination)
        if party is not None and one.recipients:
            text = f"{_recipients(one.recipients)} for {one.destination}, with whom TLS failed: {party.failure}"
            told.append(Attention(about="outbound", text=text, subject=one.destination))
    return told


def _recipients(number: int) -> str:
    return f"{number} recipient waits" if number == 1 else f"{number} recipients wait"


def _certificates(operator: Operator) -> list[Attention]:
    try:
        config = load(operator).config
    except GatepostError:
        return []  # nothing is committed yet
    return [Attention(about="certificate", text=text) for text in certificates.alarms(config, datetime.now(UTC))]


def _failing(operator: Operator) -> list[Attention]:
    told = []
    ways: tuple[tuple[reports.Direction, About, str], ...] = (("in", "inbound", "from"), ("out", "outbound", "to"))
    for direction, about, way in ways:
        for party in reports.failing(operator, direction):
            times = "once" if party.failed == 1 else f"{party.failed} times"
            who = party.name or "hosts without a verified name"
            text = f"TLS {way} {who} failed {times} since yesterday, last: {party.failure}"
            told.append(Attention(about=about, text=text, subject=party.name))
    return told


def _gaps(operator: Operator) -> list[Attention]:
    found = RecordSearch(operator.state).gaps(time.time() - DAY)
    return [
        Attention(about="records", text=f"The records of the last day are incomplete: {gap.reason}") for gap in found[:1]
    ]
