"""Reads a peer's replies (RFC 5321 4.2): bounded, strict about line ends and codes, and harmless to show.

A reply is short text from a stranger. Whatever is no reply raises BadReply, and the connection is of no further use: what
comes next could not be told apart from an answer to something else (faults.md 2, rows 2 and 10).
"""

from __future__ import annotations

from collections import deque

from gatepost.errors import GatepostError
from gatepost.smtp.grammar import printable
from gatepost.smtp.reply import Reply

MAX_LINE = 4096
"""Octets of a line with its CR LF; RFC 5321 4.5.3.1.5 promises 512, some peers write essays."""
MAX_LINES = 1000
MAX_REPLY = 64 * 1024

_CODES = {b"%d " % code: code for code in range(200, 600)}
"""How a reply of one line may begin."""
_CR = 13


class BadReply(GatepostError):
    """What the peer sent is no SMTP reply."""


class ReplyReader:
    """A buffer that gives out whole replies."""

    def __init__(self) -> None:
        self._whole: deque[bytes] = deque()
        """Lines, without their LF."""
        self._rest = b""
        """What stands behind the last LF."""
        self._code = b""
        self._lines: list[str] = []
        self._size = 0
        self.empty = True
        """Whether every octet was given out."""

    def feed(self, octets: bytes) -> None:
        """Add octets as they came."""
        lines = (self._rest + octets if self._rest else octets).split(b"\n")
        self._rest = lines.pop()
        self._whole += lines
        self._look()

    def _look(self) -> None:
        self.empty = not (self._whole or self._rest or self._lines)

    def next_reply(self) -> Reply | None:
        """Give out the next reply; None when more octets are needed."""
        whole = self._whole
        if whole and not self._lines:
            line = whole[0]
            code = _CODES.get(line[:4])
            if code is not None and line[-1] == _CR and len(line) < MAX_LINE:
                text = line[4:-1].decode("utf-8", "surrogateescape")
                if text.isprintable():  # no CR, no NUL: one line that nothing is wrong with, as nearly all are
                    whole.popleft()
                    self.empty = not (whole or self._rest)
                    return Reply(code, text)
        try:
            return self._any_reply()
        finally:
            self._look()

    def _any_reply(self) -> Reply | None:
        while (line := self._next_line()) is not None:
            code, mark = line[:3], line[3:4]
            if len(code) != 3 or not code.isdigit() or code[0] not in b"2345" or mark not in (b" ", b"-", b""):
                raise BadReply(f"not an SMTP reply: {printable(line, 80)}")
            if self._lines and code != self._code:
                raise BadReply(f"codes {self._code.decode()} and {code.decode()} in one reply")
            text = printable(line[4:])
            if mark != b"-" and not self._lines:
                return Reply(int(code), text)
            self._code = code
            self._lines.append(text)
            self._size += len(line)
            if len(self._lines) > MAX_LINES or self._size > MAX_REPLY:
                raise BadReply("endless reply")
            if mark != b"-":
                text, self._lines, self._size = "\n".join(self._lines), [], 0
                return Reply(int(code), text)
        return None

    def _next_line(self) -> bytes | None:
        if not self._whole:
            if len(self._rest) >= MAX_LINE:
                raise BadReply("reply line too long")
            return None
        line = self._whole.popleft()
        if len(line) >= MAX_LINE:
            raise BadReply("reply line too long")
        if line[-1:] != b"\r" or line.count(b"\r") > 1 or b"\0" in line:
            whole = line + b"\n"
            raise BadReply(f"bare CR, bare LF or NUL in a reply: {printable(whole, 80)}")
        return line[:-1]
