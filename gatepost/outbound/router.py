"""Which hosts take the mail of a domain, in the order in which they are tried (RFC 5321 5.1; asyncos.md 11.4).

A route of the configuration decides; without one the DNS does. An answer that cannot be had defers and never bounces, and
there is no fall-back: not from a route to MX, not from an MX that cannot be asked to A. Opens no connection.
"""

from __future__ import annotations

import asyncio
import ipaddress
import random
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby

import msgspec

from gatepost.config.routes import SMTP_PORT, RouteHost
from gatepost.errors import GatepostError
from gatepost.net.dns import Addresses, DnsFailure, MxHost, NxDomain, Resolver, TemporaryDnsFailure, plain_address
from gatepost.outbound.ours import Ours
from gatepost.policy import failure
from gatepost.policy.destination import Route
from gatepost.policy.failure import Cost, DnsProblem

MAX_ADDRESSES = 20
"""Next hops tried in one go; a domain with more dead hosts than this waits for its next attempt."""

BAD_SECONDS = 60.0
MAX_BAD = 10_000


class NextHop(msgspec.Struct, frozen=True, kw_only=True):
    """One address to connect to."""

    host: str
    """Name of the MX host, or of the route's host as the configuration has it: what the certificate is held against."""
    address: str
    port: int
    from_route: bool
    preference: int
    secure: bool = False
    """Every DNS answer that led here was validated."""


class Unroutable(GatepostError):
    """There is no host to connect to; the cost says what that means for the mail."""

    def __init__(self, cost: Cost) -> None:
        super().__init__(cost.diagnostic)
        self.cost = cost


class Router:
    """Finds next hops; keeps whose turn it is among hosts of equal priority, and which did not answer lately."""

    def __init__(self, resolver: Callable[[], Resolver], mx_port: int = SMTP_PORT) -> None:
        self._resolver = resolver
        self._mx_port = mx_port
        self._turn = 0
        self._bad: dict[tuple[str, int], float] = {}

    # --- hosts that did not answer lately ----------------------------------------------------------------------------

    def note_bad(self, hop: NextHop) -> None:
        """Remember for a while that a hop could not be used, so that not every delivery waits for it first."""
        if len(self._bad) >= MAX_BAD:
            self._bad.clear()
        self._bad[hop.address, hop.port] = time.monotonic() + BAD_SECONDS

    def note_good(self, hop: NextHop) -> None:
        """Forget what was held against a hop."""
        if self._bad:
            self._bad.pop((hop.address, hop.port), None)

    def known_bad_last(self, hops: Sequence[NextHop]) -> Sequence[NextHop]:
        """Return the hops with those last that could not be used lately; they are tried all the same."""
        if not self._bad:
            return hops
        now = time.monotonic()
        return sorted(hops, key=lambda hop: self._bad.get((hop.address, hop.port), 0.0) > now)

    # --- next hops ---------------------------------------------------------------------------------------------------

    async def next_hops(self, domain: str, route: Route, ours: Ours) -> tuple[NextHop, ...]:
        """Return the hops for a domain, at least one; raises Unroutable."""
        if route.hosts:
            return await self._by_route(domain, route.hosts, ours)
        literal = literal_address(domain)
        if literal:
            return self._usable(domain, [self._hop(literal, literal, 0)], ours, routed=False)
        return await self._by_mx(domain, ours)

    # --- by MX -------------------------------------------------------------------------------------------------------

    async def _by_mx(self, domain: str, ours: Ours) -> tuple[NextHop, ...]:
        try:
            answer = await self._resolver().mx(domain)
        except NxDomain as fault:
            raise _unroutable("nxdomain", domain, str(fault)) from fault
        except DnsFailure as fault:
            raise _unroutable("temporary", domain, str(fault)) from fault
        if answer.null:
            raise _unroutable("null_mx", domain)
        better = _better_than_us(answer.hosts, ours.hostname)[:MAX_ADDRESSES]
        if answer.hosts and not better:
            raise _unroutable("loop", domain)
        found = await self._resolve([host.name for host in better])
        hops = [
            self._hop(host.name, address, host.preference, secure=answer.secure and addresses.secure)
            for host, addresses in zip(better, found, strict=True)
            if isinstance(addresses, Addresses)
            for address in addresses.addresses
        ]
        if not hops:
            raise _nothing_found(domain, found)
        return self._usable(domain, _shuffled(hops), ours, routed=False)

    def _hop(self, host: str, address: str, preference: int, *, secure: bool = False) -> NextHop:
        return NextHop(
            host=host, address=address, port=self._mx_port, from_route=False, preference=preference, secure=secure
        )

    # --- by route ----------------------------------------------------------------------------------------------------

    async def _by_route(self, domain: str, hosts: Sequence[RouteHost], ours: Ours) -> tuple[NextHop, ...]:
        self._turn += 1
        ordered: list[RouteHost] = []
        for _, equals in groupby(hosts, key=lambda host: host.priority):
            group = list(equals)
            start = self._turn % len(group)
            ordered += group[start:] + group[:start]
        hops: list[NextHop] = []
        faults: list[Addresses | DnsFailure] = []
        for host in ordered:
            found = await self._route_addresses(host)
            if isinstance(found, DnsFailure):
                faults.append(found)
                continue
            hops += [
                NextHop(host=host.host, address=each, port=host.port, from_route=True, preference=host.priority)
                for each in found
            ]
        if not hops:
            raise _nothing_found(ordered[0].host, faults, routed=True)
        return self._usable(domain, hops, ours, routed=True)

    async def _route_addresses(self, host: RouteHost) -> Sequence[str] | DnsFailure:
        """A name of a route is looked up as MX, then as A (asyncos.md 11.4)."""
        if host.is_address:
            return (host.host,)
        try:
            answer = await self._resolver().mx(host.host)
        except DnsFailure as fault:
            return fault
        found = await self._resolve([mx.name for mx in answer.hosts])
        addresses = [each for one in found if isinstance(one, Addresses) for each in one.addresses]
        if addresses:
            return addresses
        return next((one for one in found if isinstance(one, DnsFailure)), NxDomain(f"{host.host} takes no mail"))

    # --- both --------------------------------------------------------------------------------------------------------

    async def _resolve(self, names: Iterable[str]) -> list[Addresses | DnsFailure]:
        """Look hosts up side by side, so that one slow zone does not hold up the rest of the list."""
        async with asyncio.TaskGroup() as tasks:
            lookups = [tasks.create_task(self._addresses(name)) for name in names]
        return [lookup.result() for lookup in lookups]

    async def _addresses(self, name: str) -> Addresses | DnsFailure:
        try:
            return await self._resolver().secure_addresses(name)
        except DnsFailure as fault:
            return fault

    def _usable(self, domain: str, hops: Sequence[NextHop], ours: Ours, *, routed: bool) -> tuple[NextHop, ...]:
        """Leave out what is no address of a host, ourselves and, by MX, all that is not preferred to ourselves."""
        real = [hop for hop in map(_plain, hops) if _is_host(hop.address)]
        if not real:
            raise _unroutable("no_address", domain, f"{hops[0].address} is no address of a host", routed=routed)
        own = [hop.preference for hop in real if ours.holds(hop.address, hop.port)]
        if not own:
            return tuple(real[:MAX_ADDRESSES])
        if routed:
            left = [hop for hop in real if not ours.holds(hop.address, hop.port)]
        else:
            left = [hop for hop in real if hop.preference < min(own)]
        if not left:
            raise _unroutable("loop", domain, routed=routed)
        return tuple(left[:MAX_ADDRESSES])


def literal_address(domain: str) -> str:
    """Return the address in `[192.0.2.1]` or `[IPv6:2001:db8::1]` (RFC 5321 4.1.3); empty when it is no such thing."""
    if not (domain.startswith("[") and domain.endswith("]")):
        return ""
    inside = domain[1:-1]
    if inside[:5].lower() == "ipv6:":
        inside = inside[5:]
    try:
        return str(ipaddress.ip_address(inside))
    except ValueError:
        return ""


def _better_than_us(hosts: Sequence[MxHost], hostname: str) -> list[MxHost]:
    """RFC 5321 5.1: when we are in the list, only hosts of a lower preference number than ours are for us to try."""
    own = [host.preference for host in hosts if host.name == hostname.lower()]
    return [host for host in hosts if not own or host.preference < min(own)]


def _shuffled(hops: Sequence[NextHop]) -> list[NextHop]:
    """RFC 5321 5.1: hosts of equal preference are tried in random order; the addresses of one host stay together."""
    hosts = {hop.host: random.random() for hop in hops}
    return sorted(hops, key=lambda hop: (hop.preference, hosts[hop.host]))


def _plain(hop: NextHop) -> NextHop:
    """An IPv4 address dressed as IPv6 (::ffff:127.0.0.1) leads where the plain one does: it is judged, and kept, as that."""
    if ":" not in hop.address or (plain := plain_address(hop.address)).version == 6:
        return hop
    return msgspec.structs.replace(hop, address=str(plain))


def _is_host(address: str) -> bool:
    """Refuse 0.0.0.0, which the kernel takes for this machine, and what no single host answers to."""
    ip = ipaddress.ip_address(address)
    return not (ip.is_unspecified or ip.is_multicast or address == "255.255.255.255")


def _nothing_found(name: str, found: Sequence[Addresses | DnsFailure], *, routed: bool = False) -> Unroutable:
    """Choose the failure that stands for all: one that may pass outweighs any that will not."""
    faults = [one for one in found if isinstance(one, DnsFailure)]
    for fault in faults:
        if isinstance(fault, TemporaryDnsFailure):
            return _unroutable("temporary", name, str(fault), routed=routed)
    return _unroutable("no_address", name, str(faults[0]) if faults else "", routed=routed)


def _unroutable(problem: DnsProblem, name: str, text: str = "", *, routed: bool = False) -> Unroutable:
    return Unroutable(failure.of_dns(problem, name, text, routed=routed))
