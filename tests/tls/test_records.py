"""Counting records in a stream that comes in any portions."""

from hypothesis import given
from hypothesis import strategies as st

from gatepost.tls.records import RecordCounter


def record(size: int) -> bytes:
    return b"\x17\x03\x03" + size.to_bytes(2, "big") + bytes(size)


@given(st.lists(st.integers(0, 300), max_size=12), st.lists(st.integers(1, 200), max_size=40))
def test_each_record_is_counted_when_its_last_octet_comes(sizes, portions):
    stream = b"".join(map(record, sizes))
    ends = [sum(5 + size for size in sizes[: n + 1]) for n in range(len(sizes))]
    counter = RecordCounter()
    at = counted = 0
    for portion in [*portions, len(stream)]:
        counted += counter.count(stream[at : at + portion])
        at += portion
        assert counted == sum(end <= at for end in ends)


def test_what_is_no_record_counts_as_one():
    assert RecordCounter().count(record(3) + b"RSET\r\nMAIL") == 2
    assert RecordCounter().count(b"\x17\x03\x03\xff\xff") == 1
    counter = RecordCounter()
    assert counter.count(b"RSE") == 0
    assert counter.count(b"T\r\n") == 1
