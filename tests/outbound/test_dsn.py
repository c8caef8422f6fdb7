"""Notifications as the email package reads them: who is told, what it says, and that nothing in it can be forged."""

from __future__ import annotations

import email.policy
from email import message_from_bytes
from email.message import EmailMessage

import pytest

from gatepost.outbound import dsn
from gatepost.outbound.outcome import Carrier, Deleted, Delivered, Outcome
from gatepost.policy.failure import Cost
from gatepost.smtp.reply import Reply
from gatepost.spool.message import Envelope, Message
from tests.fuzz.targets.dsn import FIELDS
from tests.support.outbound import BODY

NOW = 1_800_000_000.0
REFUSED = Cost(
    scope="recipient",
    action="bounce",
    status="5.1.1",
    diagnostic="RCPT was answered 550 5.1.1 no such user",
    reply=Reply(550, "5.1.1 no such user"),
)
CARRIER = Carrier(dcid=3, host="mx.example.com", address="192.0.2.1")


def envelope(**fields: object) -> Envelope:
    values = {"mid": 5, "icid": 7, "received": NOW - 60, "reverse_path": "bob@sender.example", "size": len(BODY)}
    return Envelope(**{"recipients": ("ann@example.com",), **values, **fields})  # type: ignore[arg-type]


def report(envelope: Envelope, rid: int = 0, outcome: Outcome = REFUSED) -> dsn.Report | None:
    return dsn.report(envelope, rid, outcome, CARRIER, NOW)


def compose(of: Envelope, start: bytes = BODY, outcome: Outcome = REFUSED) -> Message:
    reports = [found for rid in range(len(of.recipients)) if (found := report(of, rid, outcome)) is not None]
    return dsn.compose(of, start, reports, hostname="gate.example", mid=9, now=NOW)


def parsed(message: Message) -> EmailMessage:
    octets = message.content.octets
    assert max(map(len, octets.split(b"\r\n"))) <= 998
    assert b"\n" not in octets.replace(b"\r\n", b"")
    assert message.envelope.size == len(octets)
    found = message_from_bytes(octets, policy=email.policy.default)
    assert isinstance(found, EmailMessage)
    assert not found.defects
    return found


def status_groups(found: EmailMessage) -> list[EmailMessage]:
    [part] = [part for part in found.iter_parts() if part.get_content_type() == "message/delivery-status"]
    return list(part.iter_parts())  # type: ignore[arg-type]


def test_a_notification_has_its_three_parts_and_its_headers() -> None:
    message = compose(envelope(envid="QQ+20314", message_id="<1@sender.example>"))
    assert message.envelope.reverse_path == ""
    assert message.envelope.recipients == ("bob@sender.example",)
    assert message.envelope.bounce_of == 5
    assert not message.envelope.eight_bit
    found = parsed(message)
    assert found.get_content_type() == "multipart/report"
    assert found.get_param("report-type") == "delivery-status"
    assert found["From"] == "Mail Delivery System <MAILER-DAEMON@gate.example>"
    assert found["To"] == "bob@sender.example"
    assert found["Auto-Submitted"] == "auto-replied"
    assert found["MIME-Version"] == "1.0"
    assert found["In-Reply-To"] == "<1@sender.example>"
    assert found["Date"]
    assert found["Message-ID"].endswith("@gate.example>")
    kinds = [part.get_content_type() for part in found.iter_parts()]
    assert kinds == ["text/plain", "message/delivery-status", "message/rfc822"]
    text = next(found.iter_parts()).get_content()
    assert "<ann@example.com>" in text
    assert "5.1.1 no such user" in text
    assert "mx.example.com" in text


def test_the_status_part_has_the_fields_of_rfc_3464() -> None:
    of = envelope(envid="QQ+20314", orcpt=("rfc822;Ann+2Bx@example.com",))
    whole, recipient = status_groups(parsed(compose(of)))
    assert whole["Reporting-MTA"] == "dns; gate.example"
    assert whole["Original-Envelope-Id"] == "QQ 314"
    assert whole["Arrival-Date"]
    assert recipient["Original-Recipient"] == "rfc822; Ann+x@example.com"
    assert recipient["Final-Recipient"] == "rfc822; ann@example.com"
    assert recipient["Action"] == "failed"
    assert recipient["Status"] == "5.1.1"
    assert recipient["Remote-MTA"] == "dns; mx.example.com"
    assert recipient["Diagnostic-Code"] == "smtp; 550 5.1.1 no such user"
    assert recipient["Last-Attempt-Date"]


def test_our_own_finding_is_told_in_words() -> None:
    why = "mx.example.com does not offer STARTTLS; required (destination control for example.com) allows no clear text"
    cost = Cost(scope="recipient", action="bounce", status="5.4.7", diagnostic=f"delivery expired; {why}")
    found = parsed(compose(envelope(), outcome=cost))
    _, recipient = status_groups(found)
    assert " ".join(recipient["Diagnostic-Code"].split()) == f"x-gatepost; delivery expired; {why}"
    assert why in " ".join(next(found.iter_parts()).get_content().split())


def test_one_notification_tells_of_all_recipients() -> None:
    found = parsed(compose(envelope(recipients=tuple(f"r{n}@example.com" for n in range(50)))))
    assert len(status_groups(found)) == 51


# --- what is returned ------------------------------------------------------------------------------------------------


def returned(of: Envelope, start: bytes) -> tuple[str, bytes]:
    part = list(parsed(compose(of, start)).iter_parts())[2]
    if part.get_content_type() == "message/rfc822":
        [inner] = part.iter_parts()
        return part.get_content_type(), inner.as_bytes()
    return part.get_content_type(), part.get_payload(decode=True)  # type: ignore[return-value]


def test_a_small_message_is_returned_whole() -> None:
    kind, octets = returned(envelope(), BODY)
    assert kind == "message/rfc822"
    assert octets.replace(b"\r\n", b"\n") == BODY.replace(b"\r\n", b"\n")


@pytest.mark.parametrize(
    ("fields", "start"),
    [
        ({"ret": "HDRS"}, BODY),
        ({"size": 20_000}, BODY + b"x" * 9000),
        ({}, BODY[:-4] + "grüße\r\n".encode()),
        ({}, BODY + b"\0\r\n"),
        ({}, BODY + b"x" * 2000 + b"\r\n"),
    ],
    ids=["RET=HDRS", "large", "8-bit", "NUL", "long line"],
)
def test_only_the_header_section_is_returned(fields: dict[str, object], start: bytes) -> None:
    kind, octets = returned(envelope(**{"size": len(start), **fields}), start)
    assert kind == "text/rfc822-headers"
    assert octets.splitlines() == BODY.split(b"\r\n\r\n")[0].splitlines()


def test_a_long_header_section_is_cut_at_a_line_end() -> None:
    start = b"".join(b"X-%d: %s\r\n" % (n, b"y" * 50) for n in range(400))
    assert len(dsn.header_section(start)) <= dsn.MAX_COPY
    assert dsn.header_section(start).endswith(b"y\r\n")
    assert dsn.header_section(b"\r\nbody") == b""


def test_a_header_section_without_a_line_end_is_cut_where_it_must_be() -> None:
    assert dsn.header_section(b"y" * dsn.MAX_COPY + b"\r\n") == b"y" * dsn.MAX_COPY
    assert dsn.header_section(b"y" * (dsn.MAX_COPY - 1) + b"\r\n") == b"y" * (dsn.MAX_COPY - 1)


@pytest.mark.parametrize("words", [1, 12, 300])
def test_long_headers_outside_ascii_have_no_bare_line_ends(words: int) -> None:
    # the notification could not have been sent: no next hop is handed a bare LF
    start = ("Subject: " + "grüße " * words + "\r\n\r\n").encode()
    _, octets = returned(envelope(size=len(start)), start)
    assert octets.decode().split() == ["Subject:", *["grüße"] * words]


def test_headers_outside_ascii_are_encoded() -> None:
    start = "Subject: grüße = schön\r\nX: y\r\n\r\nbody\r\n".encode()
    _, octets = returned(envelope(size=len(start)), start)
    assert octets.decode() == "Subject: grüße = schön\r\nX: y\r\n"


# --- who is told -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("notify", "failed", "relayed"),
    [
        ("", True, False),
        ("NEVER", False, False),
        ("FAILURE", True, False),
        ("SUCCESS", False, True),
        ("DELAY", False, False),
        ("SUCCESS,FAILURE,DELAY", True, True),
    ],
)
def test_notify_is_honoured(notify: str, failed: bool, relayed: bool) -> None:
    of = envelope(notify=(notify,))
    assert bool(report(of)) == failed
    assert bool(report(of, outcome=Delivered(Reply(250, "ok"), dsn=False))) == relayed
    assert report(of, outcome=Delivered(Reply(250, "ok"), dsn=True)) is None
    assert report(of, outcome=Deleted()) is None


def test_a_relayed_message_is_told_as_such() -> None:
    found = parsed(compose(envelope(notify=("SUCCESS",)), outcome=Delivered(Reply(250, "2.0.0 ok"), dsn=False)))
    assert "Relay" in found["Subject"]
    assert status_groups(found)[1]["Action"] == "relayed"


def test_a_failure_that_will_be_tried_again_is_no_news() -> None:
    soft = Cost(scope="recipient", action="retry", status="4.2.1", diagnostic="later")
    assert report(envelope(), outcome=soft) is None


# --- injection -------------------------------------------------------------------------------------------------------

EVIL = [
    "x\r\nBcc: everybody@example.com\r\n\r\n<script>",
    "x\nAction: delivered",
    "x\rStatus: 2.0.0",
    "\x1b[2J\x00\x85\u2028next",
    "ünïcödé \u202e drow",
    "--dsn.boundary--",
    "y" * 50_000,
    "word " * 10_000,
]


@pytest.mark.parametrize("evil", EVIL)
def test_no_text_of_a_stranger_makes_a_field_or_a_line(evil: str) -> None:
    of = envelope(
        recipients=(f'"{evil}"@example.com',),
        envid=evil,
        orcpt=(f"rfc822;{evil}",),
        subject=evil,
        message_id=evil,
    )
    cost = Cost(scope="recipient", action="bounce", status="5.0.0", diagnostic=evil, reply=Reply(550, evil))
    reports = [dsn.Report(recipient=of.recipients[0], action="failed", status="5.0.0", diagnostic=evil, reply=cost.reply)]
    reports.append(dsn.Report(recipient="a@b.c", action="failed", status="5.0.0", diagnostic=evil, reply=None, remote=evil))
    found = parsed(dsn.compose(of, BODY, reports, hostname="gate.example", mid=9, now=NOW))
    assert set(found.keys()) <= FIELDS
    groups = status_groups(found)
    assert len(groups) == 3
    assert [group["Action"] for group in groups[1:]] == ["failed", "failed"]
    assert [group["Status"] for group in groups[1:]] == ["5.0.0", "5.0.0"]


def test_an_international_recipient_is_told_in_seven_bits() -> None:
    found = parsed(compose(envelope(recipients=("bücher+1@exämple.com",))))
    assert status_groups(found)[1]["Final-Recipient"] == "utf-8; b\\x{FC}cher\\x{2B}1@ex\\x{E4}mple.com"


@pytest.mark.parametrize("char", ["é", "\u4e2d", "\U0001f600"])
def test_the_longest_international_recipient_fits_a_line(char: str) -> None:
    address = f"{char * 60}@{'.'.join([char * 15] * 4)}"
    found = parsed(compose(envelope(recipients=(address,))))
    assert status_groups(found)[1]["Final-Recipient"].startswith(f"utf-8; \\x{{{ord(char):X}}}")


def test_an_international_sender_is_answered_in_kind() -> None:
    message = compose(envelope(reverse_path="bücher@exämple.com"))
    assert message.envelope.smtputf8
    assert parsed(message)["To"] == "bücher@exämple.com"
