"""Rows of the Host Access Table that can never match, because an earlier one takes all that they name.

First match decides, so a network above an address inside it hides the address (a classic mistake in such tables).
Costs n log n: a table may hold a million members.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence

import msgspec

from gatepost.config.networks import Network
from gatepost.config.senders import HostName, HostsBelow, Sender


class Member(msgspec.Struct, frozen=True, gc=False):
    """A member of a sender group, where it stands, and what it is."""

    group: int
    place: int
    sender: Sender
    decides: bool = True
    """False in a group whose policy says CONTINUE: it hides nothing."""

    @property
    def row(self) -> tuple[int, int]:
        """Its place in the whole table."""
        return self.group, self.place


def hidden(members: Sequence[Member]) -> Iterator[tuple[Member, Member]]:
    """Return each member that another group hides, with the member of an earlier group that hides it.

    `members` come in the order of the table.
    """
    for version in (4, 6):
        yield from _hidden_networks([m for m in members if isinstance(m.sender, Network) and m.sender.version == version])
    yield from _hidden_names([m for m in members if isinstance(m.sender, HostName | HostsBelow)])


def _hidden_networks(members: list[Member]) -> Iterator[tuple[Member, Member]]:
    """Sweep by first address; `lasts` and `by_last` are the ranges begun that no other outdoes.

    A range outdoes another when it ends no sooner and stands no later in the table. Of those left, a later end therefore
    goes with a later place, and the first range that ends behind a member is the earliest in the table that holds it.
    """
    lasts: list[int] = []
    by_last: list[Member] = []
    for member in sorted(members, key=_by_first_address):
        last = _network(member).last
        at = bisect_left(lasts, last)
        if at < len(by_last) and by_last[at].group < member.group:
            yield member, by_last[at]
        if not member.decides or (at < len(by_last) and by_last[at].row <= member.row):
            continue
        end = at + 1 if at < len(by_last) and lasts[at] == last else at
        start = at
        while start and by_last[start - 1].row > member.row:
            start -= 1
        lasts[start:end] = [last]
        by_last[start:end] = [member]


def _network(member: Member) -> Network:
    assert isinstance(member.sender, Network)
    return member.sender


def _by_first_address(member: Member) -> int:
    """Order by first address, the longer range first, in one number; the sort keeps the table's order among equals."""
    network = _network(member)
    return (network.first << 128) - network.last


def _hidden_names(members: list[Member]) -> Iterator[tuple[Member, Member]]:
    hosts: dict[str, Member] = {}
    below: dict[str, Member] = {}
    for member in members:
        name = member.sender.name if isinstance(member.sender, HostName) else _domain(member)
        same = hosts if isinstance(member.sender, HostName) else below
        takers = [same[name]] if name in same else []
        takers += [below[domain] for domain in _parents(name) if domain in below]
        earliest = min(takers, key=lambda taker: taker.row, default=member)
        if earliest.group < member.group:
            yield member, earliest
        if member.decides:
            same.setdefault(name, member)


def _domain(member: Member) -> str:
    assert isinstance(member.sender, HostsBelow)
    return member.sender.domain


def _parents(name: str) -> Iterator[str]:
    while "." in name:
        name = name.partition(".")[2]
        yield name
