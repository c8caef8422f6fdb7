"""Where mail for a domain goes and how: the destination controls and the SMTP routes, compiled.

In both tables the most specific entry wins, whatever the order: the domain itself, then the longest partial domain
(`.example.com`, which never means `example.com` itself), then the default. Resolves no name and opens no connection.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar

import msgspec

from gatepost.config.entries import DomainKey, RouteHost, Special, parse_key, parse_route
from gatepost.config.model import (
    DefaultDestination,
    DestinationControl,
    OutboundTls,
    RecipientRate,
)
from gatepost.policy.domains import above, canonical

Value = TypeVar("Value")
DEFAULT_SOURCE = "default destination control"


class Destination(msgspec.Struct, frozen=True, kw_only=True):
    """A destination control with every inherited value filled in."""

    pattern: str
    """Key of the entry as it stands in the table; empty: the default."""
    source: str
    """`destination control for partner.example`, `default destination control`."""
    tls: OutboundTls
    tls_source: str
    """Where the TLS setting comes from: an entry may leave it to the default."""
    tls_profile: str
    dane: str
    mta_sts: str
    max_connections: int
    max_messages_per_connection: int
    recipients_per_minutes: RecipientRate | None
    bounce_profile: str
    inherited: frozenset[str]
    """Names of the fields that come from the default."""


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """Where mail for a domain is sent."""

    pattern: str
    """Key of the entry as it stands in the table; empty: there is none."""
    source: str
    """`SMTP route for .example.net`, `no SMTP route`."""
    hosts: tuple[RouteHost, ...] = ()
    """Next hops by priority, the lowest number first; there is no fall-back to MX. Empty: by MX, or discarded."""
    discard: bool = False
    """Accept and forget (/dev/null)."""

    @property
    def by_mx(self) -> bool:
        """Whether the DNS decides (RFC 5321 5.1)."""
        return not self.hosts and not self.discard


class _Domains(Generic[Value]):
    """Values by domain, most specific first."""

    def __init__(self, default: Value) -> None:
        self._exact: dict[str, Value] = {}
        self._below: dict[str, Value] = {}
        self.default = default

    def put(self, key: DomainKey, value: Value) -> None:
        if not key.domain:
            self.default = value
        elif key.below:
            self._below[key.domain] = value
        else:
            self._exact[key.domain] = value

    def find(self, domain: str) -> Value:
        name = canonical(domain)
        exact = self._exact.get(name)
        if exact is not None:
            return exact
        for parent in above(name) if self._below else ():
            below = self._below.get(parent)
            if below is not None:
                return below
        return self.default


class DestinationTable:
    """The destination controls; never changes once built."""

    def __init__(self, destinations: Mapping[str, DestinationControl], default: DefaultDestination) -> None:
        """Compile the table; ValueError with one sentence for a key that cannot be read."""
        self._domains = _Domains(_resolve("", DestinationControl(), default))
        for pattern, control in destinations.items():
            self._domains.put(parse_key(pattern, allow_all=False), _resolve(pattern, control, default))

    def find(self, domain: str) -> Destination:
        """Return the control, whatever the domain's spelling."""
        return self._domains.find(domain)


class RouteTable:
    """The SMTP routes; never changes once built."""

    def __init__(self, routes: Mapping[str, list[str]]) -> None:
        """Compile the table; ValueError with one sentence for a key or a destination that cannot be read."""
        self._domains = _Domains(Route(pattern="", source="no SMTP route"))
        for pattern, destinations in routes.items():
            self._domains.put(parse_key(pattern, allow_all=True), _route(pattern, destinations))

    def find(self, domain: str) -> Route:
        """Return the route of a domain, whatever its spelling. Not recursive: a host of a route is not routed again."""
        return self._domains.find(domain)


def _resolve(pattern: str, control: DestinationControl, default: DefaultDestination) -> Destination:
    fields = DestinationControl.__struct_fields__
    inherited = frozenset(field for field in fields if getattr(control, field) is None)
    source = f"destination control for {pattern}" if pattern else DEFAULT_SOURCE
    return Destination(
        pattern=pattern,
        source=source,
        tls_source=DEFAULT_SOURCE if "tls" in inherited else source,
        inherited=inherited,
        **{field: getattr(default if field in inherited else control, field) for field in fields},
    )


def _route(pattern: str, destinations: list[str]) -> Route:
    source = f"SMTP route for {pattern}"
    parsed = parse_route(destinations)
    if isinstance(parsed, Special):
        return Route(pattern=pattern, source=source, discard=parsed is Special.DISCARD)
    return Route(pattern=pattern, source=source, hosts=tuple(sorted(parsed, key=lambda host: host.priority)))
