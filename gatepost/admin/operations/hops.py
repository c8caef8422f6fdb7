"""Where mail for a domain is sent: the router's answer, as a delivery gets it. Asks the DNS, connects to nobody."""

from __future__ import annotations

import asyncio

import msgspec

from gatepost.admin.operations.explain_out import route_sentences
from gatepost.admin.operations.operator import Operator
from gatepost.admin.operations.stores import load
from gatepost.admin.operations.tables import readable
from gatepost.net.dns import Resolver
from gatepost.outbound.ours import Ours
from gatepost.outbound.router import NextHop, Router, Unroutable
from gatepost.policy.destination import RouteTable
from gatepost.policy.domains import canonical


class Hop(msgspec.Struct, frozen=True, kw_only=True):
    """One address."""

    preference: int
    host: str
    address: str
    port: int


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """The hosts in the order in which they are tried."""

    why: str
    """Which table decided."""
    hops: list[Hop]
    fault: str = ""
    """Why there is none."""


def next_hops(operator: Operator, domain: str) -> Way:
    """Find the hosts of a domain by the committed configuration; not from a running event loop."""
    config, name = load(operator).config, canonical(domain)
    with readable():
        route = RouteTable(config.routes).find(name)
    why = " ".join(route_sentences(name, route))
    if route.discard:
        return Way(why=why, hops=[])
    resolver = Resolver(config.gateway.dns_servers)
    listeners = tuple((listener.address, listener.port) for listener in config.listeners.values())
    ours = Ours(hostname=config.gateway.hostname, listeners=listeners)
    try:
        found = asyncio.run(Router(lambda: resolver).next_hops(name, route, ours))
    except Unroutable as fault:
        return Way(why=why, hops=[], fault=str(fault))
    return Way(why=why, hops=[_hop(hop) for hop in found])


def _hop(hop: NextHop) -> Hop:
    return Hop(preference=hop.preference, host=hop.host, address=hop.address, port=hop.port)
