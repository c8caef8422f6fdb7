"""IP addresses, partial addresses, ranges and networks in the forms of AsyncOS, each reduced to a range of whole numbers.

No form of address is looked up or compared here: `policy.access` compiles the ranges. Plain IPv4 is read without
`ipaddress`, which takes ten times as long: a table may hold a million members.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Literal

import msgspec


class Network(msgspec.Struct, frozen=True, gc=False):
    """The addresses from `first` to `last`, both included."""

    first: int
    last: int
    version: Literal[4, 6] = 4

    def __str__(self) -> str:
        """Return the range as an address, a CIDR network where it is one, or `first-last`."""
        make = ipaddress.IPv4Address if self.version == 4 else ipaddress.IPv6Address
        first, last = make(self.first), make(self.last)
        if self.first == self.last:
            return str(first)
        size = self.last - self.first + 1
        if size & (size - 1) == 0 and self.first % size == 0:
            return f"{first}/{first.max_prefixlen - size.bit_length() + 1}"
        return f"{first}-{last}"


_OCTETS = {str(octet): octet for octet in range(256)}
"""Every octet as it may be written."""
_IPV4 = re.compile(r"(\d{1,3}(?:\.\d{1,3}){0,3})(?:-(\d{1,3}))?(\.)?(?:/(\d{1,2}))?", re.ASCII)
_MORE_THAN_ONE = re.compile(r"[/-]|\.$")  # network, range, partial address
_FORMS = "write 10.1.2.3, 10.1.2., 10.1.2.3-9, 10.1.2-3. or 10.1.2.0/24"


def parse_network(text: str) -> Network:
    """Read an address in any form that a sender group takes; raises ValueError with one sentence."""
    address, slash, prefix = text.partition("/")
    value = _plain_address(address)
    if value is None:
        return _ipv6(text) if ":" in text else _ipv4(text)
    if not slash:
        return Network(value, value)
    return _cidr(value, _OCTETS[prefix], 32, text) if prefix in _OCTETS else _ipv4(text)


def _plain_address(text: str) -> int | None:
    """Return the value of a plain IPv4 address; None for every other text, right or wrong."""
    try:
        first, second, third, fourth = text.split(".")
        return _OCTETS[first] << 24 | _OCTETS[second] << 16 | _OCTETS[third] << 8 | _OCTETS[fourth]
    except (ValueError, KeyError):
        return None


def parse_address(text: str) -> Network:
    """Read one full IPv4 or IPv6 address."""
    if _MORE_THAN_ONE.search(text) or not (":" in text or text.count(".") == 3):
        raise ValueError(f"{text!r} is not an IP address")
    return parse_network(text)


def _ipv4(text: str) -> Network:
    match = _IPV4.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not an IPv4 address, range or network: {_FORMS}")
    dotted, end, dot, prefix = match.groups()
    octets = _octets(dotted.split("."), text)
    given = len(octets)
    if (dot and (given == 4 or prefix)) or (end and prefix):
        raise ValueError(f"{text!r} is not an IPv4 address, range or network: {_FORMS}")
    shift = 8 * (4 - given)
    value = sum(octet << 8 * (3 - place) for place, octet in enumerate(octets))
    if prefix:
        return _cidr(value, int(prefix), 32, text)
    if end:
        return _ipv4_range(value, octets[-1], _octets([end], text)[0], shift, text)
    return Network(value, value | (1 << shift) - 1)


def _octets(parts: list[str], text: str) -> list[int]:
    octets = []
    for part in parts:
        octet = int(part)
        if octet > 255:
            raise ValueError(f"{text!r} is not an IPv4 address, for {part} is more than 255")
        if part[0] == "0" and len(part) > 1:
            # Some programs read 010 as eight; a table that decides who may relay must not be read in two ways.
            raise ValueError(f"{text!r} has a leading zero in {part!r}: write {octet}")
        octets.append(octet)
    return octets


def _ipv4_range(value: int, start: int, end: int, shift: int, text: str) -> Network:
    if end < start:
        raise ValueError(f"{text!r} is an empty range, for {end} is less than {start}")
    return Network(value, value + (end - start << shift) | (1 << shift) - 1)


def _cidr(value: int, prefix: int, bits: Literal[32, 128], text: str) -> Network:
    if prefix > bits:
        raise ValueError(f"{text!r} is not a network, for a prefix of IPv{4 if bits == 32 else 6} has at most {bits} bits")
    rest = (1 << bits - prefix) - 1
    network = Network(value & ~rest, value | rest, 4 if bits == 32 else 6)
    if value & rest:
        raise ValueError(f"{text!r} has address bits behind its prefix: write {network}")
    return network


def _ipv6(text: str) -> Network:
    if "/" in text:
        address, _, prefix = text.partition("/")
        if not (prefix.isascii() and prefix.isdigit() and len(prefix) <= 3):
            raise ValueError(f"{text!r} is not an IPv6 network: write 2001:db8::/32")
        return _cidr(_ipv6_value(address, text), int(prefix), 128, text)
    start, hyphen, end = text.partition("-")
    first = _ipv6_value(start, text)
    last = _ipv6_value(end, text) if hyphen else first
    if last < first:
        raise ValueError(f"{text!r} is an empty range, for its end comes before its start")
    return Network(first, last, 6)


def _ipv6_value(address: str, text: str) -> int:
    try:
        value = ipaddress.IPv6Address(address)
    except ValueError:
        raise ValueError(
            f"{text!r} is not an IPv6 address, range or network: write 2001:db8::1, 2001:db8::1-2001:db8::9 or 2001:db8::/32"
        ) from None
    if value.ipv4_mapped is not None:
        raise ValueError(f"{text!r} is an IPv4 address in IPv6 dress: write {value.ipv4_mapped}")
    if value.scope_id is not None:
        raise ValueError(f"{text!r} names an interface: write the address without %{value.scope_id}")
    return int(value)
