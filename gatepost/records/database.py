"""The embedded engine under the records: how its file is made, opened, told to be damaged, and set aside.

The only file here that knows SQLite. WAL lets every worker write and anybody read at the same time; `synchronous=NORMAL`
risks the last transactions in a power cut, never the file: records are worth that, mail is not and is elsewhere.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import localtime, monotonic, sleep, strftime

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

BUSY_SECONDS = 1.0
"""How long a statement waits for another process's transaction; the caller tries again later."""
Identity = tuple[int, int]


def connect(path: Path, *, writing: bool) -> sa.Connection:
    """Return a connection of its own, not one of a pool: the file behind a name may be another one next time."""
    url = sa.URL.create("sqlite", database=str(path))
    # isolation_level None: the driver starts no transaction by itself, `begin` below does.
    arguments = {"timeout": BUSY_SECONDS, "isolation_level": None, "check_same_thread": False}
    engine = sa.create_engine(url, poolclass=sa.NullPool, connect_args=arguments)

    @sa.event.listens_for(engine, "connect")
    def _set_up(connection: sqlite3.Connection, _: object) -> None:
        if writing:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA journal_size_limit = 67108864")  # a long reader must not leave a huge file behind
        else:
            connection.execute("PRAGMA query_only = ON")

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        # Taking the write lock at once waits for its turn; upgrading later would fail without waiting.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return engine.connect()


def create(path: Path) -> None:
    """Make sure that the file is there and that only its owner may read it; the files beside it take its mode."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)


def adding(table: sa.Table, *, latest: tuple[str, ...] = ()) -> sa.Insert:
    """Return the statement that adds a row's counts to those of the row with its key, or begins one.

    `latest`: columns that do not add up; they are taken together, from the row in which the first of them is larger.
    """
    statement = sqlite.insert(table)
    new, old = statement.excluded, table.c
    later = new[latest[0]] > old[latest[0]] if latest else sa.false()
    changed = {
        name: sa.case((later, new[name]), else_=old[name]) if name in latest else old[name] + new[name]
        for name in old.keys()  # noqa: SIM118  (a column collection iterates over its columns)
        if not old[name].primary_key
    }
    return statement.on_conflict_do_update(index_elements=list(table.primary_key.columns), set_=changed)


def identity(path: Path) -> Identity:
    """Which file the name means now; (0, 0) when there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return (0, 0)
    return (found.st_dev, found.st_ino)


def is_damaged(error: BaseException) -> bool:
    """Whether the file itself is bad, as opposed to locked, full, forbidden or a disk that fails."""
    cause = error.orig if isinstance(error, sa.exc.DBAPIError) else error
    code = getattr(cause, "sqlite_errorcode", 0) & 0xFF  # without the extended part
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Make or move the file while no other process does; BlockingIOError when one is at it for longer than BUSY_SECONDS."""
    lock = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = monotonic() + BUSY_SECONDS
    try:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if monotonic() >= deadline:
                    raise
                sleep(0.01)
        yield
    finally:
        os.close(lock)


def set_aside(path: Path, damaged: Identity) -> Path | None:
    """Rename the damaged file and those that belong to it; None when another process has done so already."""
    with exclusive(path):
        if identity(path) != damaged:
            return None
        stamp = strftime("%Y%m%d-%H%M%S", localtime())
        aside = path.with_name(f"{path.name}.damaged-{stamp}")
        # The log of changes first: one left behind would be played into the new file.
        for suffix in ("-wal", "-shm", ""):
            source = path.with_name(path.name + suffix)
            if source.exists():
                source.rename(aside.with_name(aside.name + suffix))
        return aside
