"""Reading the logs: `grep`, `findevent`, `tail` (asyncos.md 8.3). Only asks and shows."""

from __future__ import annotations

import argparse
import asyncio
import re
import shlex
from collections.abc import Callable
from contextlib import closing
from typing import NoReturn, get_args

from gatepost.admin.console import asking
from gatepost.admin.console.commands import Command
from gatepost.admin.console.talk import Talk
from gatepost.admin.operations import logs
from gatepost.admin.operations.logs import Sought
from gatepost.errors import GatepostError

LAST = 10
"""Lines that `tail` begins with."""
LOOK = 0.3
"""Seconds between two looks for more."""
PAGE = 24
SEARCHES = ("Search by envelope FROM", "Search by Message ID", "Search by Subject", "Search by envelope TO")
SETS = ("All available log files", "Current log file")
ORDER: tuple[Sought, ...] = ("from", "message_id", "subject", "to")


class _Words(argparse.ArgumentParser):
    """Options behind a command's name; what is wrong with them is a sentence."""

    def error(self, message: str) -> NoReturn:
        raise GatepostError(f"{message}; `help {self.prog}` shows what may follow {self.prog}")


async def grep(talk: Talk, rest: str) -> None:
    """Searches a log and its rotated files for lines that match a regular expression, oldest first.

    Without a pattern it asks for everything. `-i` ignores case, `-v` shows the lines that do not match, `-t` goes on with
    what is written from now on, `-p` shows a page at a time.
    """
    asked = _grep_words(rest) if rest else await _grep_questions(talk)
    wanted = logs.pattern(asked.pattern, ignore_case=asked.ignore_case)
    if not asked.tail:
        await _search(talk, asked, wanted)
        return
    with closing(logs.Follower(talk.operator, asked.log)) as follower:
        follower.last(0)
        if await _search(talk, asked, wanted):
            await _follow(talk, follower, lambda line: (wanted.search(line) is None) == asked.invert)


async def _search(talk: Talk, asked: argparse.Namespace, wanted: re.Pattern[str]) -> bool:
    """Show what is found; False when the person has seen enough."""
    room = PAGE
    async for lines in logs.grep(talk.operator, asked.log, wanted, invert=asked.invert):
        while asked.paginate and len(lines) > room:
            talk.say(*lines[:room])
            if not await talk.yes("Continue?", True):
                return False
            lines, room = lines[room:], PAGE
        if lines:
            talk.say(*lines)
            room -= len(lines)
    return True


def _grep_words(rest: str) -> argparse.Namespace:
    words = _Words(prog="grep", add_help=False)
    words.add_argument("-e", dest="pattern")
    words.add_argument("-i", dest="ignore_case", action="store_true")
    words.add_argument("-v", dest="invert", action="store_true")
    words.add_argument("-t", dest="tail", action="store_true")
    words.add_argument("-p", dest="paginate", action="store_true")
    words.add_argument("rest", nargs="*")
    asked = words.parse_args(_split(rest))
    if asked.pattern is None and asked.rest:
        asked.pattern = asked.rest.pop(0)
    if asked.pattern is None or len(asked.rest) != 1:
        words.error('say what to search for and in which log, such as `grep -i -e "TLS failed" mail_logs`')
    asked.log = asked.rest[0]
    return asked


async def _grep_questions(talk: Talk) -> argparse.Namespace:
    log = await _log(talk, "Enter the number of the log you wish to grep.")
    asked = argparse.Namespace(log=log)
    asked.pattern = await talk.text("Enter the regular expression to grep.", check=_pattern)
    asked.ignore_case = await talk.yes("Do you want this search to be case insensitive?", True)
    asked.invert = await talk.yes("Do you want to search for non-matching lines?", False)
    asked.tail = await talk.yes("Do you want to tail the logs?", False)
    asked.paginate = await talk.yes("Do you want to paginate the output?", False)
    talk.say()
    return asked


async def findevent(talk: Talk, rest: str) -> None:
    """Finds messages by sender, recipient, subject or Message-ID, and shows all log lines of one.

    The lines of the connections that it came and went by are among them. `-f`, `-t`, `-s`, `-w` take a regular expression
    for the sender, the recipient, the subject and the Message-ID and list the MIDs; `-m MID` shows the lines of one; `-i`
    ignores case. Without anything it asks.
    """
    if rest:
        await _find_by_words(talk, rest)
        return
    sought = ORDER[await talk.choose("Please choose which type of search you want to perform:", SEARCHES, 0)]
    text = await talk.text("Enter the regular expression to search for.", check=_pattern)
    ignore_case = await talk.yes("Do you want this search to be case insensitive?", True)
    log = await _log(talk, "Enter the number of the log you wish to use for message tracking.")
    current = await talk.choose("Please choose which set of logs to search:", SETS, 1) == 1
    found = await logs.find(talk.operator, log, sought, logs.pattern(text, ignore_case=ignore_case), current=current)
    if not found:
        talk.say("", "No matching message IDs were found.")
        return
    question = "The following matching message IDs were found. Please choose one to show additional log information:"
    chosen = await talk.choose(question, [f"MID {event.mid}  {event.line}" for event in found], len(found) - 1)
    talk.say("", *await logs.of_message(talk.operator, log, found[chosen].mid))


async def _find_by_words(talk: Talk, rest: str) -> None:
    words = _Words(prog="findevent", add_help=False)
    words.add_argument("-i", dest="ignore_case", action="store_true")
    words.add_argument("-m", dest="mid", type=int)
    for letter, sought in zip("ftsw", get_args(Sought), strict=True):
        words.add_argument(f"-{letter}", dest=sought)
    words.add_argument("log", nargs="?", default="mail_logs")
    asked = words.parse_args(_split(rest))
    if asked.mid is not None:
        lines = await logs.of_message(talk.operator, asked.log, asked.mid)
        talk.say(*(lines or [f"MID {asked.mid} is not in {asked.log}."]))
        return
    wanted = [(sought, text) for sought in ORDER if (text := getattr(asked, sought)) is not None]
    if len(wanted) != 1:
        words.error("say one of -f, -t, -s, -w or -m")
    ((sought, text),) = wanted
    found = await logs.find(talk.operator, asked.log, sought, logs.pattern(text, ignore_case=asked.ignore_case))
    talk.say(*([f"MID {event.mid}  {event.line}" for event in found] or ["No matching message IDs were found."]))


async def tail(talk: Talk, rest: str) -> None:
    """Shows the last lines of a log and then those that are written, until Ctrl-C, a line typed, or the end of the input."""
    log = rest or await _log(talk, "Enter the number of the log you wish to tail.")
    with closing(logs.Follower(talk.operator, log)) as follower:
        talk.say("", "Press Ctrl-C to stop.", *follower.last(LAST))
        await _follow(talk, follower, lambda line: True)


async def _follow(talk: Talk, follower: logs.Follower, wanted: Callable[[str], bool]) -> None:
    while not await talk.idle(LOOK):
        lines = [line for line in follower.more() if wanted(line)]
        if lines:
            talk.say(*lines)


async def _log(talk: Talk, question: str) -> str:
    names = await asyncio.to_thread(logs.names, talk.operator)
    if not names:
        raise GatepostError(f"There is no log in {talk.operator.state} yet.")
    shown = ["Currently configured logs:", *asking.numbered(names)]
    return await talk.text("\n".join([*shown, question]), "1", check=lambda text: asking.chosen(text, names))


def _pattern(text: str) -> str:
    if not text:
        raise GatepostError("Enter a regular expression.")
    logs.pattern(text)
    return text


def _split(rest: str) -> list[str]:
    try:
        return shlex.split(rest)
    except ValueError as error:
        raise GatepostError(f"the quotes do not match: {error}") from None


COMMANDS = (
    Command(
        "findevent",
        "Find messages in the log, and show all lines of one.",
        findevent,
        "[-i] [-f|-t|-s|-w PATTERN|-m MID] [LOG]",
    ),
    Command("grep", "Search a log for lines that match.", grep, "[-i] [-v] [-t] [-p] [-e] PATTERN LOG"),
    Command("tail", "Show a log as it is written.", tail, "[LOG]"),
)
