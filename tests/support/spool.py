"""Messages and outcomes for spool tests, and a database connection that fails on demand."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from gatepost.spool.message import Content, Envelope, Message, Progress, RecipientState, Status
from gatepost.spool.store import Floor, Spool

NO_FLOOR = Floor(space=0, inodes=0)


def message(
    mid: int, octets: bytes = b"Subject: x\r\n\r\nbody\r\n", recipients: Iterable[str] = ("to@example.net",)
) -> Message:
    """Return a message whose content is in memory."""
    return Message(envelope(mid, len(octets), recipients), Content(octets=octets))


def envelope(mid: int, size: int, recipients: Iterable[str] = ("to@example.net",)) -> Envelope:
    """Return an envelope as a session makes it."""
    return Envelope(
        mid=mid,
        icid=7,
        received=1_800_000_000.0,
        reverse_path="from@example.com",
        recipients=tuple(recipients),
        size=size,
        listener="InboundMail",
    )


def state(rid: int, status: Status, destination: str = "example.net", due: float = 0.0, attempts: int = 1) -> RecipientState:
    """Return a recipient's state."""
    return RecipientState(rid=rid, status=status, destination=destination, due=due, attempts=attempts, detail="250 ok")


def delivered(mid: int, recipients: int = 1) -> Progress:
    """Return the progress that ends a message."""
    return Progress(mid=mid, states=tuple(state(rid, Status.DELIVERED) for rid in range(recipients)), finished=True)


def deferred(mid: int, due: float, rid: int = 0, destination: str = "example.net") -> Progress:
    """Return the progress that puts one recipient off."""
    return Progress(mid=mid, states=(state(rid, Status.DEFERRED, destination, due),), finished=False)


def pattern(mid: int, size: int) -> bytes:
    """Return octets that belong to one MID only."""
    line = f"{mid:08d}\r\n".encode()
    return (line * (size // len(line) + 1))[:size]


@asynccontextmanager
async def opened(directory: Path, shard: int = 0, floor: Floor = NO_FLOOR) -> AsyncIterator[Spool]:
    """Open a shard for the length of a with block."""
    spool = Spool.open(directory, shard, floor)
    try:
        yield spool
    finally:
        await spool.close()


async def waiting_mids(spool: Spool) -> list[int]:
    """Return every MID in the spool."""
    return [entry.envelope.mid for entry in await spool.listing(limit=1_000_000)]


def error(code: int) -> sqlite3.OperationalError:
    """Return a database error as SQLite raises it."""
    failure = sqlite3.OperationalError(f"error {code}")
    failure.sqlite_errorcode = code
    return failure


class Failing:
    """A connection that raises `errors[n]` at the n-th statement that begins with `at`, and is itself otherwise."""

    def __init__(self, connection: sqlite3.Connection, at: str, errors: Iterable[Exception | None]) -> None:
        self._connection = connection
        self._at = at
        self._errors = iter(errors)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, statement: str, *args: Any) -> sqlite3.Cursor:
        if statement.startswith(self._at):
            failure = next(self._errors, None)
            if failure is not None:
                raise failure
        return self._connection.execute(statement, *args)
