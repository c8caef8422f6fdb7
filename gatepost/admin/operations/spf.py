"""The hosts that a domain says it sends from (SPF, RFC 7208), as members of a sender group.

A proposal for an administrator, not a judgement of mail: it collects what the record names and says what of it cannot be
turned into networks. Asks the DNS no more often than the RFC allows an evaluation.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

import msgspec
from dns.rdatatype import RdataType
from dns.rdtypes.ANY.TXT import TXT

from gatepost.errors import GatepostError
from gatepost.net.dns import DnsFailure, Resolver, to_name
from gatepost.net.dns_query import Query, State

MAX_LOOKUPS = 10
"""Terms that ask the DNS, in the record and all that it includes (RFC 7208 4.6.4)."""
MAX_MX = 10
_QUALIFIERS = "+-~?"


class Sender(msgspec.Struct, frozen=True):
    """One network that may send, and whose record says so."""

    network: str
    """An address, or a network in CIDR form."""
    by: str
    """The domain whose record names it."""


class Senders(msgspec.Struct, frozen=True, kw_only=True):
    """What an SPF record comes to."""

    record: str
    """The domain's own record; empty: it has none."""
    senders: list[Sender] = []
    shared: list[str] = []
    """Domains outside the asked one whose records are included: providers, who send for others as well."""
    left_out: list[str] = []
    """Sentences about what cannot be turned into networks."""


class _Walk:
    def __init__(self, domain: str, query: Query, resolver: Resolver) -> None:
        self.domain = domain
        self._query, self._resolver = query, resolver
        self._lookups = 0
        self._seen: set[str] = set()
        self.senders: dict[str, str] = {}
        self.shared: dict[str, None] = {}
        self.left_out: list[str] = []

    async def read(self, domain: str) -> str:
        """Follow the record of a domain; return it."""
        if domain in self._seen:
            return ""
        self._seen.add(domain)
        record = await self._record(domain)
        terms = record.split()[1:]
        for term in terms:
            await self._term(domain, term)
        has_all = any(term.lstrip(_QUALIFIERS).lower() == "all" for term in terms)
        for term in terms:
            if term.lower().startswith("redirect=") and not has_all:  # RFC 7208 6.1
                await self._follow(term[9:], domain)
        return record

    async def _record(self, domain: str) -> str:
        try:
            outcome = await self._query.ask(to_name(domain), RdataType.TXT)
        except DnsFailure as fault:
            self.left_out.append(str(fault))
            return ""
        if outcome.state is State.TEMPORARY:
            self.left_out.append(f"the SPF record of {domain} could not be looked up: {outcome.text}")
            return ""
        texts = [b"".join(row.strings).decode("ascii", "replace") for row in outcome.records if isinstance(row, TXT)]
        found = [text for text in texts if text.lower() == "v=spf1" or text.lower().startswith("v=spf1 ")]
        if len(found) > 1:
            self.left_out.append(f"{domain} has {len(found)} SPF records, which is a fault of theirs (RFC 7208 4.5)")
            return ""
        return found[0] if found else ""

    async def _term(self, domain: str, term: str) -> None:
        qualifier = term[0] if term[0] in _QUALIFIERS else "+"
        name, argument = _split(term.removeprefix(qualifier))
        if qualifier != "+" or name == "all" or "=" in term:
            return
        match name:
            case "ip4" | "ip6":
                self._network(domain, argument, term)
            case "include":
                await self._follow(argument, domain)
            case "a" | "mx":
                await self._hosts(domain, name, argument, term)
            case _:
                self.left_out.append(f"{term} of {domain} depends on each message and names no network")

    async def _follow(self, target: str, domain: str) -> None:
        if "%" in target:
            self.left_out.append(f"include of {target} by {domain} depends on each message and names no network")
        elif self._may_ask(f"include:{target}"):
            if not (target == self.domain or target.endswith(f".{self.domain}")):
                self.shared[target.lower()] = None
            await self.read(target.lower())

    async def _hosts(self, domain: str, kind: str, argument: str, term: str) -> None:
        name, _, length = argument.partition("/")
        if "%" in name or not self._may_ask(term):
            return
        try:
            hosts = [name or domain]
            if kind == "mx":
                hosts = [host.name for host in (await self._resolver.mx(hosts[0])).hosts[:MAX_MX]]
            for host in hosts:
                for address in await self._resolver.addresses(host):
                    four, _, six = length.partition("//")
                    prefix = six if ":" in address else four
                    self._network(domain, f"{address}/{prefix}" if prefix else address, term)
        except DnsFailure as fault:
            self.left_out.append(f"{term} of {domain}: {fault}")

    def _may_ask(self, term: str) -> bool:
        self._lookups += 1
        if self._lookups > MAX_LOOKUPS:
            self.left_out.append(f"{term} was not followed: it is more than {MAX_LOOKUPS} lookups (RFC 7208 4.6.4)")
        return self._lookups <= MAX_LOOKUPS

    def _network(self, domain: str, text: str, term: str) -> None:
        try:
            network = ipaddress.ip_network(text, strict=False)
        except ValueError:
            self.left_out.append(f"{term} of {domain} is not a network")
            return
        if network.prefixlen < (8 if network.version == 4 else 16):
            self.left_out.append(f"{term} of {domain} is far too large to be a partner's hosts")
            return
        shown = str(network.network_address) if network.num_addresses == 1 else str(network)
        self.senders.setdefault(shown, domain)


async def senders(domain: str, servers: Query, resolver: Resolver) -> Senders:
    """Follow the SPF record of a domain. GatepostError when the domain is no name."""
    try:
        to_name(domain)
    except DnsFailure as fault:
        raise GatepostError(str(fault)) from None
    walk = _Walk(domain.lower(), servers, resolver)
    record = await walk.read(walk.domain)
    return Senders(record=record, senders=list(_rows(walk)), shared=list(walk.shared), left_out=walk.left_out)


def _rows(walk: _Walk) -> Iterator[Sender]:
    """Yield the networks that no other one holds."""
    networks = [ipaddress.ip_network(text) for text in walk.senders]
    four = list(ipaddress.collapse_addresses(one for one in networks if one.version == 4))
    six = list(ipaddress.collapse_addresses(one for one in networks if one.version == 6))
    for text, by in walk.senders.items():
        network = ipaddress.ip_network(text)
        if network in four or network in six:
            yield Sender(text, by)
    merged: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = [*four, *six]
    for joined in merged:
        shown = str(joined.network_address) if joined.num_addresses == 1 else str(joined)
        if shown not in walk.senders:
            inside = next(by for text, by in walk.senders.items() if _within(text, joined))
            yield Sender(shown, inside)


def _within(text: str, network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    inner = ipaddress.ip_network(text)
    return inner.version == network.version and inner.subnet_of(network)  # type: ignore[arg-type]


def _split(term: str) -> tuple[str, str]:
    """Return a term's name and what follows it; `a/24` has no colon."""
    name, colon, argument = term.partition(":")
    if not colon and "/" in term:
        name, slash, argument = term.partition("/")
        argument = slash + argument
    return name.lower(), argument
