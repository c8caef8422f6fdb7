"""The soak repeats itself from its seed, and says in its report and exit status how it went."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

from tests.faults.soak import Round, deal
from tests.faults.soak_faults import DECK

ROOT = Path(__file__).parents[2]


def test_a_seed_repeats_the_faults_and_each_comes_in_its_turn() -> None:
    first, again, other = (list(islice(deal(random.Random(seed)), 3 * len(DECK))) for seed in (1, 1, 2))
    assert first == again != other
    for turn in range(3):
        assert set(first[turn * len(DECK) : (turn + 1) * len(DECK)]) == set(DECK)


def test_a_round_is_good_only_when_mail_came_back_and_stayed_clean() -> None:
    assert Round("x", 0.0, recovered=0.3).good
    for bad in (
        Round("x", 0.0),
        Round("x", 0.0, recovered=0.3, troubles={"421 at MAIL": 1}),
        Round("x", 0.0, recovered=0.3, failure="AssertionError"),
    ):
        assert not bad.good


@pytest.mark.long
def test_a_short_soak_is_good(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.faults.soak", "--minutes", "0.5", "--every", "1", "--seed", "3"]
    done = subprocess.run(
        [*command, "--report", str(tmp_path / "report")], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    told = json.loads((tmp_path / "report").read_text())
    assert done.returncode == 0, done.stdout
    assert told["good"]
    assert told["verdict"]["lost"] == []
    assert [round_["good"] for round_ in told["rounds"]] == [True] * len(told["rounds"])
    assert len(told["rounds"]) >= 2
