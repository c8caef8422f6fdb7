"""The journal as its callers know it: it takes everything at once, and mail never hears of trouble."""

import os
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gatepost.records import database, journal, logfile, logwriter, recordwriter
from gatepost.records.journal import Journal
from gatepost.records.search import RecordSearch
from tests.support.records import a_connection, a_message, an_outcome, until

Open = Callable[..., Journal]


@pytest.fixture
def open_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    monkeypatch.setattr(journal, "LOG_SECONDS", 0.005)
    monkeypatch.setattr(journal, "RECORDS_SECONDS", 0.005)
    monkeypatch.setattr(journal, "CLOSE_SECONDS", 0.5)
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.1)
    for module in (logwriter, recordwriter):
        monkeypatch.setattr(module, "RETRY_SECONDS", 0.0)
    for module in (logfile, recordwriter):
        monkeypatch.setattr(module, "CHECK_SECONDS", 0.0)
    opened: list[Journal] = []

    def open_one(worker: int = 0, **more: int) -> Journal:
        opened.append(Journal(tmp_path, worker, **({"retention_days": 0} | more)))  # type: ignore[arg-type]
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()


def test_lines_have_time_level_and_text(open_journal: Open, tmp_path: Path) -> None:
    one = open_journal()
    one.info("ICID 5 close")
    one.warning("look here")
    one.critical("look here now")
    one.debug("not kept")
    one.verbose = True
    one.debug("kept")
    one.close()
    stamp = r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} [ 1-3]\d \d\d:\d\d:\d\d \d{4}"
    expected = ("Info: ICID 5 close", "Warning: look here", "Critical: look here now", "Debug: kept")
    lines = (tmp_path / "log" / "mail_logs").read_text().splitlines()
    assert len(lines) == len(expected)
    for line, end in zip(lines, expected, strict=True):
        assert re.fullmatch(f"{stamp} {end}", line)


def test_the_day_is_padded_with_a_blank(open_journal: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.mktime((2026, 6, 2, 9, 0, 0, 0, 0, -1))
    monkeypatch.setattr(journal, "time", lambda: now)
    one = open_journal()
    one.info("first")
    now += 1
    one.info("second")
    one.close()
    assert (tmp_path / "log" / "mail_logs").read_text() == (
        "Tue Jun  2 09:00:00 2026 Info: first\nTue Jun  2 09:00:01 2026 Info: second\n"
    )


def test_records_of_all_kinds_are_found_again(open_journal: Open, tmp_path: Path) -> None:
    one = open_journal()
    one.tls(a_connection(10))
    one.message(a_message(1))
    one.outcome(an_outcome(1))
    search = RecordSearch(tmp_path)
    until(lambda: search.message(1))
    tracked = search.message(1)
    assert tracked is not None
    assert (tracked.message, len(tracked.outcomes), len(tracked.connections)) == (a_message(1), 1, 1)


def test_everything_told_before_the_end_is_written(open_journal: Open, tmp_path: Path) -> None:
    one = open_journal()
    for number in range(12_000):
        one.info(f"line {number}")
    for mid in range(3000):
        one.message(a_message(mid))
    one.close()
    lines = (tmp_path / "log" / "mail_logs").read_text().splitlines()
    assert [line.rsplit(" ", 1)[1] for line in lines] == [str(number) for number in range(12_000)]
    assert len(RecordSearch(tmp_path).track(limit=10_000)) == 3000


def test_lines_beyond_the_bound_are_dropped_and_told(open_journal: Open, tmp_path: Path) -> None:
    (tmp_path / "log").write_text("in the way")
    one = open_journal(max_lines=10)
    until(lambda: len(one._records) == 0)
    for number in range(15):
        one.info(f"line {number}")
    assert one.lines_lost == 5
    (tmp_path / "log").unlink()
    log = tmp_path / "log" / "mail_logs"
    until(lambda: log.exists() and "lost" in log.read_text())
    lines = log.read_text().splitlines()
    assert [line.rsplit(" ", 1)[1] for line in lines[:10]] == [str(number) for number in range(10)]
    assert "Warning: 5 log lines were lost while the log could not be written" in lines[10]


def test_a_fifo_that_nobody_reads_holds_up_nothing(open_journal: Open, tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    os.mkfifo(tmp_path / "log" / "mail_logs")
    one = open_journal()
    begun = time.monotonic()
    for _ in range(1000):
        one.info("line")
    one.message(a_message(1))
    until(lambda: RecordSearch(tmp_path).message(1))
    one.close()
    assert time.monotonic() - begun < 3


def test_a_locked_database_holds_up_neither_mail_nor_log(open_journal: Open, tmp_path: Path) -> None:
    one = open_journal(max_records=2)
    one.message(a_message(1))
    search, log = RecordSearch(tmp_path), tmp_path / "log" / "mail_logs"
    until(lambda: search.message(1))
    other = sqlite3.connect(tmp_path / "records.db", isolation_level=None)
    other.execute("begin exclusive")
    for mid in range(2, 6):
        one.message(a_message(mid))
    assert one.records_lost == 2
    until(lambda: log.exists() and "Records cannot be written: database is locked" in log.read_text())
    other.close()
    until(lambda: "2 records were lost: database is locked" in log.read_text())
    until(lambda: "Records are written again" in log.read_text())
    assert [gap.lost for gap in search.gaps()] == [2]
    assert [message.mid for message in search.track()] == [3, 2, 1]


def test_reopen_follows_a_moved_file_at_once(open_journal: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logfile, "CHECK_SECONDS", 60.0)
    one = open_journal()
    log = tmp_path / "log" / "mail_logs"
    one.info("old")
    until(log.exists)
    log.rename(log.with_name("mail_logs.moved"))
    one.reopen()
    one.info("new")
    until(log.exists)
    one.close()
    assert log.read_text().endswith("Info: new\n")


def test_only_the_keeper_purges(open_journal: Open, tmp_path: Path) -> None:
    other, search = open_journal(1, retention_days=30), RecordSearch(tmp_path)
    other.message(a_message(1))  # of 1970
    until(lambda: search.message(1))
    keeper = open_journal(0)
    keeper.retain(30)
    until(lambda: not search.message(1))


def test_a_close_that_cannot_write_says_so_and_ends(
    open_journal: Open, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "log").write_text("in the way")
    one = open_journal()
    one.info("line")
    one.close()
    assert "1 log lines and records could not be written before the end" in capfd.readouterr().err


def test_a_killed_process_loses_at_most_its_last_moments(tmp_path: Path) -> None:
    program = (
        "import os, sys, time\nfrom pathlib import Path\nfrom gatepost.records.journal import Journal\n"
        "one = Journal(Path(sys.argv[1]), 0)\nlog = Path(sys.argv[1]) / 'log' / 'mail_logs'\n"
        "for number in range(1000): one.info(f'line {number}')\n"
        "while not log.exists(): time.sleep(0.01)\nos.kill(os.getpid(), 9)\n"
    )
    assert subprocess.run([sys.executable, "-c", program, str(tmp_path)], timeout=20).returncode == -9
    assert len((tmp_path / "log" / "mail_logs").read_text().splitlines()) == 1000
