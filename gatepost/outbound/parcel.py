"""Mail in hand: a message that was taken up from the spool, and the jobs that its recipients make.

A parcel is in hand from the moment that one of its recipients is to be tried until the last of those is settled; only one
parcel exists for a MID, so what an operator and a delivery do to it meets here. Values in memory; nothing here is durable.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from gatepost.net.dns import ascii_domain
from gatepost.spool.message import Content, Envelope

MAX_RECIPIENTS = 100
"""Of one transaction: what every server must take (RFC 5321 4.5.3.1.8)."""
Verdict = Literal["", "bounce", "delete"]
NONE_MADE: Mapping[int, int] = {}
NONE_REDIRECTED: Mapping[int, str] = {}


class Parcel:
    """A message in hand."""

    __slots__ = ("claimed", "content", "envelope", "open", "redirected", "verdict")

    def __init__(self, envelope: Envelope, content: Content | None, open_rids: Iterable[int] | None = None) -> None:
        self.envelope = envelope
        self.content = content
        """None: not in memory, to be loaded when its turn comes."""
        self.open = set(range(len(envelope.recipients)) if open_rids is None else open_rids)
        """RIDs that are not final."""
        self.claimed: set[int] = set()
        """RIDs that stand in a job or are being settled; the spool's word on them is out of date."""
        self.verdict: Verdict = ""
        """What an operator decided while a delivery was under way: it holds for whatever is not delivered."""
        self.redirected = NONE_REDIRECTED
        """Where an operator sends recipients instead of to their domain, by RID; the spool keeps it as their destination."""

    def destination(self, rid: int) -> str:
        """Return the queue that a recipient stands in: its domain, unless an operator has redirected it."""
        return self.redirected.get(rid) or domain_of(self.envelope.recipients[rid])

    def redirect(self, rids: Iterable[int], destination: str) -> None:
        """Send recipients elsewhere; holds for whatever is not delivered already."""
        self.redirected = {**self.redirected, **dict.fromkeys(rids, destination)}


class Job:
    """The recipients of one message in one destination: what one transaction carries."""

    __slots__ = ("attempts", "destination", "parcel", "rids", "taken", "tries", "void")

    def __init__(
        self, parcel: Parcel, destination: str, rids: tuple[int, ...], attempts: Mapping[int, int] | None = None
    ) -> None:
        self.parcel = parcel
        self.destination = destination
        self.rids = rids
        self.attempts = attempts or NONE_MADE
        """Attempts made so far, for those tried before."""
        self.tries = 0
        """How often its delivery ended in a bug."""
        self.taken = False
        """A connection has it."""
        self.void = False
        """An operator settled it while it waited."""
        parcel.claimed.update(rids)


def domain_of(address: str) -> str:
    """Return the destination of a forward-path: its domain in lower case, empty for a bare local part.

    U-labels are compared as A-labels: who writes a partner's domain in another alphabet must not get another TLS setting.
    """
    local_part, _, domain = address.rpartition("@")
    if not local_part or domain.endswith('"'):  # the @ of `"a@b"` is no separator
        return ""
    return domain.lower() if domain.isascii() else ascii_domain(domain)


def split(parcel: Parcel, rids: Iterable[int], attempts: dict[int, int] | None = None) -> list[Job]:
    """Make jobs of the recipients, by destination."""
    if len(parcel.envelope.recipients) == 1:
        return [Job(parcel, parcel.destination(0), (0,), attempts)]
    by_domain: dict[str, list[int]] = {}
    for rid in rids:
        by_domain.setdefault(parcel.destination(rid), []).append(rid)
    return [
        Job(parcel, domain, tuple(group[start : start + MAX_RECIPIENTS]), attempts)
        for domain, group in by_domain.items()
        for start in range(0, len(group), MAX_RECIPIENTS)
    ]
