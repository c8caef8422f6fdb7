"""Mail data: where it ends, what is wrong with it, and that neither depends on how it was cut into pieces."""

from __future__ import annotations

import re
import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost.smtp import reply
from gatepost.smtp.data import ChunkReader, DotReader
from gatepost.smtp.limits import Limits
from gatepost.smtp.reply import Reply

LIMITS = Limits(1000, 200, 10, 100, 5)
OPEN = Limits(-1, -1, -1, -1, -1)
REPAIR = Limits(-1, -1, -1, -1, -1, repair_line_endings=True)

SHORT = Limits(20, -1, -1, -1, -1, repair_line_endings=True)


def read(octets: bytes, limits: Limits = OPEN, cuts: list[int] | None = None) -> tuple[bytes, DotReader]:
    """Feed `octets`, cut at `cuts`, up to the end of data; return the content."""
    reader, content = DotReader(limits), b""
    edges = [0, *sorted(cut % (len(octets) + 1) for cut in cuts or []), len(octets)]
    for start, stop in pairwise(edges):
        content += reader.feed(octets[start:stop])
        if reader.rest is not None:
            reader.rest += octets[stop:]
            break
    return content, reader


@pytest.mark.parametrize(
    ("octets", "content", "rest"),
    [
        (b".\r\n", b"", b""),
        (b"a\r\n.\r\nNOOP\r\n", b"a\r\n", b"NOOP\r\n"),
        (b"..\r\n.\r\n", b".\r\n", b""),
        (b".a\r\n..b\r\n...\r\n.\r\n.\r\n", b"a\r\n.b\r\n..\r\n", b".\r\n"),
        (b"\r\n.\r\n", b"\r\n", b""),
        (b"a.\r\n.\r\n", b"a.\r\n", b""),
    ],
)
def test_end_of_data(octets: bytes, content: bytes, rest: bytes) -> None:
    for cuts in ([], list(range(len(octets)))):
        got, reader = read(octets, cuts=cuts)
        assert (got, reader.rest, reader.fault, reader.size) == (content, rest, None, len(content))


@pytest.mark.parametrize(
    "octets", [b"", b".", b".\r", b"a\r\n", b"a\r\n.", b"a\r\n.\r", b".\n", b"\r.\r\n", b"\n.\r\n", b"a.\r\n"]
)
def test_no_end_of_data(octets: bytes) -> None:
    assert read(octets)[1].rest is None
    assert read(octets, cuts=list(range(len(octets))))[1].rest is None


def header(lines: int, size: int = 10) -> bytes:
    return b"".join(b"x: " + b"y" * (size - 5) + b"\r\n" for _ in range(lines))


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"x: y\r\n\r\n" + b"z\r\n" * 300, None),
        (b"a" * 1001, reply.MESSAGE_TOO_LARGE),
        (b"\r\n" + b"a\n" * 500, reply.MESSAGE_TOO_LARGE),
        (b"a\rb", reply.BARE_CR_OR_LF),
        (b"a\n", reply.BARE_CR_OR_LF),
        (b"\0\rb", reply.BARE_CR_OR_LF),
        (b"a\0", reply.NUL_IN_MESSAGE),
        (header(10) + b"\r\n", None),
        (header(11) + b"\r\n", reply.HEADER_TOO_LARGE),
        (header(10) + b"\r\n" + header(40), None),
        (header(2, 99) + b"\r\n", None),
        (header(2, 99) + b"x:\r\n\r\n", reply.HEADER_TOO_LARGE),
        (header(3, 99), reply.HEADER_TOO_LARGE),
        (b"Received: a\r\n" * 4 + b"\r\n" + b"Received: a\r\n" * 4, None),
        (b"RECEIVED: a\r\n" * 5 + b"\r\n", reply.TOO_MANY_HOPS),
        (b"a: Received: a\r\n" * 6 + b"\r\n", None),
        (b"\r\n" + b"a" * 98 + b"\r\n", None),
        (b"\r\n" + b"a" * 99 + b"\r\n", reply.TEXT_LINE_TOO_LONG),
        (b"\r\n" + b"a" * 98 + b"\r\nb\r\n" + b"a" * 99 + b"\r\n", reply.TEXT_LINE_TOO_LONG),
        (b"\r\n" + (b"a" * 48 + b"\r\n") * 15, None),
    ],
)
def test_faults(content: bytes, fault: Reply | None) -> None:
    octets = content + b"\r\n.\r\n" + b"NOOP\r\n"
    for cuts in ([], [7], [50, 51, 99, 100], list(range(len(octets)))):
        got, reader = read(octets, LIMITS, cuts)
        assert reader.fault == fault
        assert reader.rest == b"NOOP\r\n"
        if fault is None:
            assert got == content + b"\r\n"
        chunks = ChunkReader(LIMITS)
        edges = [0, *cuts, len(content)]
        got = b"".join(chunks.feed(content[a:b]) for a, b in pairwise(edges)) + chunks.finish()
        assert chunks.fault == fault or content.endswith(b"a\r")
        assert fault is not None or got == content


def test_stuffed_dots_do_not_count_for_the_line_length() -> None:
    assert read(b"\r\n." + b"." * 98 + b"\r\n.\r\n", LIMITS)[1].fault is None


def test_oversize_by_one() -> None:
    body = b"\r\n" + b"a\r\n" * 332
    assert read(body + b"\r\n.\r\n", LIMITS)[1].fault is None
    assert read(body + b"b\r\n.\r\n", LIMITS)[1].fault == reply.MESSAGE_TOO_LARGE


PIECES = st.sampled_from([b"\r\n", b".", b"\r", b"\n", b"a", b"\0", b"\r\n.", b"Received: x\r\n", b"\r\n\r\n", b"y" * 60])
CUTS = st.lists(st.integers(0, 10**6), max_size=12)


@given(st.lists(PIECES, max_size=40).map(b"".join), CUTS, st.sampled_from([LIMITS, OPEN, REPAIR, SHORT]))
@settings(max_examples=300, deadline=None)
def test_any_cut_reads_the_same(octets: bytes, cuts: list[int], limits: Limits) -> None:
    octets += b"\r\n.\r\nREST"
    content, whole = read(octets, limits)
    pieces, cut = read(octets, limits, cuts)
    assert (whole.rest, whole.fault, whole.size) == (cut.rest, cut.fault, cut.size)
    if whole.fault is None:
        assert content == pieces
        assert not re.search(rb"\r(?!\n)|(?<!\r)\n", content)
        assert whole.size == len(content)


@given(st.lists(PIECES, max_size=40).map(b"".join))
@settings(max_examples=200, deadline=None)
def test_end_is_where_the_rfc_says(octets: bytes) -> None:
    end = (b"\r\n" + octets).find(b"\r\n.\r\n")
    content, reader = read(octets)
    if end < 0:
        assert reader.rest is None
        return
    mine = (b"\r\n" + octets)[: end + 2]
    assert reader.rest == octets[end + 3 :]
    lines = [line[1:] if line.startswith(b".") else line for line in mine[2:].split(b"\r\n")]
    if reader.fault is None:
        assert content == b"\r\n".join(lines)


def test_memory_is_constant_and_nothing_is_kept_after_a_fault() -> None:
    reader = DotReader(Limits(10**6, 10**5, 1000, 1000, 100))
    block = b"a" * 65536
    tracemalloc.start()
    for _ in range(300):
        reader.feed(block)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**20
    assert reader.size == 300 * 65536
    assert reader.feed(b"x\r\n.\r\n") == b""
    assert reader.fault == reply.MESSAGE_TOO_LARGE
