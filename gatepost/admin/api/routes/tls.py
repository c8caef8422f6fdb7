"""/tls: what cipher strings select and cost, and what TLS the hosts of a domain give."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from litestar import Response
from litestar.params import JSONBody, QueryParameter

from gatepost.admin.api.caller import Caller
from gatepost.admin.api.jobs import ACCEPTED, answered
from gatepost.admin.api.routing import Body, acts, reads
from gatepost.admin.operations import cipher_list, ciphers, costs, tls_verify
from gatepost.admin.operations.cipher_list import Listed
from gatepost.admin.operations.ciphers import Judgement, Suite
from gatepost.admin.operations.costs import Costs
from gatepost.admin.operations.tls_verify import Verified

TAGS = ["TLS"]
Method = Literal["TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"]


class CipherString(Body, frozen=True, kw_only=True):
    """A cipher string, and the profile that is to have it."""

    spec: Annotated[str, msgspec.Meta(max_length=10_000)]
    methods: Annotated[tuple[Method, ...], msgspec.Meta(max_length=4)] = ("TLSv1.2", "TLSv1.3")
    certificates: list[str] | None = None
    """Names in the draft; null: all that a listener shows."""


class Asked(Body, frozen=True, kw_only=True):
    """Whose hosts are asked."""

    domain: str
    host: str = ""
    """`host[:port]` to ask in place of the domain's."""
    draft: bool = False


@reads("/tls/suites", tags=TAGS)
def suites(caller: Caller) -> list[Suite]:
    """Every suite that the TLS library has, also those that no profile offers."""
    return ciphers.everything()


@acts("/tls/judge", role="read-only", tags=TAGS)
def judge(caller: Caller, data: JSONBody[CipherString]) -> Judgement:
    """What a cipher string comes to, suite by suite and word by word."""
    return ciphers.judge(caller.operator, data.spec, data.methods, data.certificates)


@reads("/tls/ciphers", tags=TAGS)
def preview(caller: Caller, spec: Annotated[str, QueryParameter(max_length=10_000)]) -> Listed:
    """The suites of a cipher string in the inbound profile, what each costs here, and what clients would get."""
    return cipher_list.verify(caller.operator, spec)


@reads("/tls/costs", tags=TAGS)
def known_costs(caller: Caller) -> Costs | None:
    """What TLS costs on this machine; null: it is not measured yet."""
    return costs.costs(caller.operator)


@acts("/tls/costs", tags=TAGS, responses=ACCEPTED)
async def measure(caller: Caller) -> Response[Costs]:
    """Measure what TLS costs on this machine: fifteen seconds of one core at the lowest priority."""
    caller.tell("measured what TLS costs")
    return await answered(caller, "measure", caller.operator, lambda told: costs.measure(caller.operator, told))


@acts("/tls/verify", tags=TAGS, responses=ACCEPTED)
async def verify(caller: Caller, data: JSONBody[Asked]) -> Response[Verified]:
    """Ask the hosts of a domain for TLS, and say what each destination setting would make of it."""

    def work(told: Any) -> Verified:
        return tls_verify.verify(caller.operator, data.domain, tls_verify.read_host(data.host), draft=data.draft)

    caller.tell(f"asked the hosts of {data.domain} for TLS{f' at {data.host}' if data.host else ''}")
    return await answered(caller, "verify", caller.operator, work)


HANDLERS = (suites, judge, preview, known_costs, measure, verify)
