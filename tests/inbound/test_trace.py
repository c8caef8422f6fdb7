"""The Received field and what is read from a header."""

import email
import email.policy
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.inbound import trace
from gatepost.tls.outcome import TlsOutcome


def received(**changes: Any) -> str:
    facts: dict[str, Any] = {
        "hello_name": "mail.sender.example",
        "peer_name": "mx.sender.example",
        "peer_address": "192.0.2.1",
        "hostname": "mx1.example.com",
        "extended": True,
        "tls": None,
        "smtputf8": False,
        "mid": 7,
        "recipient": "a@example.com",
        "now": 1_795_510_800.0,
    }
    return trace.received_field(**{**facts, **changes}).decode()


def test_received_says_who_how_and_when() -> None:
    tls = TlsOutcome(protocol="TLSv1.3", cipher="TLS_AES_256_GCM_SHA384", group="X25519MLKEM768")
    assert received(tls=tls) == (
        "Received: from mail.sender.example (mx.sender.example [192.0.2.1])\r\n"
        " (using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 group X25519MLKEM768)\r\n"
        " by mx1.example.com (Gatepost) with ESMTPS id 7\r\n for <a@example.com>;\r\n"
        " Tue, 24 Nov 2026 09:00:00 +0000\r\n"
    )


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"extended": False}, "with SMTP id"),
        ({"smtputf8": True}, "with UTF8SMTP id"),
        ({"peer_address": "2001:db8::1", "peer_name": ""}, "(unknown [IPv6:2001:db8::1])"),
    ],
)
def test_received_by_protocol_and_address(changes: dict[str, Any], expected: str) -> None:
    assert expected in received(**changes)


def test_several_recipients_are_not_told_of_each_other() -> None:
    assert " for <" not in received(recipient="")


def test_the_field_parses_as_one_header() -> None:
    parsed = email.message_from_string(received() + "\r\n", policy=email.policy.default)
    assert len(parsed["Received"].splitlines()) == 1


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (b"Subject: hello\r\nMessage-ID: <1@x>\r\n\r\nbody", ("hello", "<1@x>")),
        (b"message-id: <2@x>\r\nSUBJECT:  folded\r\n more\r\n\r\n", ("folded more", "<2@x>")),
        (b"From: a\r\n\r\nSubject: in the body\r\n", ("", "")),
        (b"Subject: =?utf-8?q?gr=C3=BC=C3=9Fe?=\r\n\r\n", ("grüße", "")),
        (b"Subject: =?no-such-charset?q?x?=\r\n\r\n", ("=?no-such-charset?q?x?=", "")),
        (b"X-Subject: no\r\nSubject: one\r\nSubject: two\r\n\r\n", ("one", "")),
        (b"Subject: no end of header", ("no end of header", "")),
        (b"Subject: \xff\xfe\r\n\r\n", ("\ufffd\ufffd", "")),
        (b"Subject: =?utf-8?b?w6TDt?=\r\n\r\n", ("=?utf-8?b?w6TDt?=", "")),
        (b"Subject:" + b" a" * 5000 + b"\r\nMessage-ID: <" + b"x" * 5000, (("a " * 500).strip(), "<" + "x" * 998)),
    ],
)
def test_peek(header: bytes, expected: tuple[str, str]) -> None:
    assert trace.peek(header) == expected


WORDS = st.lists(
    st.one_of(
        st.binary(max_size=12),
        st.sampled_from(
            [b"=?utf-8?b?", b"=?utf-8?q?", b"=?x?q?", b"=?idna?q?", b"=?", b"?=", b"=E4", b"\r\n ", b"=?utf-7?q?", b"_"]
        ),
    ),
    max_size=30,
).map(b"".join)


@given(WORDS, WORDS)
def test_no_header_is_too_strange(subject: bytes, message_id: bytes) -> None:
    """Any octets: two texts, and never an exception."""
    told = trace.peek(b"Subject: " + subject + b"\r\nMessage-ID: " + message_id + b"\r\n\r\n")
    assert all(isinstance(text, str) for text in told)


def test_words_without_end_cost_no_time() -> None:
    began = time.monotonic()
    trace.peek(b"Subject: " + b"=?a?q?x" * 9000 + b"\r\n\r\n")
    assert time.monotonic() - began < 0.5
