"""Untrusted text made fit for one line of a log and for a terminal.

What a peer, a header or a certificate says may hold CR LF (a forged second line), ESC (a terminal command), U+202E (text
that reads backwards) or a lone surrogate (undecodable octets): each such character is shown as its escape, `\\x1b`. Text
that is long beyond reason is cut. Printable text, in any script, stays as it is; the records keep the original.
"""

from __future__ import annotations

LIMIT = 1000
"""Characters of one value in a log line: twice the longest address, so that one hostile header cannot fill the disk."""


def printable(text: str) -> str:
    """Return `text` with every character that is not printable escaped, cut after LIMIT characters."""
    if len(text) <= LIMIT and text.isprintable():
        return text
    return _escape(text)


def _escape(text: str) -> str:
    cut = text[:LIMIT]
    if not cut.isprintable():
        cut = "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in cut)
    left = len(text) - LIMIT
    return cut if left <= 0 else f"{cut} ({left} more characters)"
