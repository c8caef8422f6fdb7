"""Command lines: only CR LF ends one, and none makes us grow."""

from __future__ import annotations

import time

from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost.smtp.lines import ENDLESS, LineReader, Trouble


def lines(octets: bytes, size: int, limit: int = 20) -> list[bytes | Trouble]:
    """Cut `octets`, fed in pieces of `size`, until something closes."""
    reader, found = LineReader(limit), []
    for start in range(0, len(octets), size):
        reader.feed(octets[start : start + size])
        while (line := reader.next_line()) is not None:
            found.append(line)
            if line in (Trouble.BARE, Trouble.ENDLESS, Trouble.TLS):
                return found
    return found


def test_limit_counts_the_line_end() -> None:
    assert lines(b"a" * 18 + b"\r\n", 99) == [b"a" * 18]
    assert lines(b"a" * 19 + b"\r\n" + b"b\r\n", 99) == [Trouble.TOO_LONG, b"b"]


def test_long_line_hides_no_command() -> None:
    octets = b"a" * 30 + b"\nb\rc\r\r\nd\r\n"
    for size in (1, 2, 3, 100):
        assert lines(octets, size) == [Trouble.TOO_LONG, b"d"]


def test_tls_is_seen_behind_any_line() -> None:
    for octets in (b"\x16\x03\x01", b"a\r\n\x16\x03", b"a" * 30 + b"\r\n\x16\x03\r\n"):
        assert lines(octets, 99)[-1] == lines(octets, 1)[-1] == Trouble.TLS


def test_endless_line_of_any_octet() -> None:
    for octet in (b"a", b"\r", b"\0", b"\r."):
        for size in (7, 4096, 10**7):
            start = time.process_time()
            assert lines(octet * (5 * 2**20 // len(octet)), size)[-1] in (Trouble.ENDLESS, Trouble.BARE)
            assert time.process_time() - start < 2


def test_end_at_the_very_limit() -> None:
    for spare in range(-3, 4):
        octets = b"a" * (ENDLESS + spare) + b"\r\nb\r\n"
        assert lines(octets, 10**7) == lines(octets, 1021)


@given(st.lists(st.sampled_from([b"\r\n", b"\r", b"\n", b"a", b"b" * 19, b"c" * 25])).map(b"".join))
@settings(max_examples=200, deadline=None)
def test_any_cut_gives_the_same_lines(octets: bytes) -> None:
    assert lines(octets, 1) == lines(octets, 10**6) == lines(octets, 3)
