"""Several hundred messages, real-shaped and malformed, the same ones in every run, and what must become of each.

Nothing here is random that has no seed, and nothing comes from the package: `refusal` reads the configuration's promises
(docs/configuration.md) anew, so that a fault in our own readers cannot hide.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from tests.faults.corpus_broken import broken
from tests.faults.corpus_real import real

SIZE, HEADER, LINES, HOPS, LINE = 4 << 20, 256 << 10, 2000, 100, 1 << 20
"""Octets of a message (as tests/support/probed.py sets it) and of its header, lines of it, hops, octets of a line."""
SMALL = 20_000
"""Octets of a message that is worth damaging: in larger ones a damage is hard to hit twice."""


def corpus() -> dict[str, bytes]:
    """Return all messages by name, as mail data without dot-stuffing; each is empty or ends with CR LF."""
    messages: dict[str, bytes] = {}
    for name, content in (*real(), *broken()):
        assert name not in messages, name
        messages[name] = content
    assert all(not content or content.endswith(b"\r\n") for content in messages.values())
    return messages


def refusal(content: bytes) -> str:
    """Return what mail data must be answered, empty when it must be taken."""
    head, blank, _ = (b"\r\n" + content).partition(b"\r\n\r\n")
    head = head[2:] + (b"\r\n" if blank and len(head) > 2 else b"")
    without = content.replace(b"\r\n", b"")
    if len(content) > SIZE:
        return "552 #5.3.4 message size exceeds limit"
    if b"\r" in without or b"\n" in without:
        return "554 message body contains illegal bare CR/LF characters."
    if b"\0" in content:
        return "554 message body contains illegal NUL characters."
    if len(head) > HEADER or head.count(b"\r\n") > LINES:
        return "552 #5.3.4 message header size exceeds limit"
    if sum(line.lower().startswith(b"received:") for line in head.split(b"\r\n")) >= HOPS:
        return "554 Too many hops"
    if any(len(line) + 2 > LINE for line in content.split(b"\r\n")):
        return "554 message body contains a line that is too long."
    return ""


def stuffed(content: bytes) -> bytes:
    """Return mail data as DATA carries it, without the final dot (RFC 5321 4.5.2)."""
    return (b"\r\n" + content).replace(b"\r\n.", b"\r\n..")[2:]


def chunks(content: bytes, seed: int) -> list[bytes]:
    """Return the content cut into a few pieces, now and then in the middle of a line end, and some of them empty."""
    chance = random.Random(seed)
    cuts = sorted(chance.randrange(len(content) + 1) for _ in range(chance.randrange(4)))
    ends = [at + 1 for at in range(len(content)) if content[at : at + 2] == b"\r\n"] if len(content) < SMALL else []
    cuts = sorted([*cuts, *chance.sample(ends, min(len(ends), 2))])
    return [content[start:end] for start, end in zip([0, *cuts], [*cuts, len(content)], strict=True)]


def flipped(content: bytes, seed: int) -> bytes:
    """Return the content with one to five bits turned; it still ends with a line end."""
    chance, octets = random.Random(seed), bytearray(content)
    for _ in range(chance.randrange(1, 6)):
        octets[chance.randrange(len(octets) - 2)] ^= 1 << chance.randrange(8)
    return bytes(octets)


TOKENS = [
    b"\r", b"\n", b"\r\n", b"\0", b".", b"\r\n.", b"\r\n.\r\n", b"\n.\n", b":", b"\r\n\r\n", b" ", b"\t", b"\xff",
    b"--b\r\n", b"=?", b"?=", b"\r\nReceived: x\r\n", b"\r\nQUIT\r\n", b"(", b'"', b"\\", b"\x1b[2J", b"\xe2\x80\xae",
]  # fmt: skip


def torn(content: bytes, seed: int) -> bytes:
    """Return the content with pieces cut out, doubled, swapped, or put in; it ends with a line end again."""
    chance = random.Random(seed)
    for _ in range(chance.randrange(1, 4)):
        one, two = sorted(chance.randrange(len(content) + 1) for _ in range(2))
        match chance.randrange(4):
            case 0:
                content = content[:one] + content[two:]
            case 1:
                content = content[:two] + content[one:]
            case 2:
                content = content[two:] + content[one:two] + content[:one]
            case _:
                content = content[:one] + chance.choice(TOKENS) + content[one:]
    return content.removesuffix(b"\r\n") + b"\r\n"


def damaged(messages: dict[str, bytes], count: int) -> Iterator[tuple[str, bytes]]:
    """Yield so many damaged messages, by the seed that makes them again."""
    small = [(name, content) for name, content in messages.items() if 4 < len(content) < SMALL]
    for seed in range(count):
        name, content = small[seed * 7 % len(small)]
        damage = torn if seed % 3 == 2 else flipped
        yield f"{damage.__name__}({name!r}, {seed})", damage(content, seed)
