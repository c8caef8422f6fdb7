"""Cuts what a client sends into command lines (RFC 5321 2.3.8: only CR LF ends a line).

Bounded and linear: a line that is too long is thrown away as it comes, and one without end closes the session. A bare LF,
or a CR within the line, makes it no command at all: what one side takes for one line and another for two is how
commands are smuggled.
"""

from __future__ import annotations

from enum import Enum

ENDLESS = 128 * 1024
"""Octets of one line after which the client is no longer listened to."""


_TLS_HANDSHAKE = b"\x16\x03"
"""How a TLS record with a ClientHello begins (RFC 8446 5.1); no line of SMTP does."""


class Trouble(Enum):
    """What can be wrong with a line before anybody reads it."""

    TOO_LONG = "line too long"
    """Said once; the rest of the line is discarded."""
    ENDLESS = "endless line"
    BARE = "bare CR or LF in a command line"
    TLS = "TLS handshake where SMTP was expected"


class LineReader:
    """A buffer that gives out lines, and raw octets where a chunk is due."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._buffer = b""
        self._at = 0
        """What stands before it was given out: a pipeline is cut without moving what is left of it."""
        self._discarded = 0
        self.empty = True
        """Whether everything was given out."""

    def feed(self, octets: bytes) -> None:
        """Add octets as they came."""
        if self.empty:
            self._buffer, self._at = octets, 0
        else:
            self._buffer, self._at = self._buffer[self._at :] + octets, 0
        self.empty = not self._buffer

    def clear(self) -> None:
        """Forget everything that was not given out."""
        self._buffer, self._at, self.empty = b"", 0, True
        self._discarded = 0

    def take(self, size: int) -> bytes:
        """Give out at most `size` octets, raw."""
        octets = self._buffer[self._at : self._at + size]
        self._move(self._at + len(octets))
        return octets

    def _move(self, at: int) -> None:
        """Give out, or throw away, what stands before `at`."""
        self._at = at
        self.empty = at == len(self._buffer)

    def next_line(self) -> bytes | Trouble | None:
        """Give out the next line without its CR LF; what is wrong with it; or None when more octets are needed."""
        if self._discarded:
            trouble = self._skip()
            if trouble is not None or self._discarded:
                return trouble
        buffer, at = self._buffer, self._at
        if buffer.startswith(_TLS_HANDSHAKE, at):
            return Trouble.TLS
        end = buffer.find(b"\n", at, at + self._limit)
        if end < 0:
            if len(buffer) - at < self._limit:
                return None
            self._discard(self._limit)
            return Trouble.TOO_LONG
        self._at = end + 1
        self.empty = end + 1 == len(buffer)
        if buffer.find(b"\r", at, end) != end - 1 or end == at:
            return Trouble.BARE
        return buffer[at : end - 1]

    def _skip(self) -> Trouble | None:
        """Go on discarding a line that was too long, at most to its end."""
        left = ENDLESS - self._discarded
        end = self._buffer.find(b"\r\n", self._at, self._at + left + 1)
        if end < 0:
            self._discard(left)
            return Trouble.ENDLESS if self._discarded >= ENDLESS else None
        self._move(end + 2)
        self._discarded = 0
        return None

    def _discard(self, size: int) -> None:
        """Throw away at most `size` octets, but not a CR whose LF may come or stands behind it."""
        buffer, end = self._buffer, min(self._at + size, len(self._buffer))
        if end > self._at and buffer[end - 1] == 13 and (end == len(buffer) or buffer[end] == 10):
            end -= 1
        self._discarded += end - self._at
        self._move(end)
