"""Envelope addresses, as the client wrote them."""

from __future__ import annotations

import time

import pytest

from gatepost.smtp.path import NULL, Path, is_sendable, parse_path
from gatepost.smtp.reply import UTF8_NOT_EXPECTED, Reply


@pytest.mark.parametrize(
    ("text", "local_part", "domain"),
    [
        ("<>", "", ""),
        ("<a@b>", "a", "b"),
        ("<Alice@Example.COM.>", "Alice", "example.com"),
        ("<postmaster>", "postmaster", ""),
        ("<a@[192.0.2.1]>", "a", "[192.0.2.1]"),
        ("<a@[IPv6:2001:DB8::1]>", "a", "[ipv6:2001:db8::1]"),
        ('<"a b"@c>', '"a b"', "c"),
        ('<"a@x"@c>', '"a@x"', "c"),
        ('<"a\\"\\\\>"@c>', '"a\\"\\\\>"', "c"),
        ('<""@c>', '""', "c"),
        ("<@a:b@c>", "b", "c"),
        ("<@a,@[192.0.2.1]:b@c>", "b", "c"),
        ("<a%x@c>", "a%x", "c"),
        ("<x!a@c>", "x!a", "c"),
        ("<.a..b.@c>", ".a..b.", "c"),
        ("<`id`$(x)${y}@c>", None, None),
        ("<${x}|`y`@c>", "${x}|`y`", "c"),
        ("<a@under_score.example>", "a", "under_score.example"),
        ("<bounce+" + "x" * 100 + "=y.z@c>", "bounce+" + "x" * 100 + "=y.z", "c"),
        ("<" + "a" * 255 + "@c>", "a" * 255, "c"),
    ],
)
def test_path(text: str, local_part: str | None, domain: str | None) -> None:
    path = parse_path(text)
    if local_part is None:
        assert isinstance(path, Reply)
        return
    assert path == Path(local_part, domain or "")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a@b",
        "<a@b",
        "a@b>",
        "<a@b>x",
        "<a b@c>",
        "<a@>",
        "<@b>",
        "<@a:>",
        "<@a>",
        "<a@b@c>",
        "<a@-b>",
        "<a@b..c>",
        "<a@[1.2.3]>",
        "<a@[]>",
        '<"a@c>',
        '<"a"b@c>',
        '<a"b"@c>',
        '<"a\r\nb"@c>',
        '<"a\\\rb"@c>',
        "<a\0@c>",
        "<a\x7f@c>",
        "<a\t@c>",
        "<a@b\n>",
        "<(comment)a@b>",
        "<;touch${IFS}x@b>",
        "<" + "a" * 256 + "@b>",
        "<" + "a" * 2000 + "@b>",
        "<a@" + "b" * 64 + ">",
        "<a@" + "b." * 200 + "c>",
        "<" + "a" * 250 + "@" + "b." * 120 + "c>",
    ],
)
def test_no_path(text: str) -> None:
    for smtputf8 in (False, True):
        answer = parse_path(text, smtputf8)
        assert isinstance(answer, Reply)
        assert answer.code == 501


def test_utf8_needs_smtputf8() -> None:
    for text in ("<é@c>", "<a@é>", '<"é"@c>'):
        assert parse_path(text) == UTF8_NOT_EXPECTED
        assert isinstance(parse_path(text, True), Path)
    assert parse_path("<a@BÜCHER.example>", True) == Path("a", "bücher.example")


@pytest.mark.parametrize("char", ["\u0085", "\u2028", "\u202e", "\udcff"])
def test_what_is_no_utf8_text_is_501(char: str) -> None:
    answer = parse_path(f"<{char}@c>", True)
    assert isinstance(answer, Reply)
    assert answer.code == 501


def test_low_octets_of_a_wide_character_are_no_line_end() -> None:
    # U+010D U+010A: cut to eight bits they are CR LF; as UTF-8 they are harmless
    path = parse_path("<a\u010d\u010ab@c>", True)
    assert isinstance(path, Path)
    assert b"\r" not in str(path).encode()


def test_null_path() -> None:
    assert NULL.is_null
    assert str(NULL) == ""
    assert str(Path("a", "b")) == "a@b"
    assert str(Path("a", "")) == "a"


def test_sendable() -> None:
    assert is_sendable("a@b")
    assert is_sendable("é@b")
    assert not any(map(is_sendable, ["a@b> SIZE=1", "a\r\n@b", "a b@c", '"a\r"@b', "a>b@c"]))


@pytest.mark.parametrize(
    "text", ["<" + "(" * 10**6, '<"' + "\\\\" * 10**6, "<@a" + ",@a" * 10**6, "<" + "a." * 10**6, "<a@" + "[" * 10**6]
)
def test_time_is_linear(text: str) -> None:
    start = time.process_time()
    parse_path(text)
    assert time.process_time() - start < 1
