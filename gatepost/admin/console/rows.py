"""The dialogue that Recipient Access Table and domain map share: ordered tables of pairs. Only asks and calls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Generic

from gatepost.admin.cli_text import count
from gatepost.admin.console import asking
from gatepost.admin.console.talk import Operations, Talk
from gatepost.admin.operations import drafts, rows
from gatepost.admin.operations.rows import R, Rows
from gatepost.admin.operations.tables import listener_of

OPERATIONS: Operations = (
    ("NEW", "Create a new entry."),
    ("EDIT", "Modify an entry."),
    ("DELETE", "Remove an entry."),
    ("MOVE", "Move an entry."),
    ("PRINT", "Display all entries."),
    ("IMPORT", "Import a table from a file."),
    ("EXPORT", "Export the table to a file."),
    ("CLEAR", "Remove all entries."),
)
Ask = Callable[[Talk, "R | None"], Awaitable[R]]
"""Asks for one row; the present one gives the defaults."""


class RowDialogue(Generic[R]):
    """Edits one table of one listener."""

    def __init__(self, talk: Talk, listener: str, table: Rows[R], title: str, ask: Ask[R]) -> None:
        self._talk = talk
        self._listener = listener
        self._table = table
        self._title = title
        self._ask = ask

    async def run(self) -> None:
        """Show the menu until an empty line."""
        verbs = {
            "new": self._new,
            "edit": self._edit,
            "delete": self._delete,
            "move": self._move,
            "print": self._print,
            "import": self._import,
            "export": self._export,
            "clear": self._clear,
        }
        await asking.operate(self._talk, OPERATIONS, verbs, self._heading)

    def _heading(self) -> list[str]:
        return [f"{self._title} of listener {self._listener}: {count(len(self._rows()), 'entry', 'entries')}."]

    def _rows(self) -> list[R]:
        return self._table.of(listener_of(drafts.current(self._talk.operator), self._listener)[1])

    async def _new(self) -> None:
        row = await self._ask(self._talk, None)
        pending = rows.put(self._talk.operator, self._listener, self._table, row)
        asking.told(self._talk, pending, self._place(row.match))

    async def _edit(self) -> None:
        match = await self._pick("edit")
        if not match:
            return
        row = await self._ask(self._talk, next(row for row in self._rows() if row.match == match))
        pending = rows.put(self._talk.operator, self._listener, self._table, row, instead=match)
        asking.told(self._talk, pending, self._place(row.match))

    async def _delete(self) -> None:
        match = await self._pick("delete")
        if match:
            rows.remove(self._talk.operator, self._listener, self._table, match)

    async def _move(self) -> None:
        match = await self._pick("move")
        others = [row.match for row in self._rows() if row.match != match]
        if not match or not others:
            return
        last = "the end"
        question = "Enter the entry that it shall stand above."
        before = await asking.pick(self._talk, question, [*others, last])
        if before:
            place = "" if before == last else before
            pending = rows.move(self._talk.operator, self._listener, self._table, match, place)
            asking.told(self._talk, pending, self._place())

    async def _print(self) -> None:
        asking.print_table(self._talk, rows.export_text(self._talk.operator, self._listener, self._table))

    async def _import(self) -> None:
        text = await asking.table_to_import(self._talk, "the table")
        pending = rows.import_text(self._talk.operator, self._listener, self._table, text)
        asking.told(self._talk, pending, self._place())

    async def _export(self) -> None:
        await asking.export_table(self._talk, rows.export_text(self._talk.operator, self._listener, self._table))

    async def _clear(self) -> None:
        if await self._talk.yes("Are you sure you want to remove all entries?", False):
            rows.import_text(self._talk.operator, self._listener, self._table, "")

    async def _pick(self, what: str) -> str:
        present = self._rows()
        shown = asking.numbered(self._table.write(present).splitlines())
        matches = [row.match for row in present]
        return await asking.pick(self._talk, f"Enter the entry you wish to {what}.", matches, shown=shown)

    def _place(self, *row: str) -> tuple[str, ...]:
        return ("listeners", self._listener, self._table.field, *row)


def dialogue(title: str, table: Rows[R], ask: Ask[R]) -> Callable[[Talk, str], Awaitable[None]]:
    """Return the dialogue of one table, to be run for a listener."""
    return partial(_run, title=title, table=table, ask=ask)


async def _run(talk: Talk, listener: str, *, title: str, table: Rows[R], ask: Ask[R]) -> None:
    await RowDialogue(talk, listener, table, title, ask).run()
