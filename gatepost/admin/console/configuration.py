"""Commands for the configuration as a whole: commit, give up, show, save, load, go back."""

from __future__ import annotations

import time
from collections.abc import Iterator

from gatepost.admin.cli_base import table
from gatepost.admin.cli_problems import problem_lines
from gatepost.admin.cli_text import commit_moment, count
from gatepost.admin.console.commands import Command
from gatepost.admin.console.talk import Line, Talk
from gatepost.admin.operations import configuration, documents, files
from gatepost.admin.operations.configuration import NOTHING_TO_COMMIT, Committed, Pending
from gatepost.admin.operations.stores import load
from gatepost.config.problems import errors
from gatepost.errors import GatepostError

REVISIONS = 20
"""Revisions to choose from."""
NOT_LIVE = "Nothing is live before `commit`."


async def commit(talk: Talk, rest: str) -> None:
    """Asks for a comment, and makes the draft the next revision; sessions that are open keep their old rules.

    A draft with errors is refused with each of them, and nothing changes. A comment may follow the command's name instead.
    """
    if not configuration.is_changed(talk.operator):
        talk.say("", NOTHING_TO_COMMIT)
        return
    comment = rest or await talk.text("Please enter some comments describing your changes:")
    with talk.progress("Committing") as told:
        done = configuration.commit(talk.operator, comment, told)
    _tell(talk, done)


async def clear_changes(talk: Talk, rest: str) -> None:
    """Asks whether to be sure, and gives up all changes since the last commit, whoever made them."""
    if not configuration.is_changed(talk.operator):
        talk.say("", "There are no changes.")
    elif await talk.yes("Are you sure you want to clear all the changes since the last commit?", False):
        talk.say("", "Changes cleared:", *(f"  {change}" for change in configuration.clear(talk.operator)))


async def show_changes(talk: Talk, rest: str) -> None:
    """Shows each place that the draft would change, and what is wrong with the draft; with `text` line by line."""
    if rest.lower() == "text":
        talk.say("", configuration.difference_text(talk.operator).rstrip() or "There are no changes.")
    else:
        talk.say("", *_difference(configuration.pending(talk.operator)))


async def show_config(talk: Talk, rest: str) -> None:
    """Shows the committed document, or with `draft` the draft, as TOML; private keys are masked."""
    talk.say("", documents.export(talk.operator, draft=rest.lower() == "draft").rstrip())


async def save_config(talk: Talk, rest: str) -> None:
    """Asks whether to mask private keys and for a name, and writes the committed document to a file of that name.

    The files are in the directory `configuration` of the state directory, readable by the service's user alone.
    """
    host = load(talk.operator).config.gateway.hostname
    masked = await talk.yes(
        "Do you want to mask the private keys? A masked key is taken over from the draft when the file is loaded.", True
    )
    suggested = f"{host}-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}.toml"
    name = await talk.text("Enter the name of the file.", suggested, check=files.checked)
    text = documents.export(talk.operator, with_keys=not masked)
    talk.say("", f"The configuration is saved in {files.write(talk.operator, name, text)}.")


async def load_config(talk: Talk, rest: str) -> None:
    """Asks for a file of the directory `configuration`, or a document that is pasted, and replaces the draft by it.

    Refused with every error in it. A draft with changes of its own is replaced only when that is confirmed.
    """
    force = configuration.is_changed(talk.operator)
    if force and not await talk.yes("The draft has changes that are not committed. Do you want to replace them?", False):
        return
    names = files.listing(talk.operator)
    place = await talk.choose("Load the configuration from:", ["Paste via the console", *names], 0)
    text = files.read(talk.operator, names[place - 1]) if place else await talk.paste("Paste the document.")
    made = documents.import_document(talk.operator, text, force=force)
    talk.say("", *made.notes, *_difference(made))


async def roll_back(talk: Talk, rest: str) -> None:
    """Lists the latest revisions, asks for one, and commits its document once more as a revision of its own."""
    talk.say("", *_log(talk, REVISIONS))
    latest = configuration.log(talk.operator, 1)
    if len(latest) < 1 or latest[0].number < 2:
        talk.say("", "There is no earlier revision to go back to.")
        return
    newest = latest[0].number
    number = await talk.number("Enter the number of the revision to roll back to.", newest - 1, 1, newest)
    force = configuration.is_changed(talk.operator)
    lost = " Changes that are not committed will be lost." if force else ""
    if not await talk.yes(f"Are you sure you want to roll back to revision {number}?{lost}", False):
        return
    with talk.progress("Committing") as told:
        done = configuration.rollback(talk.operator, number, "", told, force=force)
    _tell(talk, done)


async def commit_log(talk: Talk, rest: str) -> None:
    """Shows the latest 20 revisions, or as many as the number that follows says."""
    talk.say("", *_log(talk, _number(rest) if rest else REVISIONS))


def _tell(talk: Talk, done: Committed) -> None:
    talk.say("", f"Changes committed: {commit_moment(done.time)}")
    if not done.live:
        talk.say("No gateway runs; it is in force at the next start.")
    if done.warnings:
        talk.say(
            f"{count(len(done.warnings), 'warning')}; `showchanges` shows {'it' if len(done.warnings) == 1 else 'them'}."
        )


def _difference(made: Pending) -> Iterator[str]:
    if made.changes:
        since = f"revision {made.base}" if made.base else "an empty configuration"
        yield f"{count(len(made.changes), 'change')} since {since}:"
        yield from (f"  {change}" for change in made.changes)
    else:
        yield "There are no changes."
    yield from problem_lines(made.problems)
    if errors(made.problems):
        yield "The draft cannot be committed as it stands."
    elif made.changes:
        yield NOT_LIVE


def _log(talk: Talk, limit: int) -> Iterator[Line]:
    revisions = configuration.log(talk.operator, limit)
    if not revisions:
        yield "Nothing is committed yet."
        return
    rows = [(one.number, commit_moment(one.time), one.author, " ".join(one.comment.split())) for one in revisions]
    yield table("Revision", "Committed", "By", "Comment", rows=rows, right=(0,))


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 1_000_000):
        raise GatepostError(f"{text} is not a number of revisions")
    return int(text)


COMMANDS = (
    Command("clearchanges", "Give up all changes since the last commit.", clear_changes),
    Command("commit", "Make the changes live, with a comment.", commit, usage="[COMMENT]"),
    Command("commitlog", "Show the commits: when, by whom, and why.", commit_log, usage="[NUMBER]"),
    Command("loadconfig", "Replace the draft by a saved or pasted document.", load_config),
    Command("rollbackconfig", "Go back to an earlier revision.", roll_back),
    Command("saveconfig", "Save the committed document in a file.", save_config),
    Command("showchanges", "Show what a commit would change.", show_changes, usage="[text]"),
    Command("showconfig", "Show the configuration as one document.", show_config, usage="[draft]"),
)
