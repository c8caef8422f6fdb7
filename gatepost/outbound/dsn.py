"""Delivery status notifications (RFC 3461, 3462, 3464): who is told what became of a message, and the message that tells.

A notification has the null reverse-path and never answers one (RFC 5321 4.5.5, 6.1). It is 7-bit whatever it tells of, so
that no next hop can refuse it for its form: a notification that bounces is lost. Every text that a peer or a client chose
is made printable ASCII before it stands in a field, so that it can neither end the field nor begin another. Sends nothing.
"""

from __future__ import annotations

import quopri
import re
import secrets
from collections.abc import Sequence
from email.utils import formatdate
from typing import Literal

import msgspec

from gatepost.outbound.dsn_text import diagnostic_code, explanation, printable_ascii, typed_address, xtext
from gatepost.outbound.outcome import Carrier, Delivered, Outcome
from gatepost.policy.failure import Cost
from gatepost.smtp.reply import Reply
from gatepost.spool.message import Content, Envelope, Message

MAX_COPY = 10_000
"""Octets: a smaller message is returned whole, of a larger one only its header section, cut here (asyncos.md 11.3)."""
MAX_LINE = 998

Action = Literal["failed", "relayed"]
_HEADER_END = re.compile(rb"\r\n\r\n|\A\r\n")


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one recipient."""

    recipient: str
    action: Action
    status: str
    """Enhanced status (RFC 3463)."""
    diagnostic: str
    """One sentence."""
    reply: Reply | None
    """The next hop's own words, where it said any."""
    remote: str = ""
    """Name of the next hop; empty when none was reached."""
    last_attempt: float = 0.0
    orcpt: str = ""


def report(envelope: Envelope, rid: int, outcome: Outcome, carrier: Carrier, now: float) -> Report | None:
    """Return what the sender is to be told of an outcome, None when he need not or did not want to know."""
    action: Action
    if isinstance(outcome, Delivered) and not outcome.dsn:
        # RFC 3461 5.2.7: the trail of NOTIFY=SUCCESS ends here, for the next hop will not follow it.
        action, status, diagnostic = "relayed", "2.0.0", "handed on"
    elif isinstance(outcome, Cost) and outcome.action == "bounce":
        action, status, diagnostic = "failed", outcome.status, outcome.diagnostic
    else:
        return None
    if not wants(envelope, rid, action):
        return None
    return Report(
        recipient=envelope.recipients[rid],
        action=action,
        status=status,
        diagnostic=diagnostic,
        reply=outcome.reply,
        remote=carrier.host,
        last_attempt=now,
        orcpt=envelope.orcpt[rid] if envelope.orcpt else "",
    )


def wants(envelope: Envelope, rid: int, action: Action) -> bool:
    """Return whether the sender asked to be told this of a recipient (RFC 3461 4.1, 5.2)."""
    notify = envelope.notify[rid] if envelope.notify else ""
    if action == "relayed":
        return "SUCCESS" in notify
    return not notify or "FAILURE" in notify


def compose(envelope: Envelope, start: bytes, reports: Sequence[Report], *, hostname: str, mid: int, now: float) -> Message:
    """Make the notification about `envelope`; `start` is its content, or at least the first MAX_COPY octets of it."""
    hostname = printable_ascii(hostname)
    failed = any(report.action == "failed" for report in reports)
    subject = "Delivery Status Notification (Failure)" if failed else "Delivery Status Notification (Relay)"
    message_id = f"<{mid}.{int(now)}.dsn@{hostname}>"
    boundary = f"dsn.{secrets.token_hex(16)}"
    head = [
        f"From: Mail Delivery System <MAILER-DAEMON@{hostname}>",
        f"To: <{envelope.reverse_path}>",
        f"Subject: {subject}",
        f"Date: {formatdate(now, localtime=True)}",
        f"Message-ID: {message_id}",
        *_reference(envelope.message_id),
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/report; report-type=delivery-status; boundary="{boundary}"',
        "",
        "This is a delivery status notification in MIME format.",
    ]
    parts = [
        _text_part(envelope, reports, hostname),
        _status_part(envelope, reports, hostname),
        _returned_part(envelope, start),
    ]
    # A reverse-path outside ASCII stands in To as it is: the way back has to speak SMTPUTF8 for it anyway (RFC 6531 3.3).
    octets = "\r\n".join(head).encode("utf-8", "replace") + b"\r\n"
    for part in parts:
        octets += f"\r\n--{boundary}\r\n".encode() + part
    octets += f"\r\n--{boundary}--\r\n".encode()
    international = not envelope.reverse_path.isascii()
    return Message(
        Envelope(
            mid=mid,
            icid=0,
            received=now,
            reverse_path="",
            recipients=(envelope.reverse_path,),
            size=len(octets),
            bounce_profile=envelope.bounce_profile,
            eight_bit=international,
            smtputf8=international,
            subject=subject,
            message_id=message_id,
            bounce_of=envelope.mid,
        ),
        Content(octets),
    )


def _reference(message_id: str) -> list[str]:
    """Return In-Reply-To, so that mail clients show the notification beside the message, if its id is fit for a field."""
    fit = message_id.isascii() and message_id.isprintable() and len(message_id) <= MAX_LINE - 20
    return [f"In-Reply-To: {message_id}"] if message_id and fit else []


def _text_part(envelope: Envelope, reports: Sequence[Report], hostname: str) -> bytes:
    lines = [f"This is the mail gateway {hostname}.", ""]
    for action, sentence in (
        ("failed", "Your message could not be delivered to the following recipients:"),
        ("relayed", "Your message was handed on to a mail server that gives no further notice of these recipients:"),
    ):
        told = [report for report in reports if report.action == action]
        if told:
            lines += [sentence, ""]
        for report in told:
            why = explanation(report.status, report.diagnostic, report.remote)
            lines += [f"<{printable_ascii(report.recipient)}>", *why, ""]
    if envelope.subject:
        lines += [f"Subject of the message: {printable_ascii(envelope.subject)}", ""]
    body = "\r\n".join(lines).encode("ascii")
    return b"Content-Description: Notification\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n" + body


def _status_part(envelope: Envelope, reports: Sequence[Report], hostname: str) -> bytes:
    """RFC 3464 2.1: per-message fields, then a group of fields for each recipient."""
    fields = [f"Reporting-MTA: dns; {hostname}"]
    if envelope.envid:
        fields.append(f"Original-Envelope-Id: {xtext(envelope.envid)}")
    fields.append(f"Arrival-Date: {formatdate(envelope.received, localtime=True)}")
    for report in reports:
        fields.append("")
        if report.orcpt:
            kind, _, address = report.orcpt.partition(";")
            fields.append(f"Original-Recipient: {printable_ascii(kind)}; {xtext(address)}")
        fields.append(f"Final-Recipient: {typed_address(report.recipient)}")
        fields.append(f"Action: {report.action}")
        fields.append(f"Status: {report.status}")
        if report.remote:
            fields.append(f"Remote-MTA: dns; {printable_ascii(report.remote)}")
        fields.append(f"Diagnostic-Code: {diagnostic_code(report.reply, report.diagnostic)}")
        if report.last_attempt:
            fields.append(f"Last-Attempt-Date: {formatdate(report.last_attempt, localtime=True)}")
    body = "\r\n".join([*fields, ""]).encode("ascii")
    return b"Content-Description: Delivery report\r\nContent-Type: message/delivery-status\r\n\r\n" + body


def _returned_part(envelope: Envelope, start: bytes) -> bytes:
    if envelope.ret != "HDRS" and envelope.size <= MAX_COPY and len(start) == envelope.size and _fits_seven_bit(start):
        return b"Content-Description: Undelivered message\r\nContent-Type: message/rfc822\r\n\r\n" + start
    head = header_section(start)
    described = b"Content-Description: Undelivered message headers\r\nContent-Type: text/rfc822-headers"
    if _fits_seven_bit(head):
        return described + b"\r\n\r\n" + head
    # where quopri breaks a long line it writes a bare LF
    encoded = b"\r\n".join(quopri.encodestring(line).replace(b"\n", b"\r\n") for line in head.split(b"\r\n"))
    return described + b"; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + encoded


def _fits_seven_bit(octets: bytes) -> bool:
    """RFC 2045 2.7: ASCII without NUL, no line beyond 998 octets."""
    return octets.isascii() and b"\0" not in octets and max(map(len, octets.split(b"\r\n")), default=0) <= MAX_LINE


def header_section(start: bytes) -> bytes:
    """Return the header section, cut at a line end when it is longer than MAX_COPY."""
    end = _HEADER_END.search(start)
    head = start[: end.start() + 2] if end and end.group() != b"\r\n" else (b"" if end else start)
    if len(head) <= MAX_COPY:
        return head
    cut = head[:MAX_COPY]
    last = cut.rfind(b"\r\n")
    return cut[: last + 2] if last >= 0 else cut.rstrip(b"\r")
