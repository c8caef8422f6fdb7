"""Workers as the master sees them: restarted sooner or later, replaced when silent; with processes of a few lines."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from gatepost.errors import ControlError
from gatepost.service import children
from gatepost.service.children import Child
from tests.support.process import alive

SERVES = """
import asyncio, socket, sys
from gatepost.service.control import Channel
async def main():
    async with asyncio.TaskGroup() as tasks:
        channel = Channel(lambda verb, arguments: arguments.get("value"), tasks)
        sock = socket.socket(fileno=int(sys.argv[1]))
        await asyncio.get_running_loop().create_connection(lambda: channel, sock=sock)
        await channel.ask("ready")
        await channel.closed.wait()
asyncio.run(main())
"""


class Master:
    """Remembers what children say."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.buried = 0
        self.ready = asyncio.Event()

    def serve(self, child: Child, verb: str, arguments: dict[str, Any]) -> None:
        child.ready()
        self.ready.set()

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    def bury(self, child: Child) -> None:
        self.buried += 1


class Scripted(Child):
    """A child whose process runs a few lines of Python, which find the channel's descriptor in their arguments."""

    script = SERVES

    def _command(self, channel: int, fds: int) -> list[str]:
        return [sys.executable, "-c", self.script, str(channel)]


async def until(fact: Any) -> None:
    async with asyncio.timeout(10):
        while not fact():  # noqa: ASYNC110 (what other processes do sets no event here)
            await asyncio.sleep(0.01)


async def test_a_child_is_asked_killed_and_started_again(tmp_path: Path) -> None:
    master, stopping = Master(), asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        child = Scripted(tmp_path, 0, 1, master, tasks)
        with pytest.raises(ControlError, match="worker 0 is just being restarted; try again in a moment"):
            await child.ask("echo", value=1)
        keeper = tasks.create_task(child.keep_running(stopping))
        await until(lambda: child.up)
        first = child.pid
        assert await child.ask("echo", value=[1, "x"]) == [1, "x"]
        child.metrics = {"messages_accepted": [([], 3)], "sessions": [(["in"], 2)]}
        child.kill()
        await until(lambda: child.up and child.pid != first)
        assert not alive(first)
        assert master.warnings == ["Worker 0 ended by signal SIGKILL; it is started again on the same shard at once"]
        assert master.buried == 1
        assert child.retired_metrics == {"messages_accepted": [([], 3)]}, "a gauge dies with its process"
        stopping.set()
        child.kill()
        await keeper
        assert not child.up


async def test_who_fails_again_and_again_is_waited_for_longer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "WAITS", (0.0, 0.01, 0.02))
    master, stopping = Master(), asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        child = Scripted(tmp_path, 2, 3, master, tasks)
        child.script = "raise SystemExit(1)"
        tasks.create_task(child.keep_running(stopping))
        await until(lambda: len(master.warnings) >= 4)
        stopping.set()
    assert [line.rpartition("shard ")[2] for line in master.warnings[:4]] == [
        "at once",
        "in 0.01 s",
        "in 0.02 s",
        "in 0.02 s",
    ]
    assert all(line.startswith("Worker 2 ended with status 1") for line in master.warnings)


async def test_service_in_between_is_forgiven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "SETTLED", 0.0)
    master, stopping = Master(), asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        child = Scripted(tmp_path, 0, 1, master, tasks)
        tasks.create_task(child.keep_running(stopping))
        for _ in range(3):
            await until(lambda: child.up)
            child.kill()
            await until(lambda: not child.up)
        await until(lambda: len(master.warnings) >= 3)
        stopping.set()
        child.kill()
    assert all(line.endswith("at once") for line in master.warnings)


async def test_a_process_that_cannot_be_made_is_a_death_like_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    monkeypatch.setattr(children, "WAITS", (0.0, 30.0))
    master, stopping = Master(), asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        child = Scripted(tmp_path, 0, 1, master, tasks)
        tasks.create_task(child.keep_running(stopping))
        await until(lambda: len(master.warnings) == 2)
        stopping.set()
    assert master.warnings[0].startswith("Worker 0 ended before it began: No such file or directory")


async def test_silence_is_death(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "SILENT", 0.2)
    master, stopping = Master(), asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        child = Scripted(tmp_path, 0, 1, master, tasks)
        tasks.create_task(child.keep_running(stopping))
        await until(lambda: child.up)
        first = child.pid
        child.hear()
        child.kill_when_silent()
        assert not master.warnings
        await asyncio.sleep(0.25)
        child.kill_when_silent()
        assert master.warnings == [f"Worker 0 (process {first}) has said nothing for 0.2 s; it is replaced"]
        await until(lambda: child.up and child.pid != first)
        stopping.set()
        child.kill()


def test_ends_are_named() -> None:
    assert children.ending(-signal.SIGSEGV) == "by signal SIGSEGV"
    assert children.ending(-40) == "by signal 40"
    assert children.ending(3) == "with status 3"


async def test_a_worker_that_ended_with_a_sick_shard_says_so_until_another_serves(tmp_path: Path) -> None:
    child = Child(tmp_path, 0, 1, Master(), asyncio.TaskGroup())
    child.status = {"sick": "shard-0.db cannot be written", "messages": 7}
    child._bury()
    assert child.reason == "shard-0.db cannot be written"
    child._bury()
    assert child.reason == "shard-0.db cannot be written", "another died before it served"
    assert child.status == {"messages": 7}
    child.ready()
    assert child.reason == ""
