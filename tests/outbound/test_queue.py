"""How many connections a queue's work deserves, and who gets the next job."""

from __future__ import annotations

import asyncio

import pytest

from gatepost.outbound.parcel import MAX_RECIPIENTS, Job, Parcel, domain_of, split
from gatepost.outbound.queue import DestinationQueue
from gatepost.spool.message import Content, Envelope


def job(number: int = 1) -> Job:
    envelope = Envelope(mid=number, icid=1, received=0.0, reverse_path="", recipients=("a@b.example",), size=1)
    return split(Parcel(envelope, Content(b"x")), [0])[0]


@pytest.fixture
async def queue() -> DestinationQueue:
    return DestinationQueue("b.example", lambda _: None)


def filled(queue: DestinationQueue, jobs: int, connections: int, ready: int) -> DestinationQueue:
    for number in range(jobs):
        queue.put(job(number))
    queue.connections, queue.ready = connections, ready
    return queue


@pytest.mark.parametrize(
    ("jobs", "connections", "ready", "limit", "standstill", "wanted"),
    [
        (0, 0, 0, 500, False, False),
        (1, 0, 0, 500, False, True),
        (1, 0, 0, 0, False, False),
        (1, 0, 0, -1, False, True),
        (1, 1, 1, 500, False, False),
        (1, 1, 1, 500, True, True),
        (1, 1, 0, 500, True, False),
        (9, 1, 1, 500, False, False),
        (10, 1, 1, 500, False, True),
        (10, 2, 1, 500, False, False),
        (500, 1, 0, 500, False, False),
        (500, 2, 2, 500, False, True),
        (500, 3, 2, 500, False, True),
        (500, 4, 2, 500, False, False),
        (500, 5, 5, 5, False, False),
    ],
)
async def test_connections_follow_the_work(
    queue: DestinationQueue, jobs: int, connections: int, ready: int, limit: int, standstill: bool, wanted: bool
) -> None:
    assert filled(queue, jobs, connections, ready).wants_connection(limit, standstill=standstill) == wanted


async def test_a_learnt_ceiling_is_heeded_but_never_stops_the_queue(queue: DestinationQueue) -> None:
    filled(queue, 100, 2, 2).ceiling = 2
    assert not queue.wants_connection(500)
    queue.connections = queue.ready = 0
    assert queue.wants_connection(500)


async def test_a_waiting_connection_gets_the_job_and_no_other_is_wanted(queue: DestinationQueue) -> None:
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(queue.wait(5))
        await asyncio.sleep(0)
        handed = job()
        queue.put(handed)
        assert not queue.jobs
    assert waiting.result() is handed
    assert handed.taken


async def test_nobody_waits_for_ever(queue: DestinationQueue) -> None:
    assert await queue.wait(0.01) is None
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(queue.wait(60))
        await asyncio.sleep(0)
        queue.dismiss()
    assert waiting.result() is None


async def test_void_jobs_are_passed_over_and_one_put_back_is_next(queue: DestinationQueue) -> None:
    first, second, third = job(1), job(2), job(3)
    for each in (first, second, third):
        queue.put(each)
    first.void = True
    assert queue.take() is second
    queue.put_back(second)
    assert queue.take() is second
    assert queue.drain() == [third]
    assert queue.take() is None


async def test_what_is_postponed_gets_a_time_of_its_own(queue: DestinationQueue) -> None:
    assert [queue.book(10, 1000.0) for _ in range(3)] == [1010, 1020, 1030]
    assert queue.book(10, 2000.0) == 2010


@pytest.mark.parametrize(
    ("address", "domain"),
    [
        ("ann@Example.COM", "example.com"),
        ("postmaster", ""),
        ('"a@b"@example.com', "example.com"),
        ('"a@b"', ""),
        ("ann@[192.0.2.1]", "[192.0.2.1]"),
        ("ann@BÜCHER.example", "xn--bcher-kva.example"),
        ("ann@" + "ü" * 300, "ü" * 300),
    ],
)
def test_the_destination_is_the_domain(address: str, domain: str) -> None:
    assert domain_of(address) == domain


def test_recipients_make_jobs_by_domain_of_at_most_a_hundred() -> None:
    recipients = tuple(f"r{n}@{'one' if n % 2 else 'two'}.example" for n in range(250))
    parcel = Parcel(Envelope(mid=1, icid=1, received=0.0, reverse_path="", recipients=recipients, size=1), None)
    jobs = split(parcel, range(250))
    assert [(made.destination, len(made.rids)) for made in jobs] == [
        ("two.example", MAX_RECIPIENTS),
        ("two.example", 25),
        ("one.example", MAX_RECIPIENTS),
        ("one.example", 25),
    ]
    assert parcel.claimed == set(range(250))
