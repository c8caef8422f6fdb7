"""`python -m tests.fuzz`: throw random input at every parser, or at one, and say what broke.

Exit status 1 when something did; the input then stands in the corpus, and is tried first by every later run and by the unit
tests.
"""

from __future__ import annotations

import argparse
import sys
import time

from tests.fuzz import loop


def main() -> int:
    """Run the targets one after the other."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Throw random input at every parser.")
    parser.add_argument("--seconds", type=float, default=60.0, metavar="N", help="for each target (60)")
    parser.add_argument("--target", action="append", choices=loop.names(), help="only this one; may be given again")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 10**9, help="repeats a run, as far as its time allows")
    parser.add_argument("--grow", action="store_true", help="keep the inputs that went new ways in the corpus")
    parser.add_argument("--list", action="store_true", help="only print the targets and what holds for them")
    options = parser.parse_args()
    found = 0
    for name in options.target or loop.names():
        target = loop.Target.load(name)
        if options.list:
            print(f"{name}\n    {target.invariant.strip()}\n")
            continue
        done = loop.run(target, seconds=options.seconds, seed=options.seed)
        print(f"{name:12} {done.tried:8} inputs, {len(done.edges.seen):5} steps, seed {options.seed}", flush=True)
        for where, finding in done.findings.items():
            file = loop.keep(target, finding.octets, "found")
            print(f"\n{where}, kept as {file}:\n{finding.octets[:500]!r}\n{finding.trace}", file=sys.stderr, flush=True)
        if options.grow:
            known = set(target.inputs())
            grown = [octets for octets in loop.cover(done) if octets not in known]
            for octets in grown:
                loop.keep(target, octets, "grown")
            print(f"{'':12} {len(grown)} inputs were added to the corpus")
        found += len(done.findings)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
