"""/messages, /connections: what is on record of mail and of TLS."""

from __future__ import annotations

from typing import Literal

from gatepost.admin.api.caller import Caller
from gatepost.admin.api.problems import absent
from gatepost.admin.api.routing import Days, Limit, Number, reads
from gatepost.admin.operations import records
from gatepost.records.message_record import MessageRecord
from gatepost.records.search import Gap, Tracked
from gatepost.records.tls_record import TlsRecord

TAGS = ["Records"]


@reads("/messages", tags=TAGS)
def messages(
    caller: Caller,
    sender: str | None = None,
    recipient: str | None = None,
    subject: str | None = None,
    message_id: str | None = None,
    peer: str | None = None,
    days: Days = 0,
    limit: Limit = 100,
) -> list[MessageRecord]:
    """Messages for which all that is given holds, newest first."""
    return records.search(
        caller.operator,
        sender=sender,
        recipient=recipient,
        subject=subject,
        message_id=message_id,
        peer=peer,
        days=days,
        limit=limit,
    )


@reads("/messages/{mid:int}", tags=TAGS)
def message(caller: Caller, mid: Number) -> Tracked:
    """Everything on record about one message: how it came, what became of it, the connections it went by."""
    with absent():
        return records.message(caller.operator, mid)


@reads("/connections", tags=TAGS)
def connections(
    caller: Caller,
    direction: Literal["in", "out"] | None = None,
    domain: str | None = None,
    peer: str | None = None,
    failed: bool = False,
    days: Days = 0,
    limit: Limit = 100,
) -> list[TlsRecord]:
    """TLS records, newest first: what each connection got, and why."""
    return records.tls(caller.operator, direction=direction, domain=domain, peer=peer, failed=failed, days=days, limit=limit)


@reads("/connections/in/{icid:int}", tags=TAGS)
def inbound(caller: Caller, icid: Number) -> TlsRecord:
    """The record of one connection that came in."""
    with absent():
        return records.connection(caller.operator, "in", icid)


@reads("/connections/out/{dcid:int}", tags=TAGS)
def outbound(caller: Caller, dcid: Number) -> TlsRecord:
    """The record of one connection that went out."""
    with absent():
        return records.connection(caller.operator, "out", dcid)


@reads("/records/gaps", tags=TAGS)
def gaps(caller: Caller, days: Days = 0) -> list[Gap]:
    """Times of which records are incomplete, and why."""
    return records.gaps(caller.operator, days=days)


HANDLERS = (messages, message, connections, inbound, outbound, gaps)
