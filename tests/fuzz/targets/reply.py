"""What a peer answers (smtp/reply_reader.py, smtp/reply.py).

Any octets, in any portions, are the same replies, and at most one BadReply, behind which nothing is asked; a reply's lines
are printable, encoding it gives octets that read back as the same reply, and no more is kept than the longest reply may
have.
"""

from __future__ import annotations

from gatepost.smtp.reply import Reply
from gatepost.smtp.reply_reader import MAX_LINE, MAX_LINES, MAX_REPLY, BadReply, ReplyReader
from tests.fuzz.measure import held

WORDS = (
    b"250 ok\r\n",
    b"250-",
    b"250\r\n",
    b"250 ",
    b"354 go\r\n",
    b"421 ",
    b"550-no\r\n",
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b"25",
    b"\xe2\x80\xa8",
    b"\xff",
    b"\x1b[2J",
    b"x" * 500,
)


def check(octets: bytes) -> None:
    """See above; the first octet says how the rest is cut."""
    if not octets:
        return
    stream = octets[1:]
    whole = _read(stream, len(stream) or 1)
    assert all(isinstance(one, Reply) or one == "BadReply" for one in whole), "not fit for a log line"
    assert whole == _read(stream, octets[0] or 1)
    if len(stream) <= 2000:
        assert whole == _read(stream, 1)
    assert sum(isinstance(one, Reply) for one in whole) <= stream.count(b"\r\n"), "something else than CR LF ended a line"
    for one in whole:
        if isinstance(one, Reply):
            assert all(line.isprintable() for line in one.text.split("\n")), one
            if one.text.count("\n") < MAX_LINES and len(one.encode()) < MAX_LINE:
                assert _read(one.encode(), 7) == [one]


def _read(stream: bytes, step: int) -> list[Reply | str]:
    reader = ReplyReader()
    found: list[Reply | str] = []
    for at in range(0, len(stream), step):
        piece = stream[at : at + step]
        reader.feed(piece)
        try:
            while (reply := reader.next_reply()) is not None:
                found.append(reply)
        except BadReply as fault:
            return [*found, "BadReply" if str(fault).isprintable() else str(fault)]
        assert held(reader) <= MAX_REPLY * 4 + MAX_LINE + len(piece) + MAX_LINES * 8 + 1000
    return found
