"""Makes figures into a record: medians and ratios, what was aimed at, a table to read, JSON to keep."""

from __future__ import annotations

import datetime
import os
import platform
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from OpenSSL import SSL

from tests.bench.loads import Load
from tests.bench.measure import median, percentile, ratios
from tests.bench.servers import ROOT

Runs = dict[str, list[dict[str, float]]]


@dataclass
class Result:
    """What came of one load."""

    load: Load
    runs: Runs
    """By server, in the order they were made."""
    latencies: dict[str, list[float]] = field(default_factory=dict)
    """Milliseconds, sorted, by server."""
    late: dict[str, list[float]] = field(default_factory=dict)
    """How late the generator was itself, milliseconds, sorted."""
    rates: dict[str, float] = field(default_factory=dict)
    """At what rate latency was measured: half of what the server took at most."""
    handshake_ms: float = 0.0
    """CPU of a server's side of the handshake in memory; 0: not measured."""

    def median(self, server: str, kind: str) -> float:
        """Return the median of a server's runs; NaN when it did not take part."""
        return median([run[kind] for run in self.runs.get(server, [])])

    def ratio(self, ours: str, theirs: str) -> float:
        """Return theirs / ours in CPU for a message, the median over runs side by side; NaN when one did not take part."""
        costs = [[run["cpu_ms"] for run in self.runs.get(name, [])] for name in (ours, theirs)]
        return median(ratios(*costs))

    def p(self, server: str, share: float) -> float:
        """Return a percentile of a server's latency."""
        return percentile(self.latencies.get(server, []), share)

    def as_json(self) -> dict[str, Any]:
        servers: dict[str, Any] = {}
        for name, runs in self.runs.items():
            servers[name] = {"runs": runs, "median": {kind: self.median(name, kind) for kind in runs[0]}}
            if self.latencies.get(name):
                servers[name]["latency"] = {
                    "rate_per_s": self.rates[name],
                    "messages": len(self.latencies[name]),
                    "p50_ms": self.p(name, 0.5),
                    "p99_ms": self.p(name, 0.99),
                    "max_ms": self.latencies[name][-1],
                    "generator_late_p99_ms": percentile(self.late[name], 0.99),
                }
        found = {"load": asdict(self.load), "servers": servers}
        if "postfix" in self.runs:
            found["cpu_ratio_postfix"] = self.ratio("gatepost", "postfix")
        if "bare" in self.runs:
            found["cpu_times_bare_handshake"] = self.ratio("bare", "gatepost")
            found["handshake_in_memory_ms"] = self.handshake_ms
        return found


@dataclass
class Aim:
    """One figure that was asked for, and what it is."""

    text: str
    value: float
    met: bool


_CPU = {"plain-4k": 10, "rsa-4k-new": 3, "p256-4k-new": 4, "p256-100k": 3, "out-4k": 5}
"""Postfix's CPU for a message is to be so many times Gatepost's."""


def aims(results: Sequence[Result]) -> list[Aim]:
    """Compare what was measured with what was asked for."""
    found = []
    for one in results:
        title = one.load.title
        if one.load.name in _CPU:
            value, wanted = one.ratio("gatepost", "postfix"), _CPU[one.load.name]
            found.append(Aim(f"{title}: Postfix's CPU / ours >= {wanted}", value, value >= wanted))
        if "bare" in one.runs:
            value = one.ratio("bare", "gatepost")
            found.append(Aim(f"{title} ({one.load.group}): ours / bare handshake <= 1.6", value, value <= 1.6))
        if one.latencies.get("postfix") and one.load.size == 4096 and one.load.recipients == 1:
            value, theirs = one.p("gatepost", 0.99), one.p("postfix", 0.99)
            text = f"{title}: p99 at half the maximum rate <= 50 ms and <= Postfix's {theirs:.1f} ms"
            found.append(Aim(text, value, value <= min(50.0, theirs)))
    return found


_HEAD = ("load", "server", "accepted/s", "relayed/s", "CPU ms", "ratio", "p50 ms", "p99 ms", "MiB")


def rows(results: Sequence[Result]) -> list[tuple[str, ...]]:
    """Return the table's cells, its head first. `ratio`: the CPU of the others against Gatepost's."""
    found = [_HEAD]
    for one in results:
        for name in one.runs:
            speed = [f"{one.median(name, kind):,.0f}" for kind in ("accepted_per_s", "relayed_per_s")]
            if name == "bare":
                speed[1] = ""
            ratio = "" if name == "gatepost" else f"{one.ratio('gatepost', name):.2f}"
            latency = [f"{one.p(name, share):.1f}" if one.latencies.get(name) else "" for share in (0.5, 0.99)]
            title = one.load.title if name == "gatepost" else ""
            cpu, memory = f"{one.median(name, 'cpu_ms'):.3f}", f"{one.median(name, 'peak_mib'):,.0f}"
            found.append((title, name, *speed, cpu, ratio, *latency, memory))
    return found


def table(results: Sequence[Result]) -> str:
    """Return the table as text."""
    cells = rows(results)
    widths = [max(len(row[at]) for row in cells) for at in range(len(_HEAD))]
    line = "  ".join("-" * width for width in widths)
    lines = ["  ".join(_aligned(row, widths)) for row in cells]
    return "\n".join([lines[0], line, *lines[1:]])


def _aligned(row: tuple[str, ...], widths: list[int]) -> list[str]:
    return [
        cell.ljust(width) if at < 2 else cell.rjust(width) for at, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]


def told(found: Sequence[Aim]) -> str:
    """Return the aims as lines of text."""
    return "\n".join(f"{'met   ' if aim.met else 'MISSED'} {aim.value:8.2f}  {aim.text}" for aim in found)


def machine(directory: Path) -> dict[str, Any]:
    """Return what the figures depend on besides the programs."""
    model = [
        line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line
    ]
    memory = int(Path("/proc/meminfo").read_text().split()[1]) / 2**20
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "processor": model[0] if model else platform.processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": round(memory, 1),
        "kernel": platform.release(),
        "file_system": _said("findmnt", "-n", "-o", "FSTYPE,SOURCE", "-T", str(directory)),
        "sync_ms": round(_sync_ms(directory), 3),
        "load_average_before": os.getloadavg()[0],
    }


def _sync_ms(directory: Path) -> float:
    """Return the median time that 4 KB take to the disk."""
    times = []
    with open(directory / "sync", "wb") as file:
        for _ in range(50):
            file.write(bytes(4096))
            file.flush()
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times)


def versions() -> dict[str, str]:
    """Return the versions of all that took part."""
    smtpd = next((path for path in ("/usr/lib/postfix/sbin/smtpd", "/usr/libexec/postfix/smtpd") if Path(path).exists()), "")
    linked = [line.split()[2] for line in _said("ldd", smtpd).splitlines() if "libssl" in line] if smtpd else []
    commit = _said("git", "-C", str(ROOT), "rev-parse", "--short", "HEAD") or "unknown"
    changed = _said("git", "-C", str(ROOT), "status", "--porcelain", "-uno", "gatepost")
    return {
        "gatepost": f"{version('gatepost')}, commit {commit}{', changed since' if changed else ''}",
        "python": platform.python_version(),
        "uvloop": version("uvloop"),
        "pyOpenSSL": version("pyOpenSSL"),
        "OpenSSL of Gatepost": SSL.SSLeay_version(SSL.SSLEAY_VERSION).decode(),
        "postfix": _said("postconf", "-d", "-h", "mail_version"),
        "OpenSSL of Postfix": " ".join(linked) + " (" + _said("openssl", "version") + ")",
    }


def _said(*command: str) -> str:
    if shutil.which(command[0]) is None:
        return ""
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def markdown(record: dict[str, Any], results: Sequence[Result], plot: str) -> str:
    """Return the record as a page to read: table, aims, machine and settings."""
    cells = [f"| {' | '.join(row)} |" for row in rows(results)]
    rule = "|---|---|" + "--:|" * (len(_HEAD) - 2)
    facts: Callable[[str], list[str]] = lambda key: [f"* {name}: {value}" for name, value in record[key].items()]  # noqa: E731
    lines = [
        f"# {record['machine']['date'][:10]}",
        "",
        f"![CPU and speed of each load]({plot})",
        "",
        cells[0],
        rule,
        *cells[1:],
    ]
    lines += ["", "## What was asked for", "", "```", told(aims(results)), "```"]
    lines += [
        "",
        "## Machine",
        "",
        *facts("machine"),
        "",
        "## Versions",
        "",
        *facts("versions"),
        "",
        "## TLS",
        "",
        *facts("tls"),
    ]
    for name, settings in record["settings"].items():
        lines += ["", f"## Settings of {name}", "", "```", settings.rstrip(), "```"]
    return "\n".join(lines) + "\n"
