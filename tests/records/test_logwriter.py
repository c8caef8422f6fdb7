"""A log that cannot be written: what waits, what is told, what is lost."""

import os
import resource
from pathlib import Path

import pytest

from gatepost.records import logfile, logwriter
from gatepost.records.logfile import LogFile
from gatepost.records.logwriter import LogWriter


@pytest.fixture(autouse=True)
def retries_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logwriter, "RETRY_SECONDS", 0.0)
    monkeypatch.setattr(logfile, "CHECK_SECONDS", 0.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log" / "mail_logs"


@pytest.fixture
def writer(path: Path) -> LogWriter:
    return LogWriter(LogFile(path))


def test_a_batch_is_written_and_nothing_does_nothing(writer: LogWriter, path: Path) -> None:
    assert writer.write([], 0) == 0
    assert not path.exists()
    assert writer.write(["one\n", "two\n"], 0) == 2
    assert path.read_text() == "one\ntwo\n"
    writer.close()


def test_a_text_with_a_line_end_or_a_surrogate_stays_one_line(writer: LogWriter, path: Path) -> None:
    assert writer.write(["one\nforged\n", "tw\udc80o\n"], 0) == 2
    assert path.read_text() == "one\\nforged\ntw\\udc80o\n"


def test_a_directory_that_cannot_be_made_is_told_once_and_found_again(
    writer: LogWriter, path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path.parent.write_text("in the way")
    assert writer.write(["one\n"], 0) == 0
    assert writer.write(["one\n"], 3) == 0
    assert capfd.readouterr().err == f"gatepost: mail_logs cannot be written: File exists: {path.parent}; mail goes on\n"
    path.parent.unlink()
    assert writer.write(["one\n"], 3) == 1
    one, note = path.read_text().splitlines()
    assert one == "one"
    assert note.endswith(f" Warning: 3 log lines were lost while the log could not be written: File exists: {path.parent}")
    assert writer.write(["two\n"], 3) == 1
    assert path.read_text().endswith("two\n")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_may_not_be_written(writer: LogWriter, path: Path) -> None:
    path.parent.mkdir(mode=0o500)
    assert writer.write(["one\n"], 0) == 0


def test_a_failing_log_is_left_alone_for_a_while(writer: LogWriter, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logwriter, "RETRY_SECONDS", 60.0)
    path.parent.write_text("in the way")
    writer.write(["one\n"], 0)
    path.parent.unlink()
    assert writer.write(["one\n"], 0) == 0
    writer.reopen()  # an operator's wish is not made to wait
    assert writer.write(["one\n"], 0) == 1


def test_a_full_disk_cuts_no_line_and_loses_none_that_waits(writer: LogWriter, path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    lines = [f"line {number}\n" for number in range(10)]
    resource.setrlimit(resource.RLIMIT_FSIZE, (20, hard))
    try:
        done = writer.write(lines, 0)
        assert done == 2
        assert writer.write(lines[done:], 5) == 0
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert writer.write(lines[done:], 5) == 8
    got = path.read_text().splitlines()
    assert got[:10] == [line.rstrip() for line in lines]
    assert "5 log lines were lost" in got[10]


def test_lines_lost_to_a_slow_disk_are_told_once_the_backlog_is_out(writer: LogWriter, path: Path) -> None:
    assert writer.write(["one\n"] * logwriter.CHUNK_LINES, 1) == logwriter.CHUNK_LINES
    assert "lost" not in path.read_text()
    writer.write(["two\n"], 1)
    assert path.read_text().endswith("1 log line was lost while the log could not be written: the disk was too slow\n")


def test_a_fifo_in_its_place_costs_nothing_but_lines(writer: LogWriter, path: Path) -> None:
    writer.write(["one\n"], 0)
    path.unlink()
    os.mkfifo(path)
    assert writer.write(["two\n"], 0) == 0
    path.unlink()
    assert writer.write(["two\n"], 0) == 1
    assert path.read_text() == "two\n"


def test_a_loss_is_told_even_when_nothing_more_happens(writer: LogWriter, path: Path) -> None:
    writer.write([], 2)
    assert path.read_text().endswith("2 log lines were lost while the log could not be written: the disk was too slow\n")
