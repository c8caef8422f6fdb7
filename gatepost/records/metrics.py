"""Counters of one process: plain numbers that cost the hot path one addition each.

`metrics.tls["in", "TLSv1.3", cipher, group, "success"] += 1`, and no more than that; text for Prometheus is made by
`records.exposition` when somebody asks. A snapshot holds only what msgpack can carry, for the master asks each worker for
one and merges them. Label values come from our own words and from the TLS library's, never from what a peer sends as text:
a peer must not be able to make series.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable
from typing import Literal, NamedTuple

Value = int | float | list[float]
Snapshot = dict[str, list[tuple[list[str], Value]]]
"""By name of the family: labels and value of each series. A histogram's value is its bucket counts and then its sum."""

COMMIT_BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Family(NamedTuple):
    """One metric: what it is called, what it tells."""

    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()


FAMILIES = {
    "connections": Family("counter", "Connections, by what became of them.", ("direction", "verdict")),
    "tls": Family("counter", "Handshakes.", ("direction", "protocol", "cipher", "group", "outcome")),
    "messages_accepted": Family("counter", "Messages answered 250."),
    "recipients_in": Family("counter", "Recipients that clients named, by what they were answered.", ("verdict",)),
    "recipients": Family("counter", "Recipients, by what became of them in an attempt.", ("outcome",)),
    "replies": Family("counter", "SMTP replies given (in) and received (out).", ("direction", "code")),
    "bytes": Family("counter", "Octets of mail data.", ("direction",)),
    "log_lines_lost": Family("counter", "Log lines dropped because the log could not be written."),
    "records_lost": Family("counter", "Records dropped because the database could not be written."),
    "sessions": Family("gauge", "Connections that stand now.", ("direction",)),
    "queue_messages": Family("gauge", "Messages in the spool."),
    "queue_recipients": Family("gauge", "Recipients in the spool that are not settled."),
    "commit_seconds": Family("histogram", "From the end of the mail data until it is on disk."),
}


class Metrics:
    """The counters; add to them directly."""

    __slots__ = ("_commit", *FAMILIES)

    def __init__(self) -> None:
        self.connections: defaultdict[tuple[str, str], int] = defaultdict(int)
        """(`in` or `out`, verdict): `accept`, `relay`, `reject`, `tcprefuse`, `limit`; `up`, `failed`."""
        self.tls: defaultdict[tuple[str, str, str, str, str], int] = defaultdict(int)
        """(direction, protocol, cipher, group, outcome): `success`, `failed`, `none`."""
        self.messages_accepted = 0
        self.recipients_in: defaultdict[str, int] = defaultdict(int)
        """verdict: `accepted` (of messages answered 250), `rejected`."""
        self.recipients: defaultdict[str, int] = defaultdict(int)
        """outcome: `delivered`, `deferred`, `bounced`, `deleted`, `held`."""
        self.replies: defaultdict[tuple[str, int], int] = defaultdict(int)
        """(direction, code)."""
        self.bytes: defaultdict[str, int] = defaultdict(int)
        """direction."""
        self.log_lines_lost = 0
        self.records_lost = 0
        self.sessions: defaultdict[str, int] = defaultdict(int)
        """direction."""
        self.queue_messages = 0
        self.queue_recipients = 0
        self._commit = [0.0] * (len(COMMIT_BUCKETS) + 2)

    def commit(self, seconds: float) -> None:
        """Count one message's way onto the disk."""
        self._commit[bisect_left(COMMIT_BUCKETS, seconds)] += 1
        self._commit[-1] += seconds

    def snapshot(self) -> Snapshot:
        """Everything as plain data."""
        taken: Snapshot = {}
        for name, family in FAMILIES.items():
            value = self._commit if family.kind == "histogram" else getattr(self, name)
            if isinstance(value, defaultdict):
                # Of another thread's view: a copy, for the dictionary may grow meanwhile.
                taken[name] = [(_labels(key), count) for key, count in value.copy().items()]
            else:
                taken[name] = [([], value.copy() if isinstance(value, list) else value)]
        return taken


def merge(snapshots: Iterable[Snapshot]) -> Snapshot:
    """The sum of several processes' snapshots."""
    total: dict[str, dict[tuple[str, ...], Value]] = {}
    for snapshot in snapshots:
        for name, series in snapshot.items():
            family = total.setdefault(name, {})
            for labels, value in series:
                key = tuple(labels)
                family[key] = _sum(family[key], value) if key in family else value
    return {name: [([*key], value) for key, value in series.items()] for name, series in total.items()}


def retired(snapshot: Snapshot) -> Snapshot:
    """What must be merged for ever after a process has ended: its counters, for a sum that falls reads as a restart."""
    return {name: series for name, series in snapshot.items() if name in FAMILIES and FAMILIES[name].kind != "gauge"}


def _sum(one: Value, other: Value) -> Value:
    if isinstance(one, list) and isinstance(other, list):
        return [a + b for a, b in zip(one, other, strict=True)]
    assert not isinstance(one, list)
    assert not isinstance(other, list)
    return one + other


def _labels(key: str | tuple[str | int, ...]) -> list[str]:
    return [key] if isinstance(key, str) else [str(part) for part in key]
