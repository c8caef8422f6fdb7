"""Commands about the console itself: help, who is there, the version, the way out."""

from __future__ import annotations

from gatepost import __version__
from gatepost.admin.console.commands import Command, commands
from gatepost.admin.console.shell import Quit
from gatepost.admin.console.talk import Talk
from gatepost.errors import GatepostError


async def help_(talk: Talk, rest: str) -> None:
    """Without a name it lists every command with its sentence, with one it shows that command's page."""
    known = commands()
    if not rest:
        width = max(map(len, known))
        talk.say(*(f"{name:<{width}}  {command.help}" for name, command in known.items()))
        return
    command = known.get(rest.lower())
    if command is None:
        raise GatepostError(f"There is no command {rest}: `help` lists those there are.")
    talk.say(f"{command.name} {command.usage}".rstrip(), "", command.help)


async def version(talk: Talk, rest: str) -> None:
    """Prints the version of this program."""
    talk.say(f"Gatepost {__version__}")


async def quit_(talk: Talk, rest: str) -> None:
    """Asks when there are changes that are not committed; they stay in the draft."""
    raise Quit


COMMANDS = (
    Command("exit", "Leave the console.", quit_),
    Command("help", "List the commands, or show one of them.", help_, usage="[COMMAND]"),
    Command("quit", "Leave the console.", quit_),
    Command("version", "Show the version of this program.", version),
)
