"""`addresslistconfig`: lists of envelope addresses that policies name. Only asks and calls."""

from __future__ import annotations

from functools import partial

from gatepost.admin.console import asking
from gatepost.admin.console.commands import Command
from gatepost.admin.console.talk import Operations, Talk
from gatepost.admin.operations import drafts, fields, lists
from gatepost.config.model import AddressList

OPERATIONS: Operations = (
    ("NEW", "Create a new address list."),
    ("EDIT", "Modify an address list."),
    ("DELETE", "Remove an address list."),
    ("PRINT", "Display the address lists, and which policies use them."),
)
ADDRESSES = (
    "Enter the addresses, separated by commas: user@example.com, user@, @example.com, "
    "@.example.com for the domains below it, @[192.0.2.1]."
)


async def addresslistconfig(talk: Talk, rest: str) -> None:
    """Shows the address lists and edits them; a policy that prefers TLS may name one whose senders must encrypt."""
    verbs = {"new": _new, "edit": _edit, "delete": _delete, "print": _print}
    await asking.operate(
        talk, OPERATIONS, {name: partial(verb, talk) for name, verb in verbs.items()}, partial(_heading, talk)
    )


def _heading(talk: Talk) -> list[str]:
    known = drafts.current(talk.operator).address_lists
    return ["Current address lists:", *asking.numbered(list(known))] if known else ["There is no address list yet."]


async def _new(talk: Talk) -> None:
    known = drafts.current(talk.operator).address_lists
    name = await talk.text(
        "Enter a name for the address list:", check=lambda text: fields.new_name(text, known, "address list")
    )
    entry = await _ask(talk, AddressList())
    asking.told(talk, lists.create(talk.operator, name, entry), ("address_lists", name))


async def _edit(talk: Talk) -> None:
    name = await _pick(talk, "edit")
    if name:
        entry = await _ask(talk, drafts.current(talk.operator).address_lists[name])
        asking.told(talk, lists.replace(talk.operator, name, entry), ("address_lists", name))


async def _delete(talk: Talk) -> None:
    name = await _pick(talk, "delete")
    if name and await talk.yes(f'Are you sure you want to delete address list "{name}"?', False):
        lists.delete(talk.operator, name)


async def _print(talk: Talk) -> None:
    config = drafts.current(talk.operator)
    for name, entry in config.address_lists.items():
        users = ", ".join(lists.used_by(config, name)) or "nothing"
        described = [f"Description: {entry.description}"] if entry.description else []
        talk.say("", f"Name: {name}", *described, f"Addresses: {', '.join(entry.addresses)}".rstrip(), f"Used by: {users}")
    if not config.address_lists:
        talk.say("", "There is none yet.")


async def _ask(talk: Talk, present: AddressList) -> AddressList:
    description = await asking.optional(talk, "Enter a description for the address list:", present.description)
    addresses = await talk.text(ADDRESSES, ", ".join(present.addresses), check=lists.read_addresses)
    return AddressList(addresses=addresses, description=description)


async def _pick(talk: Talk, what: str) -> str:
    known = list(drafts.current(talk.operator).address_lists)
    return await asking.pick(talk, f"Enter the name or number of the address list you wish to {what}.", known, shown=())


COMMANDS = (Command("addresslistconfig", "Edit lists of envelope addresses.", addresslistconfig, menus={"": OPERATIONS}),)
