"""Reading a shard: rows in, values out. Each function takes the reading connection and runs in the reader's thread.

Never trusts a row: what is damaged is told as `Damaged`, so that one message can be set aside and the others flow. A page
that SQLite itself cannot read is an sqlite3.DatabaseError, and the next start's business.
"""

from __future__ import annotations

import os
import sqlite3
import zlib
from collections.abc import Iterable
from pathlib import Path

import msgspec

from gatepost.spool.entries import DestinationCount, Fresh, QueueEntry, RecipientDue, Sent, Untried
from gatepost.spool.message import Content, Envelope, Message, RecipientState, Status

PIECE = 1 << 20

_decode = msgspec.msgpack.Decoder(Envelope).decode


class _Addressed(msgspec.Struct):
    """The part of an envelope that is read where many are looked through."""

    recipients: tuple[str, ...]


class _Sent(msgspec.Struct):
    """Another one."""

    reverse_path: str
    received: float


_decode_recipients = msgspec.msgpack.Decoder(_Addressed).decode
_decode_sent = msgspec.msgpack.Decoder(_Sent).decode


class Damaged(Exception):
    """A message that cannot be read as it was written."""

    def __init__(self, mid: int, recipients: int, reason: str) -> None:
        super().__init__(reason)
        self.mid = mid
        self.recipients = recipients
        self.reason = reason


def load(connection: sqlite3.Connection, mid: int, body: Path) -> Message | None:
    """Return a message with its content, None when it is not there; Damaged when it is not whole."""
    row = connection.execute(
        "SELECT recipients, envelope_sum, envelope, content_sum, content FROM message WHERE mid = ?", (mid,)
    ).fetchone()
    if row is None:
        return None
    recipients, envelope_sum, encoded, content_sum, octets = row
    envelope = _envelope(mid, recipients, envelope_sum, encoded)
    if octets is not None:
        if zlib.crc32(octets) != content_sum:
            raise Damaged(mid, recipients, "the content was changed on the disk: its checksum is wrong")
        return Message(envelope=envelope, content=Content(octets=octets))
    reason = _body_damage(body, envelope.size, content_sum)
    if reason:
        raise Damaged(mid, recipients, reason)
    return Message(envelope=envelope, content=Content(path=str(body), checksum=content_sum))


def _envelope(mid: int, recipients: int, checksum: int, encoded: bytes) -> Envelope:
    if not isinstance(encoded, bytes) or zlib.crc32(encoded) != checksum:
        raise Damaged(mid, recipients, "the envelope was changed on the disk: its checksum is wrong")
    try:
        return _decode(encoded)
    except msgspec.DecodeError as error:
        raise Damaged(mid, recipients, f"the envelope cannot be understood: {error}") from error


def _body_damage(body: Path, size: int, checksum: int) -> str:
    """Say what is wrong with a body file; a stump must never go out as the whole."""
    seen = 0
    try:
        with open(os.open(body, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW), "rb", buffering=0) as file:
            length = os.fstat(file.fileno()).st_size
            if length != size:
                return f"the body file {body} has {length} octets of {size}"
            while piece := file.read(PIECE):
                seen = zlib.crc32(piece, seen)
    except OSError as error:
        return f"the body file {body} cannot be read: {error.strerror}"
    return "" if seen == checksum else f"the body file {body} was changed on the disk: its checksum is wrong"


def fresh(connection: sqlite3.Connection, after_mid: int, limit: int) -> list[Fresh | Damaged]:
    """Return messages with recipients never tried, in MID order; Damaged in the place of one that cannot be read."""
    rows = connection.execute(
        "SELECT mid, recipients, envelope_sum, envelope FROM message WHERE fresh = 1 AND mid > ? ORDER BY mid LIMIT ?",
        (after_mid, limit),
    ).fetchall()
    found: list[Fresh | Damaged] = []
    for mid, recipients, checksum, encoded in rows:
        try:
            found.append(Fresh(_envelope(mid, recipients, checksum, encoded), states(connection, mid)))
        except Damaged as damaged:
            found.append(damaged)
    return found


def states(connection: sqlite3.Connection, mid: int) -> tuple[RecipientState, ...]:
    """Return the states of a message's recipients that are no longer freshly queued, by RID."""
    rows = connection.execute(
        "SELECT rid, status, destination, due, attempts, detail FROM recipient WHERE mid = ? ORDER BY rid", (mid,)
    )
    return tuple(
        RecipientState(rid=rid, status=Status(status), destination=destination, due=due, attempts=attempts, detail=detail)
        for rid, status, destination, due, attempts, detail in rows
    )


def due(connection: sqlite3.Connection, before: float, limit: int, after: tuple[float, int, int]) -> list[RecipientDue]:
    """Return deferred recipients due until `before`, earliest first, behind the (due, mid, rid) `after`."""
    rows = connection.execute(
        "SELECT mid, rid, destination, attempts, due FROM recipient WHERE status = 1 AND due <= ?1 "
        "AND (due, mid, rid) > (?3, ?4, ?5) ORDER BY due, mid, rid LIMIT ?2",
        (before, limit, *after),
    )
    return [RecipientDue(*row) for row in rows]


def next_due(connection: sqlite3.Connection) -> float | None:
    """Return the earliest time at which a deferred recipient is due."""
    earliest: float | None = connection.execute("SELECT min(due) FROM recipient WHERE status = 1").fetchone()[0]
    return earliest


def by_destination(connection: sqlite3.Connection) -> list[DestinationCount]:
    """Return what waits for each destination, in name order; read from one index, so a million take well under a second."""
    rows = connection.execute(
        "SELECT destination, count(*), sum(status = 1), sum(status = 5), min(mid), min(iif(status = 1, due, NULL)) "
        "FROM recipient WHERE status IN (0, 1, 5) GROUP BY destination"
    )
    return [DestinationCount(*row) for row in rows]


def untried(connection: sqlite3.Connection, after_mid: int, limit: int) -> Untried:
    """Return the recipients never tried of the next messages in MID order, with no more of a message than its addresses."""
    rows = connection.execute(
        "SELECT mid, recipients, envelope FROM message WHERE fresh = 1 AND mid > ? ORDER BY mid LIMIT ?", (after_mid, limit)
    ).fetchall()
    if not rows:
        return Untried(0, [], [])
    last = rows[-1][0]
    tried = set(
        connection.execute(
            # of a single recipient that was tried, the message is not fresh any more
            "SELECT mid, rid FROM message JOIN recipient USING (mid) "
            "WHERE fresh = 1 AND recipients > 1 AND mid > ? AND mid <= ?",
            (after_mid, last),
        )
    )
    mids: list[int] = []
    domains: list[str] = []
    for mid, recipients, encoded in rows:
        try:
            addresses = _decode_recipients(encoded).recipients
        except msgspec.DecodeError:
            continue  # a damaged message is told of when its turn comes
        for rid, address in enumerate(addresses):
            if recipients == 1 or (mid, rid) not in tried:
                mids.append(mid)
                domains.append(address[address.rfind("@") :])
    return Untried(last, mids, domains)


def sent(connection: sqlite3.Connection, after_mid: int, limit: int) -> list[Sent]:
    """Return who sent the next messages in MID order, and when."""
    rows = connection.execute(
        "SELECT mid, envelope FROM message WHERE mid > ? ORDER BY mid LIMIT ?", (after_mid, limit)
    ).fetchall()
    found = []
    for mid, encoded in rows:
        try:
            one = _decode_sent(encoded)
            found.append(Sent(mid, one.reverse_path, one.received))
        except msgspec.DecodeError:
            found.append(Sent(mid, None, 0.0))
    return found


def waiting_for(connection: sqlite3.Connection, destination: str) -> list[int]:
    """Return the MIDs of messages with a recipient waiting for one destination, in no order."""
    rows = connection.execute(
        "SELECT DISTINCT mid FROM recipient WHERE destination = ? AND status IN (0, 1, 5)", (destination,)
    )
    return [mid for (mid,) in rows]


def listing(connection: sqlite3.Connection, destination: str, limit: int, offset: int) -> list[QueueEntry]:
    """Return waiting messages in MID order, all or those with a recipient waiting for one destination."""
    if destination:
        chosen = "SELECT DISTINCT mid FROM recipient WHERE destination = ?3 AND status IN (0, 1, 5)"
    else:
        chosen = "SELECT mid FROM message WHERE ?3 = ''"
    rows = connection.execute(
        "SELECT mid, recipients, envelope_sum, envelope FROM message "
        f"WHERE mid IN ({chosen} ORDER BY mid LIMIT ?1 OFFSET ?2) ORDER BY mid",
        (limit, offset, destination),
    ).fetchall()
    return [QueueEntry(_shown(*row), states(connection, row[0])) for row in rows]


def entry(connection: sqlite3.Connection, mid: int) -> QueueEntry | None:
    """Return one message as it waits."""
    row = connection.execute("SELECT mid, recipients, envelope_sum, envelope FROM message WHERE mid = ?", (mid,)).fetchone()
    return row and QueueEntry(_shown(*row), states(connection, mid))


def _shown(mid: int, recipients: int, checksum: int, encoded: bytes) -> Envelope:
    """Return the envelope, or one that stands for it: a damaged message must not be invisible."""
    try:
        return _envelope(mid, recipients, checksum, encoded)
    except Damaged as damaged:
        return Envelope(
            mid=mid,
            icid=0,
            received=0.0,
            reverse_path="",
            recipients=("",) * recipients,
            size=0,
            subject=f"({damaged.reason})",
        )


def counts(connection: sqlite3.Connection) -> tuple[int, int]:
    """Return how many messages, and how many recipients that are not final, wait; both read from indexes."""
    messages, recipients = connection.execute("SELECT count(*), ifnull(sum(recipients), 0) FROM message").fetchone()
    finals = connection.execute("SELECT count(*) FROM recipient WHERE status BETWEEN 2 AND 4").fetchone()[0]
    return messages, recipients - finals


def with_body(connection: sqlite3.Connection, mids: Iterable[int]) -> set[int]:
    """Return those of some MIDs whose message is in the spool with its content in a file."""
    query = "SELECT 1 FROM message WHERE mid = ? AND content IS NULL"
    return {mid for mid in mids if connection.execute(query, (mid,)).fetchone()}
