"""The queue: what waits, and moving it along. All of it is the running service's business; here it is only asked."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from gatepost.admin.operations.hosts import read_address, read_name
from gatepost.admin.operations.operator import Operator
from gatepost.errors import ControlError, GatepostError
from gatepost.outbound.parcel import domain_of
from gatepost.policy.domains import canonical

OPERATION_TIMEOUT = 600.0
"""Seconds for verbs that touch every message of a destination."""


class NotQueued(ControlError):
    """The message that was named does not wait (any more)."""


class QueuedRecipient(msgspec.Struct, frozen=True, kw_only=True):
    """A recipient of a message that waits."""

    rid: int
    address: str
    status: str
    destination: str = ""
    """Where it is queued, once it was tried or redirected; empty: for its domain."""
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
    untried: int = 0
    """Of these, those for which no delivery was tried yet."""
    next_due: float = 0.0


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the queue."""

    destinations: list[QueuedDestination]
    messages: list[QueuedMessage]
    out_of_reach: str = ""
    """Which workers are down, and why: what their shards hold is not shown. Empty: all is shown."""


class Selected(msgspec.Struct, frozen=True, kw_only=True):
    """Which mail is meant: a message, a destination, a sender, or all of it."""

    mid: int = 0
    destination: str = ""
    sender: str | None = None
    """A whole reverse-path; empty: the null reverse-path."""
    everything: bool = False

    def arguments(self) -> dict[str, Any]:
        """Return it as the service is asked; ControlError when nothing is meant."""
        if self.everything:
            return {"everything": True}
        if self.sender is not None:
            return {"sender": self.sender.strip().removeprefix("<").removesuffix(">")}
        if not self.destination and not self.mid:
            raise ControlError("say which: a MID or a destination domain")
        return {"destination": canonical(self.destination), "mid": self.mid}


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """How much is meant."""

    recipients: int
    out_of_reach: str = ""
    """Which workers are down, and why: what their shards hold is not counted. Empty: all is."""


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """The beginning of a message as it is stored."""

    size: int
    """Octets of the whole."""
    octets: bytes


def listing(
    operator: Operator, *, destination: str = "", sender: str | None = None, limit: int = 100, offset: int = 0
) -> Queue:
    """Return what waits, by destination and by message."""
    chosen = {} if sender is None else Selected(sender=sender).arguments()
    answer = operator.ask("queue_list", limit=limit, offset=offset, destination=canonical(destination), **chosen)
    return msgspec.convert(answer, Queue)


def count(operator: Operator, chosen: Selected) -> Count:
    """Return how many recipients wait of what is meant."""
    return msgspec.convert(operator.ask("queue_count", OPERATION_TIMEOUT, **chosen.arguments()), Count)


def oldest(operator: Operator) -> float:
    """Return when the message came that waits longest, wall clock; 0: the queue is empty."""
    return float(operator.ask("queue_oldest"))


def content(operator: Operator, mid: int, limit: int = 100_000) -> Content:
    """Return at most `limit` octets of a message that waits."""
    answer = operator.ask("queue_content", mid=mid, limit=limit)
    if not answer:
        raise _not_queued(mid)
    return msgspec.convert(answer, Content)


def show(operator: Operator, mid: int) -> QueuedMessage:
    """Return one message that waits."""
    answer = operator.ask("queue_show", mid=mid)
    if not answer:
        raise _not_queued(mid)
    return msgspec.convert(answer, QueuedMessage)


def deliver_now(operator: Operator, *, destination: str = "", mid: int = 0) -> int:
    """Try at once for a message, a destination or (neither given) everything; the number of recipients it concerns."""
    answer = operator.ask("deliver_now", OPERATION_TIMEOUT, destination=canonical(destination), mid=mid)
    return _recipients(answer, Selected(destination=destination, mid=mid), "a retry to ")


def bounce(operator: Operator, *, destination: str = "", mid: int = 0) -> int:
    """Give up on a message or a destination and tell the senders; the number of recipients."""
    return end(operator, "bounce", Selected(destination=destination, mid=mid))


def delete(operator: Operator, *, destination: str = "", mid: int = 0) -> int:
    """Drop a message or a destination's mail without a word to anybody; the number of recipients."""
    return end(operator, "delete", Selected(destination=destination, mid=mid))


def end(operator: Operator, how: Literal["bounce", "delete"], chosen: Selected) -> int:
    """Give up on what is meant, and tell the senders or nobody; the number of recipients."""
    return _done(operator, how, chosen)


def redirect(operator: Operator, host: str, chosen: Selected) -> int:
    """Send what is meant to another host instead of where its recipients' domains lead; the number of recipients.

    `host` is a name, which is delivered to as a domain is (by its SMTP route, its MX or its address), or an IP address.
    It is where the mail goes from now on, over restarts too; the destination control of `host` says with what TLS.
    """
    return _done(operator, "redirect", chosen, host=read_host(host))


def redirected(recipient: QueuedRecipient) -> str:
    """Return the host that a recipient was redirected to; empty: its mail goes where its domain leads."""
    domain = domain_of(recipient.address)
    return recipient.destination if recipient.destination != domain and recipient.status in ("queued", "deferred") else ""


def read_host(text: str) -> str:
    """Return a host's name in its one form, or an address in brackets; GatepostError for anything else."""
    bare = text.strip()
    try:
        address = read_address(bare)
    except GatepostError:
        return canonical(read_name(bare))
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


def suspend(operator: Operator) -> None:
    """Hold delivery; mail is still accepted."""
    operator.ask("suspend_delivery")


def resume(operator: Operator) -> None:
    """Deliver again."""
    operator.ask("resume_delivery")


def read_destination(text: str) -> str:
    """Return a destination as the queue knows it, of a domain or an address in it; GatepostError for anything else."""
    domain = text.strip().rpartition("@")[2]
    return canonical(domain) if domain.startswith("[") else canonical(read_name(domain))


def _not_queued(mid: int) -> NotQueued:
    return NotQueued(f"MID {mid} is not in the queue; message tracking shows what became of it")


def _done(operator: Operator, verb: str, chosen: Selected, **arguments: str) -> int:
    answer = operator.ask(verb, OPERATION_TIMEOUT, **chosen.arguments(), **arguments)
    return _recipients(answer, chosen)


def _recipients(answer: Any, chosen: Selected, what: str = "") -> int:
    number = int((answer or {}).get("recipients", 0))
    if not number and chosen.mid:
        raise _not_queued(chosen.mid)
    if not number and chosen.destination:
        raise ControlError(f"nothing waits for {what}{chosen.destination}")
    if not number and chosen.sender is not None:
        raise ControlError(f"nothing from <{chosen.sender}> waits")
    return number
