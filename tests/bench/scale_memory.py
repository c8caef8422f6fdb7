"""What one process takes of the machine's memory, now and at its peak; `measure.memory` has what a whole family does."""

from __future__ import annotations

import contextlib
from pathlib import Path

MB = 1e6


def of_process(pid: int, kind: str = "Pss") -> float:
    """Return one process's memory in octets; `Pss`: its share of shared pages, `Rss`: all of them, `Swap`."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith(f"{kind}:"):
                return 1024.0 * int(line.split()[1])
    return 0.0


def peak_of(pid: int) -> float:
    """Return the most that a process ever had resident, in octets."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return 1024.0 * int(line.split()[1])
    return 0.0


def reset_peak(pid: int) -> None:
    """Begin the peak anew (proc(5), clear_refs)."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
