"""What was in hand at a crash is remembered, goes out one at a time, and is set aside when it crashes again."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from gatepost.outbound.suspects import Suspects

CRASH = """
import asyncio, ctypes, sys
from pathlib import Path
from gatepost.outbound.suspects import Suspects
async def main():
    suspects = Suspects(Path(sys.argv[1]), 0)
    suspects.watch()
    async with asyncio.TaskGroup() as tasks, suspects.in_hand(99):
        for mid in map(int, sys.argv[3:]):
            async with suspects.in_hand(mid):
                pass
        async with suspects.in_hand(int(sys.argv[2])):
            ctypes.string_at(0)
asyncio.run(main())
"""


def crash(directory: Path, mid: int, *done: int) -> None:
    """Crash a process with two messages in hand, 99 and `mid`, after it has done with others."""
    ended = subprocess.run(
        [sys.executable, "-c", CRASH, str(directory), str(mid), *map(str, done)], capture_output=True, check=False
    )
    assert ended.returncode < 0, ended.stderr


async def test_what_was_in_hand_at_two_crashes_is_condemned(tmp_path: Path) -> None:
    crash(tmp_path, 7, 5, 6)
    first = Suspects(tmp_path, 0)
    assert "Segmentation fault" in first.crash
    assert "string_at" in first.crash
    assert first.accused == [7, 99]
    assert not first.is_condemned(7)
    first.watch()
    async with first.in_hand(99):
        pass
    assert first.accused == [7], "99 came to its end"
    first.close()
    crash(tmp_path, 7)  # and the process before did not crash: 7 is still accused
    second = Suspects(tmp_path, 0)
    assert second.is_condemned(7)
    assert not second.is_condemned(99)
    second.acquit(7)
    second.close()
    assert Suspects(tmp_path, 0).accused == [99]


async def test_suspects_go_one_at_a_time_and_nobody_waits_for_them(tmp_path: Path) -> None:
    crash(tmp_path, 7)
    suspects = Suspects(tmp_path, 0)
    suspects.watch()
    order: list[int] = []

    async def deliver(mid: int, done: asyncio.Event) -> None:
        async with suspects.in_hand(mid):
            order.append(mid)
            await done.wait()

    done = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        for mid in (7, 99, 1, 2, 3):
            tasks.create_task(deliver(mid, done))
        while len(order) < 4:  # noqa: ASYNC110
            await asyncio.sleep(0)
        assert sorted(order) == [1, 2, 3, 7]
        done.set()
    assert order[-1] == 99
    assert suspects.accused == []
    suspects.close()
    assert not any((tmp_path / "shard-0.delivering").read_bytes())


async def test_a_process_that_is_killed_accuses_nobody(tmp_path: Path) -> None:
    suspects = Suspects(tmp_path, 0)
    suspects.watch()
    holding = suspects.in_hand(7)
    await holding.__aenter__()
    assert any((tmp_path / "shard-0.delivering").read_bytes())
    after = Suspects(tmp_path, 0)
    assert (after.crash, after.accused) == ("", [])
    await holding.__aexit__(None, None, None)


async def test_places_are_used_again_and_damage_is_no_obstacle(tmp_path: Path) -> None:
    suspects = Suspects(tmp_path, 0)
    for mid in range(1, 1000):
        async with suspects.in_hand(mid), suspects.in_hand(mid + 1):
            pass
    assert os.stat(tmp_path / "shard-0.delivering").st_size <= 32
    suspects.close()
    (tmp_path / "shard-0.delivering").write_bytes(os.urandom(1003))
    (tmp_path / "shard-0.crash").write_bytes(os.urandom(1003))
    damaged = Suspects(tmp_path, 0)
    async with damaged.in_hand(1):
        pass
