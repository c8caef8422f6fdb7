"""The running service as a whole: how it is, and its listeners. It is only asked here, over the control socket."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections import Counter
from typing import Any

import msgspec

from gatepost.admin.operations.operator import Operator
from gatepost.policy.domains import canonical

LOOK = 0.3
"""Seconds between two looks at what is still open."""


class WorkerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One worker process."""

    index: int
    pid: int
    sessions: int = 0
    deliveries: int = 0
    """Connections to next hops."""
    last: dict[str, int] = {}
    """The MID, ICID and DCID that it took last."""
    up: bool = True
    reason: str = ""
    """Why it does not serve; empty when it does."""
    lack: str = ""
    """Why it takes no new mail: what its disk has too little of."""


class ListenerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One listener."""

    name: str
    address: str
    port: int
    tls: str = ""
    """TLS setting of its Default Policy Parameters."""
    suspended: bool = False


class QueueSize(msgspec.Struct, frozen=True, kw_only=True):
    """How much waits."""

    messages: int = 0
    recipients: int = 0


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The gateway at a glance."""

    version: str
    revision: int
    pid: int
    started: float
    workers: list[WorkerStatus]
    listeners: list[ListenerStatus]
    queue: QueueSize
    counters: dict[str, float] = {}
    deliveries_suspended: bool = False
    totals: dict[str, list[float]] = {}
    """Of some counters: since they were reset, since the start, for ever."""
    rates: dict[str, list[float]] = {}
    """Of the same: events an hour over 1, 5 and 15 minutes."""
    reset_at: float = 0.0
    """When the counters were reset; 0: never."""
    alarms: list[str] = []
    """What an operator should look at although mail goes on: certificates of ours that have expired or soon will."""


class LastError(msgspec.Struct, frozen=True, kw_only=True):
    """The last 5xx of a destination."""

    time: float = 0.0
    text: str = ""
    peer: str = ""


class HostStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What one destination got since the workers started."""

    delivered: int = 0
    """Recipients."""
    soft_bounced: int = 0
    hard_bounced: dict[str, int] = {}
    """By cause: `dns`, `5xx`, `expired`, `other`."""
    deleted: int = 0
    last_activity: float = 0.0
    last_error: LastError = LastError()
    connections: int = 0
    """Open, and carrying mail."""
    pending: int = 0
    """Being opened."""
    down: str = ""
    """Why nothing gets through at the moment; empty: all is well, or nothing was tried."""


class Connection(msgspec.Struct, frozen=True, array_like=True):
    """Open connections of one host to one listener."""

    address: str
    name: str
    """Its reverse name; empty: it has none."""
    listener: str
    count: int


class Space(msgspec.Struct, frozen=True, kw_only=True):
    """The disk under the spool, in octets."""

    used: int
    """By the spool."""
    free: int


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """What was still open when the time was up."""

    inbound: int
    """Connections, which were closed then."""
    outbound: int
    """Deliveries, which may finish: to cut them short would deliver mail twice."""


def status(operator: Operator) -> Status:
    """Return the state of the running service."""
    return msgspec.convert(operator.ask("status"), Status, strict=False)


def suspend_listeners(operator: Operator, names: list[str]) -> None:
    """Answer 421 to new connections; no names: on all listeners."""
    operator.ask("suspend_listener", names=names)


def resume_listeners(operator: Operator, names: list[str]) -> None:
    """Take connections again; no names: on all listeners."""
    operator.ask("resume_listener", names=names)


def space(operator: Operator) -> Space:
    """Return how much the spool takes on its disk, and how much is free there."""
    spool = operator.state / "spool"
    used = 0
    for path in spool.rglob("*"):
        try:
            used += path.stat().st_blocks * 512
        except FileNotFoundError:
            continue  # a message that has just left
    return Space(used=used, free=shutil.disk_usage(operator.state).free)


def reset_counters(operator: Operator) -> None:
    """Let the counters since the reset begin at 0."""
    operator.ask("reset_counters")


def hosts(operator: Operator, domain: str = "") -> dict[str, HostStatus]:
    """Return what destinations got since the workers started: one of them, or all that something is known of."""
    answer = operator.ask("hosts", domain=canonical(domain))
    return msgspec.convert(answer, dict[str, HostStatus])


def connections(operator: Operator) -> list[Connection]:
    """Return who is connected, those with most connections first."""
    total: Counter[tuple[str, str, str]] = Counter()
    for one in msgspec.convert(operator.ask("connections"), list[Connection]):
        total[one.address, one.name, one.listener] += one.count
    return [Connection(*place, count) for place, count in total.most_common()]


async def drain(operator: Operator, listeners: list[str], seconds: float, *, deliveries: bool) -> Left:
    """Wait at most so long for what was suspended to come to its end, then close what is still open on the listeners.

    Waits without holding up the loop, so that whoever waits may leave; then nothing is closed.
    """
    until = time.monotonic() + seconds
    while True:
        late = time.monotonic() >= until
        answer = await asyncio.to_thread(operator.ask, "drain", listeners=listeners, abruptly=late)
        left = msgspec.convert(answer, Left)
        if late or not (left.inbound or (deliveries and left.outbound)):
            return left
        await asyncio.sleep(LOOK)


def metrics(operator: Operator) -> str:
    """Return the metrics in Prometheus' text format."""
    answer: Any = operator.ask("metrics")
    return str(answer)


def reopen_logs(operator: Operator) -> None:
    """Let go of the log files and open them anew, after somebody else has rotated them."""
    operator.ask("reopen_logs")
