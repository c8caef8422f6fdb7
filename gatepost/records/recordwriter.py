"""What a records database that cannot be written costs: records that wait, then records dropped and noted as a gap.

Runs in the journal's records thread. Locked, full, forbidden: try again each second, warn once, and when it works again note
in `gaps` what is missing. Damaged: set the file aside, begin a new one, note that too. Low on disk space: leave the rest to
the spool, for the records are the ones who can wait. Mail never hears of any of it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from time import monotonic, time

import sqlalchemy as sa

from gatepost.errors import StateError
from gatepost.records import database, maillog
from gatepost.records.store import FILE_NAME, RecordStore
from gatepost.records.tables import Record

RETRY_SECONDS = 1.0
CHECK_SECONDS = 2.0
PURGE_SECONDS = 600.0
RESERVE = 32 * 1024 * 1024
"""Free octets on the disk that are left to the spool, which needs them to note what was delivered."""
Tell = Callable[[str], None]


class RecordWriter:
    """Appends batches of records to the database in `state`."""

    def __init__(self, state: Path, worker: int, tell: Tell, *, reserve: int = RESERVE) -> None:
        self.retention_days = 0
        """Records older than this are removed by this writer; 0: not by this one."""
        self._path = state / FILE_NAME
        self._worker = worker
        self._tell = tell
        self._reserve = reserve
        self._store: RecordStore | None = None
        self._entered = False
        self._bad = 0
        self._told = 0
        self._aside = ""
        self._failing = ""
        self._last_good = time()
        self._retry = 0.0
        self._checked = 0.0
        self._purge_due = 0.0

    @property
    def bad(self) -> int:
        """Records that no database takes, such as a number beyond 64 bits."""
        return self._bad

    def write(self, records: list[Record], dropped: int) -> int:
        """Append `records`; the number of them that are in the database. `dropped`: records lost so far."""
        now = monotonic()
        if self._failing and now < self._retry:
            return 0
        try:
            return self._write(records, dropped)
        except (sa.exc.SQLAlchemyError, StateError, OSError) as error:
            self._retry = now + RETRY_SECONDS
            self._fail(error)
            return 0

    def close(self) -> None:
        """Sign out, if the database is there to sign."""
        if self._store is None:
            return
        try:
            if not self._failing:
                self._store.leave(self._worker, time())
        except (sa.exc.SQLAlchemyError, OSError):
            pass  # the next start notes the gap
        self._drop_store()

    def _write(self, records: list[Record], dropped: int) -> int:
        store = self._opened()
        self._note_gaps(store, dropped + self._bad)
        if self.retention_days and monotonic() >= self._purge_due:
            more = store.purge(time() - self.retention_days * 86400)
            self._purge_due = 0.0 if more else monotonic() + PURGE_SECONDS
        if records:
            self._bad += store.append(records)
        # Nothing below may fail: the batch is in, and would be written twice.
        if self._failing:
            self._tell(maillog.records_recovered())
            self._failing = ""
        self._last_good = time()
        return len(records)

    def _opened(self) -> RecordStore:
        """The store, open on what its name means now."""
        now = monotonic()
        if self._store is not None and now - self._checked < CHECK_SECONDS and not self._failing:
            return self._store
        self._checked = now
        disk = os.statvfs(self._path.parent)
        if disk.f_bavail * disk.f_frsize < self._reserve:
            raise OSError(f"less than {self._reserve} octets are free, and those are left to the spool")
        if self._store is not None and self._store.identity != database.identity(self._path):
            self._drop_store()
        if self._store is None:
            self._store = RecordStore(self._path)
            if not self._entered:
                self._enter(self._store)
        return self._store

    def _enter(self, store: RecordStore) -> None:
        reason = maillog.records_gap(self._worker)
        if store.enter(self._worker, time(), reason):
            self._tell(reason)
        self._entered = True

    def _note_gaps(self, store: RecordStore, lost: int) -> None:
        """Note in the database, and say in the log, what is missing from it."""
        if self._aside:
            store.gap(self._worker, 0.0, time(), 0, self._aside)
            self._aside = ""
        if lost > self._told:
            reason = self._failing or "no database takes it, or the disk was too slow"
            store.gap(self._worker, self._last_good, time(), lost - self._told, reason)
            self._tell(maillog.records_lost(lost - self._told, reason))
            self._told = lost

    def _fail(self, error: Exception) -> None:
        cause = error.orig if isinstance(error, sa.exc.DBAPIError) else error
        reason = str(cause)
        if database.is_damaged(error):
            self._set_aside(reason)
        elif not self._failing:
            self._tell(maillog.records_unwritable(reason))
        self._failing = reason
        # Whatever is wrong with this connection, a new one has not got it; and one that waits would hold a snapshot.
        self._drop_store()

    def _set_aside(self, reason: str) -> None:
        damaged = self._store.identity if self._store else database.identity(self._path)
        self._drop_store()
        try:
            aside = database.set_aside(self._path, damaged)
        except OSError as error:
            if not self._failing:
                self._tell(maillog.records_unwritable(f"{reason}; it could not be set aside: {error}"))
            return
        self._retry = 0.0  # the next round begins a new file
        if aside is not None:
            self._aside = maillog.records_damaged(str(self._path), aside.name, reason)
            self._tell(self._aside)

    def _drop_store(self) -> None:
        if self._store is not None:
            try:
                self._store.close()
            except (sa.exc.SQLAlchemyError, OSError):
                pass  # what closes badly is closed all the same
            self._store = None
