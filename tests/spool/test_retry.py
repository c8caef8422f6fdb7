"""The bounce profile: when the next attempt falls due, and when there is none."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gatepost.config.model import BounceProfile
from gatepost.spool.retry import Expired, Retry, next_attempt, overdue, wait

START = 1_800_000_000.0


def attempts(profile: BounceProfile) -> tuple[list[float], Expired, float]:
    """Fail every attempt at once; return the seconds at which they were made, and why and when it ended."""
    now, made = START, [0.0]
    while True:
        step = next_attempt(len(made), START, now, profile)
        if isinstance(step, Expired):
            return made, step, now - START
        now = step.due
        if (late := overdue(START, step.due, profile)) is not None:
            return made, late, now - START
        made.append(now - START)


def test_two_retries_are_made_and_then_it_bounces_at_once() -> None:
    made, expired, when = attempts(BounceProfile(max_retries=2))
    assert (made, when) == ([0, 60, 120], 120)
    assert expired.reason == "all 2 retries were made"


def test_too_old_bounces_instead_of_the_attempt_that_would_be_too_late() -> None:
    made, expired, when = attempts(BounceProfile(max_age=100))
    assert (made, when) == ([0, 60], 120)
    assert expired.reason == "in the queue for more than 100 seconds"


def test_waits_double_up_to_the_cap() -> None:
    made, _, _ = attempts(BounceProfile())
    assert made[:9] == [0, 60, 120, 240, 480, 960, 1920, 3840, 7440]
    assert made[-1] <= 259200


def test_no_retry_at_all() -> None:
    assert attempts(BounceProfile(max_retries=0))[0] == [0]


def test_odd_profiles_still_wait() -> None:
    assert wait(1, BounceProfile(initial_wait=0)) == 1
    assert wait(1, BounceProfile(initial_wait=600, max_wait=60)) == 60
    assert wait(10**6, BounceProfile(max_wait=10**9)) == 10**9


def test_after_a_week_switched_off_the_planned_attempt_is_made_before_giving_up() -> None:
    profile = BounceProfile()
    assert overdue(START, START + 60, profile) is None
    week = START + 7 * 86400
    assert next_attempt(2, START, week, profile) == Expired("in the queue for more than 259200 seconds")


def test_a_clock_that_jumps_back_neither_bounces_nor_stalls() -> None:
    assert next_attempt(1, START, START - 2 * 86400, BounceProfile()) == Retry(START - 2 * 86400 + 60)


@given(st.integers(1, 300), st.integers(0, 10**6), st.builds(BounceProfile, initial_wait=st.integers(0, 10**5)))
def test_a_retry_is_always_ahead_and_never_beyond_the_cap(count: int, age: int, profile: BounceProfile) -> None:
    step = next_attempt(count, START, START + age, profile)
    if isinstance(step, Retry):
        assert START + age < step.due <= START + age + profile.max_wait
