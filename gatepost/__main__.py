"""Entry point of `gatepost` and of `python -m gatepost`. Imports nothing that a command does not need."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and leave with its exit status."""
    from gatepost.admin.cli import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
