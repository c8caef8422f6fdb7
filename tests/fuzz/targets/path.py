"""Addresses (smtp/path.py).

Any text is a Path or a refusal. What a Path says in its brackets reads back as the same Path, may be sent, and becomes one
command line; no address that may be sent holds CR, LF, NUL or what ends the path.
"""

from __future__ import annotations

import re

from gatepost.smtp.envelope import Transaction, mail_command
from gatepost.smtp.path import Path, is_sendable, parse_path
from gatepost.smtp.reply import Reply

WORDS = (
    b"<",
    b">",
    b"@",
    b'"',
    b'\\"',
    b"\\\\",
    b"[",
    b"]",
    b"[IPv6:",
    b"::1",
    b"[192.0.2.1]",
    b"<@a,@b:",
    b".",
    b"..",
    b"%",
    b"!",
    b"\xc3\xa9",
    b"\xe2\x80\xae",
    b"\xc2\x85",
    b"\xe2\x80\xa8",
    b"xn--",
    b" ",
    b"\r\n",
    b"a" * 64,
    b"a." * 32,
)

_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\ud800-\udfff]")


def check(octets: bytes) -> None:
    """See above."""
    text = octets.decode("utf-8", "surrogateescape")
    for smtputf8 in (False, True):
        path = parse_path(text, smtputf8)
        if isinstance(path, Reply):
            assert 500 <= path.code < 600
            continue
        _whole(path, smtputf8)
    if is_sendable(text):
        _harmless(text)


def _whole(path: Path, smtputf8: bool) -> None:
    assert smtputf8 or str(path).isascii()
    assert parse_path(f"<{path}>", smtputf8) == path
    assert is_sendable(str(path))
    _harmless(str(path))
    line = mail_command(Transaction(str(path), ("c@d",), 1), {"SMTPUTF8": ""})
    assert line.startswith(b"MAIL FROM:<%b>" % str(path).encode())
    assert line.endswith(b"\r\n")
    assert line.count(b"\r") == line.count(b"\n") == 1


def _harmless(address: str) -> None:
    assert not _UNSEEN.search(address), "a control, a separator or an override"
    quoted = escaped = literal = False
    for char in address:
        if escaped:
            escaped = False
        elif quoted and char == "\\":
            escaped = True
        elif char == '"' and not literal:
            quoted = not quoted
        elif char in "[]" and not quoted:
            literal = char == "["  # in an address literal nearly every character may stand (RFC 5321 4.1.3, dcontent)
        else:
            assert quoted or ((literal or char not in "<>") and char != " "), "something ends the path"
    assert not quoted
    assert not escaped
