"""docs/faults.md names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_each_test_that_the_page_names_exists() -> None:
    named = re.findall(r"`(tests/\S+\.py)::(\w+)`", (ROOT / "docs" / "faults.md").read_text())
    assert len(named) > 40
    gone = [
        f"{file}::{name}" for file, name in named if not re.search(rf"^(async )?def {name}\(", _text(file), re.MULTILINE)
    ]
    assert not gone


def _text(file: str) -> str:
    path = ROOT / file
    return path.read_text() if path.exists() else ""
