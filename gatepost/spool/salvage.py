"""A damaged shard: what can be read of it goes into a new file, and the damaged file is kept beside it.

Every message that an index still names is accounted for: one whose row is gone becomes an entry whose recipients are HELD
with the reason, so that an operator sees it. States that cannot be read are left out, for to deliver twice is better than
to lose. Never deletes the damaged file.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gatepost.durable import sync_directory
from gatepost.errors import StateError
from gatepost.spool import schema
from gatepost.spool.layout import Layout
from gatepost.spool.message import Status

STATE_COLUMNS = "mid, rid, destination, status, due, attempts, detail"


def open_or_salvage(layout: Layout) -> tuple[sqlite3.Connection, str]:
    """Open a shard, salvaging it first if it is damaged; return also what was done, in one sentence."""
    try:
        return schema.connect(layout), ""
    except schema.Damage as damage:
        report = _salvage(layout, str(damage))
    return schema.connect(layout), report


def _salvage(layout: Layout, reason: str) -> str:
    """Put a new file in the place of the damaged one; a crash anywhere leaves either file under the shard's name."""
    fresh = layout.database.with_suffix(".salvaged")
    fresh.unlink(missing_ok=True)
    os.close(os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    old, new = schema.plain_connection(layout.database), schema.plain_connection(fresh)
    try:
        old.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        schema.set_up(new)
        whole, lost = _copy(old, new, layout, f"set aside: {reason}")
    except sqlite3.Error as error:
        raise StateError(f"{reason}; nothing could be salvaged and it was left as it is: {error}") from error
    finally:
        old.close()
        new.close()
    kept = _exchange(layout, fresh)
    layout.suspect.unlink(missing_ok=True)
    return f"{reason}; {whole} messages were copied to a new file, {lost} could not be read; the damaged file is {kept}"


def _exchange(layout: Layout, fresh: Path) -> Path:
    """Give the new file the shard's name, the old one another."""
    for database in (layout.database, fresh):
        if database.with_name(database.name + "-wal").exists():
            # the WAL goes with the name: it would be played into the wrong file
            raise StateError(f"{database}-wal could not be written back, nothing was changed")
    kept = layout.database.with_suffix(time.strftime(".damaged-%Y%m%dT%H%M%SZ", time.gmtime()))
    os.link(layout.database, kept)
    os.replace(fresh, layout.database)
    sync_directory(layout.directory)
    return kept


def _copy(old: sqlite3.Connection, new: sqlite3.Connection, layout: Layout, reason: str) -> tuple[int, int]:
    """Copy all that can be read, in one transaction; return how many messages were whole, and how many only named."""
    named = _mids(old)
    whole = 0
    new.execute("BEGIN IMMEDIATE")
    for mid in sorted(named):
        row = _one(old, "SELECT * FROM message WHERE mid = ?", mid)
        states = list(_rows(old, f"SELECT {STATE_COLUMNS} FROM recipient WHERE mid = ? ORDER BY rid", mid))
        if row is None or not _is_sound(row):
            recipients = max(named[mid], 1 + max((state[1] for state in states), default=-1))
            # a body file stays what it is, or it would be removed as an orphan
            row = (mid, 0, recipients, 0, 0, b"damaged", None if layout.body(mid).exists() else b"")
            states = [(mid, rid, "", int(Status.HELD), 0.0, 0, reason) for rid in range(recipients)]
        else:
            whole += 1
            row = (mid, int(len(states) < row[2]), *row[2:])
        new.execute("INSERT INTO message VALUES (?,?,?,?,?,?,?)", row)
        new.executemany("INSERT INTO recipient VALUES (?,?,?,?,?,?,?)", states)
    new.execute("COMMIT")
    return whole, len(named) - whole


def _mids(old: sqlite3.Connection) -> dict[int, int]:
    """Return every MID that the table, from either end, or an index names, with how many recipients it has if known."""
    named: dict[int, int] = {}
    for order in ("ASC", "DESC"):
        named.update(_rows(old, f"SELECT mid, recipients FROM message NOT INDEXED ORDER BY mid {order}"))
        for fresh in (0, 1):
            named.update(
                _rows(old, f"SELECT mid, recipients FROM message WHERE fresh = ? ORDER BY fresh {order}, mid {order}", fresh)
            )
    for (mid,) in _rows(old, "SELECT mid FROM recipient"):
        named.setdefault(mid, 0)
    return named


def _rows(connection: sqlite3.Connection, query: str, *args: int) -> Iterator[tuple[Any, ...]]:
    """Yield rows until the damage."""
    try:
        yield from connection.execute(query, args)
    except sqlite3.DatabaseError:
        return


def _one(connection: sqlite3.Connection, query: str, mid: int) -> tuple[Any, ...] | None:
    return next(_rows(connection, query, mid), None)


def _is_sound(row: tuple[Any, ...]) -> bool:
    """Tell whether a row has the types it was written with; whether its values are right, its checksums say."""
    numbers, envelope, content = row[:5], row[5], row[6]
    return (
        all(isinstance(number, int) for number in numbers)
        and isinstance(envelope, bytes)
        and (content is None or isinstance(content, bytes))
    )
