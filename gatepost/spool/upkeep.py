"""What a shard's files need between groups: checkpoints, and giving back to the file system what mail no longer needs.

Without the second a shard that once filled its disk would refuse mail for ever: a database keeps the pages it has freed.
Runs in the writer's thread; raises what SQLite raises.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from gatepost.spool.schema import BUSY_SECONDS

SPARE = 4096
"""Free pages that stay in the file: a busy shard uses them again within a second."""
STEP = 1024
"""Pages given back in one transaction: a commit that comes meanwhile waits for no more."""


def checkpoint(connection: sqlite3.Connection) -> None:
    """Copy the WAL into the database; when no reader is in it, the next commit begins it anew and it does not grow."""
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()


def cut_wal(connection: sqlite3.Connection) -> None:
    """Give the WAL's own blocks back; a reader that is in it just now leaves that to the next time.

    A WAL is written anew from its beginning but never gets shorter by itself, and on a full disk it may be what the room is
    lacking for.
    """
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")


def shrink(connection: sqlite3.Connection, spare: int, wanted: Callable[[], bool]) -> None:
    """Give free pages back until `spare` are left or the writer is wanted; one step at least, if there is something."""
    free = connection.execute("PRAGMA freelist_count").fetchone()[0]
    while free > spare:
        # as a script, for `execute` stops at the first of the empty rows that SQLite gives for each page
        connection.executescript(f"PRAGMA incremental_vacuum({min(STEP, free - spare)})")
        # only a checkpoint cuts the file
        checkpoint(connection)
        left = connection.execute("PRAGMA freelist_count").fetchone()[0]
        if wanted() or left >= free:
            return
        free = left
