"""The running service as a whole: how it is, and its listeners. It is only asked here, over the control socket."""

from __future__ import annotations

from typing import Any

import msgspec

from gatepost.admin.operations.operator import Operator


class WorkerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One worker process."""

    index: int
    pid: int
    sessions: int = 0
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
    alarms: list[str] = []
    """What an operator should look at although mail goes on: certificates of ours that have expired or soon will."""


def status(operator: Operator) -> Status:
    """Return the state of the running service."""
    return msgspec.convert(operator.ask("status"), Status, strict=False)


def suspend_listeners(operator: Operator, names: list[str]) -> None:
    """Answer 421 to new connections; no names: on all listeners."""
    operator.ask("suspend_listener", names=names)


def resume_listeners(operator: Operator, names: list[str]) -> None:
    """Take connections again; no names: on all listeners."""
    operator.ask("resume_listener", names=names)


def metrics(operator: Operator) -> str:
    """Return the metrics in Prometheus' text format."""
    answer: Any = operator.ask("metrics")
    return str(answer)


def reopen_logs(operator: Operator) -> None:
    """Let go of the log files and open them anew, after somebody else has rotated them."""
    operator.ask("reopen_logs")
