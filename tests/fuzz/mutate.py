"""Makes a new input of an old one: flips, cuts, repeats, words that the target knows, lines, numbers, lengths.

Deterministic: the same generator makes the same inputs.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

MAX_SIZE = 4096
"""Octets of an ordinary input: small ones run fast and say as much."""
LARGE = 65536
"""Octets of the few that look for what grows faster than its input."""

_ODD = (0, 9, 10, 13, 32, 46, 48, 60, 62, 92, 127, 128, 255)
_NUMBERS = (b"0", b"1", b"00", b"255", b"256", b"65535", b"65536", b"99999999999999999999", b"-1", b"1e9")
_DIGITS = re.compile(rb"[0-9]+")


def mutate(chance: random.Random, parent: bytes, other: bytes, words: Sequence[bytes]) -> bytes:
    """Return `parent` with a few changes, some of them taken from `other`."""
    octets = bytearray(parent)
    for _ in range(chance.choice((1, 1, 1, 2, 2, 3, 5, 8))):
        if not octets:
            octets += other or b"\r\n"
        chance.choice(_CHANGES)(chance, octets, other, words)
    if chance.random() < 0.002:
        octets = octets * (LARGE // (len(octets) or 1))
        return bytes(octets[:LARGE])
    return bytes(octets[:MAX_SIZE])


def _span(chance: random.Random, octets: bytes | bytearray) -> tuple[int, int]:
    start = chance.randrange(len(octets) + 1)
    length = chance.choice((1, 1, 2, 3, 4, 8, 16, 64))
    return start, min(len(octets), start + length)


def _flip(chance: random.Random, octets: bytearray, other: bytes, words: Sequence[bytes]) -> None:
    octets[chance.randrange(len(octets))] ^= 1 << chance.randrange(8)


def _odd(chance: random.Random, octets: bytearray, other: bytes, words: Sequence[bytes]) -> None:
    octets[chance.randrange(len(octets))] = chance.choice((*_ODD, chance.randrange(256)))


def _insert(chance: random.Random, octets: bytearray, other: bytes, words: Sequence[bytes]) -> None:
    at = chance.randrange(len(octets) + 1)
    octets[at:at] = bytes(chance.choice(_ODD) for _ in range(chance.randrange(1, 4)))


def _delete(chance: random.Random, octets: bytearray, other: bytes, words: Sequence[bytes]) -> None:
    start, end = _span(chance, octets)
    del octets[start:end]


def _truncate(chance: random.Random, octets: bytearray, other: bytes, words: Sequence[bytes]) -> None:
    del octets[chance.randrange(len(octets) + 1) :]


def _repeat(chance: random.Random, octets: bytearray, other: bytes, words: Sequence[bytes]) -> None:
    start, end = _span(chance, octets)
    octets[start:start] = octets[start:end] * chance.choice((1, 1, 2, 10, 100, 1000))


def _word(chance: random.Random, octets: bytearray, other: bytes, words: Sequence[bytes]) -> None:
    if not words:
        return
    start, end = _span(chance, octets)
    octets[start : end if chance.random() < 0.5 else start] = chance.choice(words)


def _splice(chance: random.Random, octets: bytearray, other: bytes, words: Sequence[bytes]) -> None:
    start, end = _span(chance, octets)
    first, last = sorted((chance.randrange(len(other) + 1), chance.randrange(len(other) + 1)))
    octets[start : end if chance.random() < 0.5 else len(octets)] = other[first:last]


def _line(chance: random.Random, octets: bytearray, other: bytes, words: Sequence[bytes]) -> None:
    """Take a line out, move it, double it, or put one of the other input's in its place."""
    lines = bytes(octets).splitlines(keepends=True)
    at, to = chance.randrange(len(lines)), chance.randrange(len(lines) + 1)
    change = chance.randrange(4)
    if change == 0:
        del lines[at]
    elif change == 1:
        lines.insert(to, lines.pop(at))
    elif change == 2:
        lines.insert(to, lines[at])
    else:
        lines[at:at] = [chance.choice(other.splitlines(keepends=True) or [b"\r\n"])]
    octets[:] = b"".join(lines)


def _number(chance: random.Random, octets: bytearray, other: bytes, words: Sequence[bytes]) -> None:
    found = list(_DIGITS.finditer(octets))
    if found:
        one = chance.choice(found)
        octets[one.start() : one.end()] = chance.choice(_NUMBERS)


def _length(chance: random.Random, octets: bytearray, other: bytes, words: Sequence[bytes]) -> None:
    """Change what may be a length of two octets, a little or to an end of its range."""
    at = chance.randrange(len(octets))
    value = int.from_bytes(octets[at : at + 2], "big")
    value = chance.choice((0, 1, 0xFFFF, 0x7FFF, value + 1, value - 1, value + 2, value * 2)) & 0xFFFF
    octets[at : at + 2] = value.to_bytes(2, "big")


_CHANGES: tuple[Callable[[random.Random, bytearray, bytes, Sequence[bytes]], None], ...] = (
    _flip,
    _odd,
    _insert,
    _delete,
    _truncate,
    _repeat,
    _word,
    _word,
    _word,
    _splice,
    _splice,
    _line,
    _line,
    _number,
    _length,
)
