"""Counters over time: what was counted before a restart counts for ever, and a rate is told for each span."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from gatepost.service.tally import Tally

COUNTS = {"messages_accepted": 10.0, "recipients{delivered}": 4.0, "connections{in,accept}": 3.0}


def test_reset_uptime_and_lifetime(tmp_path: Path) -> None:
    now = dict(COUNTS)
    one = Tally(tmp_path, lambda: now)
    assert one.told()["totals"]["messages_accepted"] == [10, 10, 10]
    one.reset()
    now["messages_accepted"] = 12.0
    assert one.told()["totals"]["messages_accepted"] == [2, 12, 12]
    one.save()
    after = Tally(tmp_path, lambda: {"messages_accepted": 1.0})
    assert after.told()["totals"]["messages_accepted"] == [3, 1, 13]
    assert after.told()["totals"]["recipients{delivered}"] == [0, 0, 4]
    assert after.told()["reset_at"] == one.told()["reset_at"] > 0
    assert (tmp_path / "counters.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("page", ["", "[]", '{"lifetime": {}}', '{"lifetime": 3, "reset": 4, "reset_at": 5}'])
def test_a_file_that_cannot_be_understood_begins_anew(tmp_path: Path, page: str) -> None:
    (tmp_path / "counters.json").write_text(page)
    assert Tally(tmp_path, lambda: COUNTS).told()["totals"]["messages_accepted"] == [10, 10, 10]


def test_a_gateway_that_just_started_tells_no_wild_rates(tmp_path: Path) -> None:
    now = {"messages_accepted": 0.0}
    one = Tally(tmp_path, lambda: now)
    one.sample(time.monotonic() - 2)
    now["messages_accepted"] = 13
    assert one.told()["rates"]["messages_accepted"] == [13 * 60] * 3


def test_a_rate_is_that_of_its_span(tmp_path: Path) -> None:
    now = {"messages_accepted": 0.0}
    one = Tally(tmp_path, lambda: now)
    began = time.monotonic() - 1000
    for second in range(0, 1000, 20):
        now["messages_accepted"] += 1 if second < 900 else 10
        one.sample(began + second)
    minute, five, fifteen = one.told()["rates"]["messages_accepted"]
    assert minute == pytest.approx(10 * 180, rel=0.35)
    assert 180 < fifteen < five < minute
    assert one.told()["rates"]["recipients{bounced}"] == [0, 0, 0]
