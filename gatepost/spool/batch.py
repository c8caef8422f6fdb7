"""What is written to a shard: operations, and a batch of them as one SQLite transaction.

Python hands the interpreter lock over around every statement, and each hand-over under load costs more than the statement.
So rows go in by many-row statements: a batch of twenty messages is four statements, not forty. Knows no thread and no loop.
"""

from __future__ import annotations

import asyncio
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Sequence
from itertools import chain

import msgspec

from gatepost.spool.message import Message, Progress, RecipientState

Row = tuple[int, int, int, int, int, bytes, bytes | None]
Change = Callable[[sqlite3.Connection], object]

ROWS = 16
"""Most rows in one statement; one statement text is kept prepared for each count up to it."""
INSERT = [f"INSERT INTO message VALUES {','.join(['(?,?,?,?,?,?,?)'] * count)}" for count in range(ROWS + 1)]
DELETE = [f"DELETE FROM message WHERE mid IN ({','.join('?' * count)})" for count in range(ROWS + 1)]
DELETE_STATES = [f"DELETE FROM recipient WHERE mid IN ({','.join('?' * count)})" for count in range(ROWS + 1)]

# A delivery may end after an operator deleted its message: no rows for a message that is gone.
UPSERT = """
INSERT INTO recipient (mid, rid, destination, status, due, attempts, detail)
SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7 WHERE EXISTS (SELECT 1 FROM message WHERE mid = ?1)
ON CONFLICT (mid, rid) DO UPDATE SET destination = excluded.destination, status = excluded.status, due = excluded.due,
attempts = excluded.attempts, detail = excluded.detail
"""
TRIED = """
UPDATE message SET fresh = 0
WHERE mid = ?1 AND fresh = 1 AND recipients = (SELECT count(*) FROM recipient WHERE mid = ?1)
"""

_encode = msgspec.msgpack.Encoder().encode


class Operation:
    """One caller's wish: at most a message that comes, a message that goes, and any other change, done as a whole."""

    __slots__ = ("change", "done", "error", "finals", "finish", "frees", "inserts", "octets", "result", "row")

    def __init__(self) -> None:
        self.row: Row | None = None
        self.finish = 0
        self.change: Change | None = None
        self.result: object = None
        self.inserts = 0
        """Recipients that come."""
        self.finals = 0
        """Recipients that need nothing more after it."""
        self.octets = 0
        self.error: Exception | None = None
        self.done: asyncio.Future[object] | None = None
        self.frees = False
        """It records progress, or lets mail leave sooner: such an operation may use the reserve of a full disk."""


def insertion(message: Message, states: tuple[RecipientState, ...] = ()) -> Operation:
    """Return the operation that puts a message into the spool, fresh or as it stood in another shard."""
    operation = Operation()
    envelope, content = message.envelope, message.content
    encoded = _encode(envelope)
    operation.inserts = len(envelope.recipients)
    if content.path:
        checksum, octets = content.checksum, None
    else:
        octets = content.octets
        checksum = zlib.crc32(octets)
        operation.octets = len(octets)
    if states:
        operation.finals = sum(state.status.is_final for state in states)
        operation.change = lambda connection: write_states(connection, envelope.mid, states)
    operation.row = (envelope.mid, 1, operation.inserts, zlib.crc32(encoded), checksum, encoded, octets)
    return operation


def departure(mid: int, finals: int) -> Operation:
    """Return the operation that lets a message leave, with the last of its recipients."""
    operation = Operation()
    operation.frees = True
    operation.finish = mid
    operation.finals = finals
    return operation


def progression(progress: Progress) -> Operation:
    """Return the operation that records what a delivery changed, with the DSN that it caused."""
    operation = Operation() if progress.bounce is None else insertion(progress.bounce)
    operation.frees = True
    for state in progress.states:
        # DELIVERED, BOUNCED and DELETED stand together; asking the property costs ten times as much
        if 2 <= state.status <= 4:
            operation.finals += 1
    if progress.finished:
        operation.finish = progress.mid
    else:
        operation.change = lambda connection: write_states(connection, progress.mid, progress.states)
    return operation


def write_states(connection: sqlite3.Connection, mid: int, states: Iterable[RecipientState]) -> None:
    """Write recipients' states, and note when every recipient of the message has been tried."""
    connection.executemany(UPSERT, [(mid, s.rid, s.destination, int(s.status), s.due, s.attempts, s.detail) for s in states])
    connection.execute(TRIED, (mid,))


def run(connection: sqlite3.Connection, batch: Sequence[Operation]) -> int:
    """Do a batch as one transaction, durable on return; return how many messages there are more than before."""
    rows = [operation.row for operation in batch if operation.row is not None]
    finished = [operation.finish for operation in batch if operation.finish]
    execute = connection.execute
    execute("BEGIN IMMEDIATE")
    for start in range(0, len(rows), ROWS):
        part = rows[start : start + ROWS]
        execute(INSERT[len(part)], list(chain.from_iterable(part)))
    for operation in batch:
        if operation.change is not None:
            operation.result = operation.change(connection)
    deleted = 0
    # last: progress of a message and its end may meet in one batch
    for start in range(0, len(finished), ROWS):
        part_of_mids = finished[start : start + ROWS]
        deleted += execute(DELETE[len(part_of_mids)], part_of_mids).rowcount
        execute(DELETE_STATES[len(part_of_mids)], part_of_mids)
    execute("COMMIT")
    return len(rows) - deleted


def bring_forward(connection: sqlite3.Connection, mid: int | None, destination: str | None, due: float, limit: int) -> int:
    """Make at most `limit` deferred recipients that are due later due at `due`; return how many were changed."""
    conditions = ["status = 1", "due > :due"]
    if mid is not None:
        conditions.append("mid = :mid")
    if destination is not None:
        conditions.append("destination = :destination")
    keys = connection.execute(
        f"SELECT :due, mid, rid FROM recipient WHERE {' AND '.join(conditions)} LIMIT :limit",
        {"due": due, "mid": mid, "destination": destination, "limit": limit},
    ).fetchall()
    connection.executemany("UPDATE recipient SET due = ? WHERE mid = ? AND rid = ?", keys)
    return len(keys)
