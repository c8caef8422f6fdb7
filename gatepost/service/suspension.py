"""What operators suspended: delivery, and receiving on listeners. It holds until they resume it, restarts included.

Whoever suspends delivery while a partner is in trouble does not want a crash or an upgrade to begin it again. Kept in the
state directory's `suspended.json`; no file means that nothing is suspended.
"""

from __future__ import annotations

import json
from pathlib import Path

from gatepost.durable import replace_file
from gatepost.errors import ControlError
from gatepost.records import maillog


class Suspension:
    """The state of the whole gateway; the master's."""

    def __init__(self, state: Path) -> None:
        self._path = state / "suspended.json"
        self.note = ""
        """What is still suspended from before, or that it could not be read; for the log."""
        self.listeners: set[str] = set()
        """Names of listeners; such as are not configured (any more) may be among them."""
        self.deliveries = False
        self._read()

    def keep(self) -> None:
        """Have it outlive a restart; ControlError where the disk does not take it."""
        try:
            if self.listeners or self.deliveries:
                page = json.dumps({"listeners": sorted(self.listeners), "deliveries": self.deliveries})
                replace_file(self._path, page.encode())
            else:
                self._path.unlink(missing_ok=True)
        except OSError as error:
            raise ControlError(
                f"it is done, but will not outlive a restart: {self._path} cannot be written: {error.strerror}"
            ) from None

    def _read(self) -> None:
        try:
            found = json.loads(self._path.read_text())
            listeners, deliveries = {str(name) for name in found["listeners"]}, found["deliveries"] is True
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError) as fault:
            # Safe is what loses nothing: mail that waits, waits a little longer, and the log says how to end that.
            self.deliveries = True
            self.note = maillog.suspension_lost(str(self._path), str(fault))
            return
        self.listeners, self.deliveries = listeners, deliveries
        self.note = maillog.still_suspended(sorted(listeners), deliveries)
