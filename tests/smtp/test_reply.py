"""The reply as a value."""

from __future__ import annotations

import pytest

from gatepost.smtp import reply
from gatepost.smtp.reply import Reply


def test_kinds() -> None:
    assert Reply(250, "").is_positive
    assert Reply(354, "").is_positive
    assert Reply(450, "").is_transient
    assert not Reply(550, "").is_transient
    assert str(Reply(250, "a\nb")) == "250 a / b"


@pytest.mark.parametrize(
    ("answer", "octets"),
    [
        (Reply(250, "ok"), b"250 ok\r\n"),
        (Reply(250, ""), b"250 \r\n"),
        (Reply(250, "a\nb\nc"), b"250-a\r\n250-b\r\n250 c\r\n"),
        (Reply(250, "a\r\nb\x1b"), b"250-a\\r\r\n250 b\\x1b\r\n"),
        (Reply(250, "é\udcff"), "250 é\\xff\r\n".encode()),
    ],
)
def test_encode(answer: Reply, octets: bytes) -> None:
    assert answer.encode() == octets


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (reply.message_accepted(7580284), "250 2.0.0 ok:  Message 7580284 accepted"),
        (reply.sender_ok("a@b"), "250 2.1.0 sender <a@b> ok"),
        (reply.recipient_ok("a@b"), "250 2.1.5 recipient <a@b> ok"),
        (reply.GO_AHEAD, "354 go ahead"),
        (reply.READY_FOR_TLS, "220 Go ahead with TLS"),
        (reply.banner("C680.lab.test"), "220 C680.lab.test ESMTP"),
        (reply.goodbye("host"), "221 host"),
        (reply.STARTTLS_FIRST, "530 #5.7.0 Must issue a STARTTLS command first"),
        (reply.SENDER_STARTTLS_FIRST, "530 #5.7.0 This sender must issue a STARTTLS command first"),
        (reply.TOO_MANY_FROM_HOST, "421 #4.4.5 Too many connections from your host"),
        (reply.TOO_MANY_ON_LISTENER, "421 #4.4.5 Too many connections to this listener"),
        (reply.TOO_MANY_MESSAGES, "421 #4.x.2 Too many messages for this session"),
        (reply.CONNECTION_TIME_EXCEEDED, "421 Exceeded allowable connection time, disconnecting."),
        (reply.TOO_MANY_BAD_COMMANDS, "421 Exceeded bad SMTP command limit, disconnecting."),
        (reply.service_not_available("h"), "421 h Service not available, closing transaction channel"),
        (reply.SERVER_ERROR, "451 #4.3.0 Server Error"),
        (reply.QUEUE_FULL, "452 #4.3.1 queue full"),
        (reply.LOW_RESOURCES, "452 #4.3.1 server resources low - try again later"),
        (reply.TOO_MANY_RECIPIENTS, "452 #4.5.3 Too many recipients"),
        (reply.COMMAND_UNKNOWN, "500 #5.5.1 command not recognized"),
        (reply.LINE_TOO_LONG, "500 Line too long"),
        (reply.HELLO_NEEDS_NAME, "501 #5.0.0 EHLO requires domain address"),
        (reply.syntax_error("XXX"), "501 #5.5.2 syntax error XXX"),
        (reply.MAIL_FIRST, "503 #5.5.1 MAIL first"),
        (reply.RCPT_FIRST, "503 #5.5.1 RCPT first"),
        (reply.ADDRESS_REJECTED, "550 #5.1.0 Address rejected."),
        (reply.MESSAGE_TOO_LARGE, "552 #5.3.4 message size exceeds limit"),
        (reply.HEADER_TOO_LARGE, "552 #5.3.4 message header size exceeds limit"),
        (reply.TOO_MANY_HOPS, "554 Too many hops"),
        (reply.BARE_CR_OR_LF, "554 message body contains illegal bare CR/LF characters."),
    ],
)
def test_texts_of_the_model(answer: Reply, text: str) -> None:
    assert str(answer) == text


def test_every_421_closes() -> None:
    named = [value for value in vars(reply).values() if isinstance(value, Reply)]
    assert len(named) > 40
    assert all(answer.close for answer in named if answer.code == 421)
