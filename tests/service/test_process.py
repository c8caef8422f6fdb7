"""Owning a state directory, orphans, dying with the parent."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gatepost.errors import GatepostError, StateError
from gatepost.service import process
from tests.support.process import alive, wait_for


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    """A state directory, owned."""
    lock = process.own_state(tmp_path / "state")
    yield tmp_path / "state"
    os.close(lock)


def test_a_state_directory_is_made_for_its_owner_alone(state: Path) -> None:
    assert state.stat().st_mode & 0o777 == 0o700
    assert (state / "spool").stat().st_mode & 0o777 == 0o700
    assert (state / "master.lock").read_text() == f"{os.getpid()}\n"


def test_it_has_one_owner(state: Path) -> None:
    with pytest.raises(StateError, match=rf"a gateway already runs on {state} \(process {os.getpid()}\); stop it first"):
        process.own_state(state)


def test_a_name_too_long_for_its_socket_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="is too long a name for a state directory"):
        process.own_state(tmp_path / ("x" * 107))


def test_a_directory_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StateError, match=rf"{tmp_path}/file/state cannot be the state directory: .*: Not a directory"):
        process.own_state(tmp_path / "file" / "state")


def test_a_full_disk_is_no_reason_not_to_own_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(process.os, "pwrite", full)
    os.close(process.own_state(tmp_path / "state"))


def test_a_shard_that_somebody_holds_is_waited_for_and_then_refused(state: Path) -> None:
    (state / "spool" / "shard-3.db").touch()
    with open(state / "spool" / "shard-3.lock", "w") as held:
        held.write("4711\n")
        held.flush()
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(StateError, match=r"spool shard 3 in \S+ is in use by process 4711, left by a gateway"):
            process.refuse_orphans(state / "spool", patience=0.1)
    process.refuse_orphans(state / "spool", patience=0.1)


def test_files_of_no_shard_are_nobodys_business(state: Path) -> None:
    for name in ("shard-x.db", "shard-01.db", "shard-1.damaged-20260101T000000Z", "notes"):
        (state / "spool" / name).touch()
    process.refuse_orphans(state / "spool")
    assert not list((state / "spool").glob("*.lock"))


CHILD = "import os, sys, time\nfrom gatepost.service.process import die_with_parent\ndie_with_parent(int(sys.argv[1]))\n"
PARENT = """
import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", sys.argv[1], str(os.getpid())], stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
os.kill(os.getpid(), 9)
"""


def test_a_child_dies_with_its_parent() -> None:
    stays = CHILD + "print('ready', flush=True)\ntime.sleep(60)"
    done = subprocess.run([sys.executable, "-c", PARENT, stays], capture_output=True, text=True)
    child = int(done.stdout)
    wait_for(lambda: not alive(child), "the child is gone, too")


def test_a_child_of_a_parent_that_is_gone_already_does_not_begin() -> None:
    done = subprocess.run([sys.executable, "-c", CHILD + "print('began')", "1"], capture_output=True)
    assert (done.returncode, done.stdout) == (-9, b"")


def test_nobody_becomes_a_user_who_is_not_there(state: Path) -> None:
    with pytest.raises(GatepostError, match="--user no-such-user: there is no such user on this machine"):
        process.drop_privileges("no-such-user", state)


def test_open_files_are_raised_to_what_there_is() -> None:
    code = (
        "import resource\nfrom gatepost.service.process import raise_file_limit\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 128))\nraise_file_limit()\n"
        "assert resource.getrlimit(resource.RLIMIT_NOFILE) == (128, 128)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_working_directory_is_no_place_for_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "planted.py").write_text("print('planted')")
    done = subprocess.run(process.python_module("planted"), capture_output=True, text=True)
    assert "No module named planted" in done.stderr
    monkeypatch.syspath_prepend(str(tmp_path))
    assert subprocess.run(process.python_module("planted"), capture_output=True).stdout == b"planted\n"
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert process.python_module("planted")[1:] == ["-P", "-m", "planted"]
