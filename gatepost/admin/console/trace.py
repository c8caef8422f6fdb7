"""`trace`: one message followed through the tables, and nothing sent (asyncos.md 9.1). Only asks and shows."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial

from gatepost.admin.console import asking
from gatepost.admin.console.commands import Command
from gatepost.admin.console.talk import Talk
from gatepost.admin.operations.hosts import read_address, read_name
from gatepost.admin.operations.stores import load
from gatepost.admin.operations.tables import listener_of, read_path
from gatepost.admin.operations.trace import Message, Trace
from gatepost.admin.operations.trace import trace as follow
from gatepost.errors import GatepostError


async def trace(talk: Talk, rest: str) -> None:
    """Follows one message from the connection to the next hop, says what each table decides of it, and sends nothing.

    By the draft, for it is there to try a change before it is committed; `trace committed` takes the committed
    configuration. The name of the host is taken as verified; without one it is looked up.
    """
    if rest.lower() not in ("", "draft", "committed"):
        raise GatepostError("say `trace`, or `trace committed`")
    draft = rest.lower() != "committed"
    again = True
    while again:
        way = await _ask(talk, draft)
        talk.say("", f"Under {way.configuration}, listener {way.listener}", *_lines(way))
        if way.message and await talk.yes("Would you like to see the resulting message?", True):
            talk.say("", *way.message.splitlines())
        again = await talk.yes("Run through another debug session?", False)


async def _ask(talk: Talk, draft: bool) -> Trace:
    address = await talk.text("Enter the source IP", check=read_address)
    hello = await talk.text("Enter the name that the source gives in HELO or EHLO", "unknown")
    name = await talk.text(
        "Enter the fully qualified domain name of the source IP; an empty line looks it up",
        check=lambda text: read_name(text) if text else "",
    )
    listener = await _listener(talk, draft)
    sender = await talk.text(
        "Enter the Envelope Sender address; <> for the null sender", check=partial(_address, what="sender")
    )
    recipients = await talk.text(
        "Enter the Envelope Recipient addresses. Separate multiple addresses by commas", check=_recipients
    )
    text = ""
    if await talk.yes("Do you want to enter a message?", False):
        text = await talk.paste("Enter or paste the message, header and body.")
    return await asyncio.to_thread(
        follow,
        talk.operator,
        address,
        sender=sender,
        recipients=recipients,
        name=name,
        listener=listener,
        message=Message(hello=hello, text=text),
        draft=draft,
    )


async def _listener(talk: Talk, draft: bool) -> str:
    config = load(talk.operator, draft=draft).config
    first, _ = listener_of(config, "")
    if len(config.listeners) == 1:
        return first
    return await asking.one_of(talk, "Select the listener to trace behavior on:", list(config.listeners), first)


def _address(text: str, what: str) -> str:
    if not text:
        raise GatepostError(f"Enter the address of a {what}.")
    read_path(text, what)
    return text


def _recipients(text: str) -> list[str]:
    found = [part.strip() for part in text.split(",") if part.strip()]
    if not found:
        raise GatepostError("Enter at least one recipient.")
    return [_address(part, "recipient") for part in found]


def _lines(way: Trace) -> Iterator[str]:
    for section in way.sections:
        yield ""
        yield f"{section.title}:"
        yield from (f"- {sentence}" for sentence in section.sentences)


COMMANDS = (Command("trace", "Follow one message through the tables, and send nothing.", trace, "[committed]"),)
