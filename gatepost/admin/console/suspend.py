"""Holding and resuming receiving and delivery: `suspend`, `suspendlistener`, `suspenddel` and their counterparts.

Only asks and calls. What is suspended takes nothing new; what is under way has some seconds to come to its end.
"""

from __future__ import annotations

import asyncio

from gatepost.admin.cli_text import count
from gatepost.admin.console import asking
from gatepost.admin.console.commands import Command
from gatepost.admin.console.talk import Talk
from gatepost.admin.operations import queue, service
from gatepost.errors import GatepostError

ALL = "All"
SECONDS = "Enter the number of seconds to wait before abruptly closing connections."


async def suspendlistener(talk: Talk, rest: str) -> None:
    """Has listeners answer 421 to new connections. Those that are open have some seconds to end, then they are closed.

    It holds until `resumelistener`; restarts change nothing.
    """
    names = await _listeners(talk, "suspend", rest)
    await _suspend_listeners(talk, names, await _seconds(talk))


async def suspenddel(talk: Talk, rest: str) -> None:
    """Holds all delivery until `resumedel`; mail is still accepted and waits, over restarts too.

    Deliveries under way have some seconds to finish. One that takes longer is left to finish: it would be made twice.
    """
    await _suspend_deliveries(talk, await _seconds(talk))


async def suspend(talk: Talk, rest: str) -> None:
    """Has every listener answer 421 to new connections, and holds all delivery, until `resume`; restarts change nothing."""
    seconds = await _seconds(talk)
    await _suspend_listeners(talk, await _known(talk), seconds, "Receiving")
    await _suspend_deliveries(talk, seconds)


async def resumelistener(talk: Talk, rest: str) -> None:
    """Has listeners take connections again."""
    names = await _listeners(talk, "resume", rest)
    await asyncio.to_thread(service.resume_listeners, talk.operator, names)
    talk.say("", "Receiving resumed.")


async def resumedel(talk: Talk, rest: str) -> None:
    """Delivers again."""
    await asyncio.to_thread(queue.resume, talk.operator)
    talk.say("", "Mail delivery resumed.")


async def resume(talk: Talk, rest: str) -> None:
    """Has every listener take connections again, and delivers again."""
    await asyncio.to_thread(service.resume_listeners, talk.operator, [])
    await asyncio.to_thread(queue.resume, talk.operator)
    talk.say("", "Receiving resumed.", "Mail delivery resumed.")


async def _suspend_listeners(talk: Talk, names: list[str], seconds: int, what: str = "") -> None:
    await asyncio.to_thread(service.suspend_listeners, talk.operator, names)
    talk.say("", "Waiting for listeners to exit...")
    left = await service.drain(talk.operator, names, seconds, deliveries=False)
    if left.inbound:
        talk.say(f"{count(left.inbound, 'connection')} closed abruptly.")
    talk.say(*([f"{what} suspended."] if what else [f"{name} listener suspended" for name in names]))


async def _suspend_deliveries(talk: Talk, seconds: int) -> None:
    await asyncio.to_thread(queue.suspend, talk.operator)
    talk.say("", "Waiting for outgoing deliveries to finish...")
    left = await service.drain(talk.operator, [], seconds, deliveries=True)
    if left.outbound:
        talk.say(f"{count(left.outbound, 'delivery', 'deliveries')} still under way may finish; nothing new begins.")
    talk.say("Mail delivery suspended.")


async def _seconds(talk: Talk) -> int:
    return await talk.number(SECONDS, 30, 0, 3600)


async def _known(talk: Talk) -> list[str]:
    return [one.name for one in (await asyncio.to_thread(service.status, talk.operator)).listeners]


async def _listeners(talk: Talk, verb: str, rest: str) -> list[str]:
    """Ask for listeners, all of them by default."""
    known = await _known(talk)
    if not known:
        raise GatepostError("There is no listener in the committed configuration.")
    options = [ALL, *known]

    def check(text: str) -> list[str]:
        names = [asking.chosen(part.strip(), options) for part in text.split(",") if part.strip()]
        return known if ALL in names else list(dict.fromkeys(names))

    if rest:
        return check(rest)
    lines = [
        f"Choose the listener(s) you wish to {verb}.",
        "Separate multiple entries with commas.",
        *asking.numbered(options),
    ]
    return await talk.text("\n".join(lines), "1", check=check)


COMMANDS = (
    Command("resume", "Receive and deliver again.", resume),
    Command("resumedel", "Deliver again.", resumedel),
    Command("resumelistener", "Have listeners take connections again.", resumelistener, "[LISTENER, ...]"),
    Command("suspend", "Hold receiving and delivery.", suspend),
    Command("suspenddel", "Hold delivery.", suspenddel),
    Command("suspendlistener", "Have listeners answer 421 to new connections.", suspendlistener, "[LISTENER, ...]"),
)
