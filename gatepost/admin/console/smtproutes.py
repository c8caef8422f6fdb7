"""`smtproutes`: hosts that mail for a domain goes to instead of its MX. Only asks and calls."""

from __future__ import annotations

from functools import partial

from gatepost.admin.cli_text import count
from gatepost.admin.console import asking
from gatepost.admin.console.commands import Command
from gatepost.admin.console.talk import Operations, Talk
from gatepost.admin.operations import drafts, routes

OPERATIONS: Operations = (
    ("NEW", "Create a new route."),
    ("EDIT", "Edit the destinations of an existing route."),
    ("DELETE", "Remove a route."),
    ("PRINT", "Display all routes."),
    ("IMPORT", "Import new routes from a file."),
    ("EXPORT", "Export all routes to a file."),
    ("CLEAR", "Remove all routes."),
)
DOMAIN = (
    "Enter the domain for which you want to set up a permanent route: example.com, .example.com for the domains below it, "
    "or ALL."
)
DESTINATIONS = (
    "Enter the destination hosts, separated by commas, where you want mail for {domain} to be delivered: host, host:port, "
    "an address, each with /pri=N or without; USEDNS for its MX, /dev/null to discard."
)


async def smtproutes(talk: Talk, rest: str) -> None:
    """Shows how many SMTP routes there are and edits them.

    The most specific route of a domain is used, whatever the order, and its MX is not asked even when all hosts are down.
    Hosts with the least priority come first, and those of equal priority take turns. An import replaces all routes; its text
    has a route a line, such as `example.com 10.0.0.5, 10.0.0.6:2525/pri=10`.
    """
    verbs = {
        "new": _new,
        "edit": _edit,
        "delete": _delete,
        "print": _print,
        "import": _import,
        "export": _export,
        "clear": _clear,
    }
    await asking.operate(
        talk, OPERATIONS, {name: partial(verb, talk) for name, verb in verbs.items()}, partial(_heading, talk)
    )


def _heading(talk: Talk) -> list[str]:
    return [f"There are currently {count(len(drafts.current(talk.operator).routes), 'route')} configured."]


async def _new(talk: Talk) -> None:
    domain = await talk.text(DOMAIN, check=routes.read_domain)
    destinations = await talk.text(DESTINATIONS.format(domain=domain), check=routes.read_destinations)
    asking.told(talk, routes.add(talk.operator, domain, destinations), ("routes", domain))


async def _edit(talk: Talk) -> None:
    domain = await _pick(talk, "edit")
    if domain:
        present = ", ".join(drafts.current(talk.operator).routes[domain])
        question = DESTINATIONS.format(domain=domain)
        destinations = await talk.text(question, present, check=routes.read_destinations)
        asking.told(talk, routes.change(talk.operator, domain, destinations), ("routes", domain))


async def _delete(talk: Talk) -> None:
    domain = await _pick(talk, "delete")
    if domain:
        routes.delete(talk.operator, domain)


async def _print(talk: Talk) -> None:
    asking.print_table(talk, routes.export_text(talk.operator))


async def _import(talk: Talk) -> None:
    pending = routes.import_text(talk.operator, await asking.table_to_import(talk, "the routes"))
    talk.say("", f"{count(len(drafts.current(talk.operator).routes), 'route')} imported.")
    asking.told(talk, pending, ("routes",))


async def _export(talk: Talk) -> None:
    await asking.export_table(talk, routes.export_text(talk.operator))


async def _clear(talk: Talk) -> None:
    if await talk.yes("Are you sure you want to remove all routes?", False):
        routes.clear(talk.operator)


async def _pick(talk: Talk, what: str) -> str:
    known = list(drafts.current(talk.operator).routes)
    shown = asking.numbered(routes.export_text(talk.operator).splitlines())
    return await asking.pick(talk, f"Enter the route you wish to {what}.", known, shown=shown)


COMMANDS = (Command("smtproutes", "Set up permanent routes for domains.", smtproutes, menus={"": OPERATIONS}),)
