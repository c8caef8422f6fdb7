"""/partner: what the DNS says of a domain, what would make TLS a must with it, and putting that into the draft."""

from __future__ import annotations

from typing import Literal

import msgspec
from litestar import Response
from litestar.params import JSONBody

from gatepost.admin.api.caller import Caller, IfMatch
from gatepost.admin.api.jobs import ACCEPTED, Told, answered, result
from gatepost.admin.api.routing import Body, acts, edits
from gatepost.admin.operations import partner
from gatepost.admin.operations.configuration import Pending
from gatepost.admin.operations.partner import TLS_POLICY, Findings, Proposal
from gatepost.config.diff import Change
from gatepost.config.model import InboundTls, OutboundTls

TAGS = ["Partner"]


class Domain(Body, frozen=True, kw_only=True):
    """The partner."""

    domain: str
    listener: str = ""
    """Empty: the first public one."""


class Wanted(Body, frozen=True, kw_only=True):
    """What to put into the draft: a proposal as it was found, or changed."""

    listener: str
    method: Literal["hosts", "senders"]
    members: list[str]
    group: str
    before: str = ""
    policy: str = TLS_POLICY
    inbound_tls: InboundTls = "required"
    outbound_tls: OutboundTls = "required"
    domain: str

    def proposal(self) -> Proposal:
        """Return it for the verbs."""
        return Proposal(**msgspec.structs.asdict(self))


@acts("/partner/look", role="read-only", tags=TAGS, responses=ACCEPTED)
async def look(caller: Caller, data: JSONBody[Domain]) -> Response[Findings]:
    """Look a partner up: MX, SPF, names, what the gateway does with its hosts today, and a proposal."""

    def work(told: Told) -> Findings:
        return partner.look(caller.operator, data.domain, listener=data.listener)

    return await answered(caller, "partner", caller.operator, work)


@acts("/partner/preview", role="read-only", tags=TAGS)
def preview(caller: Caller, data: JSONBody[Wanted]) -> list[Change]:
    """What a proposal would change in the draft."""
    return partner.preview(caller.operator, data.proposal())


@edits("/partner/apply", tags=TAGS)
def apply(caller: Caller, data: JSONBody[Wanted], if_match: IfMatch = None) -> Response[Pending]:
    """Put a proposal into the draft."""
    made = partner.apply(caller.editing(if_match), data.proposal())
    caller.tell(f"put partner {data.domain} into the draft")
    return result(made)


HANDLERS = (look, preview, apply)
