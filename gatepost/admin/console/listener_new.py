"""`listenerconfig` → NEW: a listener with the policies and the first rows of its tables. Only asks and calls."""

from __future__ import annotations

from functools import partial

import msgspec

from gatepost.admin.console import asking, policy_questions
from gatepost.admin.console.listener_edit import where
from gatepost.admin.console.talk import Talk
from gatepost.admin.operations import drafts, factory, fields, listeners
from gatepost.config.entries import parse_recipient
from gatepost.config.model import UNLIMITED, DefaultPolicy, Listener, Recipient, SenderGroup

TYPES = ("Private", "Public")


async def new(talk: Talk) -> None:
    """Ask for all that a new listener needs, and put it into the draft."""
    config = drafts.current(talk.operator)
    public = await talk.choose("Please select the type of listener you want to create.", TYPES, 1) == 1
    example = "InboundMail" if public else "OutboundMail"
    name = await talk.text(
        f'Please create a name for this listener (Ex: "{example}"):',
        check=lambda text: fields.new_name(text, config.listeners, "listener"),
    )
    made = Listener(type="public" if public else "private", policies=factory.policies("public" if public else "private"))
    address, interface, port = await where(talk, made)
    made = msgspec.structs.replace(made, address=address, interface=interface, port=port)
    made = await (_accepted(talk, made) if public else _relayed(talk, made))
    default = await _rate(talk, made.default_policy)
    if await talk.yes("Would you like to change the default host access policy?", False):
        default = msgspec.structs.replace(default, **await policy_questions.ask(talk, config, default))
    made = msgspec.structs.replace(made, default_policy=default)
    pending = listeners.create(talk.operator, name, made)
    talk.say("", f"Listener {name} created. `listenerconfig` -> EDIT changes all that it is.")
    asking.told(talk, pending, ("listeners", name))


async def _accepted(talk: Talk, made: Listener) -> Listener:
    question = (
        "Enter the domain names or specific email addresses you want to accept mail for: example.com, .example.com for the "
        "domains below it, user@example.com. Separate multiple addresses with commas."
    )
    accepted = await talk.text(
        question, check=lambda text: list(dict.fromkeys(fields.parsed_all(parse_recipient, fields.words(text))))
    )
    return msgspec.structs.replace(made, recipients=[Recipient(match=match) for match in accepted])


async def _relayed(talk: Talk, made: Listener) -> Listener:
    question = (
        "Please specify the systems allowed to relay email through this listener: addresses, ranges, networks, host names, "
        ".domain for all hosts below a domain. Separate multiple entries with commas."
    )
    members = await talk.text(question, check=fields.members)
    if not members:
        return made
    return msgspec.structs.replace(made, sender_groups=[SenderGroup(name="RELAYLIST", senders=members, policy="RELAYED")])


async def _rate(talk: Talk, default: DefaultPolicy) -> DefaultPolicy:
    question = "Do you want to enable rate limiting, which limits the recipients per hour from a remote host?"
    if not await talk.yes(question, default.max_recipients_per_hour != UNLIMITED):
        return default
    limit = await talk.text(
        "Enter the maximum number of recipients per hour to accept from a remote host.",
        check=partial(fields.whole, DefaultPolicy, "max_recipients_per_hour"),
    )
    return msgspec.structs.replace(default, max_recipients_per_hour=limit)
