"""Members of sender groups: the left side of the Host Access Table, in the forms of AsyncOS.

A member is read into one of five values. Reputation scores, network owners and countries are named and refused: they
need a service that Gatepost does not ask.
"""

from __future__ import annotations

import re
from typing import Literal, cast, get_args

import msgspec

from gatepost.config.names import parse_domain
from gatepost.config.networks import Network, parse_network

HostCondition = Literal["nx.domain", "serv.fail", "not.double.verified"]


class HostName(msgspec.Struct, frozen=True, gc=False):
    """The host whose verified name is exactly this one, lower case."""

    name: str


class HostsBelow(msgspec.Struct, frozen=True, gc=False):
    """Every host with a verified name below `domain`, but not `domain` itself."""

    domain: str
    """Lower case, without the dot in front."""


class DnsList(msgspec.Struct, frozen=True, gc=False):
    """Every host that the DNS list of this zone lists."""

    zone: str


class HostStatus(msgspec.Struct, frozen=True, gc=False):
    """Every host whose double lookup ended so."""

    status: HostCondition


Sender = Network | HostName | HostsBelow | DnsList | HostStatus

_NUMERIC = re.compile(r"[\d./-]+", re.ASCII)
_DNSLIST = re.compile(r"dnslist\[(.+)\]", re.IGNORECASE)
_UNSUPPORTED = re.compile(r"(sbrs\b|sbo:|country\b|geo\b)", re.IGNORECASE)
_CONDITIONS = get_args(HostCondition)
_CONDITION_BY_LETTERS = {re.sub(r"\W|_", "", name): name for name in _CONDITIONS}


def parse_sender(text: str) -> Sender:
    """Read one member of a sender group; raises ValueError with one sentence."""
    if _NUMERIC.fullmatch(text):
        return parse_network(text)
    if text[:1] == ".":
        return HostsBelow(parse_domain(text[1:], dotted=False))
    if ":" in text and not _UNSUPPORTED.match(text):
        return parse_network(text)
    return _named(text)


def _named(text: str) -> Sender:
    lowered = text.lower()
    if lowered in _CONDITIONS:
        return HostStatus(cast(HostCondition, lowered))
    listed = _DNSLIST.fullmatch(text)
    if listed:
        return DnsList(parse_domain(listed[1]))
    if lowered == "all":
        raise ValueError("ALL stands only in the ALL row of the table: set all_hosts of the listener")
    if _UNSUPPORTED.match(text):
        raise ValueError(f"{text!r} is not supported, for Gatepost has no reputation, network owner or country data")
    if lowered.startswith("dnslist"):
        raise ValueError(f"{text!r} is not a DNS list: write dnslist[zone.example.com]")
    meant = _CONDITION_BY_LETTERS.get(re.sub(r"\W|_", "", lowered))
    if meant:
        raise ValueError(f"{text!r} is not a host name: write {meant}")
    if "*" in text:
        raise ValueError(f"{text!r} holds a wildcard: write .example.com for the hosts of a domain")
    if "@" in text:
        raise ValueError(f"{text!r} is a mail address, and a sender group holds hosts")
    if text and "." not in text and lowered != "localhost":
        raise ValueError(f"{text!r} is neither an address nor a host name with its domain (countries are not supported)")
    return HostName(parse_domain(text))
