"""Commands about the console itself: help, who is there, the version, the way out."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from gatepost import __version__
from gatepost.admin.cli_base import table
from gatepost.admin.cli_text import commit_moment, wrapped
from gatepost.admin.console.commands import Command, commands
from gatepost.admin.console.talk import Quit, Talk
from gatepost.admin.operations import configuration, consoles
from gatepost.errors import GatepostError


async def help_(talk: Talk, rest: str) -> None:
    """Without a name it lists every command with its sentence, with one it shows that command's page."""
    known = commands(talk.role())
    if not rest:
        width = max(map(len, known))
        talk.say("", *(f"{name:<{width}}  {command.help}" for name, command in known.items()))
        return
    command = known.get(rest.lower())
    if command is None:
        raise GatepostError(f"There is no command {rest}: `help` lists those there are.")
    talk.say("", *_page(command))


async def version(talk: Talk, rest: str) -> None:
    """Shows the version as it stands in every log."""
    talk.say("", f"Gatepost {__version__}")


async def who(talk: Talk, rest: str) -> None:
    """Shows each open console: its user, since when, where from, and its process."""
    rows = [(one.user, commit_moment(one.since), one.origin, one.pid) for one in consoles.listing(talk.operator)]
    talk.say("", table("User", "Since", "From", "Process", rows=rows, right=(3,)) if rows else "No console is known.")


async def quit_(talk: Talk, rest: str) -> None:
    """Asks first when there are changes that are not committed; they stay in the draft."""
    if configuration.is_changed(talk.operator) and not await talk.yes(
        "There are changes that are not committed; they stay in the draft. Do you want to leave?", True
    ):
        return
    raise Quit


def _page(command: Command) -> Iterator[str]:
    yield f"{command.name} {command.usage}".rstrip()
    yield from (wrapped(part, "  ") for part in [command.help, *inspect.cleandoc(command.run.__doc__ or "").split("\n\n")])
    for path, operations in command.menus.items():
        yield ""
        yield f"{command.name} -> {path.replace(' ', ' -> ')}:" if path else "Operations:"
        yield from (f"- {name} - {does}" for name, does in operations)


COMMANDS = (
    Command("exit", "Leave the console.", quit_),
    Command("help", "List the commands, or show one of them.", help_, usage="[COMMAND]"),
    Command("quit", "Leave the console.", quit_),
    Command("version", "Show the version of this program.", version),
    Command("who", "Show who is at a console.", who),
)
