"""/queue: what waits, and moving it along."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Literal

import msgspec
from litestar import Response
from litestar.exceptions import NotFoundException
from litestar.params import JSONBody, QueryParameter

from gatepost.admin.api.caller import Caller
from gatepost.admin.api.problems import Fault, Refused
from gatepost.admin.api.routes.service import Done
from gatepost.admin.api.routing import MAX_NUMBER, Body, Limit, Number, Offset, acts, reads
from gatepost.admin.operations import queue
from gatepost.admin.operations.queue import Count, NotQueued, Queue, QueuedMessage, Selected

TAGS = ["Queue"]


Octets = Annotated[int, QueryParameter(ge=1, le=1_000_000, description="How many octets to return at most.")]


class Mail(Body, frozen=True, kw_only=True):
    """Which mail is meant: exactly one of these is given."""

    mid: Annotated[int, msgspec.Meta(ge=0, le=MAX_NUMBER)] = 0
    destination: str = ""
    sender: str | None = None
    """A whole reverse-path; empty: the null reverse-path."""
    everything: bool = False

    def selected(self) -> Selected:
        """Return it for the verbs; Refused for none or several, so that nothing more than was meant is touched."""
        if sum((bool(self.mid), bool(self.destination), self.sender is not None, self.everything)) != 1:
            wrong = "say which mail, by one of mid, destination, sender and everything"
            raise Refused(422, wrong, [Fault(path="", wrong=wrong, mend="give exactly one of them")])
        return Selected(mid=self.mid, destination=self.destination, sender=self.sender, everything=self.everything)

    def __str__(self) -> str:
        """Say it for the audit log."""
        given = msgspec.structs.asdict(self).items()
        return ", ".join(f"{name} {value}" for name, value in given if value not in (0, "", None, False)) or "everything"


class Retried(Body, frozen=True, kw_only=True):
    """Which mail is tried at once; nothing given: all of it."""

    mid: Annotated[int, msgspec.Meta(ge=0, le=MAX_NUMBER)] = 0
    destination: str = ""


class Redirected(Mail, frozen=True, kw_only=True):
    """Which mail is meant, and where it is to go."""

    host: str
    """Name or IP address."""


class Recipients(msgspec.Struct, frozen=True, kw_only=True):
    """How many recipients it concerned."""

    recipients: int


@reads("/queue", tags=TAGS)
def listing(
    caller: Caller, destination: str = "", sender: str | None = None, limit: Limit = 100, offset: Offset = 0
) -> Queue:
    """What waits, by destination and by message."""
    return queue.listing(caller.operator, destination=destination, sender=sender, limit=limit, offset=offset)


@reads("/queue/{mid:int}", tags=TAGS)
def show(caller: Caller, mid: Number) -> QueuedMessage:
    """One message that waits, with its recipients."""
    with _queued():
        return queue.show(caller.operator, mid)


@reads("/queue/{mid:int}/content", "operator", tags=TAGS, media_type="message/rfc822")
def content(caller: Caller, mid: Number, limit: Octets = 100_000) -> Response[bytes]:
    """The beginning of a message as it is stored; who reads it stands in the audit log."""
    with _queued():
        found = queue.content(caller.operator, mid, limit)
    caller.tell(f"read the content of MID {mid}")
    return Response(found.octets, media_type="message/rfc822")


@acts("/queue/count", role="read-only", tags=TAGS)
def count(caller: Caller, data: JSONBody[Mail]) -> Count:
    """How many recipients wait of what is meant; to be asked before it is ended."""
    return queue.count(caller.operator, data.selected())


@acts("/queue/deliver-now", tags=TAGS)
def deliver_now(caller: Caller, data: JSONBody[Retried]) -> Recipients:
    """Try at once."""
    number = queue.deliver_now(caller.operator, destination=data.destination, mid=data.mid)
    caller.tell(f"delivery at once for {number} recipients")
    return Recipients(recipients=number)


@acts("/queue/bounce", tags=TAGS)
def bounce(caller: Caller, data: JSONBody[Mail]) -> Recipients:
    """Give up, and tell the senders."""
    return _end(caller, "bounce", data)


@acts("/queue/delete", tags=TAGS)
def delete(caller: Caller, data: JSONBody[Mail]) -> Recipients:
    """Drop mail without a word to anybody."""
    return _end(caller, "delete", data)


@acts("/queue/redirect", tags=TAGS)
def redirect(caller: Caller, data: JSONBody[Redirected]) -> Recipients:
    """Send mail to another host; the destination control of that host then says with what TLS."""
    number = queue.redirect(caller.operator, data.host, data.selected())
    caller.tell(f"redirected {number} recipients: {data}")
    return Recipients(recipients=number)


@acts("/queue/suspend", tags=TAGS)
def suspend(caller: Caller) -> Done:
    """Hold all delivery; mail is still accepted."""
    queue.suspend(caller.operator)
    caller.tell("suspended delivery")
    return Done(done="suspended")


@acts("/queue/resume", tags=TAGS)
def resume(caller: Caller) -> Done:
    """Deliver again."""
    queue.resume(caller.operator)
    caller.tell("resumed delivery")
    return Done(done="resumed")


def _end(caller: Caller, how: Literal["bounce", "delete"], data: JSONBody[Mail]) -> Recipients:
    number = queue.end(caller.operator, how, data.selected())
    caller.tell(f"{how} for {number} recipients: {data}")
    return Recipients(recipients=number)


@contextmanager
def _queued() -> Iterator[None]:
    """Answer 404 when the message that a request names does not wait."""
    try:
        yield
    except NotQueued as fault:
        raise NotFoundException(str(fault)) from None


HANDLERS = (listing, show, content, count, deliver_now, bounce, delete, redirect, suspend, resume)
