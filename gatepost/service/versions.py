"""Whether a state directory was written by a newer Gatepost: looked at before anything of it is opened to be written.

Each database knows its own version and refuses another one. But the service would then go on with what is left, a copy of
the configuration or no spool at all, and that is not what somebody wants who has put an older Gatepost in the place of a
newer one. Only reads, and says nothing of what is damaged: who opens it does.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from gatepost.config import tables as config
from gatepost.errors import StateError
from gatepost.records import tables as records
from gatepost.records.store import FILE_NAME
from gatepost.spool import schema
from gatepost.spool.layout import SHARD_FILE


def refuse_newer(state: Path) -> None:
    """Raise StateError when any database of `state` has a version that this Gatepost does not know; nothing is changed."""
    newer = [
        f"{path.relative_to(state)} has version {found} and this one knows {known}"
        for path, query, known in _databases(state)
        if (found := _version(path, query)) > known
    ]
    if newer:
        raise StateError(
            f"{state} was written by a newer Gatepost ({', '.join(newer)}): start that one, or put back the state directory "
            "that was saved before it; nothing was changed"
        )


def _databases(state: Path) -> Iterator[tuple[Path, str, int]]:
    """Yield each database, where its version stands, and the version that we know."""
    yield state / "config.db", "SELECT version FROM config_schema", config.VERSION
    yield state / FILE_NAME, "SELECT version FROM schema", records.VERSION
    spool = state / "spool"
    for entry in sorted(spool.iterdir()) if spool.is_dir() else ():
        if SHARD_FILE.fullmatch(entry.name):
            yield entry, "PRAGMA user_version", schema.VERSION


def _version(path: Path, query: str) -> int:
    """Return a version; 0 where there is none to be read."""
    try:
        # read-only: a connection that may write would play the WAL into the file when it is closed
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            return int(connection.execute(query).fetchone()[0])
    except (sqlite3.Error, TypeError, ValueError):
        return 0
