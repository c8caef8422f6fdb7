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
            _own(descriptor, self.directory)
        finally:
            os.close(descriptor)

    def keep_last_good(self, number: int, document: str) -> None:
        """Replace the copy: written aside, synced, renamed, directory synced; a reader finds the old or the new one."""
        aside = self.last_good.with_suffix(f".{os.getpid()}")
        try:
            descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                _own(descriptor, self.directory)
                file.write(f"# Revision {number}, keys included: a copy that is read when config.db is damaged.\n".encode())
                file.write(document.encode())
                file.flush()
                os.fsync(descriptor)
            os.replace(aside, self.last_good)
            _sync_directory(self.directory)
        except OSError:
            # The revision itself is on disk already: to fail now would call a commit failed that is in force. The copy
            # of the revision before stays, and the next commit writes a new one.
            aside.unlink(missing_ok=True)


def last_good(state: Path) -> Config | None:
    """Return the last committed document from its copy, or None where there is none that can be read."""
    try:
        return loads(StateFiles(state).last_good.read_bytes())
    except (OSError, ConfigErrors):
        return None


def _own(descriptor: int, directory: Path) -> None:
    """Set mode 0600, and the owner of the directory when root acts for the service's user."""
    status = os.fstat(descriptor)
    if os.geteuid() in (0, status.st_uid):
        os.fchmod(descriptor, 0o600)
    owner = directory.stat()
    if os.geteuid() == 0 and (status.st_uid, status.st_gid) != (owner.st_uid, owner.st_gid):
        os.fchown(descriptor, owner.st_uid, owner.st_gid)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
