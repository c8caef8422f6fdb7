"""What was settled behind a mark is told as newer, and nothing is remembered longer than somebody needs it."""

from __future__ import annotations

from gatepost.outbound.fence import Fence


def test_what_was_settled_before_the_mark_is_old_news() -> None:
    fence = Fence()
    fence.note_durable(fence.note(5))
    with fence.reading() as mark:
        assert not fence.is_newer(5, mark)
        assert not fence.is_newer(6, mark)


def test_what_was_settled_and_is_not_durable_is_newer() -> None:
    fence = Fence()
    fence.note(5)
    with fence.reading() as mark:
        assert fence.is_newer(5, mark)


def test_what_became_durable_while_somebody_read_is_newer_to_him() -> None:
    fence = Fence()
    with fence.reading() as mark:
        fence.note_durable(fence.note(5))
        with fence.reading() as later:
            assert fence.is_newer(5, mark)
            assert not fence.is_newer(5, later)
    fence.note_durable(fence.note(6))
    with fence.reading() as mark:
        assert not fence.is_newer(5, mark)


def test_nothing_is_remembered_for_ever() -> None:
    fence = Fence()
    for mid in range(1000):
        fence.note(mid % 10)
        fence.note_durable(fence.settled)
    assert not fence._last
