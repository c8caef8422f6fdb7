"""The commands of the console: what one is, and which modules have them.

A module beside this one exports `COMMANDS`. What a command's coroutine says in its docstring is its page in
docs/console.md, together with the operations of its menus.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from operator import attrgetter

from gatepost.admin.console.talk import Operations, Talk
from gatepost.admin.users import ROLES, Role

MODULES = (
    "addresslistconfig",
    "bounceconfig",
    "certificates",
    "configuration",
    "destinations",
    "listener",
    "logs",
    "lookups",
    "queue",
    "smtproutes",
    "session",
    "sslconfig",
    "status",
    "suspend",
    "tophosts",
    "trace",
)
"""Each module that has commands; add your own, one a line."""

LOOKING = frozenset({
    "commitlog", "exit", "findevent", "grep", "help", "hoststatus", "nslookup", "quit", "showchanges", "showconfig",
    "showrecipients", "status", "tail", "tlsverify", "tophosts", "topin", "trace", "version", "who", "workqueue",
})  # fmt: skip
"""Commands of everybody, who may only look, too."""
ACTING = frozenset({
    "bouncerecipients", "deleterecipients", "delivernow", "redirectrecipients", "resume", "resumedel", "resumelistener",
    "showmessage", "suspend", "suspenddel", "suspendlistener",
})  # fmt: skip
"""Commands of operators, who act on mail and read it; all others are for administrators."""


@dataclass(frozen=True)
class Command:
    """What can be typed at the host prompt."""

    name: str
    help: str
    """One sentence."""
    run: Callable[[Talk, str], Awaitable[None]]
    """The dialogue; it is handed what followed the command's name, without blanks around it. Its docstring is the page."""
    usage: str = ""
    """What may follow the name: `[NAME ...]`."""
    menus: Mapping[str, Operations] = field(default_factory=dict)
    """The operations of each menu, by the operations that lead to it: "" the first, `edit`, `edit hostaccess`."""


def commands(role: Role = "administrator") -> dict[str, Command]:
    """Return the commands of a role by name, in the order of their names."""
    every = [one for module in MODULES for one in import_module(f"gatepost.admin.console.{module}").COMMANDS]
    return {one.name: one for one in sorted(every, key=attrgetter("name")) if may(role, one.name)}


def may(role: Role, name: str) -> bool:
    """Whether somebody of this role may run a command."""
    needed: Role = "read-only" if name in LOOKING else "operator" if name in ACTING else "administrator"
    return ROLES.index(role) <= ROLES.index(needed)
