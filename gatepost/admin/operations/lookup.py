"""One question to the DNS, asked of the resolvers that the gateway asks; for administrators, not for mail."""

from __future__ import annotations

import asyncio
import ipaddress
from typing import Literal, get_args

import dns.name
import dns.reversename
import msgspec
from dns.rdatatype import RdataType

from gatepost.admin.operations.drafts import current
from gatepost.admin.operations.operator import Operator
from gatepost.errors import GatepostError
from gatepost.net.dns import NxDomain, to_name
from gatepost.net.dns_query import Query, State, parse_server, system_servers

Kind = Literal["A", "AAAA", "CNAME", "MX", "NS", "PTR", "SOA", "TLSA", "TXT"]
KINDS: tuple[Kind, ...] = get_args(Kind)


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the DNS says."""

    name: str
    kind: Kind
    records: list[str]
    """As a zone file writes them, sorted; empty where there is none."""
    ttl: int
    """Seconds for which the answer may be kept."""
    secure: bool
    """The resolver validated it (DNSSEC)."""
    servers: list[str]
    """Whom was asked."""
    fault: str = ""
    """Why there is no record: `NXDomain`, `no such record`, or what kept the resolvers from answering."""


def lookup(operator: Operator, name: str, kind: Kind) -> Answer:
    """Ask for the records of one type; an IP address is looked up by its reverse name, whatever the type.

    GatepostError for what is no name. That a name does not exist is an answer.
    """
    asked, kind = _name(name, kind)
    servers = [parse_server(text) for text in current(operator).gateway.dns_servers] or system_servers()
    outcome = asyncio.run(Query(servers).ask(asked, RdataType[kind]))
    return Answer(
        name=asked.to_text(omit_final_dot=True),
        kind=kind,
        records=sorted(record.to_text() for record in outcome.records),
        ttl=int(outcome.ttl),
        secure=outcome.secure,
        servers=[f"{server.address}:{server.port}" for server in servers],
        fault="" if outcome.state is State.FOUND else outcome.text,
    )


def read_kind(text: str) -> Kind:
    """Return a type of record, in whatever case it is written."""
    for kind in KINDS:
        if text.upper() == kind:
            return kind
    raise GatepostError(f"{text!r} is not a type that can be asked for: there is {', '.join(KINDS)}")


def _name(text: str, kind: Kind) -> tuple[dns.name.Name, Kind]:
    try:
        address = ipaddress.ip_address(text.strip().removeprefix("[").removesuffix("]"))
    except ValueError:
        pass
    else:
        return dns.reversename.from_address(str(address)), "PTR"
    try:
        return to_name(text.strip()), kind
    except NxDomain as fault:
        raise GatepostError(str(fault)) from None
