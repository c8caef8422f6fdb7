"""The small words of SMTP."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost.smtp.grammar import (
    decode_xtext,
    encode_xtext,
    is_address_literal,
    is_domain,
    is_hello_name,
    is_xtext,
    printable,
)


@pytest.mark.parametrize(
    "text",
    ["a", "example.com", "xn--bcher-kva.example", "_dmarc.example", "example.com.", "a" * 63, "1.2.3.4", "bücher.example"],
)
def test_domain(text: str) -> None:
    assert is_domain(text)


@pytest.mark.parametrize(
    "text",
    ["", ".", "a..b", ".a", "-a", "a-", "a b", "a" * 64, "a." * 128 + "a", "a\0b", "a\n", "a\u0085", "a\u202eb", "a/b"],
)
def test_no_domain(text: str) -> None:
    assert not is_domain(text)


@pytest.mark.parametrize(
    "text",
    [
        "[192.0.2.1]",
        "[IPv6:2001:db8::1]",
        "[ipv6:::]",
        "[IPv6:1:2:3:4:5:6:7:8]",
        "[IPv6:::ffff:192.0.2.1]",
        "[IPv6:1:2:3:4:5:6:192.0.2.1]",
        "[x-tag:content]",
    ],
)
def test_address_literal(text: str) -> None:
    assert is_address_literal(text)


@pytest.mark.parametrize(
    "text",
    [
        "192.0.2.1",
        "[]",
        "[192.0.2.256]",
        "[192.0.2]",
        "[IPv6:1:2:3]",
        "[IPv6:1::2::3]",
        "[IPv6:1:2:3:4:5:6:7::8]",
        "[IPv6:12345::]",
        "[IPv6:g::]",
        "[IPv6:]",
        "[a]",
        "[a:b c]",
        "[x:" + "y" * 300 + "]",
    ],
)
def test_no_address_literal(text: str) -> None:
    assert not is_address_literal(text)


@pytest.mark.parametrize(
    "text", ["a", "MAIL_1.example.com.", "[192.0.2.1]", "[WIN-PC]", "192.0.2.1", "::1", "2001:db8::1", "localhost"]
)
def test_hello_name(text: str) -> None:
    assert is_hello_name(text)


@pytest.mark.parametrize(
    "text", ["", "a b", "\x1b[31m", "a\0", "é", "a\r", "[a", "${run{id}}", "'; --", "a" * 300, "-oQ/tmp"]
)
def test_no_hello_name(text: str) -> None:
    assert not is_hello_name(text)


def test_xtext() -> None:
    assert is_xtext("a+2Bb")
    assert is_xtext("ü", smtputf8=True)
    assert not any(map(is_xtext, ["", "a b", "a=b", "a+2b", "a+", "ü", "a\n"]))
    assert encode_xtext("a+b=c d@ü") == "a+2Bb+3Dc+20d@ü"
    assert decode_xtext("a+2Bb+0D+0Ac") == "a+b\\r\\nc"


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126)))
@settings(max_examples=50)
def test_xtext_comes_back(text: str) -> None:
    assert decode_xtext(encode_xtext(text)) == text


@pytest.mark.parametrize(
    ("octets", "shown"),
    [
        (b"plain \\ text", "plain \\ text"),
        ("grüße €", "grüße €"),
        (b"a\r\nb\tc\0", "a\\r\\nb\\tc\\x00"),
        (b"\x1b[31m", "\\x1b[31m"),
        ("\u202e\u0085\U000e0001", "\\u202e\\x85\\U000e0001"),
        (b"\xff\xc3", "\\xff\\xc3"),
    ],
)
def test_printable(octets: bytes | str, shown: str) -> None:
    assert printable(octets) == shown


def test_printable_is_cut() -> None:
    assert printable(b"abcdef", 4) == "abc…"
    assert printable("abcd", 4) == "abcd"
    assert len(printable(b"\0" * 1000, 80)) == 80


@given(st.binary())
@settings(max_examples=100)
def test_printable_is_one_harmless_line(octets: bytes) -> None:
    assert printable(octets).isprintable()


@pytest.mark.parametrize("text", ["(" * 10**6, "a." * 10**6, "a-" * 10**6, "[" * 10**6, '"\\' * 10**6, "+" * 10**6])
def test_time_is_linear(text: str) -> None:
    start = time.process_time()
    for look in (is_domain, is_address_literal, is_hello_name, is_xtext):
        look(text)
    assert time.process_time() - start < 1
