"""The members of a Host Access Table, indexed so that a lookup costs the same for ten members and for a hundred thousand.

Each member has an order, its place in the whole table. Networks and ranges are cut into prefixes and kept in one dictionary
per prefix length, names and partial names in dictionaries that are asked label by label. Knows no groups and no policies,
and asks no DNS list: it only says which members speak of a host.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import TypeVar

from gatepost.config.entries import DnsList, HostName, HostsBelow, HostStatus, Network, Sender
from gatepost.policy.domains import above
from gatepost.policy.verdict import Host

Key = TypeVar("Key", int, str)
Orders = int | list[int]
"""The members under one key, ascending; nearly always one, which then needs no list."""


class HostIndex:
    """Finds the members that match a host; filled once, in ascending order, and then only read."""

    def __init__(self) -> None:
        self._networks: dict[int, dict[int, dict[int, Orders]]] = {4: {}, 6: {}}
        """Version -> bits behind the prefix -> prefix -> members."""
        self._names: dict[str, Orders] = {}
        self._below: dict[str, Orders] = {}
        self._statuses: dict[str, Orders] = {}
        self.zones: list[tuple[int, str]] = []
        """DNS lists with the order of their members, ascending."""

    def add(self, order: int, sender: Sender, since: int) -> None:
        """Add a member. `since` is the first order of its group: a key that the group holds already is not added again."""
        match sender:
            case Network(first=first, last=last, version=version):
                tables = self._networks[version]
                for prefix, bits in prefixes(first, last):
                    _put(tables.setdefault(bits, {}), prefix, order, since)
            case HostName(name=name):
                _put(self._names, name, order, since)
            case HostsBelow(domain=domain):
                _put(self._below, domain, order, since)
            case HostStatus(status=status):
                _put(self._statuses, status, order, since)
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
        address = ipaddress.ip_address(host.address)
        # A socket that takes both versions reports IPv4 clients so (RFC 4291 2.5.5.2); the table means the IPv4 address.
        mapped = address.ipv4_mapped if address.version == 6 else None
        value = int(mapped or address)
        for bits, table in self._networks[4 if mapped else address.version].items():
            yield table.get(value >> bits)
        if host.status != "verified":
            yield self._statuses.get(host.status)
            return
        yield self._names.get(host.name)
        for domain in above(host.name):
            yield self._below.get(domain)


def prefixes(first: int, last: int) -> Iterator[tuple[int, int]]:
    """Cut the range from `first` to `last` into the fewest prefixes, each as (prefix, number of bits behind it)."""
    while first <= last:
        bits = min((first & -first).bit_length() - 1 if first else 128, (last - first + 1).bit_length() - 1)
        yield first >> bits, bits
        first += 1 << bits


def _put(table: dict[Key, Orders], key: Key, order: int, since: int) -> None:
    held = table.get(key)
    if held is None:
        table[key] = order
    elif isinstance(held, list):
        if held[-1] < since:
            held.append(order)
    elif held < since:
        table[key] = [held, order]
