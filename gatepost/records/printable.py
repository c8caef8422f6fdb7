"""Untrusted text made fit for one line of the log: the escapes are those of `smtp.grammar`, the bound is ours.

What a peer, a header or a certificate says may hold CR LF (a forged second line), ESC (a terminal command) or U+202E (text
that reads backwards). Printable text, in any script, stays as it is; the records keep the original.
"""

from __future__ import annotations

from gatepost.smtp import grammar

LIMIT = 1000
"""Characters of one value in a log line: twice the longest address, so that one hostile header cannot fill the disk."""


def printable(text: str) -> str:
    """Return `text` with every character that is not printable escaped, and cut when it is long beyond reason."""
    if len(text) <= LIMIT and text.isprintable():  # nearly always, and a tenth of the cost
        return text
    return grammar.printable(text, LIMIT)
