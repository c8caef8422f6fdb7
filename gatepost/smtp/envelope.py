"""The envelope of a message on its way out, and the commands that say it (RFC 5321 4.1.1.2, 4.1.1.3; RFC 3461).

The second line of defence against injection: nothing that could end a path, a parameter or the line gets into a command
(faults.md 2, row 9).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from gatepost.smtp import reply as replies
from gatepost.smtp.path import is_sendable
from gatepost.smtp.reply import Reply

_usual = re.compile(r"[A-Za-z0-9_.-]+@[A-Za-z0-9_.-]+").fullmatch
"""Addresses that need no parser to be seen harmless; the first look, at half the price."""
_VALUE = re.compile(r"[^\x00-\x20\x7f=\ud800-\udfff]+")


class Transaction(msgspec.Struct, frozen=True):
    """One message for the recipients that one next hop is to take."""

    reverse_path: str
    """Without brackets; empty for the null reverse-path."""
    recipients: tuple[str, ...]
    size: int
    """Octets of the content."""
    eight_bit: bool = False
    smtputf8: bool = False
    ret: str = ""
    envid: str = ""
    notify: tuple[str, ...] = ()
    """NOTIFY for each recipient; or empty."""
    orcpt: tuple[str, ...] = ()

    @property
    def needs_smtputf8(self) -> bool:
        """Whether a peer without SMTPUTF8 could not take it (RFC 6531 3.4)."""
        if self.smtputf8 or not self.reverse_path.isascii():
            return True
        return not all(map(str.isascii, self.recipients))


def refusal(transaction: Transaction, extensions: Mapping[str, str]) -> Reply | None:
    """The refusal that a peer with these extensions has earned the message, before anything is sent."""
    if transaction.eight_bit and "8BITMIME" not in extensions:
        return replies.NO_8BITMIME  # we do not convert: signatures would break (RFC 6152 3)
    if "SMTPUTF8" not in extensions and transaction.needs_smtputf8:
        return replies.NO_SMTPUTF8
    limit = extensions.get("SIZE")
    if limit and limit.isascii() and limit.isdigit() and 0 < int(limit[:20]) < transaction.size:
        return replies.larger_than_next_hop_takes(transaction.size, int(limit[:20]))
    return None


def mail_command(transaction: Transaction, extensions: Mapping[str, str]) -> bytes:
    """Return MAIL with the parameters that the peer knows."""
    path = transaction.reverse_path
    if path and not (_usual(path) or is_sendable(path)):
        raise ValueError(f"not an address: {path!r}")
    command = f"MAIL FROM:<{path}>"
    if "SIZE" in extensions:
        command += f" SIZE={transaction.size}"
    if transaction.eight_bit and "8BITMIME" in extensions:
        command += " BODY=8BITMIME"
    if "SMTPUTF8" in extensions and transaction.needs_smtputf8:
        command += " SMTPUTF8"
    if (transaction.ret or transaction.envid) and "DSN" in extensions:
        command += _parameter("RET", transaction.ret) + _parameter("ENVID", transaction.envid)
    return f"{command}\r\n".encode()


def rcpt_command(transaction: Transaction, index: int, extensions: Mapping[str, str]) -> bytes:
    """Return RCPT for one recipient."""
    path = transaction.recipients[index]
    if not (_usual(path) or (path and is_sendable(path))):
        raise ValueError(f"not an address: {path!r}")
    command = f"RCPT TO:<{path}>"
    if (transaction.notify or transaction.orcpt) and "DSN" in extensions:
        command += _parameter("NOTIFY", _at(transaction.notify, index))
        command += _parameter("ORCPT", _at(transaction.orcpt, index))
    return f"{command}\r\n".encode()


def _at(values: tuple[str, ...], index: int) -> str:
    return values[index] if index < len(values) else ""


def _parameter(keyword: str, value: str) -> str:
    if not value:
        return ""
    if not _VALUE.fullmatch(value):
        raise ValueError(f"not a value for {keyword}: {value!r}")
    return f" {keyword}={value}"
