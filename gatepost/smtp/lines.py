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
        self._buffer = bytearray()
        self._discarded = 0

    def __len__(self) -> int:
        return len(self._buffer)

    def feed(self, octets: bytes) -> None:
        """Add octets as they came."""
        self._buffer += octets

    def clear(self) -> None:
        """Forget everything that was not given out."""
        self._buffer.clear()
        self._discarded = 0

    def take(self, size: int) -> bytes:
        """Give out at most `size` octets, raw."""
        octets = bytes(self._buffer[:size])
        del self._buffer[:size]
        return octets

    def next_line(self) -> bytes | Trouble | None:
        """Give out the next line without its CR LF; what is wrong with it; or None when more octets are needed."""
        if self._discarded:
            trouble = self._skip()
            if trouble is not None or self._discarded:
                return trouble
        buffer = self._buffer
        if buffer[:2] == _TLS_HANDSHAKE:
            return Trouble.TLS
        end = buffer.find(b"\n", 0, self._limit)
        if end < 0:
            if len(buffer) < self._limit:
                return None
            self._discard(self._limit)
            return Trouble.TOO_LONG
        line = bytes(buffer[: end + 1])
        del buffer[: end + 1]
        if line[-2:] != b"\r\n" or line.count(b"\r") > 1:
            return Trouble.BARE
        return line[:-2]

    def _skip(self) -> Trouble | None:
        """Go on discarding a line that was too long, at most to its end."""
        left = ENDLESS - self._discarded
        end = self._buffer.find(b"\r\n", 0, left + 1)
        if end < 0:
            self._discard(left)
            return Trouble.ENDLESS if self._discarded >= ENDLESS else None
        del self._buffer[: end + 2]
        self._discarded = 0
        return None

    def _discard(self, size: int) -> None:
        """Throw away at most `size` octets, but not a CR whose LF may come or stands behind it."""
        buffer = self._buffer
        size = min(size, len(buffer))
        if size and buffer[size - 1] == 13 and (size == len(buffer) or buffer[size] == 10):
            size -= 1
        del buffer[:size]
        self._discarded += size
