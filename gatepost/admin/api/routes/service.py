"""/status, /listeners: the running gateway, and whether its listeners take connections."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar.params import JSONBody

from gatepost.admin.api.caller import Caller
from gatepost.admin.api.routing import Body, acts, reads
from gatepost.admin.operations import service
from gatepost.admin.operations.service import HostStatus, Space, Status

TAGS = ["Service"]


class Names(Body, frozen=True, kw_only=True):
    """Which listeners."""

    names: Annotated[tuple[str, ...], msgspec.Meta(max_length=1000)] = ()
    """None: all of them."""


class Open(msgspec.Struct, frozen=True, kw_only=True):
    """Open connections of one host to one listener."""

    address: str
    name: str
    listener: str
    count: int


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What was done, in a word."""

    done: str


@reads("/status", tags=TAGS)
def status(caller: Caller) -> Status:
    """The gateway at a glance: processes, listeners, queue, counters, alarms."""
    return service.status(caller.operator)


@reads("/status/space", tags=TAGS)
def space(caller: Caller) -> Space:
    """The disk under the spool, in octets."""
    return service.space(caller.operator)


@reads("/status/hosts", tags=TAGS)
def hosts(caller: Caller, domain: str = "") -> dict[str, HostStatus]:
    """What destinations got since the workers started: one of them, or all that something is known of."""
    return service.hosts(caller.operator, domain)


@reads("/status/connections", tags=TAGS)
def connections(caller: Caller) -> list[Open]:
    """Who is connected, those with most connections first."""
    found = service.connections(caller.operator)
    return [Open(address=one.address, name=one.name, listener=one.listener, count=one.count) for one in found]


@acts("/status/reset-counters", tags=TAGS)
def reset_counters(caller: Caller) -> Done:
    """Let the counters since the reset begin at 0."""
    service.reset_counters(caller.operator)
    caller.tell("reset the counters")
    return Done(done="reset")


@acts("/listeners/suspend", tags=TAGS)
def suspend(caller: Caller, data: JSONBody[Names]) -> Done:
    """Answer 421 to new connections, until they are resumed."""
    service.suspend_listeners(caller.operator, list(data.names))
    caller.tell(f"suspended {', '.join(data.names) or 'all listeners'}")
    return Done(done="suspended")


@acts("/listeners/resume", tags=TAGS)
def resume(caller: Caller, data: JSONBody[Names]) -> Done:
    """Take connections again."""
    service.resume_listeners(caller.operator, list(data.names))
    caller.tell(f"resumed {', '.join(data.names) or 'all listeners'}")
    return Done(done="resumed")


HANDLERS = (status, space, hosts, connections, reset_counters, suspend, resume)
