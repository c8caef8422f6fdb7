"""Envelope addresses: reverse-path and forward-path (RFC 5321 4.1.2), parsed once and kept as the client wrote them."""

from __future__ import annotations

import msgspec


class Path(msgspec.Struct, frozen=True, gc=False):
    """A mailbox from MAIL or RCPT. `<>` is `Path("", "")`."""

    local_part: str
    """As written, quotes included; case matters only to the final host."""
    domain: str
    """In lower case, without a trailing dot; an address literal keeps its brackets; empty for a bare local part or `<>`."""

    @property
    def is_null(self) -> bool:
        """Whether this is the null reverse-path `<>` (RFC 5321 4.5.5)."""
        return not self.local_part

    def __str__(self) -> str:
        return f"{self.local_part}@{self.domain}" if self.domain else self.local_part
