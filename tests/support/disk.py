"""Disks that go wrong under a running gateway: small ones, read-only ones, and ones whose system calls fail or lag.

A small disk is a tmpfs in a mount namespace of the gateway's own; from here it is reached through /proc. Calls that fail are
strace's doing, from the moment it has every thread to the end of the block.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.gateway import Gateway
from tests.support.process import run, running, wait_for

YAMA = Path("/proc/sys/kernel/yama/ptrace_scope")
MAY_TRACE = os.geteuid() == 0 or not YAMA.exists() or YAMA.read_text().strip() == "0"
TRACEABLE = shutil.which("strace") is not None and MAY_TRACE
needs_strace = pytest.mark.skipif(not TRACEABLE, reason="strace may not attach here")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")


@contextlib.contextmanager
def injected(what: str, *pids: int) -> Iterator[None]:
    """Have system calls of processes, and of those that they start meanwhile, go wrong as strace can make them."""
    calls = what.partition(":")[0]
    command = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={calls}", "-e", f"inject={what}"]
    for pid in pids:
        command += ["-p", str(pid)]

    def traced() -> bool:
        threads = (thread for pid in pids for thread in Path(f"/proc/{pid}/task").iterdir())
        return all("TracerPid:\t0\n" not in (thread / "status").read_text() for thread in threads)

    with running(*command, stderr=subprocess.DEVNULL):
        wait_for(traced, "strace has every thread")
        yield


@contextlib.contextmanager
def mounted(place: Path, *how: str) -> Iterator[None]:
    """Mount something for everybody to see; `how`: what mount(8) is told before the place."""
    for directory in (place, *map(Path, how[-1:] if "--bind" in how else ())):
        if not directory.exists():
            directory.mkdir(mode=0o700)
    done = run("mount", *how, str(place))
    assert done.returncode == 0, done.stderr
    try:
        yield
    finally:
        run("umount", "--lazy", str(place))


def start_mounted(one: Gateway, script: str, *, workers: int = 1) -> None:
    """Start a gateway in a mount namespace where `script` (sh) has mounted something; $STATE is its state directory."""
    one.start(workers, before=("unshare", "-m", "sh", "-ec", f'{script}\nexec "$@"', "sh"), env={"STATE": str(one.state)})


def start_on_small_disk(one: Gateway, place: Path, options: str) -> Path:
    """Start a gateway with a tmpfs of these mount options at `place`; return the way to it from here."""
    place.mkdir(mode=0o700, exist_ok=True)
    start_mounted(one, f"mount -t tmpfs -o {options},mode=0700 tmpfs {place}")
    return seen(one, place)


def seen(one: Gateway, place: Path) -> Path:
    """Return the way from here to a place as the gateway sees it."""
    assert one.process is not None
    return Path(f"/proc/{one.process.pid}/root{place}")


def remount(one: Gateway, options: str, place: Path) -> None:
    """Change the mount options of a place in the gateway's namespace."""
    assert one.process is not None
    done = run("nsenter", "-t", str(one.process.pid), "-m", "mount", "-o", f"remount,{options}", str(place))
    assert done.returncode == 0, done.stderr


def eat(disk: Path) -> None:
    """Take all octets that are left of a disk; `spit` gives them back."""
    with open(disk / "junk", "wb", buffering=0) as junk, contextlib.suppress(OSError):
        while junk.write(bytes(4096)):
            pass


def spit(disk: Path) -> None:
    """Give back what `eat` and `eat_inodes` took."""
    for junk in disk.glob("junk*"):
        junk.unlink()


def eat_inodes(disk: Path, leave: int) -> None:
    """Take file entries of a disk until only so many are left."""
    number = 0
    while os.statvfs(disk).f_favail > leave:
        (disk / f"junk{number}").touch()
        number += 1
