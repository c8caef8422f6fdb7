"""Places that a worker keeps for their next taker, over real channels to the master's own ledger: the limits stay exact."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gatepost.config.model import Config, Gateway
from gatepost.service import ledger, master, places
from gatepost.service.configuration import Configuration
from gatepost.service.control import Channel
from gatepost.service.master import Master
from gatepost.service.places import LeasesFromMaster


class Slot:
    """A worker as the master sees it; `leases` is the worker's own end."""

    def __init__(self, one: Master, index: int, tasks: asyncio.TaskGroup) -> None:
        self.index = index
        self.asked: list[str] = []
        self.awake = asyncio.Event()
        self.awake.set()
        self._one, self._tasks = one, tasks

    async def open(self) -> None:
        loop, pair = asyncio.get_running_loop(), socket.socketpair()
        self.channel, other = Channel(self._serve, self._tasks), Channel(self._answer, self._tasks)
        for sock, end in zip(pair, (self.channel, other), strict=True):
            sock.setblocking(False)
            await loop.create_connection(lambda end=end: end, sock=sock)  # type: ignore[misc]
        self.leases = LeasesFromMaster(other)

    def _serve(self, verb: str, arguments: dict[str, Any]) -> Any:
        self.asked.append(verb)
        return self._one.serve(self, verb, arguments)  # type: ignore[arg-type]

    async def _answer(self, verb: str, arguments: dict[str, Any]) -> None:
        assert verb == "recall"
        await self.awake.wait()
        await self.leases.recall(**arguments)

    async def ask(self, verb: str, **arguments: Any) -> Any:
        return await self.channel.ask(verb, **arguments)


class Service:
    """A master and its workers; an async context manager."""

    def __init__(self, one: Master, workers: int = 2) -> None:
        self.one, self._count = one, workers

    async def __aenter__(self) -> Service:
        self._tasks = await asyncio.TaskGroup().__aenter__()
        self.slots = [Slot(self.one, index, self._tasks) for index in range(self._count)]
        for slot in self.slots:
            await slot.open()
        self.one._children += self.slots  # type: ignore[arg-type]
        return self

    async def __aexit__(self, *_: object) -> None:
        for slot in self.slots:
            slot.channel.close()

    @property
    def taken(self) -> dict[str, int]:
        return self.one._ledger.taken()


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Master]:
    made = Master(tmp_path, 2, Configuration(tmp_path, Config(gateway=Gateway(hostname="mx.example")), 7))
    yield made
    made._journal.close()


async def test_the_next_taker_of_a_place_asks_nobody(one: Master) -> None:
    async with Service(one) as service:
        first = service.slots[0]
        for _ in range(50):
            assert await first.leases.take("listener/In", 1000)
            first.leases.give_back("listener/In")
        assert first.asked == ["take"]
        assert service.taken == {"listener/In": 1}


async def test_where_places_are_few_none_is_kept(one: Master) -> None:
    async with Service(one) as service:
        first = service.slots[0]
        for _ in range(3):
            assert await first.leases.take("host/a", 10)
            first.leases.give_back("host/a")
        await first.leases.take("host/b", 10)
        assert first.asked == ["take", "give_back"] * 3 + ["take"]
        assert service.taken == {"host/b": 1}


async def test_what_one_keeps_another_can_have(one: Master) -> None:
    async with Service(one) as service:
        first, second = (slot.leases for slot in service.slots)
        assert all([await first.take("k", 100) for _ in range(40)])
        for _ in range(39):
            first.give_back("k")
        granted = await asyncio.gather(*(second.take("k", 100) for _ in range(120)))
        assert sum(granted) == 99
        assert not await first.take("k", 100)
        assert service.taken == {"k": 100}
        first.give_back("k")
        assert await second.take("k", 100), "and nothing is kept any more where places are short"


@pytest.mark.parametrize("seed", range(20))
async def test_refused_is_who_comes_when_all_places_are_taken_and_nobody_else(
    one: Master, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(ledger, "AMPLE_FROM", 4)
    monkeypatch.setattr(places, "KEEP", 0.001)
    chance, limit = random.Random(seed), 12
    async with Service(one, 3) as service:
        holders: list[Slot] = []
        for _ in range(150):
            if chance.random() < 0.5 and holders:
                for _ in range(chance.randint(1, len(holders))):
                    holders.pop(chance.randrange(len(holders))).leases.give_back("k")
            for slot in service.slots:  # a notice that is under way counts as taken: what follows it has seen it
                await slot.leases.spend("settled", 1, 10**6, 1)
            comers = chance.choices(service.slots, k=chance.randint(1, 6))
            granted = await asyncio.gather(*(slot.leases.take("k", limit) for slot in comers))
            assert sum(granted) == min(len(comers), limit - len(holders))
            holders += [slot for slot, good in zip(comers, granted, strict=True) if good]
        for slot in holders:
            slot.leases.give_back("k")
        async with asyncio.timeout(10):
            while service.taken:  # noqa: ASYNC110 (what nobody needs goes back)
                await asyncio.sleep(0.001)


async def test_a_limit_that_was_lowered_counts_what_was_taken_under_the_old_one(one: Master) -> None:
    async with Service(one) as service:
        first, second = (slot.leases for slot in service.slots)
        assert all([await first.take("k", 1000) for _ in range(5)])
        first.give_back("k")
        first.give_back("k")
        assert not await first.take("k", 3)
        assert not await second.take("k", 3)
        assert await first.take("k", 4)
        assert service.taken == {"k": 4}


async def test_what_a_dead_worker_kept_is_free(one: Master) -> None:
    async with Service(one) as service:
        first, second = service.slots
        assert all([await first.leases.take("k", 100) for _ in range(10)])
        for _ in range(5):
            first.leases.give_back("k")
        one.bury(first)  # type: ignore[arg-type]
        first.channel.close()
        assert sum(await asyncio.gather(*(second.leases.take("k", 100) for _ in range(101)))) == 100


async def test_a_hung_worker_keeps_what_it_keeps_and_holds_nobody_up(one: Master, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(master, "PATIENCE", 0.05)
    async with Service(one) as service:
        first, second = service.slots
        assert all([await first.leases.take("k", 100) for _ in range(10)])
        for _ in range(10):
            first.leases.give_back("k")
        first.awake.clear()
        assert sum(await asyncio.gather(*(second.leases.take("k", 100) for _ in range(100)))) == 90
        first.awake.set()
        while service.taken == {"k": 100}:  # noqa: ASYNC110 (a fact, not an event)
            await asyncio.sleep(0)
        assert service.taken == {"k": 90}, "what it said too late counts all the same"


async def test_without_a_limit_nobody_is_asked(one: Master) -> None:
    async with Service(one) as service:
        first = service.slots[0]
        assert all([await first.leases.take("k", -1) for _ in range(5)])
        for _ in range(5):
            first.leases.give_back("k")
        assert not first.leases._unlimited
        assert first.asked == []
