"""The small words of SMTP: domains, address literals, xtext, and how octets of a stranger are shown (RFC 5321 4.1.2, 4.1.3).

Knows no command and gives no reply. Every pattern here is linear: its alternatives start with different characters and
its repetitions are possessive, so nothing is ever tried twice (faults.md 2, row 12).
"""

from __future__ import annotations

import re

UTF8 = r"\u00a0-\u2027\u202f-\ud7ff\ue000-\U0010ffff"
"""UTF8-non-ascii of RFC 6531 3.3 as a character class, less C1 controls, line separators and direction overrides."""

ATEXT = r"A-Za-z0-9!#$%&'*+/=?^_`{|}~\-"
"""atext of RFC 5322 3.2.3 as a character class."""

_LABEL = rf"[A-Za-z0-9_{UTF8}](?:[A-Za-z0-9_\-{UTF8}]{{0,61}}[A-Za-z0-9_{UTF8}])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?")
_OCTET = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_IPV4 = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}", re.ASCII)
_IPV6_GROUPS = re.compile(r"[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{1,4})*")
_GENERAL_LITERAL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9\-]{0,61}[A-Za-z0-9])?:[!-Z^-~]+")
_HELLO_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.:\-]{0,253}[A-Za-z0-9_.])?|::[0-9A-Fa-f:.]{1,40}|\[[!-Z^-~]{1,253}\]")

MAX_DOMAIN = 255
"""Octets of a domain (RFC 5321 4.5.3.1.2)."""


def is_domain(text: str) -> bool:
    """Whether `text` is a domain: labels of letters, digits, hyphens, and the underscores that the field is full of."""
    return _DOMAIN.fullmatch(text) is not None and (
        len(text) <= MAX_DOMAIN if text.isascii() else len(text.encode()) <= MAX_DOMAIN
    )


def is_address_literal(text: str) -> bool:
    """Whether `text` is an address literal in its brackets (RFC 5321 4.1.3)."""
    if len(text) > MAX_DOMAIN or not (text.startswith("[") and text.endswith("]")):
        return False
    inside = text[1:-1]
    if inside[:5].upper() == "IPV6:":
        return _is_ipv6(inside[5:])
    return _IPV4.fullmatch(inside) is not None or _GENERAL_LITERAL.fullmatch(inside) is not None


def _is_ipv6(text: str) -> bool:
    groups = 8
    head, colon, tail = text.rpartition(":")
    if colon and _IPV4.fullmatch(tail):
        text, groups = (head + ":" if head.endswith(":") else head), 6
    before, gap, after = text.partition("::")
    parts = [part for part in (before, after) if part]
    if not all(_IPV6_GROUPS.fullmatch(part) for part in parts):
        return False
    count = sum(part.count(":") + 1 for part in parts)
    return count <= groups - 1 if gap else count == groups


def is_hello_name(text: str) -> bool:
    """Whether EHLO or HELO may carry `text`: a domain or literal, or what hosts without a proper name say instead.

    Bare addresses and names in brackets are common and harmless; blanks, controls and 8-bit octets are not (RFC 6531
    3.7.1 wants A-labels here).
    """
    return _HELLO_NAME.fullmatch(text) is not None


# --- xtext (RFC 3461 section 4) --------------------------------------------------------------------------------------

_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})+")
_XTEXT_UTF8 = re.compile(rf"(?:[!-*,-<>-~{UTF8}]|\+[0-9A-F]{{2}})+")
_XCHAR = re.compile(r"[^!-*,-<>-~]")


def is_xtext(text: str, *, smtputf8: bool = False) -> bool:
    """Whether `text` is well-formed xtext; with `smtputf8` also utf-8-addr-unitext (RFC 6533 3)."""
    return (_XTEXT_UTF8 if smtputf8 else _XTEXT).fullmatch(text) is not None


def encode_xtext(text: str) -> str:
    """Return printable ASCII `text` as xtext; what is not ASCII stays as it is (RFC 6533 unitext)."""
    return _XCHAR.sub(lambda found: f"+{ord(found[0]):02X}" if ord(found[0]) < 128 else found[0], text)


def decode_xtext(text: str) -> str:
    """Return what `text` stands for, controls escaped: `+0D+0A` must not become a line end in a DSN."""
    return printable(re.sub(r"\+([0-9A-F]{2})", lambda found: chr(int(found[1], 16)), text))


# --- strangers' octets in logs and replies ---------------------------------------------------------------------------

_ESCAPES = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}


def printable(octets: bytes | str, limit: int = 0) -> str:
    """Return `octets` as text that stays on one line and does nothing to a terminal; at most `limit` characters (0: all).

    Controls, C1, separators, direction overrides, unassigned code points and broken UTF-8 become escapes; a backslash
    stays, for quoted local parts are full of them and nobody parses this back.
    """
    if limit:
        octets = octets[: limit * 4]  # at most four octets make one character
    text = octets if isinstance(octets, str) else octets.decode("utf-8", "surrogateescape")
    if not text.isprintable():
        text = "".join(char if char.isprintable() else _escape(char) for char in text)
    return text[: limit - 1] + "…" if 0 < limit < len(text) else text


def _escape(char: str) -> str:
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # an octet that was no UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return _ESCAPES.get(char) or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}")
