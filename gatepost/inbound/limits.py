"""The clocks that an inbound session is held to (asyncos.md section 1, global settings; RFC 5321 4.5.3.2).

Three of them run at once: the next command or block of mail data, the first message of the session, the session as a whole.
All are absolute: a client that sends an octet now and then moves none of them. Pure; the caller brings monotonic time.
The first one begins anew with each answer of ours, and with each block of mail data, refused mail data included: it must be
read to its end before it can be refused.
"""

from __future__ import annotations

from gatepost.smtp import reply
from gatepost.smtp.reply import Reply

NEARLY = 0.8
"""Part of the whole time after which no new message is begun, so that none is cut in the middle."""

BLOCK = 1024
"""Octets of mail data that count as progress (RFC 5321 4.5.3.2.5 gives each block its own time)."""


class Clocks:
    """When one session's time is up, in seconds of monotonic time."""

    def __init__(self, now: float, *, command: float, unsuccessful: float, total: float) -> None:
        """`unsuccessful` of 0 switches that clock off (private listeners)."""
        self._command = command
        self._end = now + total
        self._nearly = now + total * NEARLY
        self._first_message = now + unsuccessful if unsuccessful else self._end
        self._limit = min(self._first_message, self._end)
        self._data = 0
        self.deadline = 0.0
        """Until when the session may wait for octets."""
        self.answered(now)

    def answered(self, now: float) -> None:
        """A whole command was answered: the next one may take its full time."""
        deadline, limit = now + self._command, self._limit
        self.deadline = deadline if deadline < limit else limit

    def mail_data(self, octets: int, now: float) -> None:
        """Mail data came: once a block of it is whole, the next one may take its full time."""
        self._data += octets
        if self._data >= BLOCK:
            self._data = 0
            self.answered(now)

    def message_accepted(self) -> None:
        """The session has injected a message; from its answer on only the other two clocks count."""
        self._first_message = self._limit = self._end

    def refuses_message(self, now: float) -> bool:
        """Whether it is too late to begin another message."""
        return now >= self._nearly

    def farewell(self, now: float) -> Reply:
        """Return what to say when the time is up: the clock that ran out decides."""
        if now >= self._end:
            return reply.CONNECTION_TIME_EXCEEDED
        if now >= self._first_message:
            return reply.UNSUCCESSFUL_TIMEOUT
        return reply.COMMAND_TIMEOUT
