"""The tables of a shard, and opening its database file.

`recipient` has rows only for recipients that differ from freshly queued, so mail that flows straight through writes one row
and deletes one. Never repairs: a file that cannot be used is named in a StateError and left as it is.
"""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

from gatepost.errors import StateError
from gatepost.spool.layout import Layout
from gatepost.spool.room import FILE_MARGIN, file_limit

VERSION = 1
APPLICATION = 0x47504F53
"""SQLite's application_id: "GPOS"."""
PAGE_SIZE = 4096
"""Larger pages are not faster with 4 KB messages, and make reading envelopes read the contents too."""
CHECK_SECONDS = 2.0
BUSY_SECONDS = 10
"""How long a statement waits for a lock that another connection holds."""

TABLES = """
CREATE TABLE message (
    mid INTEGER PRIMARY KEY,
    fresh INTEGER NOT NULL,         -- 1: some recipient has no row in `recipient`, it was never tried
    recipients INTEGER NOT NULL,    -- how many the envelope names, kept aside in case the envelope is damaged
    envelope_sum INTEGER NOT NULL,  -- CRC-32: SQLite does not notice a flipped bit inside a value
    content_sum INTEGER NOT NULL,
    envelope BLOB NOT NULL,
    content BLOB                    -- NULL: the content is the body file of that MID
);
CREATE INDEX message_fresh ON message (fresh, mid, recipients);
CREATE TABLE recipient (
    mid INTEGER NOT NULL,
    rid INTEGER NOT NULL,
    destination TEXT NOT NULL,
    status INTEGER NOT NULL,
    due REAL NOT NULL,
    attempts INTEGER NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (mid, rid)
) WITHOUT ROWID;
CREATE INDEX recipient_due ON recipient (due) WHERE status = 1;
CREATE INDEX recipient_queue ON recipient (destination, status, due);
"""


class Damage(StateError):
    """The file can be opened, but its pages do not hang together."""


def connect(layout: Layout) -> sqlite3.Connection:
    """Open the shard's database, making its tables when it is new.

    Damage says that `salvage` may help; any other StateError that the file is not for us.
    """
    connection = plain_connection(layout.database)
    try:
        set_up(connection)
        _check(connection, layout)
    except sqlite3.Error as error:
        connection.close()
        damaged = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_CORRUPT
        raise (Damage if damaged else StateError)(
            f"{layout.database} is damaged or cannot be used, it was left as it is: {error}"
        ) from error
    except BaseException:
        connection.close()
        raise
    return connection


def plain_connection(database: Path) -> sqlite3.Connection:
    """Open a database file in SQLite's autocommit mode, for one thread after another."""
    return sqlite3.connect(
        database, isolation_level=None, check_same_thread=False, cached_statements=256, timeout=BUSY_SECONDS
    )


def connect_reader(layout: Layout) -> sqlite3.Connection:
    """Open a second connection that only reads; in WAL mode it neither waits for the writer nor holds it up."""
    connection = plain_connection(layout.database)
    connection.execute("PRAGMA query_only = 1")
    connection.execute("PRAGMA cache_size = -8192")
    return connection


def set_up(connection: sqlite3.Connection) -> None:
    """Set what holds for the connection, and make the tables."""
    connection.execute(f"PRAGMA page_size = {PAGE_SIZE}")
    # lets `upkeep` give pages back; for new files only, and before all else
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("PRAGMA journal_mode = WAL")
    # one fdatasync of the WAL for each commit, and none is ever left out
    connection.execute("PRAGMA synchronous = FULL")
    # the writer checkpoints itself, after it has answered those who wait
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    # freed pages need not be overwritten with zeros: twice the writing for a secret that was in the WAL anyway
    connection.execute("PRAGMA secure_delete = OFF")
    connection.execute("PRAGMA cache_size = -8192")
    if limit := file_limit():
        # full before the file meets the limit, and not in the middle of a checkpoint
        connection.execute(f"PRAGMA max_page_count = {max(1, (limit - FILE_MARGIN) // PAGE_SIZE)}")
    if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
        connection.executescript(
            f"BEGIN IMMEDIATE; {TABLES} PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION}; COMMIT;"
        )


def _check(connection: sqlite3.Connection, layout: Layout) -> None:
    """Refuse a file that is not ours, is newer than this code, or whose pages do not hang together."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION:
        raise StateError(f"{layout.database} is not a Gatepost spool; it was left as it is")
    if version > VERSION:
        raise StateError(
            f"{layout.database} was written by a newer Gatepost (version {version}, this one knows {VERSION}); "
            "start that one, or empty the spool with it first"
        )
    # after damage was met once, every page is looked at, however long it takes
    finding = quick_check(connection, threading.TIMEOUT_MAX if layout.suspect.exists() else CHECK_SECONDS)
    if finding:
        raise Damage(f"{layout.database} is damaged: {finding}")
    layout.suspect.unlink(missing_ok=True)


def quick_check(connection: sqlite3.Connection, seconds: float) -> str:
    """Look for damage for a while, so that a large spool still starts at once; return the first finding."""
    timer = threading.Timer(seconds, connection.interrupt)
    timer.start()
    try:
        finding = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        return ""
    finally:
        timer.cancel()
        timer.join()  # or it might interrupt what comes next
    return "" if finding in ("ok", "interrupted") else finding
