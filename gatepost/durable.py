"""Small files that are replaced whole, and names that survive a crash.

A reader finds the old file or the new one, never half of one, whenever the power goes. What is written here belongs to
the owner of the directory and is for its eyes alone from the first moment, whatever the umask and whoever root acts for.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def replace_file(path: Path, octets: bytes) -> None:
    """Put `octets` in the place of the file: written aside, synced, renamed, the directory synced.

    Raises OSError when that cannot be done; the old file then stands, and nothing is left beside it.
    """
    descriptor, aside = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
    try:
        with open(descriptor, "wb") as file:
            own(file.fileno(), path.parent)
            file.write(octets)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
    except BaseException:
        os.unlink(aside)
        raise
    sync_directory(path.parent)


def own(descriptor: int, directory: Path) -> None:
    """Give a file mode 0600, and the owner of the directory when root acts for the service's user."""
    status = os.fstat(descriptor)
    if os.geteuid() in (0, status.st_uid):
        os.fchmod(descriptor, 0o600)
    owner = directory.stat()
    if os.geteuid() == 0 and (status.st_uid, status.st_gid) != (owner.st_uid, owner.st_gid):
        os.fchown(descriptor, owner.st_uid, owner.st_gid)


def sync_directory(directory: Path) -> None:
    """Make names in a directory durable; a file's own fsync does not."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
