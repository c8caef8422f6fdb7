"""The reply as a value, and every reply that Gatepost gives by name (asyncos.md 11.1).

Refusals carry the model's `#x.y.z` codes in their text, as its administrators grep for them.
"""

from __future__ import annotations

import msgspec


class Reply(msgspec.Struct, frozen=True, gc=False):
    """One SMTP reply (RFC 5321 4.2): a code and one or more lines of text, without line ends."""

    code: int
    text: str
    """Lines separated by LF; only printable text, see `smtp.grammar.printable`."""
    close: bool = False
    """Whether the server closes the connection after this reply."""

    @property
    def is_positive(self) -> bool:
        """Whether the command was taken: 2yz, or 3yz which asks for more."""
        return self.code < 400

    @property
    def is_transient(self) -> bool:
        """Whether the client should try again later (4yz)."""
        return 400 <= self.code < 500

    def encode(self) -> bytes:
        """Return the reply as it goes on the wire, all its lines in one piece (scanners read one segment for one reply)."""
        if "\n" not in self.text:
            return f"{self.code} {self.text}\r\n".encode("utf-8", "replace")
        *rest, last = self.text.split("\n")
        lines = [f"{self.code}-{line}\r\n" for line in rest]
        return f"{''.join(lines)}{self.code} {last}\r\n".encode("utf-8", "replace")

    def __str__(self) -> str:
        return f"{self.code} {self.text}".replace("\n", " / ")
