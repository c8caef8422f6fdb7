"""Facts about a connecting host, gathered as an inbound session gathers them: the double lookup and the DNS lists.

Asks the DNS only for what the table at hand could use, and waits a few seconds at most.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re

import msgspec

from gatepost.config.entries import HostName, HostsBelow, HostStatus, parse_domain, parse_sender
from gatepost.config.model import Config, Listener
from gatepost.errors import GatepostError
from gatepost.net.dns import DnsFailure, Resolver
from gatepost.policy.access import HostAccessTable
from gatepost.policy.verdict import Host

LIST_TIMEOUT = 6.0
_NAME = re.compile(r"[^\W\d_]")
"""A letter, which every host name has and an address with a slip of the finger mostly has not."""


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a host when the table is asked."""

    host: Host
    listed: frozenset[str]
    origin: str
    """Where the name comes from, in a sentence."""


def facts(config: Config, listener: Listener, table: HostAccessTable, address: str, name: str) -> Facts:
    """Gather what the table needs; a `name` that is given counts as verified and is not looked up."""
    plain = read_address(address)
    if name:
        host = Host(plain, read_name(name), "verified")
        origin = f"The name {host.name} is taken as verified, for it was given."
    elif _asks_for_names(listener):
        found = asyncio.run(Resolver(config.gateway.dns_servers).host(plain))
        host = Host(plain, found.name, found.status)
        origin = _told(host)
    else:
        host = Host(plain)
        origin = "Its name was not looked up: no sender group of this listener asks for names."
    zones = table.zones_needed(host)
    listed = asyncio.run(_listed(Resolver(config.gateway.dns_servers), zones, plain)) if zones else frozenset[str]()
    return Facts(host=host, listed=listed, origin=origin)


def addresses_of(config: Config, host: str) -> tuple[str, ...]:
    """Return the address that is written, or those that the DNS has for a name; GatepostError when there is none."""
    name, is_address = read_host(host)
    if is_address:
        return (name,)
    try:
        found = asyncio.run(Resolver(config.gateway.dns_servers).addresses(name))
    except DnsFailure as fault:
        raise GatepostError(f"{name} has no address to explain: {fault}") from None
    return tuple(read_address(address) for address in found)


def read_host(text: str) -> tuple[str, bool]:
    """Return an IP address or else a host name in their one form, and whether it is an address."""
    try:
        return read_address(text), True
    except GatepostError:
        if ":" in text or not _NAME.search(text):
            raise GatepostError(f"{text!r} is neither an IP address nor the name of a host") from None
    return read_name(text.strip()), False


def read_address(text: str) -> str:
    """Return an IP address in its one form; GatepostError for anything else."""
    inner = text.strip().removeprefix("[").removesuffix("]").removeprefix("IPv6:")
    try:
        address = ipaddress.ip_address(inner)
    except ValueError:
        raise GatepostError(f"{text!r} is not an IP address; a host's name goes where its verified name is asked") from None
    return str(getattr(address, "ipv4_mapped", None) or address)


def read_name(text: str) -> str:
    """Return a host name in lower case; GatepostError with one sentence for anything else."""
    try:
        return parse_domain(text.removesuffix("."), dotted=False)
    except ValueError as error:
        raise GatepostError(str(error)) from None


async def _listed(resolver: Resolver, zones: tuple[str, ...], address: str) -> frozenset[str]:
    try:
        async with asyncio.timeout(LIST_TIMEOUT):
            answers = await asyncio.gather(*(resolver.listed(zone, address) for zone in zones))
    except TimeoutError:
        return frozenset()
    return frozenset(zone for zone, answer in zip(zones, answers, strict=True) if answer)


def _asks_for_names(listener: Listener) -> bool:
    members = (parse_sender(text) for row in listener.sender_groups for text in row.senders)
    return any(isinstance(member, HostName | HostsBelow | HostStatus) for member in members)


def _told(host: Host) -> str:
    match host.status:
        case "verified":
            return f"Its name {host.name} was looked up and leads back to {host.address}."
        case "not.double.verified":
            return f"Its reverse name {host.name} does not lead back to {host.address}, so only the address counts."
        case "nx.domain":
            return f"{host.address} has no reverse name, so only the address counts."
    return f"The reverse name of {host.address} could not be looked up, so only the address counts."
