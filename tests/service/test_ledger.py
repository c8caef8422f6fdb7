"""The limits that all workers share."""

import pytest

from gatepost.service.ledger import Ledger


def test_places_are_exact_over_all_holders() -> None:
    ledger = Ledger()
    granted = [ledger.take(holder, "host/a", 3) for holder in (0, 1, 0, 1)]
    assert granted == [True, True, True, False]
    ledger.give_back(1, {"host/a": 1})
    assert ledger.take(0, "host/a", 3)
    assert not ledger.take(1, "host/a", 3)


def test_a_dead_holder_gives_back_what_it_held_and_no_more() -> None:
    ledger = Ledger()
    for holder in (0, 0, 1):
        assert ledger.take(holder, "k", 3)
    ledger.give_back_all(0)
    assert ledger.taken() == {"k": 1}
    ledger.give_back_all(0)
    ledger.give_back(0, {"k": 1})
    assert ledger.taken() == {"k": 1}


def test_no_limit_counts_all_the_same() -> None:
    ledger = Ledger()
    assert all(ledger.take(0, "k", -1) for _ in range(5))
    assert ledger.taken("k") == {"k": 5}


def test_a_rate_counts_within_its_window_and_a_refusal_costs_nothing() -> None:
    ledger = Ledger()
    assert ledger.spend("r", 6, 10, 60, now=0.0)
    assert not ledger.spend("r", 5, 10, 60, now=1.0)
    assert ledger.spend("r", 4, 10, 60, now=2.0)
    assert not ledger.spend("r", 1, 10, 60, now=59.9)
    assert ledger.spend("r", 10, 10, 60, now=60.0)


def test_windows_that_are_over_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatepost.service.ledger.MANY", 10)
    ledger = Ledger()
    for host in range(22):
        ledger.spend(f"r/{host}", 1, 10, 1, now=0.0)
    ledger.spend("late", 1, 10, 1, now=5.0)
    ledger.spend("later", 1, 10, 1, now=5.0)
    assert list(ledger._spent) == ["late", "later"]


def test_windows_that_run_are_not_looked_through_for_each_spending(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatepost.service.ledger.MANY", 10)
    ledger = Ledger()
    books = [ledger._spent]
    for host in range(1000):
        ledger.spend(f"r/{host}", 1, 10, 3600, now=0.0)
        if ledger._spent is not books[-1]:
            books.append(ledger._spent)
    assert len(ledger._spent) == 1000
    assert len(books) < 10
