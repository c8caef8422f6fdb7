"""Ways to hurt a running gateway: kills in a rhythm, system calls that fail or kill at the N-th, limits that shrink.

Each undoes what it did when its block ends. Nothing here says what is right: that is the judge's.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.support.gateway import Gateway
from tests.support.process import alive, running, wait_for


class Rhythm:
    """Does something again and again in a thread, until the block ends; what goes wrong there is raised at the end."""

    def __init__(self, stroke: Callable[[int], object], seconds: float) -> None:
        self.strokes = 0
        self._stroke, self._seconds = stroke, seconds
        self._done = threading.Event()
        self._fault: BaseException | None = None
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Rhythm:
        self._thread.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._done.set()
        self._thread.join(90)
        if self._fault is not None and kind is None:
            raise self._fault

    def _run(self) -> None:
        while not self._done.wait(self._seconds):
            try:
                self._stroke(self.strokes)
            except BaseException as fault:
                self._fault = fault
                return
            self.strokes += 1


def kill(pid: int) -> bool:
    """Kill a process as a crash would; False when it is gone already."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def kill_group(one: Gateway) -> int:
    """Kill master and workers at the same moment, as a machine that goes down would; returns how many."""
    assert one.process is not None
    pids = [one.process.pid, *(pid for pid in one.workers() if pid)]
    count = sum(map(kill, pids))
    one.process.wait()
    wait_for(lambda: not any(map(alive, pids)), "all are gone")
    return count


def serving(one: Gateway, workers: int) -> bool:
    """Whether so many workers serve."""
    return sum(worker["up"] for worker in one.ask("status")["workers"]) == workers


@contextlib.contextmanager
def dies_at(pid: int, calls: str, number: int, *paths: Path) -> Iterator[None]:
    """Have a process killed as one of its threads enters a system call for the `number`-th time.

    Only calls that touch one of `paths` count, if any are given. In force from the first line of the block.
    """
    only = [word for path in paths for word in ("-P", str(path))]
    inject = f"inject={calls}:signal=KILL:when={number}"
    command = ["strace", "-f", "-qq", "-o", "/dev/null", *only, "-e", f"trace={calls}", "-e", inject, "-p", str(pid)]

    def traced() -> bool:
        try:
            threads = list(Path(f"/proc/{pid}/task").iterdir())
            return all("TracerPid:\t0\n" not in (thread / "status").read_text() for thread in threads)
        except OSError:
            return not alive(pid)  # killed already

    with running(*command, stderr=subprocess.DEVNULL):
        wait_for(traced, "strace has every thread")
        yield


@contextlib.contextmanager
def limited(pids: list[int], which: int, value: int) -> Iterator[None]:
    """Lower the soft limit of processes that run, and give it back to those that still do."""
    before = {}
    for pid in pids:
        soft, hard = resource.prlimit(pid, which)
        resource.prlimit(pid, which, (value, hard))
        before[pid] = (soft, hard)
    try:
        yield
    finally:
        for pid, limits in before.items():
            with contextlib.suppress(ProcessLookupError):
                resource.prlimit(pid, which, limits)
