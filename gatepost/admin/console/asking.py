"""What several dialogues ask in one way: an operation, an entry out of many, a text that may be none, a table as a text."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from gatepost.admin.cli_problems import problem_lines
from gatepost.admin.console.talk import Operations, Talk
from gatepost.admin.operations import files
from gatepost.admin.operations.configuration import Pending
from gatepost.admin.operations.drafts import touching
from gatepost.config.paths import Part, did_you_mean
from gatepost.errors import GatepostError

SHOWN = 100
"""Entries that a list shows; a table may have thousands of times as many, and each can be named."""
NONE = "none"


async def operate(
    talk: Talk,
    operations: Operations,
    verbs: Mapping[str, Callable[[], Awaitable[None]]],
    heading: Callable[[], Sequence[str]] = lambda: (),
) -> None:
    """Show a menu again and again until an empty line; a verb that is refused says why, and the menu stays."""
    while True:
        lines = heading()
        if lines:
            talk.say("", *lines)
        operation = await talk.menu(operations)
        if not operation:
            return
        try:
            await verbs[operation]()
        except GatepostError as fault:
            talk.refuse(fault)


def numbered(entries: Sequence[str]) -> list[str]:
    """Write entries as a list with numbers."""
    lines = [f"{place}. {entry}" for place, entry in enumerate(entries[:SHOWN], 1)]
    more = len(entries) - SHOWN
    return lines + ([f"and {more} more"] if more > 0 else [])


async def pick(talk: Talk, question: str, names: Sequence[str], *, shown: Sequence[str] | None = None) -> str:
    """Ask for one of the names, by name or number; an empty text for an empty line, and where there is none.

    `shown`: the list, where it is not that of the names; empty when it was shown before.
    """
    if not names:
        talk.say("", "There is none yet.")
        return ""
    lines = [question, *(numbered(names) if shown is None else shown)]
    return await talk.text("\n".join(lines), check=lambda text: chosen(text, names))


def chosen(text: str, names: Sequence[str]) -> str:
    """Read a name in any case, or the number that a list gave it."""
    if text in names:
        return text
    for name in names:
        if name.lower() == text.lower():
            return name
    if text.isascii() and text.isdigit() and 1 <= int(text) <= len(names):
        return names[int(text) - 1]
    if not text:
        return ""
    raise GatepostError(f"There is no {text}: {did_you_mean(text, names)}")


async def one_of(talk: Talk, question: str, options: Iterable[str], present: str) -> str:
    """Ask for one of a list of texts; the present one is the default, or the first where it is none of them."""
    every = list(options)
    return every[await talk.choose(question, every, every.index(present) if present in every else 0)]


async def optional(talk: Talk, question: str, present: str, check: Callable[[str], str] = str) -> str:
    """Ask for a text that may be none: an empty line keeps the present one, and `none` takes it away."""

    def read(text: str) -> str:
        return "" if text.lower() in ("", NONE) else check(text)

    hint = f' ("{NONE}" for none)' if present else ""
    return await talk.text(f"{question}{hint}", present, check=read)


def told(talk: Talk, pending: Pending, *places: Sequence[Part]) -> None:
    """Say what is wrong, or odd, with what was changed; the draft holds it all the same."""
    problems = touching(pending, *places)
    if problems:
        talk.say("", *problem_lines(problems))


async def table_to_import(talk: Talk, what: str) -> str:
    """Ask for a table as a text: a file that was saved, or one that is pasted."""
    names = files.listing(talk.operator)
    place = await talk.choose(f"Import {what} from:", ["Paste via the console", *names], 0)
    return files.read(talk.operator, names[place - 1]) if place else await talk.paste(f"Paste {what}.")


async def export_table(talk: Talk, text: str) -> None:
    """Ask for the name of a file to write a table to."""
    name = await talk.text("Enter the name of the file to write; an empty line prints the table here.")
    if not name:
        print_table(talk, text)
    elif name not in files.listing(talk.operator) or await talk.yes(f"{name} exists. Do you want to replace it?", False):
        talk.say("", f"The table is saved in {files.write(talk.operator, name, text)}.")


def print_table(talk: Talk, text: str) -> None:
    """Print a table that was written as a text."""
    talk.say("", *(text.splitlines() or ["There is none yet."]))
