"""How the running service is: `status` and `resetcounters` (asyncos.md 9). Only asks and shows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator

from gatepost.admin.cli_text import shown, span
from gatepost.admin.console.commands import Command
from gatepost.admin.console.talk import Talk
from gatepost.admin.operations import queue, service
from gatepost.admin.operations.service import Status

_RECEIVING = (("Messages Received", "messages_accepted"), ("Recipients Received", "recipients_in{accepted}"))
_REJECTED = (("Rejected Recipients", "recipients_in{rejected}"),)
_QUEUE = (("Soft Bounced Events", "recipients{deferred}"),)
_ENDS = ("recipients{delivered}", "recipients{bounced}", "recipients{deleted}")
_COMPLETED = (("Completed Recipients", "+".join(_ENDS)),)
_DETAILS = (
    ("  Hard Bounced Recipients", _ENDS[1]),
    ("  Delivered Recipients", _ENDS[0]),
    ("  Deleted Recipients", _ENDS[2]),
)
_IDS = (("Message ID (MID)", "mid"), ("Injection Conn. ID (ICID)", "icid"), ("Delivery Conn. ID (DCID)", "dcid"))
Groups = Iterable[tuple[str, tuple[tuple[str, str], ...]]]
"""Titles, each with its rows: what is printed, and the counters that make it, joined by `+`."""


async def status(talk: Talk, rest: str) -> None:
    """Shows how the service is: its counters, the numbers it gave last, how much waits and how many are connected.

    The columns count since the counters were reset, since the service started, and since it started for the first time.
    `status detail` adds what became of recipients, events an hour over 1, 5 and 15 minutes, workers and disk.
    """
    detail = rest.lower() == "detail"
    now = await asyncio.to_thread(service.status, talk.operator)
    oldest = await asyncio.to_thread(queue.oldest, talk.operator)
    space = await asyncio.to_thread(service.space, talk.operator)
    if not detail:
        talk.say("", 'Enter "status detail" for more information.')
    talk.say("", *_head(now, oldest), "", *_counters(now, detail))
    if detail:
        talk.say("", *_rates(now))
    talk.say("", *_gauges(now, space, detail), *(f"Alarm: {shown(alarm)}" for alarm in now.alarms))


def _head(now: Status, oldest: float) -> Iterator[str]:
    yield pair("Status as of:", clock(time.time()))
    yield pair("Up since:", f"{clock(now.started)} ({span(time.time() - now.started)})")
    yield pair("Last counter reset:", clock(now.reset_at) if now.reset_at else "Never")
    yield pair("System status:", _state(now))
    yield pair("Oldest Message:", span(time.time() - oldest) if oldest else "No Messages")
    yield pair("Configuration:", f"revision {now.revision}")


def _state(now: Status) -> str:
    down = [one for one in now.workers if not one.up]
    if down:
        return f"{len(down)} of {len(now.workers)} workers down"
    receiving = [one for one in now.listeners if not one.suspended]
    if now.deliveries_suspended:
        return "Delivery suspended" if receiving else "Offline"
    if not receiving and now.listeners:
        return "Receiving suspended"
    return "Online" if len(receiving) == len(now.listeners) else "Online, some listeners suspended"


def _counters(now: Status, detail: bool) -> Iterator[str]:
    yield f"{'Counters:':<31}{'Reset':>15}{'Uptime':>15}{'Lifetime':>15}"
    groups = [("Receiving", _RECEIVING), ("Rejection", _REJECTED), ("Queue", _QUEUE)]
    groups.append(("Completion", _COMPLETED + _DETAILS if detail else _COMPLETED))
    yield from _grouped(groups, now.totals)
    yield "  Current IDs"
    for label, kind in _IDS:
        last = max((one.last.get(kind, 0) for one in now.workers), default=0)
        yield f"    {label:<27}{'':>30}{last:>15,}"


def _rates(now: Status) -> Iterator[str]:
    yield f"{'Rates (Events Per Hour):':<31}{'1-Minute':>15}{'5-Minutes':>15}{'15-Minutes':>15}"
    groups = [
        ("Receiving", _RECEIVING),
        ("Rejection", _REJECTED),
        ("Queue", _QUEUE),
        ("Completion", _COMPLETED + _DETAILS[:2]),
    ]
    yield from _grouped(groups, now.rates)


def _grouped(groups: Groups, values: dict[str, list[float]]) -> Iterator[str]:
    for title, rows in groups:
        yield f"  {title}"
        for label, names in rows:
            parts = [values.get(name, [0.0] * 3) for name in names.split("+")]
            columns = [sum(column) for column in zip(*parts, strict=True)]
            yield f"    {label:<27}{''.join(f'{round(value):>15,}' for value in columns)}"


def _gauges(now: Status, space: service.Space, detail: bool) -> Iterator[str]:
    yield f"{'Gauges:':<31}{'Current':>15}"
    yield "  Connections"
    yield _gauge("Current Inbound Conn.", sum(one.sessions for one in now.workers))
    yield _gauge("Current Outbound Conn.", sum(one.deliveries for one in now.workers))
    yield "  Queue"
    yield _gauge("Active Recipients", now.queue.recipients)
    yield _gauge("Messages In Queue", now.queue.messages)
    yield _gauge("Kilobytes Used", space.used // 1024)
    yield _gauge("Kilobytes Free", space.free // 1024)
    if detail:
        yield "  Workers"
        for one in now.workers:
            state = ("refuses new mail: " + one.lack if one.lack else "up") if one.up else f"down {one.reason}".strip()
            yield f"    Worker {one.index} (PID {one.pid}): {shown(state)}"


def _gauge(label: str, value: int) -> str:
    return f"    {label:<27}{value:>15,}"


async def resetcounters(talk: Talk, rest: str) -> None:
    """Lets the column Reset of `status` begin at 0; the others go on."""
    await asyncio.to_thread(service.reset_counters, talk.operator)
    talk.say("", f"Counters reset: {clock(time.time())}")


def clock(seconds: float) -> str:
    """Write a time as the model's status pages do."""
    return time.strftime("%a %b %d %H:%M:%S %Y %Z", time.localtime(seconds))


def pair(name: str, value: object) -> str:
    """Write a line of the head of such a page."""
    return f"{name:<22}{value}"


COMMANDS = (
    Command("resetcounters", "Let the counters since the reset begin at 0.", resetcounters),
    Command("status", "Show how the service is.", status, usage="[detail]"),
)
