"""What a server costs: CPU and memory of all its processes, and the few sums that make figures of it.

CPU is read from the kernel's own clock of each process (nanoseconds, all threads, those that ended too), and for processes
that are gone from what their parents reaped. Nothing here sends mail or knows what is measured.
"""

from __future__ import annotations

import contextlib
import math
import os
import statistics
import threading
import time
from collections.abc import Sequence
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
_PROCESS_CLOCK = 2
"""What the low bits of a clock's number say for `the CPU time of a whole process` (CPUCLOCK_SCHED in Linux)."""


def family(root: int) -> dict[int, list[str]]:
    """Return a process and all below it, each with its fields of /proc/PID/stat from the state on."""
    stats: dict[int, list[str]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                stats[int(entry.name)] = (entry / "stat").read_text().rsplit(")", 1)[1].split()
    found = {root}
    while more := {pid for pid, fields in stats.items() if int(fields[1]) in found} - found:
        found |= more
    return {pid: stats[pid] for pid in found if pid in stats}


def cpu_seconds(root: int) -> float:
    """Return the CPU time of a server so far: its live processes, and what they reaped."""
    total = 0.0
    for pid, fields in family(root).items():
        total += (int(fields[13]) + int(fields[14])) / TICKS
        with contextlib.suppress(OSError):  # gone since: its parent has the sum at the next reading
            total += time.clock_gettime((~pid << 3) | _PROCESS_CLOCK)
    return total


def memory(root: int) -> int:
    """Return the octets of memory that a server's processes hold: shared pages are shared out among those that map them."""
    return sum(_proportional(pid) for pid in family(root))


def _proportional(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        return 1024 * int(text.split("\nPss:", 1)[1].split()[0])
    except (FileNotFoundError, ProcessLookupError, IndexError):
        return 0
    except PermissionError:  # of another user, and we are not root: what it holds alone, by the kernel's rough count
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/statm").read_text().split()
            return (int(fields[1]) - int(fields[2])) * os.sysconf("SC_PAGE_SIZE")
        return 0


class Peak:
    """The most memory that a server held while the block ran, looked at four times a second."""

    def __init__(self, root: int) -> None:
        self.octets = 0
        self._root = root
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            self.octets = max(self.octets, memory(self._root))
            if self._over.wait(0.25):
                return


def settled(root: int, limit: float = 10.0) -> float:
    """Wait until a server has nothing more to do (less than 3 % of a core for a fifth of a second); return its CPU seconds.

    Log and record writers run on for a moment after the last message: that is work for those messages, and counts.
    """
    end = time.monotonic() + limit
    last = cpu_seconds(root)
    while True:
        time.sleep(0.2)
        now = cpu_seconds(root)
        if now - last < 0.006 or time.monotonic() > end:
            return now
        last = now


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least `share` (0 to 1) of the sorted values do not exceed; NaN for none."""
    return values[min(len(values), max(1, math.ceil(share * len(values)))) - 1] if values else math.nan


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Return theirs / ours for each two runs that stand next to each other in A B A B: noise lasts longer than a run."""
    pairs = [pair for at in range(len(ours)) for pair in ((at, at), (at + 1, at))]
    return [theirs[b] / ours[a] for a, b in pairs if a < len(ours) and b < len(theirs)]


def median(values: Sequence[float]) -> float:
    """Return the median; NaN for no values."""
    return statistics.median(values) if values else math.nan
