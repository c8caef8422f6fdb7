"""Arguments of MAIL and RCPT: the path, then ESMTP parameters (RFC 5321 4.1.1.2, 4.1.1.3, 4.1.1.11).

SIZE (RFC 1870), BODY (RFC 6152), SMTPUTF8 (RFC 6531), RET, ENVID, NOTIFY and ORCPT (RFC 3461). A parameter that we do
not know is 555, one that we know with a bad value is 501; what is refused changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from gatepost.smtp.events import Mail, Rcpt
from gatepost.smtp.grammar import MAX_DOMAIN, UTF8, is_xtext
from gatepost.smtp.path import Path, match_path, read_path
from gatepost.smtp.reply import PARAMETER_UNKNOWN, Reply, syntax_error

_USUAL = re.compile(r"(?: SIZE=([0-9]{1,20}))?(?: BODY=(8BITMIME|7BIT))?")
"""What nearly every client sends; the long way round would read it the same."""
_ADDRESS = (
    rb"<([A-Za-z0-9!#$%&'*+/=?^_`{|}~.\-]{1,64})@((?:[A-Za-z0-9](?:[A-Za-z0-9\-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z]{2,63})>"
)
_MAIL_LINE = re.compile(rb"MAIL FROM:" + _ADDRESS + rb"(?: SIZE=([0-9]{1,15}))?(?: BODY=(8BITMIME|7BIT))?")
_RCPT_LINE = re.compile(rb"RCPT TO:" + _ADDRESS)
_KEYWORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9\-]*")
_VALUE = re.compile(rf"[!-<>-~{UTF8}]+")
_NOTIFY = re.compile(r"NEVER|(?:SUCCESS|FAILURE|DELAY)(?:,(?:SUCCESS|FAILURE|DELAY))*")
_ADDRESS_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9\-]*")

_MAIL_SYNTAX = syntax_error("in MAIL, expected FROM:<address>")
_RCPT_SYNTAX = syntax_error("in RCPT, expected TO:<address>")
_PARAMETER_SYNTAX = syntax_error("in parameter")
_NULL_RECIPIENT = syntax_error("no recipient")

MAX_ENVID, MAX_ORCPT = 100, 500
"""Characters (RFC 3461 4.4, 4.2)."""


def usual_mail(line: bytes, max_size: int) -> Mail | None:
    """Read a MAIL line as nearly every client writes it, in one look; None for any other, which `parse_mail` reads.

    One that declares more than `max_size` octets is such another.
    """
    found = _MAIL_LINE.fullmatch(line)
    if found is None:
        return None
    local_part, domain, declared, body = found.groups()
    size = int(declared) if declared else 0
    if len(domain) > MAX_DOMAIN or size > max_size:
        return None
    return Mail(Path(local_part.decode(), domain.decode().lower()), size, body == b"8BITMIME")


def usual_rcpt(line: bytes) -> Rcpt | None:
    """Read a RCPT line as nearly every client writes it, in one look; None for any other, which `parse_rcpt` reads."""
    found = _RCPT_LINE.fullmatch(line)
    if found is None:
        return None
    local_part, domain = found.groups()
    if len(domain) > MAX_DOMAIN:
        return None
    return Rcpt(Path(local_part.decode(), domain.decode().lower()))


def parse_mail(argument: str) -> Mail | Reply:
    """Read what stood behind MAIL."""
    split = _split(argument, "FROM:")
    if split is None:
        return _MAIL_SYNTAX
    found, rest = split
    if not rest:
        path = read_path(found, smtputf8=False)
        return Mail(path) if isinstance(path, Path) else path
    if usual := _USUAL.fullmatch(rest):
        path = read_path(found, smtputf8=False)
        size, body = usual.groups("")
        return Mail(path, int(size or 0), body == "8BITMIME") if isinstance(path, Path) else path
    values = _parameters(rest, _MAIL_PARAMETERS)
    if isinstance(values, Reply):
        return values
    path = read_path(found, smtputf8="SMTPUTF8" in values)
    if isinstance(path, Reply):
        return path
    if not all(value.isascii() for value in values.values()):
        return _PARAMETER_SYNTAX
    return Mail(
        path,
        size=int(values.get("SIZE", "0")),
        eight_bit=values.get("BODY", "").upper() == "8BITMIME",
        smtputf8="SMTPUTF8" in values,
        ret=values.get("RET", "").upper(),
        envid=values.get("ENVID", ""),
    )


def parse_rcpt(argument: str, *, smtputf8: bool) -> Rcpt | Reply:
    """Read what stood behind RCPT; `smtputf8` as MAIL declared it."""
    split = _split(argument, "TO:")
    if split is None:
        return _RCPT_SYNTAX
    found, rest = split
    path = read_path(found, smtputf8=smtputf8)
    if isinstance(path, Reply):
        return path
    if path.is_null:
        return _NULL_RECIPIENT  # <> is a reverse-path only (RFC 5321 4.1.1.3)
    if not rest:
        return Rcpt(path)
    values = _parameters(rest, _RCPT_PARAMETERS)
    if isinstance(values, Reply):
        return values
    orcpt = values.get("ORCPT", "")
    if not orcpt.isascii() and not smtputf8:
        return _PARAMETER_SYNTAX
    return Rcpt(path, notify=values.get("NOTIFY", "").upper(), orcpt=orcpt)


def _split(argument: str, prefix: str) -> tuple[re.Match[str], str] | None:
    """Part `FROM:<path> parameters`; one space after the colon is borne, as every server bears it."""
    size = len(prefix)
    head = argument[:size]
    if head != prefix and (head.upper() != prefix or not head.isascii()):
        return None
    if argument[size : size + 1] == " ":
        size += 1
    found = match_path(argument[size:])
    if found is None:
        return None
    rest = argument[size + found.end() :]
    return None if rest and rest[0] != " " else (found, rest)


_Check = Callable[[str], bool]


def _parameters(text: str, known: dict[str, _Check]) -> dict[str, str] | Reply:
    values: dict[str, str] = {}
    for item in text.split(" "):
        if not item:
            continue
        keyword, equals, value = item.partition("=")
        if not _KEYWORD.fullmatch(keyword) or (equals and not _VALUE.fullmatch(value)):
            return _PARAMETER_SYNTAX
        name = keyword.upper()
        check = known.get(name)
        if check is None:
            return PARAMETER_UNKNOWN
        # RFC 3461 4: each at most once. SMTPUTF8 alone takes no value, every other needs one.
        if name in values or not check(value) or bool(equals) != (name != "SMTPUTF8"):
            return _PARAMETER_SYNTAX
        values[name] = value
    return values


def _is_orcpt(value: str) -> bool:
    kind, semicolon, address = value.partition(";")
    return bool(
        len(value) <= MAX_ORCPT
        and semicolon
        and _ADDRESS_TYPE.fullmatch(kind)
        and is_xtext(address, smtputf8=kind.upper() == "UTF-8")
    )


_MAIL_PARAMETERS: dict[str, _Check] = {
    "SIZE": lambda value: value.isascii() and value.isdigit() and len(value) <= 20,
    "BODY": lambda value: value.upper() in ("7BIT", "8BITMIME"),
    "SMTPUTF8": lambda value: not value,
    "RET": lambda value: value.upper() in ("FULL", "HDRS"),
    "ENVID": lambda value: len(value) <= MAX_ENVID and is_xtext(value),
}
_RCPT_PARAMETERS: dict[str, _Check] = {
    "NOTIFY": lambda value: value.isascii() and _NOTIFY.fullmatch(value.upper()) is not None,
    "ORCPT": _is_orcpt,
}
