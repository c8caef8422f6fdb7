"""Small facts of Unix processes: dying with the parent, giving up root, one owner of a state directory.

None of it knows of mail.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import pwd
import resource
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gatepost.errors import GatepostError, StateError
from gatepost.spool.layout import SHARD_FILE, Layout

_PR_SET_PDEATHSIG = 1
_SOCKET_PATH = 107
"""Octets that the kernel takes as the name of a Unix socket."""
DYING = 2.0
"""Seconds for the processes of a master that was killed to be gone, too."""


def python_module(name: str) -> list[str]:
    """Return the command that runs a module of ours with the Python that we run in.

    `-m` looks in the working directory first, where a stranger may have put a module of that name: only where we did, too.
    """
    try:
        here = os.getcwd()
    except OSError:
        here = ""  # it was removed
    return [sys.executable, *([] if here in sys.path else ["-P"]), "-m", name]


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when `parent` dies, so that no orphan keeps a shard (prctl(2))."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the call
        os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def giving_way() -> Iterator[None]:
    """Let the event loop have its turn ten times sooner while another thread computes: mail waits for each of its turns."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(before / 10)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def own_state(state: Path) -> int:
    """Make the state directory and become its only master; returns the lock's descriptor, to be kept open.

    Raises StateError when another gateway runs on it, or when it is of no use.
    """
    if len(os.fsencode(state / "control.sock")) > _SOCKET_PATH:
        raise StateError(f"{state} is too long a name for a state directory: its control.sock has to fit into 107 octets")
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        (state / "spool").mkdir(mode=0o700, exist_ok=True)
        lock = os.open(state / "master.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StateError(f"{state} cannot be the state directory: {error.filename}: {error.strerror}") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.pread(lock, 32, 0).decode(errors="replace").strip() or "?"
        os.close(lock)
        raise StateError(f"a gateway already runs on {state} (process {owner}); stop it first") from None
    try:
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    except OSError:
        pass  # only for the sentence above; a full disk must not keep mail from being delivered
    return lock


def refuse_orphans(spool: Path, patience: float = DYING) -> None:
    """Raise StateError when a process of an earlier gateway still owns a shard: two owners would deliver twice."""
    end = time.monotonic() + patience
    for entry in sorted(spool.iterdir()):
        if found := SHARD_FILE.fullmatch(entry.name):
            layout = Layout(spool, int(found[1]))
            while not _is_free(layout, last=time.monotonic() >= end):
                time.sleep(0.05)  # killed, but the disk holds it up


def _is_free(layout: Layout, *, last: bool) -> bool:
    try:
        layout.lock()
    except StateError as owned:
        if last:
            raise StateError(f"{owned}, left by a gateway that is gone; end that process first") from None
        return False
    except OSError as error:
        raise StateError(f"spool shard {layout.shard} cannot be used: {error.filename}: {error.strerror}") from None
    layout.unlock()
    return True


def raise_file_limit() -> None:
    """Take as many open files as the system lets us have: each connection is one, and shells begin at 1,024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError):
        pass  # then it stays at what we were given


def drop_privileges(user: str, state: Path) -> None:
    """Hand the state directory to `user` and become that user, for good. Raises GatepostError in words."""
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise GatepostError(
            f"--user {user}: there is no such user on this machine; `useradd --system {user}` makes one"
        ) from None
    if os.geteuid() == entry.pw_uid:
        return
    if os.geteuid() != 0:
        raise GatepostError(f"--user {user}: only root can become another user; leave the option out") from None
    for folder, _, files in os.walk(state):
        for path in (Path(folder), *(Path(folder) / name for name in files)):
            # a second name of somebody else's file must not make it the user's
            if path.is_dir() or path.lstat().st_nlink == 1:
                os.chown(path, entry.pw_uid, entry.pw_gid, follow_symlinks=False)
    os.setgroups(os.getgrouplist(user, entry.pw_gid))
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
    if not os.access(state, os.R_OK | os.W_OK | os.X_OK):
        raise GatepostError(f"--user {user}: that user cannot enter {state}; a directory above it keeps others out")
