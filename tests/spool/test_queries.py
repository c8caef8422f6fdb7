"""Questions that are put to a spool of a million messages read an index, and no more of it than they must."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from gatepost.spool import queries
from gatepost.spool.entries import Untried
from gatepost.spool.store import Spool
from tests.support.spool import NO_FLOOR, deferred, message, opened

INDEXED = {
    "fresh": (lambda connection: queries.fresh(connection, 5, 10), "SEARCH message USING INDEX message_fresh"),
    "untried": (lambda connection: queries.untried(connection, 5, 10), "SEARCH message USING INDEX message_fresh"),
    "sent": (lambda connection: queries.sent(connection, 5, 10), "SEARCH message USING INTEGER PRIMARY KEY"),
    "due": (lambda connection: queries.due(connection, 1.0, 10, (0.0, 0, 0)), "SEARCH recipient USING INDEX recipient_due"),
    "next_due": (queries.next_due, "SEARCH recipient USING INDEX recipient_due"),
    "by_destination": (queries.by_destination, "SCAN recipient USING COVERING INDEX recipient_queue"),
    "waiting_for": (
        lambda connection: queries.waiting_for(connection, "d"),
        "SEARCH recipient USING COVERING INDEX recipient_queue",
    ),
    "entry": (lambda connection: queries.entry(connection, 5), "SEARCH message USING INTEGER PRIMARY KEY"),
    "states": (lambda connection: queries.states(connection, 5), "SEARCH recipient USING PRIMARY KEY"),
    "counts": (queries.counts, "SCAN message USING COVERING INDEX message_fresh"),
}


@pytest.mark.parametrize("name", INDEXED)
def test_each_question_uses_its_index(tmp_path: Path, name: str) -> None:
    Spool.open(tmp_path, 0, NO_FLOOR).close_now()
    ask, wanted = INDEXED[name]
    connection = Planned(tmp_path / "shard-0.db")
    ask(connection)
    connection.close()
    assert wanted in connection.plans[0][0]
    for plan in connection.plans:
        assert not [step for step in plan if re.match(r"SCAN \w+$", step)], "it reads a whole table"
        assert not [step for step in plan if "TEMP B-TREE" in step and "DISTINCT" not in step], "it sorts what it found"


class Planned(sqlite3.Connection):
    """A connection that keeps the plan of every statement."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.plans: list[list[str]] = []

    def execute(self, statement: str, *arguments: Any) -> sqlite3.Cursor:
        plan = super().execute(f"EXPLAIN QUERY PLAN {statement}", *arguments)
        self.plans.append([row[3] for row in plan])
        return super().execute(statement, *arguments)


async def test_never_tried_recipients_are_told_by_what_stands_behind_their_local_part(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        await spool.commit(message(1, recipients=("a@example.com", '"x@y"@Example.com', "postmaster", "b@example.com")))
        await spool.commit(message(2, recipients=("c@example.com",)))
        await spool.commit(message(3, recipients=("d@example.com",)))
        await spool.settle(deferred(1, 9.0, rid=0))
        await spool.settle(deferred(3, 9.0))
        found = await spool.untried(0, 10)
        assert found.last_mid == 2
        assert list(zip(found.mids, found.domains, strict=True)) == [
            (1, "@Example.com"),
            (1, "r"),
            (1, "@example.com"),
            (2, "@example.com"),
        ]
        assert await spool.untried(1, 10) == Untried(2, [2], ["@example.com"])
        assert await spool.untried(2, 10) == Untried(0, [], [])
