"""Blocks of numbers: unique across restarts, crashes and lost files."""

import time
from pathlib import Path

from gatepost.service.numbers import BLOCK, NumberBook


def test_a_block_is_reserved_on_disk_before_it_is_handed_out(tmp_path: Path) -> None:
    assert NumberBook(tmp_path).block("mid") == (1, 1 + BLOCK)
    after_crash = NumberBook(tmp_path)
    assert after_crash.block("mid") == (1 + BLOCK, 1 + 2 * BLOCK)
    assert after_crash.block("icid") == (1, 1 + BLOCK)
    assert after_crash.note == ""
    assert (tmp_path / "numbers").stat().st_mode & 0o777 == 0o600


def test_a_lost_or_damaged_file_never_repeats_a_number(tmp_path: Path) -> None:
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool" / "shard-0.db").touch()
    lost = NumberBook(tmp_path)
    assert lost.block("mid")[0] >= int(time.time()) * 1000 - 10_000
    assert "is missing" in lost.note
    (tmp_path / "numbers").write_text("{half a fi")
    damaged = NumberBook(tmp_path)
    assert damaged.block("mid")[0] >= int(time.time()) * 1000 - 10_000
    assert "cannot be read" in damaged.note
