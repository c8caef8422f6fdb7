"""`destconfig`: how mail to each destination is delivered, in the draft. Only asks and calls."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from gatepost.admin.cli_base import table
from gatepost.admin.cli_text import count
from gatepost.admin.console import asking
from gatepost.admin.console.commands import Command
from gatepost.admin.console.configuration import NOT_LIVE
from gatepost.admin.console.talk import Operations, Talk
from gatepost.admin.operations import bounces, destinations, drafts, fields, tls_settings
from gatepost.config.model import DefaultDestination, DestinationControl, OutboundTls, RecipientRate

if TYPE_CHECKING:
    from rich.console import RenderableType

OPERATIONS: Operations = (
    ("SETUP", "Choose the certificate that is shown to servers which ask for one."),
    ("NEW", "Create a new entry."),
    ("EDIT", "Modify an entry."),
    ("DELETE", "Remove an entry."),
    ("DEFAULT", "Change the default."),
    ("LIST", "Display a summary of all entries."),
    ("DETAIL", "Display all settings of one entry, and which of them come from the default."),
    ("CLEAR", "Remove all entries."),
    ("IMPORT", "Import the table, the default in it, in the place of the present one."),
    ("EXPORT", "Export the table, the default in it, to a file."),
)
TLS: tuple[tuple[OutboundTls, str], ...] = (
    ("no", "No"),
    ("preferred", "Preferred"),
    ("required", "Required"),
    ("preferred-verify", "Preferred - Verify"),
    ("required-verify", "Required - Verify"),
    ("required-verify-hosted", "Required - Verify Hosted Domains"),
)


async def destconfig(talk: Talk, rest: str) -> None:
    """Shows how many destination controls there are and edits them; what an entry does not set is as in the default.

    The most specific entry of a domain is used, whatever the order. An import replaces all entries and the default; its text
    is the appliance's, a section for each domain, and when a line is bad every bad line is told and nothing is changed.
    """
    verbs = {
        "setup": _setup,
        "new": _new,
        "edit": _edit,
        "delete": _delete,
        "default": _default,
        "list": _list,
        "detail": _detail,
        "clear": _clear,
        "import": _import,
        "export": _export,
    }
    await asking.operate(
        talk, OPERATIONS, {name: partial(verb, talk) for name, verb in verbs.items()}, partial(_heading, talk)
    )


def _heading(talk: Talk) -> list[str]:
    held = _entries(talk)
    return [f"There {'is' if held.startswith('1 ') else 'are'} currently {held} configured."]


def _entries(talk: Talk) -> str:
    return count(len(destinations.listing(talk.operator)), "entry", "entries")


# --- one entry -------------------------------------------------------------------------------------------------------


async def _new(talk: Talk) -> None:
    domain = await talk.text(
        "Enter the domain you wish to configure: partner.example, or .partner.example for the domains below it.",
        check=partial(destinations.new_domain, talk.operator),
    )
    await _put(talk, domain, DestinationControl(), new=True)


async def _edit(talk: Talk) -> None:
    domain = await _pick(talk, "edit")
    if domain:
        await _put(talk, domain, destinations.find(talk.operator, domain))


async def _delete(talk: Talk) -> None:
    domain = await _pick(talk, "delete")
    if domain:
        destinations.delete(talk.operator, domain)
        talk.say("", f"The entry for {domain} is deleted.", NOT_LIVE)


async def _put(talk: Talk, domain: str, present: DestinationControl, *, new: bool = False) -> None:
    """Ask for each setting; No leaves it to the default."""
    questions = {
        "max_connections": f"Do you wish to configure a concurrency limit for {domain}?",
        "max_messages_per_connection": "Do you wish to apply a messages-per-connection limit to this domain?",
        "recipients_per_minutes": "Do you wish to apply a recipient limit to this domain?",
        "tls": "Do you wish to apply a specific TLS setting for this domain?",
        "tls_profile": "Do you wish to use a specific TLS profile for this domain?",
        "bounce_profile": "Do you wish to apply a specific bounce profile to this domain?",
    }
    default, made = destinations.default(talk.operator), present
    for field, question in questions.items():
        has = getattr(present, field) is not None
        value = None
        if await talk.yes(question, has or (new and field == "max_connections")):
            value = await _ask(talk, domain, field, getattr(present if has else default, field))
        made = msgspec.structs.replace(made, **{field: value})
    asking.told(talk, destinations.put(talk.operator, domain, made), ("destinations", domain))
    talk.say("", f"The entry for {domain} is {'created' if new else 'changed'}.", NOT_LIVE)


async def _default(talk: Talk) -> None:
    made = present = destinations.default(talk.operator)
    for field in ("max_connections", "max_messages_per_connection", "recipients_per_minutes"):
        value = getattr(present, field)
        if field == "recipients_per_minutes" and not await talk.yes(
            "Do you wish to apply a recipient limit?", value is not None
        ):
            made = msgspec.structs.replace(made, recipients_per_minutes=None)
            continue
        made = msgspec.structs.replace(made, **{field: await _ask(talk, "default", field, value)})
    for field in ("tls", "tls_profile", "bounce_profile"):
        made = msgspec.structs.replace(made, **{field: await _ask(talk, "default", field, getattr(present, field))})
    asking.told(talk, destinations.put_default(talk.operator, made), ("default_destination",))
    talk.say("", "The default is changed.", NOT_LIVE)


async def _ask(talk: Talk, domain: str, field: str, present: Any) -> Any:
    """Ask for the value of one field."""
    match field:
        case "max_connections":
            return await _number(talk, f'Enter the max concurrency limit for "{domain}".', field, present)
        case "max_messages_per_connection":
            return await _number(talk, f'Enter the max number of messages per connection for "{domain}".', field, present)
        case "recipients_per_minutes":
            return await _rate(talk, domain, present)
        case "tls":
            labels = dict(TLS)
            chosen = await asking.one_of(talk, "Do you want to use TLS support?", labels.values(), labels[present])
            return next(setting for setting, label in TLS if label == chosen)
        case "tls_profile":
            names = tls_settings.profile_names(talk.operator)
            return await asking.one_of(talk, "Choose the TLS profile.", names, present)
        case _:
            known = bounces.profiles(drafts.current(talk.operator))
            return await asking.one_of(talk, "Choose the bounce profile.", known, present)


async def _number(talk: Talk, question: str, field: str, present: int) -> int | str:
    return await talk.text(question, str(present), check=partial(fields.number, DestinationControl, field))


async def _rate(talk: Talk, domain: str, present: RecipientRate | None) -> RecipientRate:
    minutes = await talk.number(
        "Enter the number of minutes used to measure the recipient limit.", present.minutes if present else 60, 1, 60
    )
    recipients = await talk.text(
        f'Enter the max number of recipients per {minutes} minutes for "{domain}".',
        str(present.recipients) if present else "",
        check=partial(fields.number, RecipientRate, "recipients"),
    )
    return RecipientRate(recipients=int(recipients), minutes=minutes)


# --- all entries -----------------------------------------------------------------------------------------------------


async def _setup(talk: Talk) -> None:
    present = destinations.default(talk.operator)
    names = [asking.NONE, *drafts.current(talk.operator).certificates]
    question = "Choose the certificate to show to servers that ask for one."
    chosen = await asking.one_of(talk, question, names, present.certificate)
    made = msgspec.structs.replace(present, certificate="" if chosen == asking.NONE else chosen)
    destinations.put_default(talk.operator, made)
    talk.say("", f"Certificate for delivery: {chosen}.", NOT_LIVE)


async def _list(talk: Talk) -> None:
    entries = destinations.listing(talk.operator)
    rows = [("(default)", *_summary(destinations.default(talk.operator)))]
    rows += [(domain, *_summary(control)) for domain, control in entries.items()]
    talk.say("", _table(rows))


async def _detail(talk: Talk) -> None:
    domain = await _pick(talk, "display")
    if domain:
        found = destinations.detail(talk.operator, domain)
        rows = [(one.name, one.value, "default" if one.inherited else domain) for one in found]
        talk.say("", table("Setting", "Value", "From", rows=rows))


async def _clear(talk: Talk) -> None:
    if await talk.yes(f"Are you sure you want to remove {_entries(talk)}?", False):
        destinations.clear(talk.operator)
        talk.say("", "All entries are removed; the default stays.", NOT_LIVE)


async def _import(talk: Talk) -> None:
    destinations.import_text(talk.operator, await asking.table_to_import(talk, "the table"))
    talk.say("", f"{_entries(talk)} imported.", NOT_LIVE)


async def _export(talk: Talk) -> None:
    await asking.export_table(talk, destinations.export_text(talk.operator))


async def _pick(talk: Talk, what: str) -> str:
    known = list(destinations.listing(talk.operator))
    return await asking.pick(talk, f"Enter the domain you wish to {what}.", known)


def _table(rows: list[tuple[str, ...]]) -> RenderableType:
    return table("Domain", "Connections", "Recipients", "TLS", "Bounce profile", rows=rows, right=(1,))


def _summary(control: DestinationControl | DefaultDestination) -> tuple[str, ...]:
    rate = control.recipients_per_minutes
    values = (
        control.max_connections,
        f"{rate.recipients} per {rate.minutes} min" if rate else None,
        control.tls,
        control.bounce_profile,
    )
    return tuple("-" if value is None else str(value) for value in values)


COMMANDS = (Command("destconfig", "Set how mail to each destination is delivered.", destconfig, menus={"": OPERATIONS}),)
