"""The records database, written: batches of records in, one transaction each, and no record ever changed afterwards.

A fault is told by raising: StateError for a file of another version, SQLAlchemy's DBAPIError and OSError for the rest. What
that costs is decided in `records.recordwriter`; `records.search` reads.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from gatepost.errors import StateError
from gatepost.records import database, migration, summary, tables
from gatepost.records.message_record import MessageRecord, OutcomeRecord
from gatepost.records.tables import Record, Row
from gatepost.records.tls_record import TlsRecord

FILE_NAME = "records.db"
PURGE_ROWS = 5000
"""Rows of each table removed in one go: the write lock is held for some 20 ms."""


class RecordStore:
    """The database at `path`, open for one writer."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with database.exclusive(path):
            database.create(path)
            self.identity = database.identity(path)
            self._connection = database.connect(path, writing=True)
            try:
                with self._connection.begin():
                    _prepare(self._connection, path)
            except BaseException:
                self.close()
                raise
        self._tls = self._insert(tables.tls_connections)
        self._message = self._insert(tables.messages)
        self._outcome = self._insert(tables.outcomes)
        counts = (tables.tls_hours, tables.tls_groups, tables.tls_parties)
        self._counts = {table: self._text(summary.statement(table), table) for table in counts}

    def append(self, records: list[Record]) -> int:
        """Keep `records`, all of them or, when this raises, none; returns how many were of a kind that no row can hold."""
        try:
            with self._connection.begin():
                self._append(records)
        except Exception as error:
            if not _is_about_a_value(error):
                raise
            return self._append_singly(records)
        return 0

    def gap(self, worker: int, since: float, until: float, lost: int, reason: str) -> None:
        """Note that records of this time are incomplete; `lost` 0: nobody knows how many."""
        with self._connection.begin():
            self._gap(worker, since, until, lost, reason)

    def enter(self, worker: int, now: float, reason: str) -> bool:
        """Sign in. When the worker's last run never signed out, note a gap of this `reason` and return True."""
        book, mine = tables.writers, tables.writers.c.worker == worker
        with self._connection.begin():
            before = self._connection.execute(sa.select(book.c.opened, book.c.closed).where(mine)).first()
            self._connection.execute(sa.delete(book).where(mine))
            self._connection.execute(sa.insert(book), {"worker": worker, "opened": now, "closed": 0.0})
            if before is None or before.closed >= before.opened:
                return False
            last = self._connection.execute(sa.select(sa.func.max(tables.messages.c.time))).scalar()
            self._gap(worker, min(now, max(before.opened, last or 0.0)), now, 0, reason)
        return True

    def leave(self, worker: int, now: float) -> None:
        """Sign out: everything this worker had is written."""
        book = tables.writers
        with self._connection.begin():
            self._connection.execute(sa.update(book).where(book.c.worker == worker).values(closed=now))

    def purge(self, older_than: float) -> bool:
        """Remove at most PURGE_ROWS rows of each table that are older; True when there may be more."""
        full = False
        for table in (tables.tls_connections, tables.messages, tables.outcomes):
            with self._connection.begin():
                full |= self._purge(table, older_than)
        with self._connection.begin():
            self._connection.execute(sa.delete(tables.gaps).where(tables.gaps.c.until < older_than))
            self._connection.execute(
                sa.delete(tables.tls_hours).where(tables.tls_hours.c.hour < int(older_than // summary.HOUR))
            )
            for days in (tables.tls_groups, tables.tls_parties):
                self._connection.execute(sa.delete(days).where(days.c.day < int(older_than // summary.DAY)))
        return full

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _gap(self, worker: int, since: float, until: float, lost: int, reason: str) -> None:
        row = {"worker": worker, "since": since, "until": until, "lost": lost, "reason": reason}
        self._connection.execute(sa.insert(tables.gaps), row)

    def _insert(self, table: sa.Table) -> str:
        # The statement goes to the driver as text, with tuples: half the CPU of handing dictionaries to SQLAlchemy.
        return self._text(sa.insert(table), table)

    def _text(self, statement: sa.Insert, table: sa.Table) -> str:
        names = [column.name for column in table.columns if column.name != "id"]
        return str(statement.compile(dialect=self._connection.dialect, column_keys=names))

    def _append(self, records: list[Record]) -> None:
        rows: dict[str, list[Row]] = {self._tls: [], self._message: [], self._outcome: []}
        connections = [record for record in records if isinstance(record, TlsRecord)]
        rows |= {self._counts[table]: counted for table, counted in summary.added(connections)}
        for record in records:
            statement, row = self._row(record)
            rows[statement].append(row)
        for statement, batch in rows.items():
            if batch:
                self._connection.exec_driver_sql(statement, batch)

    def _row(self, record: Record) -> tuple[str, Row]:
        if isinstance(record, OutcomeRecord):
            return self._outcome, tables.outcome_row(record)
        if isinstance(record, MessageRecord):
            return self._message, tables.message_row(record)
        if isinstance(record, TlsRecord):
            return self._tls, tables.tls_row(record)
        raise ValueError(f"not a record: {type(record).__name__}")

    def _append_singly(self, records: list[Record]) -> int:
        """One bad record must not take its neighbours with it."""
        bad = 0
        with self._connection.begin():
            for record in records:
                try:
                    with self._connection.begin_nested():
                        self._append([record])
                except Exception as error:
                    if not _is_about_a_value(error):
                        raise
                    bad += 1
        return bad

    def _purge(self, table: sa.Table, older_than: float) -> bool:
        # Rows lie nearly in the order of their times, so the oldest are the first: no index on the time is needed, and
        # the rows that go are neighbours.
        first = sa.select(table.c.id, table.c.time).order_by(table.c.id).limit(PURGE_ROWS)
        old = [row.id for row in self._connection.execute(first) if row.time < older_than]
        if old:
            gone = sa.delete(table).where(table.c.id <= old[-1], table.c.time < older_than)
            self._connection.execute(gone)
        return len(old) == PURGE_ROWS


def _prepare(connection: sa.Connection, path: Path) -> None:
    """Make the tables in a new file; refuse a file that is not ours or of another time."""
    names = sa.inspect(connection).get_table_names()
    if not names:
        tables.metadata.create_all(connection)
        connection.execute(sa.insert(tables.schema), {"version": tables.VERSION})
        return
    if migration.version(connection, names) == 1:
        migration.from_1(connection)
    check_version(connection, path, names)


def check_version(connection: sa.Connection, path: Path, names: list[str]) -> None:
    """StateError unless the file is ours and of the version that this code writes."""
    version = migration.version(connection, names)
    if version is None:
        raise StateError(f"{path} is not a records database; move it away and a new one is begun")
    if version != tables.VERSION:
        raise StateError(
            f"{path} is of version {version} and this Gatepost knows version {tables.VERSION}; "
            "run the Gatepost that wrote it, or move the file away and a new one is begun"
        )


def _is_about_a_value(error: BaseException) -> bool:
    """Whether one row is at fault, not the database."""
    return not isinstance(error, sa.exc.OperationalError | OSError) and not database.is_damaged(error)
