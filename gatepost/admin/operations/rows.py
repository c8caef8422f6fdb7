"""The ordered tables of a listener whose rows are a pair: Recipient Access Table and domain map.

First match decides, so a row has a place; a pattern stands once. Their text has a row a line, `.example.com ACCEPT` or
`@.old.example @new.example`, with `#` before comments.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from gatepost.admin.operations.configuration import Pending
from gatepost.admin.operations.drafts import current, edit_listener, known
from gatepost.admin.operations.fields import parsed
from gatepost.admin.operations.lines import each_line
from gatepost.admin.operations.operator import Operator
from gatepost.config.entries import parse_mapped, parse_mapping_target, parse_recipient
from gatepost.config.model import Config, DomainMapping, Listener, Recipient
from gatepost.errors import GatepostError

R = TypeVar("R", bound=Recipient | DomainMapping)


@dataclass(frozen=True)
class Rows(Generic[R]):
    """One of the tables: how a row is read from its two words, and written."""

    field: str
    """Of a listener."""
    what: str
    """What a row is called in a sentence."""
    read: Callable[[str, str], R]
    second: Callable[[R], str]

    def of(self, listener: Listener) -> list[R]:
        """Return the rows in their order."""
        return list(getattr(listener, self.field))

    def write(self, rows: Sequence[R]) -> str:
        """Write the table as a text."""
        return "".join(f"{row.match} {self.second(row)}\n" for row in rows)

    def parse(self, text: str) -> list[R]:
        """Read such a text; refused with every bad line."""
        seen: set[str] = set()

        def read(line: str) -> R:
            match, *rest = line.split()
            if len(rest) != 1:
                raise GatepostError(f"{line!r} is not a row of two words: write `{self.write([self.example])[:-1]}`")
            if match in seen:
                raise GatepostError(f"{match} stands twice: take one of the two rows out")
            seen.add(match)
            return self.read(match, rest[0])

        return each_line(text, read)

    @property
    def example(self) -> R:
        """A row to show."""
        return (
            self.read("example.com", "ACCEPT") if self.field == "recipients" else self.read("@old.example", "@new.example")
        )


def _recipient(match: str, action: str) -> Recipient:
    parsed(parse_recipient, match)
    if action.lower() == "accept":
        return Recipient(match=match, action="accept")
    if action.lower() == "reject":
        return Recipient(match=match, action="reject")
    raise GatepostError(f"{action!r} is not an action: write ACCEPT or REJECT")


def _mapping(match: str, to: str) -> DomainMapping:
    parsed(parse_mapped, match)
    parsed(parse_mapping_target, to)
    return DomainMapping(match=match, to=to)


RECIPIENTS = Rows("recipients", "recipient", _recipient, lambda row: row.action.upper())
DOMAIN_MAP = Rows("domain_map", "mapping", _mapping, lambda row: row.to)


def put(operator: Operator, listener: str, table: Rows[R], row: R, *, instead: str = "", before: str = "") -> Pending:
    """Put a row in the place of the row `instead`, above the row `before`, or else last; below it only ALL may stand."""

    def change(config: Config, edited: Listener) -> Listener:
        rows = table.of(edited)
        if row.match != instead and any(other.match == row.match for other in rows):
            raise GatepostError(f"there is a {table.what} {row.match} already: edit that one")
        if instead:
            rows[_place(table, rows, instead)] = row
        else:
            last = len(rows) - 1 if rows and rows[-1].match == "ALL" else len(rows)
            rows.insert(_place(table, rows, before) if before else last, row)
        return _with(table, edited, rows)

    return edit_listener(operator, listener, change)


def remove(operator: Operator, listener: str, table: Rows[R], match: str) -> Pending:
    """Take a row out."""

    def change(config: Config, edited: Listener) -> Listener:
        rows = table.of(edited)
        del rows[_place(table, rows, match)]
        return _with(table, edited, rows)

    return edit_listener(operator, listener, change)


def move(operator: Operator, listener: str, table: Rows[R], match: str, before: str) -> Pending:
    """Put a row above another one, or last where `before` is empty."""

    def change(config: Config, edited: Listener) -> Listener:
        rows = table.of(edited)
        moved = rows.pop(_place(table, rows, match))
        if before == match:
            raise GatepostError(f"{match} cannot stand above itself: name another row")
        rows.insert(_place(table, rows, before) if before else len(rows), moved)
        return _with(table, edited, rows)

    return edit_listener(operator, listener, change)


def import_text(operator: Operator, listener: str, table: Rows[R], text: str) -> Pending:
    """Replace the table; nothing is changed when a line is bad, and an empty text empties it."""
    rows = table.parse(text)
    return edit_listener(operator, listener, lambda config, edited: _with(table, edited, rows))


def export_text(operator: Operator, listener: str, table: Rows[R]) -> str:
    """Write the table of the draft."""
    return table.write(table.of(known(current(operator).listeners, listener, "listener")))


def _place(table: Rows[R], rows: Sequence[R], match: str) -> int:
    return known({row.match: place for place, row in enumerate(rows)}, match, table.what)


def _with(table: Rows[R], listener: Listener, rows: Sequence[R]) -> Listener:
    return msgspec.structs.replace(listener, **{table.field: list(rows)})
