"""What sizes cost: connections, Host Access Table, queued messages, message size, workers.

    python -m tests.bench.scale [--only hat|spool|idle|size|workers]... [--max N] [--json FILE] [--plot FILE]

Every size is measured in processes of its own, smallest first, and printed as soon as it is known. At the end: what grew
faster than its size, what a look-up may not, and what misses its aim; the exit status is 1 when something does. About ten
minutes for all; nothing else should run meanwhile.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.bench.scale_curves import DIMENSIONS, Dimension
from tests.bench.scale_plot import svg

NAMES = sorted({dimension.name.split()[0] for dimension in DIMENSIONS})


def main() -> None:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--only", action="append", choices=NAMES, help="measure this; may be given more than once")
    parser.add_argument("--max", type=int, metavar="N", help="no size above this")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the figures here; what is not measured now stays")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw them here (SVG)")
    options = parser.parse_args()
    measured = _kept(options.json)
    faults: list[str] = []
    about = {"date": time.strftime("%Y-%m-%d"), "cores": os.cpu_count(), "python": platform.python_version()}
    for dimension in DIMENSIONS:
        if options.only and dimension.name.split()[0] not in options.only:
            continue
        sizes = [size for size in dimension.sizes if options.max is None or size <= options.max]
        if not sizes:
            continue
        measured[dimension.name] = dict(measure(dimension, sizes))
        faults += judge(dimension, measured[dimension.name])
        _write(options, about, measured)
    for fault in faults:
        print(f"MISSED  {fault}")
    if not faults:
        print("Nothing grows faster than it may, and every aim that was measured is met.")
    sys.exit(bool(faults))


def measure(dimension: Dimension, sizes: list[int]) -> Iterator[tuple[int, dict[str, float]]]:
    """Measure each size and show it."""
    print(f"\n{dimension.of}", flush=True)
    for size in sizes:
        command = [sys.executable, "-m", f"tests.bench.{dimension.module}", *dimension.arguments, str(size)]
        found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.splitlines()[-1])
        shown = "; ".join(f"{curve.words} {found[curve.name]:.3g}" for curve in dimension.curves)
        print(f"{size:>11,}  {shown}", flush=True)
        yield size, found


def judge(dimension: Dimension, results: dict[int, dict[str, float]]) -> list[str]:
    """Return what grew too fast and what misses its aim."""
    faults = [f"{dimension.of}: {fault}" for curve in dimension.curves for fault in curve.faults(results)]
    last = dimension.sizes[-1]
    for curve in dimension.curves:
        if last in results and curve.misses(value := results[last][curve.name]):
            sign = "at least" if curve.least else "at most"
            faults.append(f"{last:,} {dimension.of}: {curve.words} is {value:.3g}, and {sign} {curve.aim:g} is aimed at")
    return faults


def _kept(file: Path | None) -> dict[str, dict[int, dict[str, float]]]:
    """Return what was measured before."""
    if file is None or not file.exists():
        return {}
    kept = json.loads(file.read_text())["measured"]
    return {name: {int(size): values for size, values in results.items()} for name, results in kept.items()}


def _write(options: argparse.Namespace, about: dict[str, Any], measured: dict[str, dict[int, dict[str, float]]]) -> None:
    """Keep what is known so far."""
    if options.json:
        options.json.write_text(json.dumps({**about, "measured": measured}, indent=1) + "\n")
    if options.plot:
        note = f"{about['date']}, {about['cores']} cores, Python {about['python']}; grey: as fast as the size"
        options.plot.write_text(svg([(one, measured[one.name]) for one in DIMENSIONS if one.name in measured], note))


if __name__ == "__main__":
    main()
