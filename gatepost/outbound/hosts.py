"""What each destination got and said lately, in numbers: what `tophosts` and `hoststatus` tell (asyncos.md 9).

Counts from the start of the process, for a bounded number of destinations; decides nothing and keeps nothing on disk.
"""

from __future__ import annotations

import time
from collections import Counter
from itertools import islice

from gatepost.outbound.outcome import Carrier
from gatepost.outbound.ruling import BY_OPERATOR, Ruling
from gatepost.policy.failure import Cost
from gatepost.spool.message import Status

MAX_HOSTS = 10_000
"""Destinations that are remembered; those known longest go first, a tenth at a time."""


class HostCounts:
    """One destination."""

    __slots__ = ("deleted", "delivered", "hard", "last_activity", "last_error", "soft")

    def __init__(self) -> None:
        self.delivered = 0
        """Recipients."""
        self.soft = 0
        """Attempts that failed and are made again, by recipients."""
        self.hard = Counter[str]()
        """Recipients that bounced, by cause: `dns`, `5xx`, `expired`, `other`."""
        self.deleted = 0
        self.last_activity = 0.0
        """Wall clock; 0: there was none."""
        self.last_error: tuple[float, str, str] = (0.0, "", "")
        """The last 5xx: when, what was said, by which address."""


class HostBook:
    """The destinations of one worker."""

    def __init__(self) -> None:
        self._hosts: dict[str, HostCounts] = {}

    def of(self, domain: str) -> HostCounts:
        """Return the counts of a destination, nothing but zeros when nothing is known of it."""
        return self._hosts.get(domain) or HostCounts()

    def domains(self) -> list[str]:
        """Return the destinations that something is known of."""
        return list(self._hosts)

    def delivered(self, domain: str, recipients: int) -> None:
        """Count what was delivered."""
        counts = self._hosts.get(domain) or self._new(domain)
        counts.delivered += recipients
        counts.last_activity = time.time()

    def note(self, domain: str, ruling: Ruling, carrier: Carrier) -> None:
        """Count where one recipient stands now."""
        outcome = ruling.outcome
        match ruling.state.status:
            case Status.DELIVERED:
                self.delivered(domain, 1)
            case Status.DEFERRED if isinstance(outcome, Cost):
                counts = self._active(domain)
                counts.soft += 1
            case Status.BOUNCED if isinstance(outcome, Cost):
                counts = self._active(domain)
                cause = _cause(outcome)
                counts.hard[cause] += 1
                if cause == "5xx":
                    counts.last_error = (counts.last_activity, str(outcome.reply), carrier.address)
            case Status.DELETED:
                self._active(domain).deleted += 1

    def _active(self, domain: str) -> HostCounts:
        counts = self._hosts.get(domain) or self._new(domain)
        counts.last_activity = time.time()
        return counts

    def _new(self, domain: str) -> HostCounts:
        if len(self._hosts) >= MAX_HOSTS:
            for known in list(islice(self._hosts, MAX_HOSTS // 10)):
                del self._hosts[known]
        counts = self._hosts[domain] = HostCounts()
        return counts


def _cause(cost: Cost) -> str:
    if cost is BY_OPERATOR:
        return "other"
    if cost.status == "5.4.7":
        return "expired"
    if cost.reply is not None:
        return "5xx"
    return "dns" if cost.status in ("5.1.2", "5.1.10", "5.4.4", "5.4.6") else "other"
