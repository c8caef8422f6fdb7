"""When a delivery is tried again, and when it is given up: the bounce profile as two pure functions.

A message waits as long again as it has waited already, between `initial_wait` and `max_wait`: with 60 s the attempts fall
at 0, 60, 120, 240, 480 s. The wait follows from the number of attempts, never from the age, so that a clock that jumps can
neither stall a queue nor make it stampede. Knows no clock: every time is handed in, wall clock in seconds.
"""

from __future__ import annotations

import msgspec

from gatepost.config.model import BounceProfile


class Retry(msgspec.Struct, frozen=True):
    """Try again."""

    due: float
    """Wall clock of the next attempt."""


class Expired(msgspec.Struct, frozen=True):
    """The soft bounce has become hard."""

    reason: str
    """One phrase: `all 2 retries were made`, `in the queue for more than 100 seconds`."""


def wait(attempts: int, profile: BounceProfile) -> int:
    """Return the seconds between attempt number `attempts` (the first is 1) and the next one."""
    doublings = min(max(attempts - 2, 0), 32)
    return max(1, min(profile.initial_wait << doublings, profile.max_wait))


def next_attempt(attempts: int, received: float, now: float, profile: BounceProfile) -> Retry | Expired:
    """Decide after attempt number `attempts` has failed softly: the first attempt is no retry, the last retry ends it.

    The next attempt may fall due beyond `max_age`; ask `overdue` before it is made.
    """
    if attempts > profile.max_retries:
        return Expired(f"all {profile.max_retries} retries were made")
    if now - received > profile.max_age:
        return Expired(_too_old(profile))
    return Retry(now + wait(attempts, profile))


def overdue(received: float, due: float, profile: BounceProfile) -> Expired | None:
    """Decide, when the attempt planned for `due` has come up, whether it is too late to make it.

    Compares the plan and not the clock: a gateway that was switched off for a week, or whose clock jumped ahead, makes the
    attempt that was due in time before it gives a message up.
    """
    return Expired(_too_old(profile)) if due - received > profile.max_age else None


def _too_old(profile: BounceProfile) -> str:
    return f"in the queue for more than {profile.max_age} seconds"
