"""The members of a Host Access Table, indexed so that a lookup costs the same for ten members and for a million.

Each member has an order, its place in the whole table. Networks and ranges are cut into prefixes and kept in one dictionary
per prefix length, names and partial names in dictionaries that are asked label by label. Knows no groups and no policies,
and asks no DNS list: it only says which members speak of a host.

An index can be packed for processes that did not build it: to unpack one costs a tenth of reading its members again.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice
from typing import Literal

import msgspec

from gatepost.config.entries import DnsList, HostName, HostsBelow, HostStatus, Network, Sender
from gatepost.policy.domains import above
from gatepost.policy.verdict import Host

Key = int | str
"""An IPv4 prefix as a number, an IPv6 prefix as hexadecimal digits (msgpack's numbers have 64 bits), a name."""
Orders = int | list[int]
"""The members under one key, ascending; nearly always one, which then needs no list."""
Table = dict[Key, Orders]
Kind = Literal["4", "6", "name", "below", "status"]
PIECE = 5_000
"""Keys in one piece of a packed table: a few milliseconds to unpack."""


class _Piece(msgspec.Struct, frozen=True, array_like=True):
    """A part of one table."""

    kind: Kind
    bits: int
    part: Table


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Piece).decode
_decode_zones = msgspec.msgpack.Decoder(list[tuple[int, str]]).decode


class HostIndex:
    """Finds the members that match a host; filled once, in ascending order, and then only read."""

    def __init__(self) -> None:
        self._tables: dict[Kind, dict[int, Table]] = {"4": {}, "6": {}, "name": {0: {}}, "below": {0: {}}, "status": {0: {}}}
        """Of networks by the number of bits behind their prefixes."""
        self.zones: list[tuple[int, str]] = []
        """DNS lists with the order of their members, ascending."""

    def add(self, order: int, sender: Sender, since: int) -> None:
        """Add a member. `since` is the first order of its group: a key that the group holds already is not added again."""
        match sender:
            case Network(first=first, last=last, version=4):
                tables = self._tables["4"]
                for prefix, bits in prefixes(first, last):
                    _put(tables.setdefault(bits, {}), prefix, order, since)
            case Network(first=first, last=last):
                tables = self._tables["6"]
                for prefix, bits in prefixes(first, last):
                    _put(tables.setdefault(bits, {}), f"{prefix:x}", order, since)
            case HostName(name=name):
                _put(self._tables["name"][0], name, order, since)
            case HostsBelow(domain=domain):
                _put(self._tables["below"][0], domain, order, since)
            case HostStatus(status=status):
                _put(self._tables["status"][0], status, order, since)
            case DnsList(zone=zone):
                self.zones.append((order, zone))

    def find(self, host: Host) -> list[int]:
        """Return the members that match `host`, ascending; DNS lists are left out."""
        found: list[int] = []
        for orders in self._asked(host):
            if orders is None:
                continue
            if isinstance(orders, int):
                found.append(orders)
            else:
                found.extend(orders)
        found.sort()
        return found

    def _asked(self, host: Host) -> Iterator[Orders | None]:
        version, value = _number(host.address)
        if version == 4:
            for bits, table in self._tables["4"].items():
                yield table.get(value >> bits)
        else:
            for bits, table in self._tables["6"].items():
                yield table.get(f"{value >> bits:x}")
        if host.status != "verified":
            yield self._tables["status"][0].get(host.status)
            return
        yield self._tables["name"][0].get(host.name)
        below = self._tables["below"][0]
        for domain in above(host.name):
            yield below.get(domain)

    # --- between processes -------------------------------------------------------------------------------------------

    def pack(self) -> list[bytes]:
        """Return the index in pieces."""
        pieces = [_encode(self.zones)]
        for kind, by_bits in self._tables.items():
            for bits, table in by_bits.items():
                pieces += [_encode(_Piece(kind, bits, part)) for part in _parts(table)]
        return pieces

    @classmethod
    def unpack(cls, pieces: Iterable[bytes]) -> HostIndex:
        """Return the index that was packed, by the same version of this program."""
        index, rest = cls(), iter(pieces)
        index.zones = _decode_zones(next(rest))
        for octets in rest:
            piece = _decode(octets)
            index._tables[piece.kind].setdefault(piece.bits, {}).update(piece.part)
        return index


@lru_cache(maxsize=4096)
def _number(text: str) -> tuple[int, int]:
    """Return an address as version and number; remembered, for reading it costs more than finding it."""
    address = ipaddress.ip_address(text)
    # A socket that takes both versions reports IPv4 clients so (RFC 4291 2.5.5.2); the table means the IPv4 address.
    mapped = address.ipv4_mapped if address.version == 6 else None
    return (4, int(mapped)) if mapped else (address.version, int(address))


def _parts(table: Table) -> Iterator[Table]:
    rest = iter(table.items())
    while part := dict(islice(rest, PIECE)):
        yield part


def prefixes(first: int, last: int) -> Iterable[tuple[int, int]]:
    """Cut the range from `first` to `last` into the fewest prefixes, each as (prefix, number of bits behind it)."""
    bits = (last - first).bit_length()
    if last - first == (1 << bits) - 1 and not first & last - first:  # nearly always
        return ((first >> bits, bits),)
    return _cut(first, last)


def _cut(first: int, last: int) -> Iterator[tuple[int, int]]:
    while first <= last:
        bits = min((first & -first).bit_length() - 1 if first else 128, (last - first + 1).bit_length() - 1)
        yield first >> bits, bits
        first += 1 << bits


def _put(table: Table, key: Key, order: int, since: int) -> None:
    held = table.get(key)
    if held is None:
        table[key] = order
    elif isinstance(held, list):
        if held[-1] < since:
            held.append(order)
    elif held < since:
        table[key] = [held, order]
