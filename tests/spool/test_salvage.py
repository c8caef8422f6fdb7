"""Damage in the database file: what can be read flows on, what cannot is seen, and the damaged file is kept."""

# ruff: noqa: ASYNC240 -- tests may look at files while the loop waits

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from gatepost.errors import SpoolSick, StateError
from gatepost.spool import salvage, schema
from gatepost.spool.layout import Layout
from gatepost.spool.message import Message, Status
from gatepost.spool.store import Spool
from tests.support.spool import deferred, envelope, error, message, opened, pattern, waiting_mids

COUNT = 60


async def fill(directory: Path) -> None:
    """Leave messages in a shard, every third deferred, and everything in the database file."""
    async with opened(directory) as spool:
        for mid in range(1, COUNT + 1):
            await spool.commit(message(mid, pattern(mid, 3000)))
            if mid % 3 == 0:
                await spool.settle(deferred(mid, 10.0))


def pages_of(database: Path, name: str, kind: str) -> list[int]:
    """Return the page numbers of a table or index, of one kind."""
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute("SELECT pageno FROM dbstat WHERE name = ? AND pagetype = ? ORDER BY path", (name, kind))
        return [row[0] for row in rows]


@contextmanager
def editing(database: Path) -> Iterator[sqlite3.Connection]:
    """Change a database by hand; `with` on a connection commits but does not close."""
    with closing(sqlite3.connect(database)) as connection, connection:
        yield connection


def overwrite(database: Path, page: int, octets: bytes, offset: int = 0) -> None:
    with database.open("r+b") as file:
        file.seek((page - 1) * schema.PAGE_SIZE + offset)
        file.write(octets)


@pytest.mark.parametrize("table", ["message", "message_fresh", "recipient", "recipient_queue", "recipient_due"])
async def test_a_lost_page_costs_what_it_held_and_nothing_else(tmp_path: Path, table: str) -> None:
    await fill(tmp_path)
    database = tmp_path / "shard-0.db"
    leaves = pages_of(database, table, "leaf")
    overwrite(database, leaves[len(leaves) // 2], b"\xa5" * schema.PAGE_SIZE)
    async with opened(tmp_path) as spool:
        assert "the damaged file is" in spool.repaired
        mids = await waiting_mids(spool)
        assert mids == list(range(1, COUNT + 1))
        whole = [mid for mid in mids if await spool.load(mid) == message(mid, pattern(mid, 3000))]
        assert len(whole) >= COUNT - 2
        assert (table != "message") == (whole == mids)
        for mid in set(mids) - set(whole):
            entry = await spool.entry(mid)
            assert entry is not None
            assert {one.status for one in entry.states} == {Status.HELD}
            assert "set aside" in entry.states[0].detail
        await spool.commit(message(COUNT + 1))
        assert spool.messages == COUNT + 1
    assert len(list(tmp_path.glob("shard-0.damaged-*"))) == 1
    async with opened(tmp_path) as spool:
        assert spool.repaired == ""


async def test_a_flipped_octet_in_a_body_or_envelope_sets_that_message_aside(tmp_path: Path) -> None:
    await fill(tmp_path)
    database = tmp_path / "shard-0.db"
    raw = database.read_bytes()
    body = raw.index(pattern(7, 3000)[:100])
    sender = raw.rindex(b"to@example.net", 0, raw.index(pattern(8, 3000)[:100]))
    for offset in (body + 50, sender):
        overwrite(database, 1, b"#", offset)
    async with opened(tmp_path) as spool:
        assert spool.repaired == ""
        assert await spool.load(7) is None
        assert await spool.load(9) == message(9, pattern(9, 3000))
        found = [entry.envelope.mid for entry in await spool.fresh(0, COUNT)]
        assert found == [mid for mid in range(1, COUNT + 1) if mid % 3 and mid not in (7, 8)]
        listed = {entry.envelope.mid: entry for entry in await spool.listing(limit=COUNT)}
        assert "checksum" in listed[8].envelope.subject
        assert [one.status for one in listed[8].states] == [Status.HELD]
        assert [one.status for one in listed[7].states] == [Status.HELD]


async def test_fresh_goes_on_behind_damaged_messages(tmp_path: Path) -> None:
    await fill(tmp_path)
    with editing(tmp_path / "shard-0.db") as connection:
        connection.execute("UPDATE message SET envelope_sum = 1 WHERE mid < 5")
        connection.execute("UPDATE message SET envelope = ?, envelope_sum = ? WHERE mid = 5", (b"\xc1", zlib.crc32(b"\xc1")))
    async with opened(tmp_path) as spool:
        assert [entry.envelope.mid for entry in await spool.fresh(0, 2)] == [7, 8]
        held = await spool.entry(5)
        assert held is not None
        assert "cannot be understood" in held.states[0].detail
        assert [entry.envelope.mid for entry in await spool.fresh(0, 2)] == [7, 8]
        assert await spool.fresh(COUNT, 5) == []


async def test_damage_met_while_reading_makes_the_shard_sick_and_is_mended_at_the_next_start(tmp_path: Path) -> None:
    await fill(tmp_path)
    database = tmp_path / "shard-0.db"
    async with opened(tmp_path) as spool:
        overwrite(database, pages_of(database, "recipient_due", "leaf")[0], b"\xa5" * schema.PAGE_SIZE)
        with pytest.raises(SpoolSick, match="cannot be read"):
            await spool.due(99.0, 9)
        assert "cannot be read" in spool.sick
        assert (tmp_path / "shard-0.suspect").exists()
    async with opened(tmp_path) as spool:
        assert "were copied to a new file" in spool.repaired
        assert len(await spool.due(99.0, 99)) == COUNT // 3
    assert not (tmp_path / "shard-0.suspect").exists()


async def test_the_body_file_of_a_message_whose_row_is_lost_is_kept(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        for mid in range(1, 40):
            incoming = spool.incoming(mid)
            incoming.write(pattern(mid, 300 << 10))
            await spool.commit(Message(envelope(mid, 300 << 10), await incoming.finish()))
    database = tmp_path / "shard-0.db"
    overwrite(database, pages_of(database, "message", "leaf")[0], b"\xa5" * schema.PAGE_SIZE)
    async with opened(tmp_path) as spool:
        assert await spool.load(1) is None
        assert spool.messages == 39
    assert len(list((tmp_path / "shard-0").iterdir())) == 39


async def test_a_row_of_the_wrong_types_counts_as_lost(tmp_path: Path) -> None:
    await fill(tmp_path)
    layout = Layout(tmp_path, 0)
    with editing(layout.database) as connection:
        connection.execute("UPDATE message SET envelope_sum = 'x' WHERE mid = 5")
    layout.suspect.write_text("as if met before")
    assert "1 could not be read" in salvage._salvage(layout, "as told")
    async with opened(tmp_path) as spool:
        assert await waiting_mids(spool) == list(range(1, COUNT + 1))


@pytest.mark.parametrize(
    ("octets", "text"),
    [(b"not a database at all" * 400, "is damaged or cannot be used, it was left as it is"), (b"SQLite format 3\0", "left")],
)
def test_a_file_that_is_no_database_is_named_and_left(tmp_path: Path, octets: bytes, text: str) -> None:
    database = tmp_path / "shard-0.db"
    database.write_bytes(octets)
    with pytest.raises(StateError, match=text) as raised:
        Spool.open(tmp_path, 0)
    assert str(database) in str(raised.value)
    assert database.read_bytes() == octets


def test_a_database_of_somebody_else_is_refused(tmp_path: Path) -> None:
    with editing(tmp_path / "shard-0.db") as connection:
        connection.execute("CREATE TABLE t (x)")
    with pytest.raises(StateError, match="is not a Gatepost spool"):
        Spool.open(tmp_path, 0)


def test_a_newer_version_is_refused_in_one_sentence(tmp_path: Path) -> None:
    Spool.open(tmp_path, 0).close_now()
    with editing(tmp_path / "shard-0.db") as connection:
        connection.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    with pytest.raises(StateError, match="was written by a newer Gatepost"):
        Spool.open(tmp_path, 0)
    with editing(tmp_path / "shard-0.db") as connection:
        connection.execute(f"PRAGMA user_version = {schema.VERSION}")
    Spool.open(tmp_path, 0).close_now()


def test_when_nothing_can_be_salvaged_nothing_is_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = Layout(tmp_path, 0)
    Spool.open(tmp_path, 0).close_now()
    before = layout.database.read_bytes()

    def refuse(*_: object) -> tuple[int, int]:
        raise error(sqlite3.SQLITE_FULL)

    monkeypatch.setattr(salvage, "_copy", refuse)
    with pytest.raises(StateError, match="as told; nothing could be salvaged"):
        salvage._salvage(layout, "as told")
    assert layout.database.read_bytes() == before


def test_a_wal_that_cannot_be_written_back_stops_the_exchange(tmp_path: Path) -> None:
    layout = Layout(tmp_path, 0)
    Spool.open(tmp_path, 0).close_now()
    (tmp_path / "shard-0.db-wal").write_bytes(b"x")
    with pytest.raises(StateError, match="could not be written back"):
        salvage._exchange(layout, tmp_path / "shard-0.salvaged")
    assert layout.database.exists()


def test_the_check_at_start_is_bounded_in_time(tmp_path: Path) -> None:
    class Slow:
        """Stands for a check that lasts until it is interrupted."""

        def __init__(self) -> None:
            self.interrupted = False

        def interrupt(self) -> None:
            self.interrupted = True

        def execute(self, _: str) -> object:
            while not self.interrupted:
                pass
            raise error(sqlite3.SQLITE_INTERRUPT)

    assert schema.quick_check(Slow(), 0.01) == ""  # type: ignore[arg-type]

    class Broken(Slow):
        def execute(self, _: str) -> object:
            raise error(sqlite3.SQLITE_IOERR)

    with pytest.raises(sqlite3.OperationalError):
        schema.quick_check(Broken(), 0.01)  # type: ignore[arg-type]
