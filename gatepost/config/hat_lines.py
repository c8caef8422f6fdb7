"""The lines of a Host Access Table file, taken apart: which policy, sender group or row each belongs to (`config.hat_text`).

What a line is follows from what stands open above it and from whether it begins at the margin. Every line that cannot be
read is told, and reading goes on below it. Knows nothing of the document but what a member and a setting look like.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from gatepost.config.entries import parse_sender
from gatepost.config.hat_settings import read_setting
from gatepost.config.model import BARE_BEHAVIORS
from gatepost.config.paths import did_you_mean
from gatepost.config.problems import Problem, shown

ALL = "ALL"
DEFAULT = "DEFAULT"
Kind = Literal["policy", "group", "all", "default"]
Told = Callable[[int, int], None]
"""Is told how many lines are read, and of how many."""

_STEP = 5_000
"""Lines between two words on how far it has come."""
_GROUP = re.compile(r"([^:,\[\](){}$]+):")
_RULE = re.compile(r"(\$[^\s(){}]+|[A-Za-z]+)\s*(?:(\{)\s*(\})?)?\s*(\(.*\))?")
_END = re.compile(r"\}\s*(\(.*\))?")
_COMMENT = re.compile(r"\(.*\)")
_COMMA = re.compile(r",(?![^\[]*\])")  # dnslist[...] and its kin may hold some
_MEMBER = "take it out, or write an address, a network, a range, a host name, .domain or dnslist[zone]"
_BEHAVIORS = ", ".join(BARE_BEHAVIORS)


class Entry(msgspec.Struct):
    """A policy, a sender group, the ALL row or the default parameters."""

    kind: Kind
    name: str
    """Empty for hosts that stand without a group."""
    line: int
    rule: str = ""
    """A behaviour in capitals, or `$NAME`; empty where none could be read."""
    rule_line: int = 0
    comment: str = ""
    members: list[str] = []
    settings: dict[str, Any] = {}
    """By the names of the document's fields."""
    setting_lines: dict[str, int] = {}


class Lines:
    """A file that was taken apart."""

    def __init__(self, text: str, told: Told) -> None:
        """Read it whole."""
        self.entries: list[Entry] = []
        self.problems: list[Problem] = []
        self.passed_over: dict[tuple[str, str], list[int]] = {}
        """Settings that Gatepost does not have, why, and where they stand."""
        self.line = 0
        """The last one."""
        self._open: Entry | None = None
        self._in_braces = False
        lines = text.removeprefix("\ufeff").split("\n")
        for self.line, line in enumerate(lines, 1):
            if not self.line % _STEP:
                told(self.line, len(lines))
            stripped = line.strip()
            if stripped and stripped[0] != "#":
                self._take(stripped, at_margin=line[0] not in " \t")
        self._close()

    def bad(self, line: int, text: str | None, wrong: str, mend: str) -> None:
        """Note a bad line."""
        self.problems.append(Problem(path=f"line {line}", value=shown((), text), wrong=wrong, mend=mend))

    def _bad(self, text: str, wrong: str, mend: str) -> None:
        self.bad(self.line, text, wrong, mend)

    def _refused(self, text: str, error: ValueError, mend: str) -> None:
        wrong, _, better = str(error).removeprefix(f"{text!r} ").partition(": ")
        self._bad(text, wrong, better or mend)

    def _take(self, text: str, *, at_margin: bool) -> None:
        if self._in_braces and not (at_margin and "=" not in text and text[0] != "}"):
            self._take_in_braces(text)
        elif at_margin and (begun := _begins(text)) is not None:
            self._begin(*begun)
            self._in_braces = begun[0] == "default"
        elif self._open is not None and not self._in_braces and (found := _RULE.fullmatch(text)) and _is_rule(found[1]):
            self._take_rule(self._open, found)
        elif self._open is None and _COMMENT.fullmatch(text) and self.entries and not self.entries[-1].comment:
            self.entries[-1].comment = text[1:-1].strip()
        elif self._open is not None and (self._open.kind != "group" or text[0] == "$" or "{" in text):
            self._bad_rule(self._open, text)
        else:
            if self._open is None or (at_margin and self._open.name):
                self._begin("group", "")
            self._take_members(text)

    def _begin(self, kind: Kind, name: str) -> None:
        self._close()
        self._open = Entry(kind, name, self.line)

    def _take_rule(self, entry: Entry, found: re.Match[str]) -> None:
        if entry.kind == "policy" and found[1][0] == "$":
            self._bad_rule(entry, found[0])
            return
        entry.rule = found[1] if found[1][0] == "$" else found[1].upper()
        entry.rule_line = self.line
        entry.comment = (found[4] or "")[1:-1].strip()
        self._in_braces = bool(found[2] and not found[3])
        if not self._in_braces:
            self._close()

    def _bad_rule(self, entry: Entry, text: str) -> None:
        word = text.split()[0]
        if entry.kind == "policy":
            self._bad(text, "is not a behaviour", did_you_mean(word.upper(), BARE_BEHAVIORS))
        else:
            self._bad(text, "is neither a policy nor a behaviour", f"write $NAME or one of {_BEHAVIORS}, then (a comment)")
        entry.rule_line = self.line  # it was meant to be one, and is told
        self._in_braces = "{" in text and "}" not in text
        if not self._in_braces:
            self._close()

    def _take_in_braces(self, text: str) -> None:
        entry = self._open
        assert entry is not None
        if (found := _END.fullmatch(text)) is not None:
            entry.comment = entry.comment or (found[1] or "")[1:-1].strip()
            self._in_braces = False
            self._close()
        elif entry.kind in ("group", "all"):
            mend = "write a policy with these settings above, such as $PARTNERS, and name it here"
            self._bad(text, "is a setting, and those of a sender group stand in its policy", mend)
        else:
            self._take_setting(entry, text)

    def _take_setting(self, entry: Entry, text: str) -> None:
        try:
            field, value = read_setting(text)
            if field in entry.settings:
                raise ValueError("stands twice in this policy: take one of the two out")
        except ValueError as error:
            self._refused(text, error, "mend it")
            return
        if field:
            entry.settings[field] = value
            entry.setting_lines[field] = self.line
        else:
            self.passed_over.setdefault((text.partition("=")[0].strip(), value), []).append(self.line)

    def _take_members(self, text: str) -> None:
        assert self._open is not None
        for member in _COMMA.split(text) if "[" in text else text.split(","):
            member = member.strip()
            try:
                if member:
                    parse_sender(member)
                    self._open.members.append(member)
            except ValueError as error:
                self._bad_member(member, error)

    def _bad_member(self, member: str, error: ValueError) -> None:
        if member == ALL:
            self._bad(member, "stands for every host, and is no member of a group", "write it at the margin, last of all")
        elif len(member.split()) > 1 and "[" not in member:
            self._bad(member, "is not a member of a sender group", "put commas between members")
        else:
            self._refused(member, error, _MEMBER)

    def _close(self) -> None:
        entry, self._open = self._open, None
        if entry is None:
            return
        self.entries.append(entry)
        if self._in_braces:
            self.bad(
                entry.rule_line or entry.line, entry.name, "opens a brace that is not closed", "write } below its settings"
            )
            self._in_braces = False
        if not entry.rule_line and entry.kind != "default":
            wrong = "has no behaviour" if entry.kind == "policy" else "has no policy"
            mend = "write one below it and indent it: ACCEPT" + ("" if entry.kind == "policy" else ", or $NAME")
            self.bad(entry.line, entry.name or ", ".join(entry.members), wrong, mend)


def _begins(text: str) -> tuple[Kind, str] | None:
    """Return what a line at the margin begins; None for hosts without a group, and for a behaviour that was not indented."""
    if text[0] == "$":
        return "policy", text[1:]
    if text.rstrip(":") == ALL:
        return "all", ALL
    if text.startswith(DEFAULT) and text[len(DEFAULT) :].strip() == "{":
        return "default", DEFAULT
    found = _GROUP.fullmatch(text)
    return ("group", found[1]) if found else None


def _is_rule(word: str) -> bool:
    return word[0] == "$" or word.upper() in BARE_BEHAVIORS
