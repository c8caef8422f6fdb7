"""Where to: destinations of SMTP routes, keys of routes and destination controls, and `address:port` pairs.

Reads and refuses; which route is the most specific, and what a host resolves to, is for `policy` and `outbound`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum

import msgspec

from gatepost.config.names import parse_domain
from gatepost.config.networks import parse_address

SMTP_PORT = 25
MAX_PRIORITY = 65535


class Special(Enum):
    """Destinations that are no host."""

    DISCARD = "/dev/null"
    """Accept and forget."""
    USE_DNS = "USEDNS"
    """Deliver by MX in spite of a broader route."""


class RouteHost(msgspec.Struct, frozen=True):
    """One next hop of a route."""

    host: str
    """Host name in lower case, or an IP address without brackets."""
    is_address: bool
    port: int = SMTP_PORT
    priority: int = 0
    """0 is tried first; hosts of equal priority take turns as in AsyncOS."""


Route = Special | tuple[RouteHost, ...]


class Endpoint(msgspec.Struct, frozen=True):
    """An IP address and a port."""

    address: str
    port: int


class DomainKey(msgspec.Struct, frozen=True):
    """Key of a route or destination control: a domain, the domains below one, or (routes only) ALL as the empty domain."""

    domain: str
    below: bool = False


_HOST_PORT = re.compile(r"(?:\[(?P<literal>[^\]]*)\]|(?P<host>[^:\[\]]*))(?::(?P<port>.*))?")


def parse_route(destinations: Sequence[str]) -> Route:
    """Read the whole right side of a route; `/dev/null` and USEDNS stand alone."""
    if not destinations:
        raise ValueError("a route needs a destination: a host, /dev/null or USEDNS")
    parsed = [parse_destination(text) for text in destinations]
    for one in parsed:
        if isinstance(one, Special):
            if len(parsed) > 1:
                raise ValueError(f"{one.value} stands alone: take it or the other destinations out")
            return one
    return tuple(one for one in parsed if isinstance(one, RouteHost))


def parse_destination(text: str) -> RouteHost | Special:
    """Read `host`, `host:port`, `address`, `[v6]:port`, each with an optional `/pri=N`, or `/dev/null`, `USEDNS`."""
    for special in Special:
        if text.lower() == special.value.lower():
            return special
    where, _, option = text.partition("/")
    priority = _priority(option, text) if "/" in text else 0
    host, port = _split_port(where, text)
    if "@" in host:
        raise ValueError(f"{text!r} is a mail address, and a route leads to a host")
    is_address = ":" in host or host.replace(".", "").isdigit()
    if is_address:
        parse_address(host)
    else:
        host = parse_domain(host, dotted=False)
    return RouteHost(host, is_address, SMTP_PORT if port is None else port, priority)


def parse_endpoint(text: str, default_port: int | None = None) -> Endpoint:
    """Read `address:port` or `[v6]:port`; the port may be left out where a default is given."""
    address, port = _split_port(text, text)
    parse_address(address)
    if port is None:
        port = default_port
    if port is None:
        raise ValueError(f"{text!r} lacks a port: write {address}:9090")
    return Endpoint(address, port)


def parse_key(text: str, *, allow_all: bool) -> DomainKey:
    """Read the key of a route or of a destination control; keys stand in lower case."""
    if text == "ALL":
        if allow_all:
            return DomainKey("")
        raise ValueError("ALL is not a destination: set default_destination for every other domain")
    if "@" in text:
        raise ValueError(f"{text!r} is a mail address: write its domain, {text.rpartition('@')[2]}")
    if "*" in text:
        raise ValueError(f"{text!r} holds a wildcard: write .example.com for the domains below a domain")
    below = text.startswith(".")
    domain = parse_domain(text[1:] if below else text, dotted=not below)
    if text != text.lower():
        raise ValueError(f"{text!r} holds capitals, and domains are compared in lower case: write {text.lower()}")
    return DomainKey(domain, below)


def _priority(option: str, text: str) -> int:
    name, _, number = option.partition("=")
    if name.lower() != "pri" or not (number.isascii() and number.isdigit()) or int(number) > MAX_PRIORITY:
        raise ValueError(f"{text!r} has an option that is not a priority: write /pri=N with N from 0 to {MAX_PRIORITY}")
    return int(number)


def _split_port(where: str, text: str) -> tuple[str, int | None]:
    if where.count(":") > 1 and not where.startswith("["):
        return where, None  # a bare IPv6 address: a port would need brackets
    match = _HOST_PORT.fullmatch(where)
    host = (match["literal"] or match["host"]) if match else None
    if match is None or not host:
        raise ValueError(f"{text!r} is not a host: write host, host:port, 192.0.2.1:port or [2001:db8::1]:port")
    if match["port"] is None:
        return host, None
    return host, parse_port(match["port"], text)


def parse_port(port: str, text: str) -> int:
    """Read a TCP or UDP port."""
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and 0 < int(port) < 65536):
        raise ValueError(f"{text!r} has no valid port: write a number from 1 to 65535")
    return int(port)
