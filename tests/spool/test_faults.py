"""What a database error means for a shard."""

from __future__ import annotations

import sqlite3

import pytest

from gatepost.spool import faults
from gatepost.spool.faults import Fault, classify
from tests.support.spool import error

UNLIMITED = faults.resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("code", "limit", "fault"),
    [
        (sqlite3.SQLITE_FULL, UNLIMITED, Fault.FULL),
        (sqlite3.SQLITE_IOERR_SHMSIZE, UNLIMITED, Fault.FULL),
        (sqlite3.SQLITE_IOERR_WRITE, 1_000_000, Fault.FULL),
        (sqlite3.SQLITE_IOERR_WRITE, UNLIMITED, Fault.SICK),
        (sqlite3.SQLITE_IOERR_FSYNC, 1_000_000, Fault.SICK),
        (sqlite3.SQLITE_IOERR_READ, UNLIMITED, Fault.SICK),
        (sqlite3.SQLITE_READONLY, UNLIMITED, Fault.SICK),
        (sqlite3.SQLITE_CANTOPEN, UNLIMITED, Fault.SICK),
        (sqlite3.SQLITE_BUSY, UNLIMITED, Fault.BUSY),
        (sqlite3.SQLITE_CORRUPT, UNLIMITED, Fault.DAMAGED),
        (sqlite3.SQLITE_CORRUPT_INDEX, UNLIMITED, Fault.DAMAGED),
        (sqlite3.SQLITE_NOTADB, UNLIMITED, Fault.DAMAGED),
        (sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, UNLIMITED, Fault.OWN),
    ],
)
def test_codes(monkeypatch: pytest.MonkeyPatch, code: int, limit: int, fault: Fault) -> None:
    monkeypatch.setattr(faults.resource, "getrlimit", lambda _: (limit, limit))
    assert classify(error(code)) is fault


def test_what_is_no_database_error_is_the_operation_s_own() -> None:
    assert classify(OverflowError("too large")) is Fault.OWN
    assert classify(sqlite3.InterfaceError("no code at all")) is Fault.OWN
