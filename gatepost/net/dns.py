"""What DNS says about mail: MX, addresses, the verified name of a host, DNS lists. Typed answers, typed failures.

The difference that mail lives on is kept apart by type: `NxDomain` and `NoData` are answers of the domain's owner and may
end in a bounce; `TemporaryDnsFailure` (no answer, SERVFAIL, REFUSED, a bogus signature) never may (RFC 5321 5.1). Loopback
and private addresses are looked up as any other. Decides nothing about mail.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import time
from collections.abc import Sequence
from typing import Literal

import dns.exception
import dns.name
import dns.reversename
import msgspec
from dns.rdatatype import RdataType
from dns.rdtypes.ANY.MX import MX
from dns.rdtypes.ANY.PTR import PTR
from dns.rdtypes.IN.A import A
from dns.rdtypes.IN.AAAA import AAAA

from gatepost.errors import GatepostError
from gatepost.net.dns_query import ATTEMPT_TIMEOUT, Outcome, Query, State, parse_server, remember, system_servers

MAX_HOSTS = 100
"""MX records looked at; a domain with more has other troubles."""
MAX_PTR_NAMES = 10
REVERSE_TIMEOUT = 5.0
"""Seconds a banner may wait for the double lookup."""
SILENCE = 5.0
"""Seconds for which a silent resolver is not asked again on behalf of a banner."""
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_LABEL = re.compile(rb"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")


class DnsFailure(GatepostError):
    """A name could not be resolved."""


class NxDomain(DnsFailure):
    """The name does not exist, or is not a name at all."""


class NoData(DnsFailure):
    """The name exists without a record of the wanted type."""


class TemporaryDnsFailure(DnsFailure):
    """Nobody could say: no answer, SERVFAIL, REFUSED, malformed or bogus."""


_FAILURES = {State.NX_DOMAIN: NxDomain, State.NO_DATA: NoData, State.TEMPORARY: TemporaryDnsFailure}


class MxHost(msgspec.Struct, frozen=True, order=True):
    """One mail exchanger."""

    preference: int
    name: str


class MxAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Where a domain wants its mail (RFC 5321 5.1)."""

    hosts: tuple[MxHost, ...]
    """Lowest preference first; empty for a null MX, or when no record holds a usable host name."""
    secure: bool
    null: bool = False
    """RFC 7505: the domain takes no mail."""
    implicit: bool = False
    """There is no MX record: the domain itself is the host."""


class Addresses(msgspec.Struct, frozen=True):
    """The addresses of a host, IPv6 first."""

    addresses: tuple[str, ...]
    secure: bool


class ReverseName(msgspec.Struct, frozen=True):
    """The double lookup of a connecting address; its fields are those of `policy.verdict.Host`."""

    name: str
    status: Literal["verified", "nx.domain", "serv.fail", "not.double.verified"]


class Resolver:
    """Asks the resolvers of the configuration, those of the system when it names none."""

    def __init__(self, servers: Sequence[str] = (), patience: float = ATTEMPT_TIMEOUT) -> None:
        self._query = Query([parse_server(text) for text in servers] or system_servers(), patience)
        self._hosts: dict[str, tuple[float, ReverseName]] = {}
        self._silent_until = 0.0

    async def mx(self, domain: str) -> MxAnswer:
        """Return the mail exchangers of a domain; raises NxDomain or TemporaryDnsFailure."""
        outcome = await self._query.ask(to_name(domain), RdataType.MX)
        if outcome.state is State.NO_DATA:
            # RFC 5321 5.1: no MX record, so the domain counts as its own host with preference 0.
            return MxAnswer(hosts=(MxHost(0, domain),), secure=outcome.secure, implicit=True)
        _raise_failure(outcome, domain, "MX")
        found = [record for record in outcome.records if isinstance(record, MX)]
        if len(found) == 1 and found[0].exchange == dns.name.root:
            return MxAnswer(hosts=(), secure=outcome.secure, null=True)
        hosts = [MxHost(record.preference, host_name(record.exchange)) for record in found]
        usable = sorted({host for host in hosts if host.name})
        return MxAnswer(hosts=tuple(usable[:MAX_HOSTS]), secure=outcome.secure)

    async def addresses(self, name: str) -> tuple[str, ...]:
        """Return the addresses of a host; raises a DnsFailure."""
        return (await self.secure_addresses(name)).addresses

    async def secure_addresses(self, name: str) -> Addresses:
        """Return the addresses of a host and whether all of them were validated; raises a DnsFailure."""
        asked = to_name(name)
        async with asyncio.TaskGroup() as tasks:
            aaaa = tasks.create_task(self._query.ask(asked, RdataType.AAAA))
            a = tasks.create_task(self._query.ask(asked, RdataType.A))
        outcomes = (aaaa.result(), a.result())
        found = tuple(record.address for outcome in outcomes for record in outcome.records if isinstance(record, (A, AAAA)))
        if not found:
            # One half that could not be asked leaves open whether there is an address: it outweighs the other's NODATA.
            doubt = next((outcome for outcome in outcomes if outcome.state is State.TEMPORARY), outcomes[1])
            _raise_failure(doubt, name, "A")
            raise NoData(f"DNS Hard Error looking up {name} (A):  no such record")
        return Addresses(found, all(outcome.secure for outcome in outcomes))

    async def host(self, address: str) -> ReverseName:
        """Look an address up and its name back (asyncos.md 2.4), within a bounded time; never raises.

        The finding is remembered for as long as all the answers are that it rests on: most connections come from few hosts.
        """
        known = self._hosts.get(address)
        if known is not None and known[0] > time.monotonic():
            return known[1]
        if time.monotonic() < self._silent_until:
            return ReverseName("", "serv.fail")
        try:
            async with asyncio.timeout(REVERSE_TIMEOUT), asyncio.TaskGroup() as tasks:
                probe = tasks.create_task(self._probe())
                found, until = await self._double_lookup(plain_address(address))
                probe.cancel()
        except (TimeoutError, ExceptionGroup):
            return ReverseName("", "serv.fail")
        remember(self._hosts, address, (until, found))
        return found

    async def _probe(self) -> None:
        # A slow zone must not be taken for a dead resolver, nor a dead resolver cost every banner the whole time limit.
        # Any resolver answers for the root from memory; one that does not is left alone for a while.
        # Both halves of the wait together are as long as one server may take to answer one query.
        patience = self._query.patience / 2
        await asyncio.sleep(patience)
        servers = self._query.servers
        for server in servers:
            outcome = await self._query.ask_server(server, dns.name.root, RdataType.NS, patience / len(servers))
            if outcome.answered:
                return
        self._silent_until = time.monotonic() + SILENCE
        raise TemporaryDnsFailure("the resolver does not answer")

    async def _double_lookup(self, wanted: Address) -> tuple[ReverseName, float]:
        """Return the finding, and until when (monotonic time) it may be remembered."""
        reverse, query = dns.reversename.from_address(str(wanted)), self._query
        outcome = await query.ask(reverse, RdataType.PTR)
        until = query.until(reverse, RdataType.PTR)
        if outcome.state is State.TEMPORARY:
            return ReverseName("", "serv.fail"), until
        targets = [host_name(record.target) for record in outcome.records if isinstance(record, PTR)]
        names = [name for name in targets if name][:MAX_PTR_NAMES]
        if not names:
            return ReverseName("", "nx.domain"), until
        for name in names:
            try:
                found = await self.addresses(name)
            except DnsFailure:
                found = ()
            until = min(until, *(query.until(to_name(name), kind) for kind in (RdataType.AAAA, RdataType.A)))
            if any(plain_address(each) == wanted for each in found):
                return ReverseName(name, "verified"), until
        return ReverseName(names[0], "not.double.verified"), until

    async def listed(self, zone: str, address: str) -> bool:
        """Return whether a DNS list (RFC 5782) holds the address; a list that cannot be asked holds nobody."""
        try:
            origin = to_name(zone)
            reverse = dns.reversename.from_address(str(plain_address(address)))
            asked = dns.name.Name((*reverse.labels[:-3], *origin.labels))  # without in-addr.arpa. or ip6.arpa.
        except (NxDomain, dns.name.NameTooLong):
            return False
        outcome = await self._query.ask(asked, RdataType.A)
        found = [record.address for record in outcome.records if isinstance(record, A)]
        # Lists answer within 127.0.0.0/8 (RFC 5782 2.1); the largest operators keep 127.255.255.0/24 for "you may not ask".
        return any(each.startswith("127.") and not each.startswith("127.255.255.") for each in found)


def plain_address(text: str) -> Address:
    """Return an address without its zone, and as IPv4 where it is an IPv4 address dressed as IPv6."""
    address = ipaddress.ip_address(text.partition("%")[0])
    return getattr(address, "ipv4_mapped", None) or address


def to_name(text: str) -> dns.name.Name:
    """Return a domain as a DNS name, U-labels as A-labels; NxDomain when it cannot be one.

    Escapes mean nothing here: a backslash, a NUL or an empty label makes it no name of a host (RFC 5321 4.1.2).
    """
    try:
        labels = [_encode_label(label) for label in text.removesuffix(".").split(".")]
        if all(map(_LABEL.fullmatch, labels)):
            return dns.name.Name((*labels, b""))
    except (UnicodeError, dns.exception.DNSException):
        pass
    raise NxDomain(f"{text[:80]!r} is not a domain name")


def ascii_domain(text: str) -> str:
    """Return a domain in lower case with its U-labels as A-labels: the form in which domains are compared."""
    if text.isascii():
        return text.lower()
    try:
        return host_name(to_name(text)) or text.lower()
    except NxDomain:
        return text.lower()


def _encode_label(label: str) -> bytes:
    return label.encode("ascii") if label.isascii() else dns.name.IDNA_2008_UTS_46.encode(label)


def host_name(name: dns.name.Name) -> str:
    """Return a name from an answer in lower case, empty when it is not one of a host (NUL, dot or backslash within)."""
    labels = name.labels[:-1]
    if not labels or not all(map(_LABEL.fullmatch, labels)):
        return ""
    return b".".join(labels).decode("ascii").lower()


def _raise_failure(outcome: Outcome, name: str, kind: str) -> None:
    failure = _FAILURES.get(outcome.state)
    if failure is not None:
        # The model's words (asyncos.md 8.2), its two spaces included: administrators search for them.
        severity = "Soft" if failure is TemporaryDnsFailure else "Hard"
        raise failure(f"DNS {severity} Error looking up {name} ({kind}):  {outcome.text}")
