"""Readers of mail data: what DATA brings (RFC 5321 4.5.2) and what BDAT brings (RFC 3030 2).

Octets in as they arrive, content out; the end of data is CR LF . CR LF and nothing else, whatever is wrong with the message.
Never keeps more than the few octets that may turn out to be part of a line end or of the end of data.
"""

from __future__ import annotations

from gatepost.smtp.content import Inspector
from gatepost.smtp.limits import Limits
from gatepost.smtp.reply import Reply

_END = b"\r\n.\r\n"
_DOT = ord(".")
_STARTS_OF_END = (b"\r\n.\r", b"\r\n.", b"\r\n", b"\r")


class DotReader:
    """Reads the mail data behind DATA up to its end."""

    def __init__(self, limits: Limits) -> None:
        self._inspector = Inspector(limits)
        # The 354 stands at a line start: a CR LF that was never there, and is taken off the first piece.
        self._held = b"\r\n"
        self._skip = 2
        self.rest: bytes | None = None
        """What stood behind the end of data; None while it has not come."""

    @property
    def size(self) -> int:
        """Octets of content so far."""
        return self._inspector.size

    @property
    def fault(self) -> Reply | None:
        """The refusal that the content has earned so far."""
        return self._inspector.fault

    def feed(self, octets: bytes) -> bytes:
        """Take octets as they came; return the content they complete, b"" when there is none or it is refused anyway."""
        if self._skip and self._is_whole(octets):
            self._skip, self.rest = 0, b""
            return self._inspector.take(octets[:-3])
        window = self._held + octets
        dot = window.find(b"\r\n.")  # where there is none, or only the last, two looks at the whole are saved
        end = window.find(_END, dot) if dot >= 0 else -1
        if end >= 0:
            self.rest = window[end + 5 :]
            piece = window[: end + 2]
        else:
            keep = next((len(start) for start in _STARTS_OF_END if window.endswith(start)), 0)
            cut = len(window) - keep
            piece, self._held = window[:cut], window[cut:]
        if not piece:
            return b""
        # RFC 5321 4.5.2: a dot that begins a line is the sender's addition. Only a line that CR LF began counts.
        if dot >= 0 and dot != end:
            piece = piece.replace(b"\r\n.", b"\r\n")
        if self._skip:
            piece, self._skip = piece[2:], 0
        return self._inspector.take(piece) if piece else b""

    def _is_whole(self, octets: bytes) -> bool:
        """Whether these are the first and the last at once, and no line begins with a dot: nothing to hold or take out."""
        if not octets.endswith(_END) or octets[0] == _DOT or len(self._held) != 2:
            return False
        return octets.find(b"\r\n.") == len(octets) - len(_END)


class ChunkReader:
    """Reads the mail data of BDAT chunks: every octet counts, and the line ends must be whole over the joints."""

    def __init__(self, limits: Limits) -> None:
        self._inspector = Inspector(limits)
        self._held = b""

    @property
    def size(self) -> int:
        """Octets of content so far."""
        return self._inspector.size

    @property
    def fault(self) -> Reply | None:
        """The refusal that the content has earned so far."""
        return self._inspector.fault

    def feed(self, octets: bytes) -> bytes:
        """Take octets of a chunk; return the content they complete."""
        piece = self._held + octets if self._held else octets
        if piece.endswith(b"\r"):
            piece, self._held = piece[:-1], b"\r"
        else:
            self._held = b""
        return self._inspector.take(piece) if piece else b""

    def finish(self) -> bytes:
        """The last chunk is complete: return what was still held, which is at most a bare CR."""
        held, self._held = self._held, b""
        return self._inspector.take(held) if held else b""
