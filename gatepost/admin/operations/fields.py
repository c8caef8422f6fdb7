"""Single values as a person types them, read by the parsers and bounds of the configuration.

What will not do is told in one sentence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TypeVar

from gatepost.admin.operations.drafts import free
from gatepost.config.checks.common import check_names
from gatepost.config.checks.numbers import BOUNDS
from gatepost.config.entries import parse_sender
from gatepost.config.model import UNLIMITED, BounceProfile, Config, size_in_octets
from gatepost.config.problems import Report
from gatepost.errors import GatepostError

T = TypeVar("T")

MAX_DIGITS = 18
"""Of an identifier: what a 64-bit integer holds."""
_BETWEEN = re.compile(r"[,\s]+")


def words(text: str) -> list[str]:
    """Split at commas and blanks."""
    return [word for word in _BETWEEN.split(text) if word]


def parsed(parse: Callable[[str], T], text: str) -> T:
    """Read a text by a parser of `config.entries`."""
    try:
        return parse(text)
    except ValueError as error:
        raise GatepostError(str(error)) from None


def parsed_all(parse: Callable[[str], object], texts: Iterable[str]) -> list[str]:
    """Return the texts when a parser takes every one of them; otherwise say of each that it does not take why."""
    texts, faults = list(texts), []
    for text in texts:
        try:
            parse(text)
        except ValueError as error:
            faults.append(str(error))
    if faults:
        raise GatepostError("\n".join(faults))
    return texts


def members(text: str) -> list[str]:
    """Read members of a sender group, with commas or blanks between them."""
    return parsed_all(parse_sender, words(text))


def new_name(text: str, taken: Iterable[str], what: str) -> str:
    """Read the name of a new entry."""
    report = Report()
    check_names(Config(bounce_profiles={text: BounceProfile()}), report)
    for problem in report.problems:
        raise GatepostError(f"{text!r} {problem.wrong}: {problem.mend}")
    free(taken, text, what)
    return text


def number(table: type, field: str, text: str) -> int | str:
    """Read a whole number, or a size where the field is one, within the bounds of the field."""
    bounds = BOUNDS[table][field]
    no_limit = f", or {UNLIMITED} for no limit" if bounds.unlimited else ""
    try:
        value = int(text) if text.lstrip("-").isdecimal() and text.isascii() else size_in_octets(text)
    except ValueError:
        value = None
    if value is None or (not bounds.is_size and not text.lstrip("-").isdecimal()):
        form = "octets, or a whole number with k, M or G, such as 10M" if bounds.is_size else "a whole number"
        raise GatepostError(f"{text!r} is not a {'size' if bounds.is_size else 'number'}: write {form}{no_limit}")
    if not bounds.least <= value <= bounds.most and not (bounds.unlimited and value == UNLIMITED):
        raise GatepostError(f"{text} is not from {bounds.least} to {bounds.most}: write a number between them{no_limit}")
    return value if str(value) == text else text


def whole(table: type, field: str, text: str) -> int:
    """Read a whole number within the bounds of a field that is no size."""
    return int(number(table, field, text))


def identifier(kind: str, text: str) -> int:
    """Read the number of a connection or a message as the log shows it; `kind`: ICID, DCID or MID."""
    if not (text.isascii() and text.isdecimal() and len(text) <= MAX_DIGITS):
        raise GatepostError(f"{text!r} is not a number: write that of the {kind} as the log shows it")
    return int(text)
