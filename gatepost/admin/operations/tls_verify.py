"""`tls verify`: what TLS the hosts of a domain give, and what each destination setting would make of it.

Every host that a delivery could try is asked, not only the first that answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from gatepost.admin.operations.hosts import read_name
from gatepost.admin.operations.operator import Operator
from gatepost.admin.operations.stores import load
from gatepost.admin.operations.tables import readable
from gatepost.admin.tls_probe import Checked, probe
from gatepost.config.model import Config, OutboundTls
from gatepost.config.routes import RouteHost, parse_destination
from gatepost.errors import GatepostError
from gatepost.net.dns import Resolver
from gatepost.outbound.ours import Ours
from gatepost.outbound.router import NextHop, Router, Unroutable
from gatepost.policy.destination import Destination, Route
from gatepost.snapshot import Snapshot

MAX_HOSTS = 10


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What a domain's hosts gave."""

    domain: str
    configuration: str
    setting: OutboundTls
    """The one in force."""
    source: str
    hosts: list[Checked]
    ok: bool
    """Whether mail to the domain would be delivered now."""
    verdict: str


def verify(operator: Operator, domain: str, host: str = "", *, draft: bool = False) -> Verified:
    """Ask the hosts of a domain, or one `host[:port]` in their place.

    GatepostError when there is no host to ask.
    """
    loaded = load(operator, draft=draft)
    config, name = loaded.config, read_name(domain.rpartition("@")[2].strip())
    with readable():
        # Without the listeners' tables: they have no say here, and may be large.
        snapshot = Snapshot.build(msgspec.structs.replace(config, listeners={}), 0)
        route = _given(host) if host else snapshot.routes.find(name)
    destination = snapshot.destinations.find(name)
    hosts = asyncio.run(_ask(snapshot, _ours(config), destination, name, route))
    ok, verdict = _verdict(name, destination, hosts)
    return Verified(
        domain=name,
        configuration=loaded.label,
        setting=destination.tls,
        source=destination.tls_source,
        hosts=hosts,
        ok=ok,
        verdict=verdict,
    )


def read_host(text: str) -> str:
    """Check the text of a host with or without a port; an empty one stands for those of the domain."""
    if text:
        _given(text)
    return text


async def _ask(snapshot: Snapshot, ours: Ours, destination: Destination, domain: str, route: Route) -> list[Checked]:
    hops = await _hops(snapshot, ours, domain, route)
    async with asyncio.TaskGroup() as tasks:  # side by side: one that is down takes its time
        probes = [tasks.create_task(probe(snapshot, destination, domain, hop)) for hop in hops[:MAX_HOSTS]]
    return [one.result() for one in probes]


async def _hops(snapshot: Snapshot, ours: Ours, domain: str, route: Route) -> Sequence[NextHop]:
    if route.discard:
        raise GatepostError(f"the {route.source} throws mail to {domain} away: there is no host to ask")
    resolver = Resolver(snapshot.gateway.dns_servers)
    try:
        return await Router(lambda: resolver).next_hops(domain, route, ours)
    except Unroutable as fault:
        raise GatepostError(str(fault)) from None


def _given(text: str) -> Route:
    try:
        host = parse_destination(text.strip())
    except ValueError as fault:
        raise GatepostError(str(fault)) from None
    if not isinstance(host, RouteHost):
        raise GatepostError(f"{text!r} is not a host")
    return Route(pattern="", source="host that was given", hosts=(host,))


def _ours(config: Config) -> Ours:
    listeners = tuple((listener.address, listener.port) for listener in config.listeners.values())
    return Ours(hostname=config.gateway.hostname, listeners=listeners)


def _verdict(domain: str, destination: Destination, hosts: Sequence[Checked]) -> tuple[bool, str]:
    """Say what would become of mail now: the first host that the setting in force takes has it."""
    rule = f"{destination.tls} ({destination.tls_source})"
    for checked in hosts:
        for judged in checked.judged:
            if judged.setting == destination.tls and judged.mail != "held back":
                how = "encrypted" if judged.mail == "encrypted" else "in clear text"
                return True, f"Mail to {domain} goes {how} to {checked.host} now: {rule}."
    return False, f"Mail to {domain} would wait now: no host gives what {rule} wants."
