"""The end of a log: what its last lines say that hold what is looked for. Reads a bounded piece of the current file only."""

from __future__ import annotations

import os
from typing import Literal

import msgspec

from gatepost.admin.operations import logs
from gatepost.admin.operations.operator import Operator
from gatepost.errors import StateError

MAX_OCTETS = 2 << 20
"""Of the end of the file; some 20,000 lines."""
MAX_LINES = 200
MAIL_LOG = "mail_logs"
LEVELS = ("Critical", "Warning", "Info", "Debug")
"""The most urgent first."""
Level = Literal["Critical", "Warning", "Info", "Debug"]


class Tail(msgspec.Struct, frozen=True, kw_only=True):
    """The last lines that match, the newest first."""

    lines: list[str]
    looked_at: int
    """Lines that were looked through."""
    whole: bool
    """The whole file was."""


def tail(
    operator: Operator, name: str = MAIL_LOG, *, find: str = "", level: Level = "Debug", limit: int = MAX_LINES
) -> Tail:
    """Return the last lines of a log that hold a text, in whatever case, and are at least as urgent as a level."""
    if name not in logs.names(operator):
        return Tail(lines=[], looked_at=0, whole=True)
    path = operator.state / "log" / name
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            whole = size <= MAX_OCTETS
            file.seek(0 if whole else size - MAX_OCTETS)
            raw = file.read(MAX_OCTETS)
    except OSError as error:
        raise StateError(f"{path} cannot be read: {error.strerror}") from None
    # Only a line end ends a line, and the pieces of lines at both ends are left out.
    lines = [line.decode(errors="replace") for line in raw.split(b"\n")[0 if whole else 1 : -1]]
    wanted, urgent = find.strip().lower(), [f" {one}: " for one in LEVELS[: LEVELS.index(level) + 1]]
    kept: list[str] = []
    for line in reversed(lines):
        if wanted in line.lower() and (level == "Debug" or any(mark in line[:40] for mark in urgent)):
            kept.append(line)
            if len(kept) >= limit:
                break
    return Tail(lines=kept, looked_at=len(lines), whole=whole)
