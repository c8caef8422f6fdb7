"""Envelope addresses: reverse-path and forward-path (RFC 5321 4.1.2), parsed once and kept as the client wrote them.

Never decides whether an address is ours, and never reads meaning into `%`, `!` or a quoted `@` in the local part.
"""

from __future__ import annotations

import re

import msgspec

from gatepost.smtp.grammar import ATEXT, UTF8, is_address_literal, is_domain
from gatepost.smtp.reply import UTF8_NOT_EXPECTED, Reply, syntax_error

MAX_LOCAL_PART = 255
MAX_PATH = 480
"""Octets. RFC 5321 4.5.3.1 (64 and 256) names what every server must take, and asks for no limit: the reverse-paths of
mailing lists and forwarders (VERP, SRS) pass 64 every day. These leave an answer that names the path within 512."""


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


NULL = Path("", "")

# Dots may stand anywhere in an unquoted local part: the grammar says otherwise, but mailboxes like `a..b` and `a.` were
# handed out by the million, and refusing their mail protects nobody.
_QUOTED = rf'"(?:[ !#-\[\]-~{UTF8}]|\\[ -~])*+"'
_LOCAL = rf"[{ATEXT}.{UTF8}]++|{_QUOTED}"
_HOST = rf"\[[!-Z^-~]*+\]|[A-Za-z0-9_.\-{UTF8}]++"
_ROUTE = rf"@(?:{_HOST})(?:,@(?:{_HOST}))*+:"
_PATH = re.compile(rf"<(?:{_ROUTE})?(?:({_LOCAL})(?:@({_HOST}))?)?>")

_SYNTAX = syntax_error("in address")
_TOO_LONG = syntax_error("address too long")


def match_path(text: str) -> re.Match[str] | None:
    """Find the path in angle brackets that `text` begins with, as far as its characters go."""
    return _PATH.match(text)


def read_path(found: re.Match[str], *, smtputf8: bool) -> Path | Reply:
    """Judge a path that `match_path` found: its length, its domain, and whether it may leave ASCII.

    A source route was skipped by the match: RFC 5321 4.1.1.3 and appendix C say to take it and to ignore it.
    """
    local_part, domain = found.groups("")
    if not local_part:
        # `<@a:>` is nothing, while `<>` is the null reverse-path
        return NULL if found.end() - found.start() == 2 else _SYNTAX
    if not (local_part.isascii() and domain.isascii()):
        if not smtputf8:
            return UTF8_NOT_EXPECTED
        sizes = len(local_part.encode()), len(domain.encode())
    else:
        sizes = len(local_part), len(domain)
    if sizes[0] > MAX_LOCAL_PART or sum(sizes) > MAX_PATH:
        return _TOO_LONG
    if domain and not (is_address_literal(domain) if domain[0] == "[" else is_domain(domain)):
        return _SYNTAX
    return Path(local_part, domain.lower().removesuffix("."))


def parse_path(text: str, smtputf8: bool = False) -> Path | Reply:
    """Read a whole path, `<user@example.com>`; the answer to give when it is none (501, or 553 for UTF-8 not announced)."""
    found = _PATH.fullmatch(text)
    return read_path(found, smtputf8=smtputf8) if found else _SYNTAX


def is_sendable(address: str) -> bool:
    """Whether an address, without brackets, may stand in an outgoing command: nothing in it can end the path or the line."""
    return _PATH.fullmatch(f"<{address}>") is not None
