"""One file, many writers, names that change, and things that are no files."""

import errno
import os
import stat
from pathlib import Path

import pytest

from gatepost.records import logfile
from gatepost.records.logfile import LogFile


@pytest.fixture(autouse=True)
def looks_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logfile, "CHECK_SECONDS", 0.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log" / "mail_logs"


def test_writes_append_and_only_the_owner_may_read(path: Path) -> None:
    file, other = LogFile(path), LogFile(path)
    assert file.write(b"one\n") == 4
    assert other.write(b"two\n") == 4
    assert file.write(b"three\n") == 6
    assert path.read_bytes() == b"one\ntwo\nthree\n"
    assert not stat.S_IMODE(path.stat().st_mode) & 0o077
    assert not stat.S_IMODE(path.parent.stat().st_mode) & 0o077


@pytest.mark.parametrize("change", ["rename", "remove"])
def test_a_file_that_was_renamed_or_removed_is_begun_anew(path: Path, change: str) -> None:
    file = LogFile(path)
    file.write(b"old\n")
    if change == "rename":
        path.rename(path.with_name("mail_logs.moved"))
    else:
        path.unlink()
    file.write(b"new\n")
    assert path.read_bytes() == b"new\n"


def test_the_name_is_looked_up_only_now_and_then(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = LogFile(path)
    file.write(b"old\n")
    monkeypatch.setattr(logfile, "CHECK_SECONDS", 60.0)
    moved = path.rename(path.with_name("mail_logs.moved"))
    file.write(b"more\n")
    assert moved.read_bytes() == b"old\nmore\n"
    file.close()
    file.close()
    file.write(b"new\n")
    assert path.read_bytes() == b"new\n"


def test_rotation_keeps_so_many_files(path: Path) -> None:
    file = LogFile(path, rotate_bytes=4, keep=2)
    for number in range(5):
        file.write(b"%d\n\n\n\n" % number)
    assert {entry.name: entry.read_bytes()[:1] for entry in path.parent.iterdir()} == {
        "mail_logs": b"4",
        "mail_logs.1": b"3",
        "mail_logs.2": b"2",
    }


def test_a_writer_that_does_not_rotate_follows(path: Path) -> None:
    keeper, other = LogFile(path, rotate_bytes=4), LogFile(path)
    keeper.write(b"long enough\n")
    other.write(b"old\n")
    keeper.write(b"new\n")
    other.write(b"new too\n")
    assert path.read_bytes() == b"new\nnew too\n"


def test_a_rotation_that_is_not_allowed_lets_the_file_grow(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, target: Path) -> Path:
        raise PermissionError(errno.EACCES, "no")

    file = LogFile(path, rotate_bytes=1)
    file.write(b"one\n")
    monkeypatch.setattr(Path, "replace", refuse)
    file.write(b"two\n")
    assert path.read_bytes() == b"one\ntwo\n"


def test_a_fifo_without_a_reader_is_an_error_and_not_a_wait(path: Path) -> None:
    path.parent.mkdir()
    os.mkfifo(path)
    file = LogFile(path, rotate_bytes=1)
    with pytest.raises(OSError, match="No such device") as caught:
        file.write(b"line\n")
    assert caught.value.errno == errno.ENXIO


def test_a_fifo_whose_reader_stalls_is_an_error_and_not_a_wait(path: Path) -> None:
    path.parent.mkdir()
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    file = LogFile(path, rotate_bytes=1)
    line = b"x" * 4095 + b"\n"
    for _ in range(16):
        file.write(line)
    with pytest.raises(BlockingIOError):
        file.write(line)
    os.read(reader, 65536)
    assert file.write(line) == 4096
    os.close(reader)


def test_a_symbolic_link_is_not_followed(path: Path, tmp_path: Path) -> None:
    path.parent.mkdir()
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        LogFile(path).write(b"line\n")
    assert not (tmp_path / "elsewhere").exists()


def cut_short(file: LogFile, monkeypatch: pytest.MonkeyPatch) -> int:
    """Write two lines on a disk that has room for six octets; return how many are said to have gone out."""
    really_write = os.write
    with monkeypatch.context() as full:
        full.setattr(os, "write", lambda fd, data: really_write(fd, data[:6]))
        return file.write(b"one\ntwo\n")


def test_a_line_that_was_cut_is_taken_back(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = LogFile(path)
    assert cut_short(file, monkeypatch) == 4
    assert path.read_bytes() == b"one\n"
    assert file.write(b"two\nthree\n") == 10
    assert path.read_bytes() == b"one\ntwo\nthree\n"


def test_a_cut_line_that_cannot_be_taken_back_does_not_become_the_head_of_another(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(fd: int, length: int) -> None:
        raise OSError(errno.EINVAL, "no")

    file = LogFile(path)
    monkeypatch.setattr(os, "ftruncate", refuse)
    assert cut_short(file, monkeypatch) == 4
    assert file.write(b"two\nthree\n") == 10
    assert path.read_bytes() == b"one\ntw\ntwo\nthree\n"
