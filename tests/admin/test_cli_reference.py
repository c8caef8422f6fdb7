"""docs/cli.md says what the commands say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_page_is_current() -> None:
    made = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "cli-reference")], capture_output=True, text=True, timeout=60, check=True
    )
    page = (ROOT / "docs" / "cli.md").read_text()
    assert page == made.stdout, "run: .venv/bin/python scripts/cli-reference > docs/cli.md"


def test_every_command_and_option_is_described() -> None:
    page = (ROOT / "docs" / "cli.md").read_text()
    assert "None" not in page
    for line in page.splitlines():
        if line.startswith("* "):
            assert line.endswith("."), line
