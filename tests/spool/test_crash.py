"""Killed at every sync, starved of disk, lied to by the disk: what was acknowledged is there, whole, and no more than once.

The promises are those that a child process printed (`tests.support.spool_child`); the verdict opens what it left behind.
"""

# ruff: noqa: ASYNC220, ASYNC240 -- tests may wait for a child while the loop waits

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.support.spool import opened, pattern, waiting_mids
from tests.support.spool_child import size_of

ROOT = Path(__file__).parents[2]
CHILD = (sys.executable, "-m", "tests.support.spool_child")
needs_strace = pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed (make system-deps)")
needs_root = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="mounting a tmpfs needs root")


def run(*command: str) -> tuple[list[str], int]:
    """Run a child to its end; return the lines it wrote and its exit status."""
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    return ended.stdout.splitlines(), ended.returncode


def strace(log: Path, *options: str) -> tuple[str, ...]:
    return ("strace", "-f", "-qq", "-y", "-o", str(log), *options)


def promised(lines: Iterable[str]) -> tuple[set[int], set[int]]:
    """Return the MIDs that must be there, and those that must not; where the answer is missing, either is right."""
    there: set[int] = set()
    gone: set[int] = set()
    for line in lines:
        word, _, rest = line.partition(" ")
        match word:
            case "acked":
                there.add(int(rest))
            case "settling":
                there.discard(int(rest))
            case "settled":
                gone.add(int(rest))
    return there, gone


async def judge(directory: Path, lines: Iterable[str]) -> None:
    """Hold what is on the disk against the promises, twice: recovery must not change what it finds."""
    there, gone = promised(lines)
    for _ in range(2):
        async with opened(directory) as spool:
            found = await waiting_mids(spool)
            assert there - set(found) == set(), "acknowledged and lost"
            assert gone & set(found) == set(), "settled and back"
            assert spool.messages == len(found)
            for mid in found:
                loaded = await spool.load(mid)
                assert loaded is not None, "not whole"
                if size_of(mid) < 100_000:
                    assert loaded.content.octets == pattern(mid, size_of(mid))
                else:
                    assert Path(loaded.content.path).read_bytes() == pattern(mid, size_of(mid))


@pytest.mark.system
@needs_strace
async def test_killed_at_each_sync_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    """One directory for all: each run begins with the recovery of the one before, and is killed one sync later."""
    spool, lines = tmp_path / "spool", list[str]()
    for sync in range(1, 100):
        first = 1 + 10 * sync
        inject = f"inject=fsync,fdatasync:signal=KILL:when={sync}"
        said, status = run(
            *strace(tmp_path / "log", "-e", "trace=fsync,fdatasync", "-e", inject), *CHILD, str(spool), str(first), "8"
        )
        lines += said
        if status == 0:
            break
        if sync % 5 == 0:
            await judge(spool, lines)
    assert "done" in lines
    assert sync > 10
    await judge(spool, lines)


async def test_killed_at_any_moment_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    lines: list[str] = []
    moment = random.Random(5)
    for round_ in range(5):
        first = 1 + 10_000 * round_
        child = subprocess.Popen((*CHILD, str(tmp_path), str(first), "9000"), cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        for _ in range(moment.randrange(1, 60)):
            lines.append(child.stdout.readline().strip())
        child.kill()
        lines += child.stdout.read().split("\n")[:-1]
        child.stdout.close()
        child.wait()
        await judge(tmp_path, lines)


@pytest.mark.system
@needs_strace
async def test_no_answer_comes_before_its_sync(tmp_path: Path) -> None:
    log = tmp_path / "log"
    calls = "trace=write,pwrite64,fsync,fdatasync"
    lines, status = run(*strace(log, "-s", "40", "-e", calls), *CHILD, str(tmp_path / "spool"), "1", "8")
    assert status == 0
    assert lines.count("done") == 1
    body, directory, wal = (rf"f(data)?sync\(\d+<{tmp_path}/spool/shard-0{end}>" for end in (r"/\d+", "", r"\.db-wal"))
    seen: list[str] = []
    for line in log.read_text().splitlines():
        for name, shape in (("body", body), ("directory", directory), ("wal", wal)):
            if re.search(shape, line):
                seen.append(name)
        if answer := re.search(r'write\(1<.*"(acked|settled) (\d+)', line):
            wanted = ["body", "directory", "wal"] if answer[1] == "acked" and int(answer[2]) % 4 == 0 else ["wal"]
            assert seen[-len(wanted) :] == wanted, answer[0]
            seen.clear()
    fresh = re.search(rf"fsync\(\d+<{tmp_path}>", log.read_text())
    assert fresh, "the name of a new spool directory was not made durable"


@pytest.mark.system
@needs_strace
@pytest.mark.parametrize("fault", ["EIO", "ENOSPC"])
async def test_after_a_failed_sync_nothing_more_is_promised(tmp_path: Path, fault: str) -> None:
    spool = tmp_path / "spool"
    lines, status = run(*CHILD, str(spool), "1", "2")
    assert status == 0
    inject = f"inject=fdatasync:error={fault}:when=3"
    options = ("-P", str(spool / "shard-0.db-wal"), "-e", "trace=fdatasync", "-e", inject)
    said, status = run(*strace(tmp_path / "log", *options), *CHILD, str(spool), "5", "6")
    assert status == 0
    refused = [line for line in said if line.startswith("refused")]
    assert refused
    assert all(line.endswith("SpoolSick") for line in refused)
    assert said.index(refused[0]) + len(refused) + 1 == len(said), "something succeeded after the failed sync"
    await judge(spool, lines + said)


@pytest.mark.system
@needs_strace
async def test_a_body_file_whose_sync_fails_is_refused(tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    body = spool / "shard-0" / "4"
    run(*CHILD, str(spool), "1", "1")
    options = ("-P", str(body), "-e", "trace=fsync", "-e", "inject=fsync:error=EIO")
    said, status = run(*strace(tmp_path / "log", *options), *CHILD, str(spool), "4", "2")
    assert (said, status) == (["refused 4 SpoolSick", "refused 5 SpoolSick", "done"], 0)
    await judge(spool, ["acked 1"])
    assert not body.exists()


FILL = """
import asyncio, os, sys, time
from pathlib import Path
from gatepost.errors import SpoolFull
from gatepost.spool.store import Spool
from tests.support.spool import NO_FLOOR, delivered, message, opened, pattern, waiting_mids
from tests.support.spool_child import accept
async def fill(spool, first, commit):
    for mid in range(first, first + 40000):
        try:
            await commit(mid)
        except SpoolFull:
            return range(first, mid)
    raise AssertionError("never full")
async def main(directory):
    async with opened(directory) as spool:
        small = await fill(spool, 1, lambda mid: spool.commit(message(mid, pattern(mid, 5000))))
        assert not spool.accepting and not spool.sick, spool.sick
        kept = await waiting_mids(spool)
        assert kept == list(small) and len(kept) > 3000, len(kept)
        for mid in kept:
            await spool.settle(delivered(mid))
        assert await waiting_mids(spool) == []
    async with opened(directory) as spool:
        large = await fill(spool, 100_000, lambda mid: accept(spool, mid * 4))
        assert len(large) > 50, large
        for mid in large:
            await spool.settle(delivered(mid * 4))
        start = time.monotonic()
        while not spool.accepting:
            assert time.monotonic() < start + 10, spool.lack
            await asyncio.sleep(0.05)
        await spool.commit(message(5))
        assert await waiting_mids(spool) == [5]
    assert os.listdir(directory / "shard-0") == []
asyncio.run(main(Path(sys.argv[1])))
print("done")
"""


@pytest.mark.system
@needs_root
def test_a_full_file_system_refuses_cleanly_lets_mail_leave_and_recovers_alone(tmp_path: Path) -> None:
    command = f'mount -t tmpfs -o size=64m none {tmp_path} && exec {sys.executable} -c "$FILL" {tmp_path}'
    ended = subprocess.run(
        ("unshare", "-m", "sh", "-c", command),
        cwd=ROOT,
        env={**os.environ, "FILL": FILL},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ended.stdout, ended.returncode) == ("done\n", 0), ended.stderr
