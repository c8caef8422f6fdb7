"""Access: which sender group a connecting host falls into (the Host Access Table, compiled), and what its policy lets it do.

Evaluated top to bottom, the first match decides; a group whose behaviour is CONTINUE is passed over; the ALL row stands
last. Asks no DNS: the double lookup stands in `Host`, and `zones_needed` says which DNS lists could still decide, whose
answers the caller then brings to `match`. It counts nothing either: the functions below the table take the counts as they
stand before the command at hand, and return the refusal or None.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from gatepost.config.entries import parse_sender
from gatepost.config.model import UNLIMITED, Listener
from gatepost.policy.addresses import AddressMatcher
from gatepost.policy.host_index import PIECE, HostIndex
from gatepost.policy.mail_flow import policies
from gatepost.policy.reasons import because, who
from gatepost.policy.verdict import AccessVerdict, Host, Policy
from gatepost.smtp import reply
from gatepost.smtp.path import Path
from gatepost.smtp.reply import Reply

NOTHING_LISTED: frozenset[str] = frozenset()

_encode_entries = msgspec.msgpack.Encoder().encode
_decode_entries = msgspec.msgpack.Decoder(list[str]).decode


class _Group(NamedTuple):
    first: int
    """Order of its first member."""
    name: str
    policy: Policy


class PackedTable(msgspec.Struct, frozen=True, array_like=True):
    """A table on its way to a process that did not build it; in pieces, between which others get their turn."""

    firsts: list[int]
    """Order of the first member of each group."""
    entries: list[bytes]
    index: list[bytes]


class HostAccessTable:
    """The HAT of one listener; never changes once built."""

    def __init__(self, groups: list[_Group], entries: list[str], index: HostIndex, all_hosts: Policy) -> None:
        self._groups = groups
        self._firsts = [group.first for group in groups]
        self._entries = entries
        self._index = index
        self._deciding_zones = [(order, zone) for order, zone in index.zones if self._decides(order)]
        self.all_hosts = all_hosts

    @classmethod
    def build(cls, listener: Listener) -> HostAccessTable:
        """Compile the sender groups of a listener; ValueError with one sentence for what cannot be read."""
        index, entries, firsts = HostIndex(), list[str](), list[int]()
        for row in listener.sender_groups:
            since = len(entries)
            firsts.append(since)
            for order, text in enumerate(row.senders, since):
                index.add(order, parse_sender(text), since)
            entries += row.senders
        return cls._of(listener, firsts, entries, index)

    @classmethod
    def unpack(cls, listener: Listener, packed: PackedTable) -> HostAccessTable:
        """Return the table that `pack` packed; the members in the listener's sender groups are not looked at."""
        entries: list[str] = []
        for piece in packed.entries:
            entries += _decode_entries(piece)
        return cls._of(listener, packed.firsts, entries, HostIndex.unpack(packed.index))

    def pack(self) -> PackedTable:
        """Return the table for other processes that have the same document."""
        entries = self._entries
        pieces = [_encode_entries(entries[at : at + PIECE]) for at in range(0, len(entries), PIECE)]
        return PackedTable(self._firsts, pieces, self._index.pack())

    @classmethod
    def _of(cls, listener: Listener, firsts: list[int], entries: list[str], index: HostIndex) -> HostAccessTable:
        known = policies(listener)
        groups: list[_Group] = []
        for first, row in zip(firsts, listener.sender_groups, strict=True):
            if row.policy not in known:
                raise ValueError(f"sender group {row.name} names the policy {row.policy!r}, which does not exist here")
            groups.append(_Group(first, row.name, known[row.policy]))
        return cls(groups, entries, index, _all_hosts(listener, known))

    def policies(self) -> Iterator[Policy]:
        """Return the policies that some host may get, each once, in table order."""
        seen = {group.policy.name: group.policy for group in self._groups if group.policy.behavior != "continue"}
        seen.setdefault(self.all_hosts.name, self.all_hosts)
        return iter(seen.values())

    def zones_needed(self, host: Host) -> tuple[str, ...]:
        """Return the DNS lists whose answer could decide, in table order: those above the first other match."""
        if not self._deciding_zones:
            return ()
        best = self._first(host)
        return tuple(dict.fromkeys(zone for order, zone in self._deciding_zones if best is None or order < best))

    def match(self, host: Host, listed: frozenset[str] = NOTHING_LISTED) -> AccessVerdict:
        """Decide for a host; `listed` holds those of `zones_needed` that list its address."""
        best = self._first(host)
        for order, zone in self._deciding_zones:
            if zone in listed:
                best = order if best is None else min(order, best)
                break
        return self._verdict(host, best)

    def all_matches(self, host: Host, listed: frozenset[str] = NOTHING_LISTED) -> tuple[AccessVerdict, ...]:
        """Return every row that speaks of a host, in table order, CONTINUE groups and the ALL row included."""
        orders = self._index.find(host) + [order for order, zone in self._index.zones if zone in listed]
        return tuple(self._verdict(host, order) for order in [*sorted(orders), None])

    def _first(self, host: Host) -> int | None:
        return next((order for order in self._index.find(host) if self._decides(order)), None)

    def _group(self, order: int) -> _Group:
        return self._groups[bisect_right(self._firsts, order) - 1]

    def _decides(self, order: int) -> bool:
        return self._group(order).policy.behavior != "continue"

    def _verdict(self, host: Host, order: int | None) -> AccessVerdict:
        if order is None:
            policy = self.all_hosts
            reason = f"{who(host)} is in no sender group that decides: ALL, policy {policy.name}"
            return AccessVerdict(group="", entry="ALL", policy=policy, reason=reason)
        group, entry = self._group(order), self._entries[order]
        reason = f"{because(host, entry)} of sender group {group.name}, policy {group.policy.name}"
        return AccessVerdict(group=group.name, entry=entry, policy=group.policy, reason=reason)


def _all_hosts(listener: Listener, known: dict[str, Policy]) -> Policy:
    name = listener.all_hosts or ("ACCEPT" if listener.type == "public" else "REJECT")
    if name not in known:
        raise ValueError(f"all_hosts names the policy {name!r}, which does not exist here")
    if known[name].behavior == "continue":
        raise ValueError(f"all_hosts names {name!r}, whose behaviour is CONTINUE: nothing stands below the ALL row")
    return known[name]


def mail(policy: Policy, mandatory: AddressMatcher | None, reverse_path: Path, *, encrypted: bool) -> Reply | None:
    """Decide whether this sender may go on in the clear.

    `mandatory` holds the senders that must encrypt where the policy says preferred. The sender is known only now, so the
    refusal falls at MAIL and the session stays: the client may issue STARTTLS and come again.
    """
    if encrypted:
        return None
    if policy.tls.startswith("required"):
        return reply.STARTTLS_FIRST
    if policy.tls.startswith("preferred") and mandatory is not None and mandatory.match(reverse_path):
        return reply.SENDER_STARTTLS_FIRST
    return None


def message(policy: Policy, taken: int) -> Reply | None:
    """Decide on MAIL after `taken` messages of this connection."""
    return reply.TOO_MANY_MESSAGES if _reached(taken, policy.max_messages_per_connection) else None


def recipient(policy: Policy, accepted: int) -> Reply | None:
    """Decide on RCPT after `accepted` recipients of this message (RFC 5321 4.5.3.1.10)."""
    return reply.TOO_MANY_RECIPIENTS if _reached(accepted, policy.max_recipients_per_message) else None


def refusal(verdict: AccessVerdict, hostname: str) -> Reply:
    """Return the banner of a host that the table rejects (RFC 5321 3.1).

    It says whom to ask, and not which group or entry matched: a table is not told to those it keeps out.
    """
    words = "refuses mail from your host" if verdict.group else "takes no mail from hosts it does not know"
    return Reply(554, f"{hostname}\n#5.7.1 This server {words}; ask postmaster@{hostname}.", close=True)


def _reached(count: int, limit: int) -> bool:
    return limit != UNLIMITED and count >= limit
