"""What is suspended outlives the master, and a file that cannot be read resumes nothing by itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatepost.errors import ControlError
from gatepost.service.suspension import Suspension


def test_nothing_is_suspended_at_first(tmp_path: Path) -> None:
    fresh = Suspension(tmp_path)
    assert (fresh.listeners, fresh.deliveries, fresh.note) == (set(), False, "")


def test_what_was_suspended_is_so_for_the_next_master(tmp_path: Path) -> None:
    before = Suspension(tmp_path)
    before.listeners, before.deliveries = {"Second", "First"}, True
    before.keep()
    after = Suspension(tmp_path)
    assert (after.listeners, after.deliveries) == ({"First", "Second"}, True)
    assert after.note == (
        "Still suspended since before the start: receiving on First, Second (gatepost listener resume) "
        "and delivery (gatepost queue resume)"
    )
    after.listeners, after.deliveries = set(), False
    after.keep()
    assert not list(tmp_path.iterdir())
    assert not Suspension(tmp_path).note


@pytest.mark.parametrize("page", ["", "[]", '{"listeners": 3, "deliveries": false}', '{"deliveries": false}', "\0"])
def test_a_file_that_cannot_be_read_suspends_delivery_and_says_so(tmp_path: Path, page: str) -> None:
    (tmp_path / "suspended.json").write_text(page)
    found = Suspension(tmp_path)
    assert (found.listeners, found.deliveries) == (set(), True)
    assert "`gatepost queue resume` begins it" in found.note


def test_a_disk_that_does_not_take_it_is_told(tmp_path: Path) -> None:
    one = Suspension(tmp_path / "gone")
    one.deliveries = True
    with pytest.raises(ControlError, match=r"done, but will not outlive a restart: .*No such file"):
        one.keep()
    assert one.deliveries
