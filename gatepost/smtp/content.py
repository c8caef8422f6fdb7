"""The checks that every octet of mail data goes through, whichever command brought it (RFC 5321 4.5.2, 2.3.8, 6.3).

Works on whole pieces at the speed of `bytes.replace`, never line by line; keeps a few counters and eleven octets between
pieces, so a message of any size costs the same memory. Which fault is told depends on the message only, not on how it was
cut into pieces: all are collected, and the first in the order of `_FAULTS` is the answer.
"""

from __future__ import annotations

from gatepost.smtp import reply
from gatepost.smtp.limits import Limits
from gatepost.smtp.reply import Reply

_SIZE, _BARE, _NUL, _HEADER, _HOPS, _LINE = 1, 2, 4, 8, 16, 32

_FAULTS = (
    (_SIZE, reply.MESSAGE_TOO_LARGE),
    (_BARE, reply.BARE_CR_OR_LF),
    (_NUL, reply.NUL_IN_MESSAGE),
    (_HEADER, reply.HEADER_TOO_LARGE),
    (_HOPS, reply.TOO_MANY_HOPS),
    (_LINE, reply.TEXT_LINE_TOO_LONG),
)

_RECEIVED = b"\r\nreceived:"
_CARRY = len(_RECEIVED) - 1

UNLIMITED = 1 << 62


def _bound(limit: int) -> int:
    return UNLIMITED if limit < 0 else limit


class Inspector:
    """Looks at one message's content; `take` returns what may be kept of a piece."""

    def __init__(self, limits: Limits) -> None:
        self.size = 0
        self._faults = 0
        self._repair = limits.repair_line_endings
        self._max_size = _bound(limits.max_message_size)
        self._max_line = _bound(limits.max_line_length)
        self._column = 0
        self._header: _Header | None = _Header(limits)

    @property
    def fault(self) -> Reply | None:
        """The refusal that the content has earned so far."""
        if not self._faults:
            return None
        return next(answer for bit, answer in _FAULTS if self._faults & bit)

    def take(self, piece: bytes) -> bytes:
        """Check a piece, in which no CR LF is cut in two; return it, repaired where that is wanted, or b"" once at fault.

        An oversized message needs no further look: nothing stands above that fault, and only repair changes its size.
        """
        if self._faults & _SIZE and not self._repair:
            self.size += len(piece)
            return b""
        # taking one character out and measuring is twice as fast as counting it
        ends, size = piece.count(b"\r\n"), len(piece)
        if size - len(piece.replace(b"\n", b"")) != ends or size - len(piece.replace(b"\r", b"")) != ends:
            if self._repair:
                piece = piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
            else:
                self._faults |= _BARE
        self.size += len(piece)
        if self.size > self._max_size:
            self._faults |= _SIZE
        if b"\0" in piece:
            # RFC 5321 4.5.2 wants NUL kept out; some readers end a line or a field there
            self._faults |= _NUL
        if self._header is not None:
            self._faults |= self._header.take(piece)
            if self._header.complete:
                self._header = None
        if self._column + len(piece) > self._max_line and self._is_overlong(piece):
            self._faults |= _LINE
        last = piece.rfind(b"\n")
        self._column = self._column + len(piece) if last < 0 else len(piece) - last - 1
        return piece if not self._faults else b""

    def _is_overlong(self, piece: bytes) -> bool:
        """Leap from line end to line end: within each span of the longest line there must be one."""
        start, size, longest = -self._column, len(piece), self._max_line
        while size - start > longest:
            if start + longest <= 0:
                return True
            end = piece.rfind(b"\n", max(start, 0), start + longest)
            if end < 0:
                return True
            start = end + 1
        return False


class _Header:
    """Measures the header section: its size, its lines, its Received fields."""

    def __init__(self, limits: Limits) -> None:
        self.complete = False
        self._max_size = _bound(limits.max_header_size)
        self._max_lines = _bound(limits.max_header_lines)
        self._max_hops = _bound(limits.max_hops)
        self._size = self._lines = self._hops = 0
        self._carry = b"\r\n"  # so that the first line begins as every other one

    def take(self, piece: bytes) -> int:
        carry = self._carry
        end = piece.find(b"\r\n\r\n")
        if end >= 0:
            piece = piece[: end + 4]  # what is behind the header is not copied
        window = carry + piece
        end = window.find(b"\r\n\r\n")  # it may begin in what was carried
        if end >= 0:
            window = window[: end + 2]
            self.complete = True
        self._size += len(window) - len(carry)
        self._lines += window.count(b"\r\n") - carry.count(b"\r\n")
        self._hops += window.lower().count(_RECEIVED)  # none fits into what was carried
        self._carry = window[-_CARRY:]
        faults = 0
        if self._size > self._max_size or self._lines > self._max_lines:
            faults |= _HEADER
        if self._hops >= self._max_hops:
            faults |= _HOPS
        return faults
