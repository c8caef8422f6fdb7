"""The benchmark: the same work for Gatepost and Postfix, in one run, on this machine.

    python -m tests.bench [--load NAME...] [--messages N] [--rounds N] [--quick] [--json FILE] [--plot]

Without --load, --messages and --quick it is the full record, and goes to docs/benchmarks/. How each figure is taken stands
in docs/benchmarks/README.md. What this program is itself busy with counts for neither server.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.bench import loads, report
from tests.bench.plot import svg
from tests.bench.report import Result
from tests.bench.servers import ROOT, Server, Sinks, bare_server, cores, handshake_in_memory, pair, tls_shown

FOLDER = ROOT / "docs" / "benchmarks"


def main() -> None:
    """Measure, print, keep."""
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))  # what was started is ended then, too
    began = time.monotonic()
    chosen = [load for load in loads.LOADS if not options.load or load.name in options.load]
    generators = loads.Generators(max(1, len(cores()[1]) - 1), options.nice)
    with pair(options.workers) as (directory, hops, both):
        record: dict[str, Any] = {
            "machine": report.machine(directory),
            "versions": report.versions(),
            "options": {**vars(options), "json": None},
            "tls": {f"{one.name}, {name}": tls_shown(one, name) for one in both for name in ("rsa", "p256")},
            "settings": {one.name: one.settings for one in both},
            "failed": {},
        }
        results = []
        for load in chosen:
            try:
                results.append(_measured(load, directory, hops, both, options, generators))
            except (AssertionError, subprocess.SubprocessError) as fault:  # the other loads are worth keeping
                record["failed"][load.name] = str(fault)
                loads.tell(f"{load.name} FAILED: {fault}")
    found = report.aims(results)
    record["minutes"] = round((time.monotonic() - began) / 60, 1)
    record["loads"] = [one.as_json() for one in results]
    record["aims"] = [vars(aim) for aim in found]
    print(report.table(results), report.told(found), sep="\n\n")
    _keep(record, results, options)
    if record["failed"]:
        sys.exit(f"failed: {', '.join(record['failed'])}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench", description="Gatepost and Postfix, the same work in turn."
    )
    names = [load.name for load in loads.LOADS]
    parser.add_argument("--load", nargs="+", action="extend", choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument(
        "--messages", type=int, default=0, help="messages of a 4 KB load in each run; other loads in proportion"
    )
    parser.add_argument("--rounds", type=int, default=0, help="runs of each load on each server (default 3; 2 with --quick)")
    parser.add_argument("--quick", action="store_true", help="a fifth of the work, to see that it works")
    parser.add_argument("--json", type=Path, help="where the record goes")
    parser.add_argument("--plot", action="store_true", help="draw it, too, beside the JSON file")
    parser.add_argument("--workers", type=int, default=0, help="Gatepost's; default: one for each core it has")
    parser.add_argument("--nice", type=int, default=0, help="of the load generators")
    options = parser.parse_args()
    options.full = not (options.load or options.messages or options.quick)
    options.rounds = options.rounds or (2 if options.quick else 3)
    return options


def _measured(
    load: loads.Load,
    directory: Path,
    hops: Sinks,
    both: list[Server],
    options: argparse.Namespace,
    generators: loads.Generators,
) -> Result:
    """Put one load on each server: floods in turn, then the paced runs in turn."""
    share = options.messages / loads.MAIN.messages if options.messages else 0.2 if options.quick else 1.0
    messages = max(loads.SESSIONS, int(load.messages * share))
    takers = [one for one in both if one.name in load.peers]
    if load.handshakes:
        with bare_server(directory, load.certificate, load.group) as bare:
            runs = loads.alternate([*takers, bare], load, hops, messages, options.rounds, generators)
    else:
        runs = loads.alternate(takers, load, hops, messages, options.rounds, generators)
    result = Result(load, runs)
    if load.handshakes:
        result.handshake_ms = handshake_in_memory(directory, load.certificate, load.group)
    for _ in range(1 if options.quick else 2):
        for one in takers:
            rate = result.rates[one.name] = result.median(one.name, "accepted_per_s") / 2
            latencies, late = loads.pace(one, load, hops, rate, 1.0 if options.quick else 3.0, generators)
            result.latencies[one.name] = sorted(result.latencies.get(one.name, []) + latencies)
            result.late[one.name] = sorted(result.late.get(one.name, []) + late)
    for one in takers:
        p50, p99 = result.p(one.name, 0.5), result.p(one.name, 0.99)
        loads.tell(f"{load.name} {one.name}: p50 {p50:.2f} ms, p99 {p99:.2f} ms at {result.rates[one.name]:.0f}/s")
    return result


def _keep(record: dict[str, Any], results: list[Result], options: argparse.Namespace) -> None:
    """Write the record: a full one to docs/benchmarks, any other only where it was told to."""
    date = record["machine"]["date"][:10]
    file: Path | None = options.json or (FOLDER / f"{date}.json" if options.full else None)
    if file is None:
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(record, indent=1) + "\n")
    drawn = file.with_suffix(".svg")
    if options.plot or options.full:
        facts = record["machine"]
        note = f"{date}, {facts['cores']} cores ({facts['processor']}), medians of {options.rounds} runs in turn"
        drawn.write_text(svg(results, "Gatepost and Postfix, the same work", note))
        file.with_suffix(".md").write_text(report.markdown(record, results, drawn.name))
    print(f"kept in {file}, after {record['minutes']:g} minutes", file=sys.stderr)


if __name__ == "__main__":
    main()
