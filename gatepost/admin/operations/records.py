"""What happened, from the records: messages and what became of them, connections and the TLS they got."""

from __future__ import annotations

import time
from typing import Literal

from gatepost.admin.operations.operator import Operator
from gatepost.errors import GatepostError
from gatepost.records.message_record import MessageRecord
from gatepost.records.search import Gap, RecordSearch, Tracked
from gatepost.records.tls_record import TlsRecord

DAY = 86_400


def search(
    operator: Operator,
    *,
    sender: str | None = None,
    recipient: str | None = None,
    subject: str | None = None,
    message_id: str | None = None,
    peer: str | None = None,
    days: float = 0,
    limit: int = 100,
    offset: int = 0,
) -> list[MessageRecord]:
    """Return the messages for which all that is given holds, newest first; `days` looks back no further."""
    return _records(operator).track(
        sender=sender,
        recipient=recipient,
        subject=subject,
        message_id=message_id,
        peer=peer,
        since=_since(days),
        limit=limit,
        offset=offset,
    )


def message(operator: Operator, mid: int) -> Tracked:
    """Return everything on record about one message."""
    found = _records(operator).message(mid)
    if found is None:
        raise GatepostError(
            f"MID {mid} is not on record: records are written some moments after a message came, and kept for a time only; "
            "the gaps of the records tell where some are missing"
        )
    return found


def tls(
    operator: Operator,
    *,
    direction: Literal["in", "out"] | None = None,
    domain: str | None = None,
    peer: str | None = None,
    failed: bool = False,
    days: float = 0,
    limit: int = 100,
) -> list[TlsRecord]:
    """Return the connections for which all that is given holds, newest first."""
    return _records(operator).tls(
        direction=direction, domain=domain, peer=peer, failures_only=failed, since=_since(days), limit=limit
    )


def connection(operator: Operator, direction: Literal["in", "out"], number: int) -> TlsRecord:
    """Return the record of one connection, by its ICID or DCID."""
    found = _records(operator).tls_by_id(direction, number)
    if found is None:
        kind = "ICID" if direction == "in" else "DCID"
        raise GatepostError(
            f"{kind} {number} is not on record: the list of TLS connections has those that are, "
            "the gaps of the records tell where some are missing"
        )
    return found


def gaps(operator: Operator, *, days: float = 0) -> list[Gap]:
    """Return the times of which records are incomplete, newest first."""
    return _records(operator).gaps(_since(days))


def _records(operator: Operator) -> RecordSearch:
    operator.require()
    return RecordSearch(operator.state)


def _since(days: float) -> float:
    return time.time() - days * DAY if days else 0.0
