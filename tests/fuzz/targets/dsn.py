"""Delivery status notifications (outbound/dsn.py).

Whatever a recipient, a reply, a diagnostic or the message holds, the notification is one well-formed message for Python's
email parser: our fields and no other, three parts, one group for each recipient with our Action and Status, lines of at most
998 octets that CR LF ends, and 7-bit unless the sender's own address is not.
"""

from __future__ import annotations

import email.policy
import re
from email import message_from_bytes
from email.message import EmailMessage

from gatepost.outbound import dsn
from gatepost.smtp.path import Path, parse_path
from gatepost.smtp.reply import Reply
from gatepost.spool.message import Envelope

WORDS = (
    b"\xff",
    b"a@b.example",
    b"\xc3\xa9@b\xc3\xa9.example",
    b'"a b"@c.example',
    b"\r\nBcc: x\r\n\r\n",
    b"\nAction: delivered",
    b"\rStatus: 2.0.0",
    b"Subject: x\r\n\r\n",
    b"\r\n",
    b"\r\n\r\n",
    b"\xe2\x80\xa8",
    b"\x1b[2J",
    b"--dsn.",
    b"rfc822;a",
    b"utf-8;a",
    b"+0D+0A",
    b"=?utf-8?q?x?=",
    b"word ",
    b"x" * 70,
    b"\x0b",
    b"\x0c",
    b"\x85",
    b"(",
    b":",
)
_LINE_END = re.compile(rb"\r\n|\r|\n")
FIELDS = frozenset(
    {
        "From",
        "To",
        "Subject",
        "Date",
        "Message-ID",
        "In-Reply-To",
        "Auto-Submitted",
        "MIME-Version",
        "Content-Type",
    }
)
NOW = 1_800_000_000.0


def check(octets: bytes) -> None:
    """See above; fields parted by 0xFF, the last one is the message."""
    fields = octets.split(b"\xff", 9)
    fields = fields + [b""] * (10 - len(fields))
    sender, recipient, text, diagnostic, remote, envid, orcpt, subject, message_id = (
        field.decode("utf-8", "surrogateescape") for field in fields[:9]
    )
    start = _LINE_END.sub(b"\r\n", fields[9])  # what was accepted has no others
    size = len(start)
    start = start[: dsn.MAX_COPY + 1]
    path = parse_path(f"<{sender}>", smtputf8=True)
    sender = str(path) if isinstance(path, Path) and not path.is_null else "bob@sender.example"
    envelope = Envelope(
        mid=5,
        icid=7,
        received=NOW - 60,
        reverse_path=sender,
        recipients=(recipient, recipient),
        size=size,
        ret="HDRS" if start.endswith(b"\n") else "",
        envid=envid,
        orcpt=(orcpt, ""),
        subject=subject,
        message_id=message_id,
    )
    reply = Reply(550, text)
    reports = [
        dsn.Report(recipient=recipient, action="failed", status="5.0.0", diagnostic=diagnostic, reply=reply, orcpt=orcpt),
        dsn.Report(recipient=sender, action="relayed", status="2.0.0", diagnostic=diagnostic, reply=None, remote=remote),
    ]
    message = dsn.compose(envelope, start, reports, hostname="gate.example", mid=9, now=NOW)
    assert message.envelope.reverse_path == ""
    assert message.envelope.recipients == (sender,)
    _well_formed(message.content.octets, sender)


def _well_formed(octets: bytes, sender: str) -> None:
    assert octets.count(b"\r") == octets.count(b"\n") == octets.count(b"\r\n")
    assert b"\0" not in octets
    assert max(map(len, octets.split(b"\r\n"))) <= 998
    head = octets.partition(b"\r\n\r\n")[0]
    assert (head if not sender.isascii() else octets).isascii() or not sender.isascii()
    found = message_from_bytes(octets, policy=email.policy.default)
    assert isinstance(found, EmailMessage)
    assert not found.defects
    assert set(found.keys()) <= FIELDS
    assert len(found.keys()) == len(set(found.keys()))
    parts = list(found.iter_parts())
    assert [part.get_content_type() for part in parts[:2]] == ["text/plain", "message/delivery-status"]
    assert len(parts) == 3
    assert parts[2].get_content_type() in ("message/rfc822", "text/rfc822-headers")
    for part in parts:
        assert set(part.keys()) <= {"Content-Description", "Content-Type", "Content-Transfer-Encoding"}
    groups = list(parts[1].iter_parts())
    assert [group["Action"] for group in groups] == [None, "failed", "relayed"]
    assert [group["Status"] for group in groups] == [None, "5.0.0", "2.0.0"]
    for group in groups:
        assert not group.defects
        assert len(group.keys()) == len(set(group.keys()))
