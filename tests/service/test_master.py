"""The master beside its processes: who is to blame for silence, and what a worker is told when it is ready."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gatepost.config.model import Config, Gateway
from gatepost.errors import ControlError
from gatepost.service import master
from gatepost.service.configuration import Configuration
from gatepost.service.master import Master


class Worker:
    """A child that remembers what it was told; it takes no configuration when `fault` is set."""

    def __init__(self, index: int = 0, fault: str = "") -> None:
        self.index, self.fault = index, fault
        self.up, self.pid = True, 4711 + index
        self.decided = asyncio.Event()
        self.told: list[str] = []

    def hear(self) -> None:
        self.told.append("heard")

    def kill_when_silent(self) -> None:
        self.told.append("looked at")

    def ready(self) -> None:
        self.told.append("ready")

    def order(self, verb: str, **arguments: Any) -> None:
        self.told.append(f"{verb} {arguments}")

    def send_sockets(self, sockets: list[Any]) -> None:
        pass

    async def ask(self, verb: str, **arguments: Any) -> None:
        self.told.append(f"{verb} {arguments['revision']}")
        if self.fault:
            raise ControlError(self.fault)

    def kill(self) -> None:
        self.told.append("killed")


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Master]:
    made = Master(tmp_path, 2, Configuration(tmp_path, Config(gateway=Gateway(hostname="mx.example")), 7))
    yield made
    made._journal.close()


def staffed(one: Master, *workers: Worker) -> None:
    one._children += workers  # type: ignore[arg-type]


async def test_silence_is_looked_for_unless_the_master_stood_still(one: Master, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(master, "WATCH", 0.02)
    monkeypatch.setattr(master, "STALLED", 0.1)
    worker = Worker()
    staffed(one, worker)
    async with asyncio.TaskGroup() as tasks:
        watch = tasks.create_task(one._watch())
        while worker.told.count("looked at") < 2:  # noqa: ASYNC110
            await asyncio.sleep(0)
        assert "heard" not in worker.told
        time.sleep(0.15)  # noqa: ASYNC251 (that is the point)
        worker.told.clear()
        while len(worker.told) < 3:  # noqa: ASYNC110
            await asyncio.sleep(0)
        assert worker.told[:3] == ["heard", "looked at", "looked at"]
        watch.cancel()


async def test_a_worker_that_started_under_an_older_revision_is_given_the_latest(one: Master) -> None:
    worker: Any = Worker()
    staffed(one, worker)
    await one.serve(worker, "ready", {"revision": 6})
    assert worker.told == ["ready", "suspension {'listeners': [], 'deliveries': False}", "configure 7"]
    worker.told.clear()
    await one.serve(worker, "ready", {"revision": 7})
    assert "configure 7" not in worker.told


async def test_a_worker_that_cannot_take_a_revision_is_replaced(one: Master, capfd: pytest.CaptureFixture[str]) -> None:
    good, bad = Worker(0), Worker(1, fault="too many open files")
    staffed(one, good, bad)
    await one._hand_out()
    assert good.told == ["configure 7"]
    assert bad.told == ["configure 7", "killed"]
    assert "Worker 1 could not take the configuration: too many open files; it is replaced" in capfd.readouterr().err


async def test_a_worker_that_died_while_it_was_told_is_not_killed_again(one: Master) -> None:
    dying = Worker(0, fault="the other process went away")
    staffed(one, dying)

    async def die(verb: str, **arguments: Any) -> None:
        dying.up = False
        raise ControlError("the other process went away")

    dying.ask = die  # type: ignore[method-assign]
    await one._hand_out()
    assert dying.told == []


def test_places_come_back_with_a_death(one: Master) -> None:
    worker: Any = Worker(1)
    assert one.serve(worker, "take", {"key": "host/a", "limit": 1})
    assert not one.serve(worker, "take", {"key": "host/a", "limit": 1})
    one.bury(worker)
    assert one.serve(worker, "take", {"key": "host/a", "limit": 1})


def test_what_nobody_knows_is_refused(one: Master) -> None:
    with pytest.raises(ControlError, match="unknown verb 'dance'"):
        one.serve(Worker(), "dance", {})  # type: ignore[arg-type]
    with pytest.raises(ControlError, match="unknown verb 'dance'"):
        one._operator("dance", {})
