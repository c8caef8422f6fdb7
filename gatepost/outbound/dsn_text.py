"""How strangers' values are written in a delivery status notification: printable ASCII in lines of bounded length."""

from __future__ import annotations

import re
import textwrap

from gatepost.records.printable import printable
from gatepost.smtp.reply import Reply

WIDTH = 76
MAX_VALUE = 900
"""Characters of one field: below the 998 of a line (RFC 5322 2.1.1) even where there is no place to fold."""
_XTEXT = re.compile(r"\+([0-9A-F]{2})")


def printable_ascii(text: str) -> str:
    """Return the text with all that is not printable ASCII escaped, on one line, of bounded length."""
    return printable(text).encode("ascii", "backslashreplace").decode("ascii")[:MAX_VALUE]


def xtext(text: str) -> str:
    """Decode xtext (RFC 3461 4) for display; what it hides is made printable."""
    return printable_ascii(_XTEXT.sub(lambda match: chr(int(match[1], 16)), text))


def typed_address(address: str) -> str:
    """Return an address with its type: rfc822, or utf-8 in the form that 7-bit fields carry (RFC 6533 3)."""
    if address.isascii():
        return f"rfc822; {printable_ascii(address)}"
    text = "utf-8; "
    for char in address:
        written = char if "!" <= char <= "~" and char not in "\\+=" else f"\\x{{{ord(char):X}}}"
        if len(text) + len(written) > MAX_VALUE:
            break
        text += written
    return text


def diagnostic_code(reply: Reply | None, diagnostic: str) -> str:
    """Return the value of Diagnostic-Code (RFC 3464 2.3.6), folded: the peer's reply, or our own finding."""
    if reply is not None:
        return _folded(f"smtp; {reply.code} {printable_ascii(reply.text.replace(chr(10), ' '))}")
    return _folded(f"x-gatepost; {printable_ascii(diagnostic)}")


def explanation(status: str, diagnostic: str, remote: str) -> list[str]:
    """Return why, as indented lines for a human reader."""
    where = f" (at {printable_ascii(remote)})" if remote else ""
    return textwrap.wrap(
        f"{status} {printable_ascii(diagnostic)}{where}", WIDTH, initial_indent="    ", subsequent_indent="    "
    )


def _folded(value: str) -> str:
    """Fold at spaces (RFC 5322 2.2.3); a word without one stays whole."""
    return "\r\n ".join(textwrap.wrap(value, WIDTH - 20, break_long_words=False, break_on_hyphens=False)) or value
