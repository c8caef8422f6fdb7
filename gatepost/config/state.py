"""The configuration's files in the state directory: for their owner alone from their first moment, and never deleted.

Knows nothing of what is in the database. `config.last-good.toml` is a copy of the last committed document, replaced in
one step after each commit, for the service to go on with when `config.db` is damaged.
"""

from __future__ import annotations

import os
from pathlib import Path

from gatepost.config.model import Config
from gatepost.config.problems import ConfigErrors
from gatepost.config.toml import loads
from gatepost.durable import own, replace_file
from gatepost.errors import StateError


class StateFiles:
    """Names and modes of the two files."""

    def __init__(self, state: Path) -> None:
        """Name the files; nothing is made yet."""
        self.directory = state
        self.database = state / "config.db"
        self.last_good = state / "config.last-good.toml"

    def prepare(self) -> None:
        """Make the directory (0700) and an empty database file (0600) where they are missing."""
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self._lost():
                raise StateError(
                    f"{self.database} is empty or gone, but {self.last_good} shows that something was committed: put a copy "
                    "back from a backup, or move the .toml file elsewhere and import it from there; nothing was changed"
                )
            self._create_private(self.database)
        except OSError as error:
            raise StateError(f"{self.database} cannot be used: {error.strerror}; nothing was changed") from None

    def _lost(self) -> bool:
        there = self.database.exists() and self.database.stat().st_size > 0
        return not there and self.last_good.exists()

    def _create_private(self, path: Path) -> None:
        """Create a file that was never readable for others, whatever the umask, or narrow the mode of an old one."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            own(descriptor, self.directory)
        finally:
            os.close(descriptor)

    def keep_last_good(self, number: int, document: str) -> None:
        """Replace the copy; one that cannot be written is one revision behind until the next commit."""
        head = f"# Revision {number}, keys included: a copy that is read when config.db is damaged.\n"
        try:
            replace_file(self.last_good, (head + document).encode())
        except OSError:
            # The revision itself is on disk already: to fail now would call a commit failed that is in force. The copy
            # of the revision before stays, and the next commit writes a new one.
            pass


def last_good(state: Path) -> Config | None:
    """Return the last committed document from its copy, or None where there is none that can be read."""
    try:
        return loads(StateFiles(state).last_good.read_bytes())
    except (OSError, ConfigErrors):
        return None
