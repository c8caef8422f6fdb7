"""Who is signed in to the web console, and who tries too often.

In memory of the admin process: a restart signs everybody out, and nothing that would open a session lies on a disk. Times
are seconds of the monotonic clock.
"""

from __future__ import annotations

import secrets
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network

from gatepost.admin.users import User

IDLE_SECONDS = 30 * 60.0
LIFE_SECONDS = 12 * 3600.0
"""The longest that a session lasts, however busy."""
MAX_SESSIONS = 1000
ATTEMPTS = 5
"""Failed logins of one account, or from one address, after which more are refused for a while."""
WINDOW = 900.0
"""Seconds for which a failed login is remembered."""
MAX_KEYS = 10_000


@dataclass(slots=True)
class Session:
    """One browser that is signed in."""

    user: User
    address: str
    began: float
    seen: float
    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    """What every form of this session carries: a page of somebody else cannot know it."""
    notices: list[str] = field(default_factory=list)
    """Said once, on the next page."""


class Sessions:
    """All sessions, by the secret in their cookie."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._sessions: dict[str, Session] = {}

    def begin(self, user: User, address: str) -> str:
        """Sign somebody in; return the secret, always a new one."""
        if len(self._sessions) >= MAX_SESSIONS:
            self._sweep()
        while len(self._sessions) >= MAX_SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        key, now = secrets.token_urlsafe(32), self._now()
        self._sessions[key] = Session(user, address, now, now)
        return key

    def find(self, key: str) -> Session | None:
        """Return the session of a secret, unless it has ended."""
        session = self._sessions.get(key)
        if session is None:
            return None
        if self._is_over(session):
            del self._sessions[key]
            return None
        session.seen = self._now()
        return session

    def end(self, key: str) -> None:
        """Sign out."""
        self._sessions.pop(key, None)

    def end_all_of(self, name: str) -> None:
        """Sign a user out everywhere: the password or the role has changed, or the user is gone."""
        self._sessions = {key: session for key, session in self._sessions.items() if session.user.name != name}

    def _is_over(self, session: Session) -> bool:
        now = self._now()
        return now - session.seen > IDLE_SECONDS or now - session.began > LIFE_SECONDS

    def _sweep(self) -> None:
        self._sessions = {key: session for key, session in self._sessions.items() if not self._is_over(session)}


class Throttle:
    """Failed logins, by account and by address."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._failures: dict[str, deque[float]] = {}

    def wait(self, *keys: str) -> float:
        """Return for how many seconds a login under any of these keys is refused; 0: it may be tried."""
        now, longest = self._now(), 0.0
        for key in keys:
            failures = self._failures.get(key)
            while failures and failures[0] <= now - WINDOW:
                failures.popleft()
            if failures and len(failures) >= ATTEMPTS:
                longest = max(longest, failures[-ATTEMPTS] + WINDOW - now)
        return longest

    def attempt(self, *keys: str) -> None:
        """Count a login as failed before it is judged, so that many at once do not all find the way open."""
        for key in keys:
            self._failures.setdefault(key, deque(maxlen=ATTEMPTS)).append(self._now())
        while len(self._failures) > MAX_KEYS:
            del self._failures[next(iter(self._failures))]

    def succeeded(self, account: str, address: str) -> None:
        """Forget the failures of an account that was got into; of its address this one attempt, which was none."""
        self._failures.pop(account, None)
        if failures := self._failures.get(address):
            failures.pop()


def network_of(address: str) -> str:
    """Return whom failures are counted against: one IPv4 address, the /64 that one IPv6 host has."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    return address if parsed.version == 4 else str(ip_network((parsed, 64), strict=False))
