"""The mail that waits: shown, deleted, bounced, redirected, tried at once (asyncos.md 9). Only asks and calls.

Whatever takes mail away says for how many recipients before it asks whether that is meant.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Literal

from gatepost.admin.cli_text import count, shown
from gatepost.admin.console.commands import Command
from gatepost.admin.console.talk import Operations, Talk
from gatepost.admin.operations import queue, service
from gatepost.admin.operations.queue import QueuedMessage, Selected
from gatepost.errors import GatepostError

WAYS = ("By recipient host.", "By Envelope From address.", "All.")
PAGE = 1000
"""Messages that are shown at once; the service tells ten thousand at most."""
MOST = 10_000
REFRESH = (1, 3600)
WORKQUEUE: Operations = (
    ("STATUS", "Show how much waits."),
    ("RATE", "Show how it changes, every few seconds."),
    ("PAUSE", "Hold delivery; mail is still accepted."),
    ("RESUME", "Deliver again."),
)
_DONE = {"bounced", "deleted", "delivered"}


async def showrecipients(talk: Talk, rest: str) -> None:
    """Lists messages that wait, with each recipient: for a host, of a sender, or all."""
    chosen = await _select(talk, "show", rest)
    talk.say("", "Showing messages, please wait.", "")
    talk.say(f"{'MID/':<12}{'Bytes/':<12}{'Sender/':<40}Subject", f"{'[RID]':<12}{'[Atmps]':<12}Recipient", "")
    offset = 0
    while offset < MOST:
        page = await asyncio.to_thread(
            queue.listing, talk.operator, destination=chosen.destination, sender=chosen.sender, limit=PAGE, offset=offset
        )
        for message in page.messages:
            talk.say(*_message(message), "")
        offset += PAGE
        if len(page.messages) < PAGE:
            break
    else:
        talk.say(f"Only the first {MOST} messages are shown.")
    if page.out_of_reach:
        talk.say(f"A part of the queue is out of reach: {shown(page.out_of_reach)}")


def _message(message: QueuedMessage) -> Iterator[str]:
    yield f"{message.mid:<12}{message.size:<12}{shown(message.reverse_path) or '<>':<40}{shown(message.subject)}"
    for one in message.recipients:
        if one.status not in _DONE:
            to = f"{shown(one.address)}{_remark(one)}"
            yield f"{f'[{one.rid}]':<12}{f'[{one.attempts}]':<12}{to}"


def _remark(one: queue.QueuedRecipient) -> str:
    redirected = queue.redirected(one)
    told = [f"to {shown(redirected)}"] if redirected else []
    if one.status == "held":
        told.append(f"held: {shown(one.detail)}")
    return f" ({', '.join(told)})" if told else ""


async def showmessage(talk: Talk, rest: str) -> None:
    """Shows one message that waits: its envelope and its text, of a long one the beginning."""
    mid = _mid(rest) if rest else await talk.text("Enter the MID to show.", check=_mid)
    message = await asyncio.to_thread(queue.show, talk.operator, mid)
    content = await asyncio.to_thread(queue.content, talk.operator, mid)
    talk.say("", f"MID {mid} Information", "")
    talk.say(
        f"FROM: <{shown(message.reverse_path)}>", *(f"TO: <{shown(one.address)}> {one.status}" for one in message.recipients)
    )
    talk.say("", *content.octets.decode(errors="replace").replace("\r\n", "\n").split("\n"))
    if len(content.octets) < content.size:
        talk.say("", f"The first {len(content.octets)} of {content.size} octets are shown.")


async def deleterecipients(talk: Talk, rest: str) -> None:
    """Drops mail that waits for a host, of a sender, or all of it. Nobody is told."""
    await _end(talk, "delete", rest)


async def bouncerecipients(talk: Talk, rest: str) -> None:
    """Gives up on mail that waits for a host, of a sender, or all of it, and tells the senders."""
    await _end(talk, "bounce", rest)


async def _end(talk: Talk, how: Literal["delete", "bounce"], rest: str) -> None:
    chosen = await _select(talk, how, rest)
    if await _meant(talk, chosen, f"{how} all messages {_words(chosen)}"):
        talk.say("", f"{'Deleting' if how == 'delete' else 'Bouncing'} messages, please wait.")
        number = await asyncio.to_thread(queue.end, talk.operator, how, chosen)
        talk.say(f"{count(number, 'recipient')} {'deleted' if how == 'delete' else 'bounced'}.")


async def redirectrecipients(talk: Talk, rest: str) -> None:
    """Sends all mail that waits to another host instead of where its recipients' domains lead.

    The mail stays where it was sent until that host takes it, over restarts too; mail that comes later is not redirected.
    A name is delivered to as a domain is: by its SMTP route, its MX or its address. With what TLS, the destination control
    of that host says, and no longer those of the recipients' domains. What is held stays held.
    """
    talk.say(
        "",
        "WARNING: redirecting recipients to a host or IP address that is not prepared to accept large volumes of SMTP mail",
        "from this host will cause messages to bounce and possibly result in the loss of mail. What TLS the recipients'",
        "domains ask for does not hold on the way to it: the destination control of the host does.",
    )
    word, _, named = rest.partition(" ")
    if rest and (word.lower() != "host" or not named):
        raise GatepostError("say `host NAME`, or nothing to be asked")
    question = "Please enter the hostname or IP address of the machine you want to send all mail to."
    host = queue.read_host(named) if named else await talk.text(question, check=queue.read_host)
    chosen = Selected(everything=True)
    if await _meant(talk, chosen, f'redirect all mail in the queue to "{host}"'):
        talk.say("", "Redirecting messages, please wait.")
        number = await asyncio.to_thread(queue.redirect, talk.operator, host, chosen)
        talk.say(f"{count(number, 'recipient')} redirected.")


async def delivernow(talk: Talk, rest: str) -> None:
    """Tries at once what waits for its next attempt: for one recipient domain, or all."""
    options = ("By recipient domain", "All messages")
    place = 1 if rest.lower() == "all" else 0 if rest else None
    if place is None:
        place = await talk.choose("Please choose an option for scheduling immediate delivery.", options, 0)
    domain = ""
    if not place:
        question = "Please enter the recipient domain to schedule for delivery."
        domain = queue.read_destination(rest) if rest else await talk.text(question, check=queue.read_destination)
    number = await asyncio.to_thread(queue.deliver_now, talk.operator, destination=domain)
    what = f"all messages to {domain}" if domain else "all messages"
    talk.say("", f"Scheduling {what} for delivery.", f"{count(number, 'recipient')} will be tried now.")


async def workqueue(talk: Talk, rest: str) -> None:
    """Shows how much waits and how that changes, and holds delivery.

    Gatepost has no queue between accepting a message and queueing it for delivery, so what the appliance shows of its work
    queue is shown of the delivery queue: PAUSE is what `suspenddel` does, RESUME what `resumedel` does.
    """
    while True:
        await _workqueue_status(talk)
        match await talk.menu(WORKQUEUE):
            case "":
                return
            case "rate":
                await _rate(talk)
            case "pause":
                if await talk.yes("Hold delivery of all mail? Mail is still accepted.", False):
                    await asyncio.to_thread(queue.suspend, talk.operator)
            case "resume":
                await asyncio.to_thread(queue.resume, talk.operator)


async def _workqueue_status(talk: Talk) -> None:
    now = await asyncio.to_thread(service.status, talk.operator)
    talk.say("", f"Status:   {'Paused' if now.deliveries_suspended else 'Operational'}", f"Messages: {now.queue.messages}")


async def _rate(talk: Talk) -> None:
    """Print a line every few seconds until the person leaves; what came in and went out is since the line before."""
    seconds = await talk.number("Enter the number of seconds between refreshes", 10, *REFRESH)
    talk.say("", "Type Ctrl-C to return to the main prompt.", "", f"{'Time':<12}{'Pending':>10}{'In':>10}{'Out':>10}")
    before: tuple[float, float] | None = None
    while True:
        now = await asyncio.to_thread(service.status, talk.operator)
        ends = sum(now.totals[name][1] for name in ("recipients{delivered}", "recipients{bounced}", "recipients{deleted}"))
        there = (now.totals["recipients_in{accepted}"][1], ends)
        came, went = (there[0] - before[0], there[1] - before[1]) if before else (0.0, 0.0)
        before = there
        talk.say(f"{time.strftime('%H:%M:%S'):<12}{now.queue.recipients:>10}{came:>10.0f}{went:>10.0f}")
        if await talk.idle(seconds):
            return


# --- which mail is meant ---------------------------------------------------------------------------------------------


async def _select(talk: Talk, verb: str, rest: str) -> Selected:
    """Ask which mail is meant; `host NAME`, `from ADDRESS` or `all` behind the command's name answer it."""
    word, _, value = rest.partition(" ")
    place = {"host": 0, "from": 1, "sender": 1, "all": 2}.get(word.lower())
    if rest and (place is None or (place < 2) != bool(value)):
        raise GatepostError("say `host NAME`, `from ADDRESS` or `all`, or nothing to be asked")
    if place is None:
        place = await talk.choose(f"Please select how you would like to {verb} messages:", WAYS, 0)
    if place == 0:
        question = f"Please enter the hostname for the messages you wish to {verb}."
        host = queue.read_destination(value) if value else await talk.text(question, check=queue.read_destination)
        return Selected(destination=host)
    if place == 1:
        question = f"Please enter the Envelope From address for the messages you wish to {verb}; <> for bounces."
        return Selected(sender=_sender(value) if value else await talk.text(question, check=_sender))
    return Selected(everything=True)


def _sender(text: str) -> str:
    bare = text.strip().removeprefix("<").removesuffix(">")
    if not bare and text.strip() != "<>":
        raise GatepostError("Enter an address, or <> for the null reverse-path.")
    return bare


def _mid(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text)):
        raise GatepostError("A MID is a whole number.")
    return int(text)


def _words(chosen: Selected) -> str:
    if chosen.destination:
        return f'being delivered to "{chosen.destination}"'
    return "in the queue" if chosen.sender is None else f'from "{shown(chosen.sender) or "<>"}"'


async def _meant(talk: Talk, chosen: Selected, what: str) -> bool:
    """Say how many recipients it concerns, and ask whether it is meant."""
    found = await asyncio.to_thread(queue.count, talk.operator, chosen)
    if found.out_of_reach:
        talk.say("", f"A part of the queue is out of reach and not counted: {shown(found.out_of_reach)}")
    if not found.recipients:
        talk.say("", "There are no such messages in the queue.")
        return False
    talk.say("", f"This concerns {count(found.recipients, 'recipient')}.")
    return await talk.yes(f"Are you sure you want to {what}?", False)


COMMANDS = (
    Command(
        "bouncerecipients",
        "Give up on mail that waits, and tell the senders.",
        bouncerecipients,
        "[host NAME|from ADDRESS|all]",
    ),
    Command("deleterecipients", "Drop mail that waits.", deleterecipients, "[host NAME|from ADDRESS|all]"),
    Command("delivernow", "Try at once what waits for its next attempt.", delivernow, "[DOMAIN|all]"),
    Command("redirectrecipients", "Send all mail that waits to another host.", redirectrecipients, "[host NAME]"),
    Command("showmessage", "Show one message that waits.", showmessage, "[MID]"),
    Command(
        "showrecipients", "List messages that wait, with each recipient.", showrecipients, "[host NAME|from ADDRESS|all]"
    ),
    Command("workqueue", "Show how much waits, and hold delivery.", workqueue, menus={"": WORKQUEUE}),
)
