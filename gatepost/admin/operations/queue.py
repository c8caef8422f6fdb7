"""The queue: what waits, and moving it along. All of it is the running service's business; here it is only asked."""

from __future__ import annotations

import msgspec

from gatepost.admin.operations.operator import Operator
from gatepost.errors import ControlError
from gatepost.policy.domains import canonical

OPERATION_TIMEOUT = 600.0
"""Seconds for verbs that touch every message of a destination."""


class QueuedRecipient(msgspec.Struct, frozen=True, kw_only=True):
    """A recipient of a message that waits."""

    rid: int
    address: str
    status: str
    due: float = 0.0
    attempts: int = 0
    detail: str = ""


class QueuedMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message that waits for at least one recipient."""

    mid: int
    received: float
    reverse_path: str
    size: int
    recipients: list[QueuedRecipient]
    subject: str = ""
    listener: str = ""


class QueuedDestination(msgspec.Struct, frozen=True, kw_only=True):
    """How many recipients wait for one domain."""

    destination: str
    recipients: int
    held: int = 0
    """Of these, those that wait for an operator."""
    next_due: float = 0.0


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the queue."""

    destinations: list[QueuedDestination]
    messages: list[QueuedMessage]
    out_of_reach: str = ""
    """Which workers are down, and why: what their shards hold is not shown. Empty: all is shown."""


def listing(operator: Operator, *, destination: str = "", limit: int = 100, offset: int = 0) -> Queue:
    """Return what waits, by destination and by message."""
    answer = operator.ask("queue_list", limit=limit, offset=offset, destination=canonical(destination))
    return msgspec.convert(answer, Queue)


def show(operator: Operator, mid: int) -> QueuedMessage:
    """Return one message that waits."""
    answer = operator.ask("queue_show", mid=mid)
    if not answer:
        raise ControlError(f"MID {mid} is not in the queue; `gatepost track {mid}` shows what became of it")
    return msgspec.convert(answer, QueuedMessage)


def deliver_now(operator: Operator, *, destination: str = "", mid: int = 0) -> int:
    """Try at once for a message, a destination or (neither given) everything; the number of recipients it concerns."""
    return _count(operator, "deliver_now", destination, mid)


def bounce(operator: Operator, *, destination: str = "", mid: int = 0) -> int:
    """Give up on a message or a destination and tell the senders; the number of recipients."""
    _be_specific(destination, mid)
    return _count(operator, "bounce", destination, mid)


def delete(operator: Operator, *, destination: str = "", mid: int = 0) -> int:
    """Drop a message or a destination's mail without a word to anybody; the number of recipients."""
    _be_specific(destination, mid)
    return _count(operator, "delete", destination, mid)


def suspend(operator: Operator) -> None:
    """Hold delivery; mail is still accepted."""
    operator.ask("suspend_delivery")


def resume(operator: Operator) -> None:
    """Deliver again."""
    operator.ask("resume_delivery")


def _be_specific(destination: str, mid: int) -> None:
    if not destination and not mid:
        raise ControlError("say which: a MID or a destination domain")


def _count(operator: Operator, verb: str, destination: str, mid: int) -> int:
    answer = operator.ask(verb, OPERATION_TIMEOUT, destination=canonical(destination), mid=mid)
    count = int((answer or {}).get("recipients", 0))
    if not count and mid:
        raise ControlError(f"MID {mid} is not in the queue; `gatepost track {mid}` shows what became of it")
    if not count and destination:
        raise ControlError(f"nothing waits for {'a retry to ' if verb == 'deliver_now' else ''}{destination}")
    return count
