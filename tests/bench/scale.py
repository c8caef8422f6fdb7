"""What sizes cost: `python -m tests.bench.scale [--max N] [--json FILE]`. So far the Host Access Table; see docs/status.md.

Every size is measured in processes of its own, smallest first, and printed as soon as it is known.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from tests.bench import scale_hat


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--max", type=int, default=scale_hat.SIZES[-1], metavar="N", help="largest table, in members")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here, too")
    options = parser.parse_args()
    results: dict[int, dict[str, float]] = {}
    for count in (size for size in scale_hat.SIZES if size <= options.max):
        print(f"a table of {count:,} members ...", file=sys.stderr)
        results[count] = scale_hat.measure(count)
        print(f"{count:>9,}  " + "  ".join(f"{name} {value:.4g}" for name, value in results[count].items()), flush=True)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
