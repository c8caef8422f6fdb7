"""What an error of the database means for a shard. Pure; the writer acts on it."""

from __future__ import annotations

import enum
import resource
import sqlite3


class Fault(enum.Enum):
    """How far a failed transaction reaches."""

    FULL = enum.auto()
    """The disk is full: nothing was written, and all is well once there is room."""
    SICK = enum.auto()
    """The disk failed: what was being committed may come back after a restart, so nothing may be said about it."""
    DAMAGED = enum.auto()
    """Pages of the file do not hang together: operations that do not touch them may still succeed."""
    BUSY = enum.auto()
    """Another program (an operator's, for none of ours does) holds the database locked: nothing was written."""
    OWN = enum.auto()
    """One operation of the batch is to blame, the others are not."""


def classify(error: Exception) -> Fault:
    """Tell what a failed transaction means."""
    if not isinstance(error, sqlite3.Error):
        return Fault.OWN
    code = getattr(error, "sqlite_errorcode", 0)
    match code & 0xFF:
        case sqlite3.SQLITE_FULL:
            return Fault.FULL
        case sqlite3.SQLITE_IOERR:
            return Fault.FULL if _no_space(code) else Fault.SICK
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return Fault.DAMAGED
        case sqlite3.SQLITE_BUSY:
            return Fault.BUSY
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_NOMEM:
            return Fault.SICK
        case _:
            return Fault.OWN


def _no_space(code: int) -> bool:
    """Tell whether an I/O error is only a lack of room, which SQLite names FULL for ENOSPC but not for EFBIG."""
    if code == sqlite3.SQLITE_IOERR_SHMSIZE:
        return True
    return code == sqlite3.SQLITE_IOERR_WRITE and resource.getrlimit(resource.RLIMIT_FSIZE)[0] != resource.RLIM_INFINITY
