"""What is measured by size, how each cost may grow, which figures are aimed at; and the judgement on them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Results = Mapping[int, Mapping[str, float]]
"""Size -> figure -> value."""
FLAT, LINEAR = 3.0, 1.5
"""How many times the value at the smallest size a flat cost may reach; how many times as fast as the size a linear one may
grow from one size to the next: machines are shared, and caches end somewhere."""


@dataclass(frozen=True)
class Curve:
    """One figure by size."""

    name: str
    words: str
    growth: Literal["flat", "linear", "free"]
    aim: float | None = None
    """At the largest size."""
    least: bool = False
    """The aim is the least it may be."""

    def faults(self, results: Results) -> list[str]:
        """Say where the figure grew faster than it may, and where it misses its aim."""
        sizes = sorted(size for size in results if self.name in results[size])
        values = [results[size][self.name] for size in sizes]
        found = []
        if self.growth == "flat" and max(values) > FLAT * values[0]:
            found.append(f"{self.words}: {values[0]:.3g} for {sizes[0]:,}, but up to {max(values):.3g}")
        if self.growth == "linear":
            for at in range(1, len(sizes)):
                if values[at] / max(values[at - 1], 1e-9) > LINEAR * sizes[at] / sizes[at - 1]:
                    before, after = f"{values[at - 1]:.3g} for {sizes[at - 1]:,}", f"{values[at]:.3g} for {sizes[at]:,}"
                    found.append(f"{self.words} grows faster than the size: {before}, {after}")
        return found

    def misses(self, value: float) -> bool:
        """Whether a value at the largest size misses the aim."""
        return self.aim is not None and (value < self.aim if self.least else value > self.aim)


@dataclass(frozen=True)
class Dimension:
    """Something that can be large."""

    name: str
    of: str
    """What the sizes count."""
    module: str
    arguments: tuple[str, ...]
    """Of the module, besides the size."""
    sizes: tuple[int, ...]
    curves: tuple[Curve, ...]


def workers() -> tuple[int, ...]:
    """Return the numbers of workers: powers of two below the number of cores, and that."""
    cores = len(os.sched_getaffinity(0))
    return tuple(sorted({1 << bits for bits in range(10) if 1 << bits < cores} | {cores}))


def idle(kind: str, words: str, sizes: tuple[int, ...], aim: float) -> Dimension:
    """Return the dimension of one kind of idle connections."""
    curves = (
        Curve("each_kb", "memory of each, KB", "flat", aim),
        Curve("mail_ratio", "a mail meanwhile, times as long as before", "flat", 2.0),
        Curve("opened_per_s", "connections opened one by one, a second", "free"),
    )
    return Dimension(f"idle {kind}", words, "scale_idle", (kind,), sizes, curves)


def message_size(kind: str, words: str) -> Dimension:
    """Return the dimension of message sizes."""
    curves = (
        Curve("extra_mb", "memory beyond what was there, MB", "flat", 20.0),
        Curve("cpu_ms", "CPU of a message, ms", "linear"),
        Curve("accepted_s", "from DATA to 250, s", "linear"),
    )
    sizes = (1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000)
    return Dimension(f"size {kind}", words, "scale_size", (kind,), sizes, curves)


DIMENSIONS: Sequence[Dimension] = (
    Dimension(
        "hat",
        "members of the Host Access Table",
        "scale_hat",
        (),
        (100, 1_000, 10_000, 100_000, 1_000_000),
        (
            Curve("match_us", "a look-up, µs", "flat"),
            Curve("commit_s", "a commit, s", "linear", 20.0),
            Curve("import_s", "an import, s", "linear"),
            Curve("mail_during_median_ms", "a mail meanwhile, ms", "flat"),
            Curve("mails_failed", "mails that failed meanwhile", "free", 0.0),
            Curve("start_s", "start until all serve, s", "linear"),
            Curve("worker_peak_mb", "largest worker at its peak, MB", "linear"),
        ),
    ),
    Dimension(
        "spool",
        "queued messages",
        "scale_spool",
        (),
        (1_000, 10_000, 100_000, 1_000_000),
        (
            Curve("first_delivery_s", "start to first delivery, s", "linear", 10.0),
            Curve("peak_mb", "all processes at their peaks, MB", "linear", 400.0),
            Curve("accepted_ratio", "accepting, of an empty spool's rate", "free", 0.8, least=True),
            Curve("list_s", "`queue list`, s", "linear", 1.0),
            Curve("cpu_ms", "CPU of a message relayed, ms", "flat"),
        ),
    ),
    idle("plain", "idle connections in the clear", (100, 1_000, 10_000), 12.0),
    idle("tls", "idle connections in TLS", (100, 1_000, 5_000), 45.0),
    message_size("plain", "octets of a message in the clear"),
    message_size("tls", "octets of a message in TLS"),
    Dimension(
        "workers",
        "workers",
        "scale_workers",
        (),
        workers(),
        (
            Curve("cpu_ms", "CPU of a message, ms", "flat"),
            Curve("memory_mb", "all processes, MB", "linear"),
            Curve("accepted_per_s", "messages a second", "free"),
        ),
    ),
)
