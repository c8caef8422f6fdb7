"""docs/configuration.md says what the model says."""

from __future__ import annotations

import runpy
from pathlib import Path

from gatepost.config.model import ROW_NAMES

ROOT = Path(__file__).parents[2]


def test_the_page_is_current() -> None:
    script = runpy.run_path(str(ROOT / "scripts" / "config-reference"))
    assert script["PAGE"].read_text() == script["page"](), "run scripts/config-reference"


def test_every_table_is_described() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text()
    for heading in (
        "[gateway]",
        "[listeners.NAME]",
        "[[listeners.NAME.sender_groups]]",
        "[[listeners.NAME.domain_map]]",
        '[destinations."DOMAIN"]',
        "[routes]",
    ):
        assert f"### `{heading}`" in page
    assert len(ROW_NAMES) == 3
