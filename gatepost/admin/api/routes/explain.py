"""/explain, /trace: why a connection or a message gets what it gets; nothing is changed or sent."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar.params import JSONBody, QueryParameter

from gatepost.admin.api.caller import Caller
from gatepost.admin.api.problems import Fault, Refused
from gatepost.admin.api.routing import MAX_NUMBER, Body, acts, reads
from gatepost.admin.operations import explain_in, explain_out, offers
from gatepost.admin.operations.explanation import Inbound, Outbound
from gatepost.admin.operations.trace import Message, Trace
from gatepost.admin.operations.trace import trace as follow
from gatepost.config.paths import did_you_mean

TAGS = ["Explain"]


class Traced(Body, frozen=True, kw_only=True):
    """The message to follow."""

    address: str
    """Of the connecting host."""
    sender: str
    """Empty: the null reverse-path."""
    recipients: Annotated[list[str], msgspec.Meta(min_length=1, max_length=1000)]
    name: str = ""
    """Verified name of the host; empty: it is looked up."""
    listener: str = ""
    """Empty: the first public one."""
    hello: str = "unknown"
    message: str = ""
    """Header and body."""
    draft: bool = True


@reads("/explain/in", tags=TAGS)
def inbound(
    caller: Caller,
    host: str,
    name: str = "",
    sender: str | None = None,
    recipient: str = "",
    listener: str = "",
    offer: Annotated[str, QueryParameter(description="A client on record, such as postfix.")] = "",
    icid: Annotated[
        int | None, QueryParameter(ge=1, le=MAX_NUMBER, description="Take the offer of a recorded session.")
    ] = None,
    draft: bool = False,
) -> Inbound:
    """What a connecting host gets, which cipher and why, and what the draft would change of it."""
    known = [one.client for one in offers.on_record()]
    if offer and offer not in known:  # the command line takes a file as well, which a program elsewhere has no business with
        fault = Fault(path="offer", value=offer[:60], wrong="is no client on record", mend=did_you_mean(offer, known))
        raise Refused(422, f"{offer[:60]!r} is no client on record: {fault.mend}", [fault])
    return explain_in.inbound(
        caller.operator,
        host,
        name=name,
        sender=sender,
        recipient=recipient,
        listener=listener,
        offer=offer,
        icid=icid,
        draft=draft,
    )


@reads("/explain/out", tags=TAGS)
def outbound(caller: Caller, domain: str, draft: bool = False) -> Outbound:
    """How mail to a domain is delivered: control, route, TLS, ciphers, retries, and what the draft would change."""
    return explain_out.outbound(caller.operator, domain, draft=draft)


@acts("/trace", role="read-only", tags=TAGS)
def trace(caller: Caller, data: JSONBody[Traced]) -> Trace:
    """Follow one message through the tables, by default those of the draft."""
    return follow(
        caller.operator,
        data.address,
        sender=data.sender,
        recipients=data.recipients,
        name=data.name,
        listener=data.listener,
        message=Message(hello=data.hello, text=data.message),
        draft=data.draft,
    )


HANDLERS = (inbound, outbound, trace)
