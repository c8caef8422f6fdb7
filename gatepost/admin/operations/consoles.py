"""Who is at a console: each keeps a file with a lock on it for as long as it is open, so that none outlives its console."""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import msgspec

from gatepost.admin.operations.operator import Operator

DIRECTORY = "consoles"


class Presence(msgspec.Struct, frozen=True, kw_only=True):
    """One open console."""

    user: str
    since: float
    origin: str
    """Address of an SSH client, or `local`."""
    pid: int


@contextmanager
def present(operator: Operator, origin: str = "local") -> Iterator[None]:
    """Be shown by `who` for the length of a with block; where nothing can be kept, nothing is."""
    descriptor = None
    directory = operator.state / DIRECTORY
    path = directory / f"{os.getpid()}-{secrets.token_hex(4)}"
    entry = Presence(user=operator.author, since=time.time(), origin=origin, pid=os.getpid())
    with suppress(OSError):
        directory.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.write(descriptor, msgspec.json.encode(entry))
        if os.geteuid() == 0:  # root acts for the service's user, who must be able to read it
            owner = operator.state.stat()
            os.chown(directory, owner.st_uid, owner.st_gid)
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
    try:
        yield
    finally:
        if descriptor is not None:
            with suppress(OSError):
                path.unlink()
            os.close(descriptor)


def listing(operator: Operator) -> list[Presence]:
    """Return the open consoles, the longest open first; what a killed one left behind is taken away."""
    found = []
    directory = operator.state / DIRECTORY
    for path in directory.iterdir() if directory.is_dir() else ():
        with suppress(OSError, msgspec.DecodeError), path.open("rb") as file:
            if _is_held(file.fileno()):
                found.append(msgspec.json.decode(file.read(), type=Presence))
            else:
                path.unlink()
    return sorted(found, key=lambda one: one.since)


def _is_held(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False
