"""Long tables on short pages: those rows that hold what is looked for, so many at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
PAGE = 200
"""Rows of one page."""


@dataclass(frozen=True)
class Paged(Generic[T]):
    """One page of a table."""

    rows: list[tuple[int, T]]
    """Each with its place in the whole table, from 0."""
    find: str
    """What was looked for; empty: everything."""
    matching: int
    total: int
    page: int
    """From 1."""
    pages: int

    @property
    def is_short(self) -> bool:
        """Whether the whole table fits on one page, so that nobody needs to look for anything."""
        return self.total <= PAGE


def paged(table: Sequence[T], find: str, page: int, words: Callable[[T], str] = str) -> Paged[T]:
    """Return a page of the rows whose words hold a text, in whatever case; a page that is not there is the nearest one."""
    find = find.strip()
    wanted = find.lower()
    rows = [(place, row) for place, row in enumerate(table) if not wanted or wanted in words(row).lower()]
    pages = max(1, -(-len(rows) // PAGE))
    page = min(max(page, 1), pages)
    return Paged(rows[(page - 1) * PAGE : page * PAGE], find, len(rows), len(table), page, pages)
