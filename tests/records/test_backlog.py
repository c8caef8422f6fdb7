"""What the event loop hands over arrives in order, or is counted."""

import threading

import pytest

from gatepost.records.backlog import Backlog, note


def test_items_arrive_in_order_in_chunks() -> None:
    got: list[list[int]] = []
    backlog: Backlog[int] = Backlog(
        "test", lambda items, dropped: got.append(items) or len(items), limit=100, chunk=4, seconds=60
    )
    for item in range(10):
        backlog.put(item)
    assert len(backlog) == 10
    backlog.start()
    assert backlog.close(5)
    assert got == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_what_is_not_written_waits_and_what_finds_no_room_is_counted() -> None:
    told: list[int] = []

    def write(items: list[int], dropped: int) -> int:
        told.append(dropped)
        return 1

    backlog: Backlog[int] = Backlog("test", write, limit=3, chunk=10, seconds=60)
    for item in range(5):
        backlog.put(item)
    backlog.start()
    assert not backlog.close(5)
    assert (len(backlog), backlog.dropped, told) == (2, 2, [2])


def test_nothing_is_lost_while_both_sides_work() -> None:
    got: list[int] = []
    backlog: Backlog[int] = Backlog(
        "test", lambda items, dropped: got.extend(items) or len(items), limit=10**9, chunk=7, seconds=0.0001
    )
    backlog.start()
    for item in range(100_000):
        backlog.put(item)
    assert backlog.close(10)
    assert got == list(range(100_000))


def test_a_bug_costs_one_batch_and_not_the_thread(capfd: pytest.CaptureFixture[str]) -> None:
    got: list[int] = []

    def write(items: list[int], dropped: int) -> int:
        if 0 in items:
            raise RuntimeError("a bug")
        got.extend(items)
        return len(items)

    backlog: Backlog[int] = Backlog("test", write, limit=10, chunk=2, seconds=60)
    for item in range(4):
        backlog.put(item)
    backlog.start()
    assert backlog.close(5)
    assert (got, backlog.dropped) == ([2, 3], 2)
    assert "a bug" in capfd.readouterr().err


def test_a_thread_that_hangs_does_not_hold_up_the_end() -> None:
    release = threading.Event()

    def write(items: list[int], dropped: int) -> int:
        release.wait()
        return len(items)

    backlog: Backlog[int] = Backlog("test", write, limit=10, chunk=10, seconds=0.001)
    backlog.start()
    assert not backlog.close(0.05)
    release.set()
    assert backlog.close(5)


def test_a_backlog_that_was_never_started_closes() -> None:
    assert Backlog("test", lambda items, dropped: 0, limit=1, chunk=1, seconds=1).close(1)


def test_stderr_may_be_closed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(fd: int, data: bytes) -> int:
        raise BrokenPipeError

    with monkeypatch.context() as broken:
        broken.setattr("os.write", fail)
        note("nobody hears this")
