"""Small facts of Unix processes: dying with the parent, giving up root, one owner of a state directory.

None of it knows of mail.
"""

from __future__ import annotations

import ctypes
import fcntl
import grp
import os
import pwd
import signal
from pathlib import Path

from gatepost.errors import GatepostError, StateError
from gatepost.spool.layout import Layout

_PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when `parent` dies, so that no orphan keeps a shard (prctl(2))."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the call
        os.kill(os.getpid(), signal.SIGKILL)


def own_state(state: Path) -> int:
    """Make the state directory and become its only master; returns the lock's descriptor, to be kept open.

    Raises StateError when another gateway runs on it.
    """
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    (state / "log").mkdir(mode=0o700, exist_ok=True)
    (state / "spool").mkdir(mode=0o700, exist_ok=True)
    lock = os.open(state / "master.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        owner = os.pread(lock, 32, 0).decode(errors="replace").strip() or "?"
        os.close(lock)
        raise StateError(f"a gateway already runs on {state} (process {owner}); stop it first") from None
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    return lock


def refuse_orphans(spool: Path) -> None:
    """Raise StateError when a process of an earlier gateway still owns a shard: two owners would deliver twice."""
    for database in spool.glob("shard-*.db"):
        number = database.stem.removeprefix("shard-")
        if number.isdigit():
            layout = Layout(spool, int(number))
            layout.lock()
            layout.unlock()


def drop_privileges(user: str, state: Path) -> None:
    """Hand the state directory to `user` and become that user, for good. Raises GatepostError in words."""
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise GatepostError(f"--user {user}: there is no such user on this machine") from None
    if os.geteuid() == entry.pw_uid:
        return
    if os.geteuid() != 0:
        raise GatepostError(f"--user {user}: only root can become another user; leave the option out") from None
    for folder, _, files in os.walk(state):
        os.chown(folder, entry.pw_uid, entry.pw_gid, follow_symlinks=False)
        for name in files:
            os.chown(Path(folder) / name, entry.pw_uid, entry.pw_gid, follow_symlinks=False)
    groups = [group.gr_gid for group in grp.getgrall() if user in group.gr_mem]
    os.setgroups([*groups, entry.pw_gid])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
