"""The audit log, `log/audit_logs`: who signed in, who was refused, who changed what; one line each.

Never holds a password, a session's secret or a private key.
"""

from __future__ import annotations

import time
from pathlib import Path

from gatepost.records.backlog import note
from gatepost.records.logfile import LogFile
from gatepost.records.printable import printable

ROTATE_BYTES = 10_000_000


class Audit:
    """Appends to the log of one state directory."""

    def __init__(self, state: Path) -> None:
        self._file = LogFile(state / "log" / "audit_logs", ROTATE_BYTES)

    def tell(self, who: str, address: str, what: str) -> None:
        """Write one line; a log that cannot be written hinders nobody's work, and is told on stderr."""
        line = f"{time.asctime()} Info: {printable(who)} from {address}: {printable(what)}\n"
        try:
            self._file.write(line.encode("utf-8", "backslashreplace"))
        except OSError as error:
            note(f"audit_logs cannot be written: {error}")
