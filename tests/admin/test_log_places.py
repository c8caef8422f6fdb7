"""A log read by places: nothing twice, nothing lost over a rotation, and told where something is gone."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from gatepost.admin.operations.log_places import PlacedLines
from gatepost.admin.operations.operator import Operator


@pytest.fixture
def log(tmp_path: Path) -> Path:
    (tmp_path / "log").mkdir()
    return tmp_path / "log" / "mail_logs"


def write(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def lines(log: Path, after: str = "", limit: int = 100) -> tuple[list[str], str, bool]:
    with closing(PlacedLines(Operator(log.parent.parent), "mail_logs", after)) as placed:
        found = placed.more(limit)
        return [line for _, line in found], found[-1][0] if found else "", placed.missed


def test_new_lines_come_whole_and_once(log: Path) -> None:
    write(log, "old\n")
    with closing(PlacedLines(Operator(log.parent.parent), "mail_logs")) as placed:
        assert placed.more(10) == []
        write(log, "one\ntwo\nthr")
        assert [line for _, line in placed.more(10)] == ["one", "two"]
        write(log, "ee\nfour\n")
        assert [line for _, line in placed.more(1)] == ["three"]
        assert [line for _, line in placed.more(10)] == ["four"]


def test_a_log_that_begins_later_is_read_from_its_beginning(log: Path) -> None:
    with closing(PlacedLines(Operator(log.parent.parent), "mail_logs")) as placed:
        assert placed.more(10) == []
        write(log, "one\n")
        assert [line for _, line in placed.more(10)] == ["one"]


def test_reading_goes_on_behind_a_place_over_rotations(log: Path) -> None:
    with closing(PlacedLines(Operator(log.parent.parent), "mail_logs")) as placed:
        write(log, "one\ntwo\n")
        (place, _), _ = placed.more(10)
        log.rename(log.with_name("mail_logs.1"))
        write(log, "three\n")
        assert [line for _, line in placed.more(10)] == ["three"]
    log.with_name("mail_logs.1").rename(log.with_name("mail_logs.2"))
    log.rename(log.with_name("mail_logs.1"))
    write(log, "four\n")
    found, place, missed = lines(log, place)
    assert (found, missed) == (["two", "three", "four"], False)
    assert lines(log, place) == ([], "", False)


@pytest.mark.parametrize("place", ["x", "0-0-00000000", "../../etc/passwd", "f" * 100])
def test_a_place_that_is_none_is_told_and_reading_begins_at_the_end(log: Path, place: str) -> None:
    write(log, "old\n")
    assert lines(log, place) == ([], "", True)


def test_another_file_is_never_taken_for_the_one_that_was_read(log: Path) -> None:
    with closing(PlacedLines(Operator(log.parent.parent), "mail_logs")) as placed:
        write(log, "one\n")
        ((place, _),) = placed.more(10)
    log.write_text("eno\nsomebody wrote over it\n")  # the same inode, another content
    assert lines(log, place) == ([], "", True)
    log.write_text("")
    assert lines(log, place)[2]
