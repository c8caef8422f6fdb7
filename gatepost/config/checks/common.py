"""What the checks share: walking the tables of a document, names that must exist, texts that end up in log lines."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import Any, get_origin

import msgspec

from gatepost.config.decode import element, field_types, is_table
from gatepost.config.model import ROW_NAMES, Config
from gatepost.config.paths import Part, did_you_mean, row_parts
from gatepost.config.problems import Report

Path = tuple[Part, ...]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def tables(value: Any, path: Path = ()) -> Iterator[tuple[Path, msgspec.Struct]]:
    """Return every table of a document with its path; lists of plain values are not entered."""
    if isinstance(value, msgspec.Struct):
        yield path, value
        for field in _deeper(type(value)):
            yield from tables(getattr(value, field), (*path, field))
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from tables(item, (*path, name))
    elif isinstance(value, list) and value and type(value[0]) in ROW_NAMES:
        for part, item in rows(value):
            yield from tables(item, (*path, part))


@cache
def _deeper(kind: type[msgspec.Struct]) -> list[str]:
    """Return the fields of a table that may hold tables; a row has none, and of rows there may be a million."""
    return [name for name, field in field_types(kind).items() if _may_hold_tables(field)]


def _may_hold_tables(kind: Any) -> bool:
    return is_table(kind) or (get_origin(kind) in (dict, list) and _may_hold_tables(element(kind)))


def rows(table: Sequence[msgspec.Struct]) -> list[tuple[Part, Any]]:
    """Return the rows of a list of tables with the path part of each."""
    parts = row_parts([getattr(row, ROW_NAMES[type(row)]) for row in table])
    return list(zip(parts, table, strict=True))


def syntax(report: Report, path: Path, value: str, parse: Callable[[str], object], mend: str) -> None:
    """Report a text that its parser refuses; `mend` is said where the parser has no better counsel."""
    try:
        parse(value)
    except ValueError as error:
        refused(report, path, value, error, mend)


def refused(report: Report, path: Path, value: object, error: ValueError, mend: str) -> None:
    """Report the sentence of a parser (`config.entries`): what is wrong, and behind a colon how to mend it."""
    wrong, _, better = str(error).removeprefix(f"{value!r} ").partition(": ")
    report.error(path, value, wrong, better or mend)


def known(report: Report, path: Path, value: str, names: Iterable[str], what: str, related: str) -> None:
    """Report a name that nothing in the document bears."""
    names = list(names)
    if value not in names:
        make = "; import it or create a self-signed one first" if what == "certificate" else ""
        report.error(path, value, f"names no {what}", did_you_mean(value, names) + make, related=[related])


def check_names(config: Config, report: Report) -> None:
    """Names are keys in paths, words in log lines and file-safe: letters, digits, `_`, `-` and inner dots."""
    named: dict[str, Iterable[str]] = {
        "certificates": config.certificates,
        "tls_profiles": config.tls_profiles,
        "address_lists": config.address_lists,
        "listeners": config.listeners,
        "bounce_profiles": config.bounce_profiles,
    }
    for table, entries in named.items():
        for name in entries:
            _check_name(report, (table, name), name)
    for listener_name, listener in config.listeners.items():
        for name in listener.policies:
            _check_name(report, ("listeners", listener_name, "policies", name), name)
        for part, group in rows(listener.sender_groups):
            _check_name(report, ("listeners", listener_name, "sender_groups", part, "name"), group.name)


def _check_name(report: Report, path: Path, name: str) -> None:
    if not _NAME.fullmatch(name):
        report.error(path, name, "is not a name", "take letters, digits, '_', '-' and '.', at most 63, such as PARTNER_TLS")


def check_texts(config: Config, report: Report) -> None:
    """A free text goes into log lines and mail header fields: a line end in it would forge another line."""
    for path, table in tables(config):
        for field in ("comment", "description", "interface"):
            text = getattr(table, field, "")
            if _CONTROL.search(text):
                report.error((*path, field), text, "holds a control character", "write it in one line of plain text")
