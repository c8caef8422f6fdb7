"""The receiver engine (smtp/receiver.py), with a session that refuses now and then.

Any octets get replies and a close, never an exception. The session is the same however they are cut, but for what comes too
soon behind DATA and STARTTLS. Only CR LF ends a line and only CR LF . CR LF a message. What is accepted has no bare CR or
LF, no NUL, and keeps the limits; nothing is accepted in the clear where TLS is required; what the engine keeps does not grow
with the stream.
"""

from __future__ import annotations

import re
from itertools import pairwise

from gatepost.smtp import events, reply
from gatepost.smtp.limits import Limits
from gatepost.smtp.receiver import Receiver
from gatepost.smtp.reply import Reply
from tests.fuzz.measure import held

WORDS = (
    b"EHLO c\r\n",
    b"HELO c\r\n",
    b"MAIL FROM:<a@b>\r\n",
    b"MAIL FROM:<> SIZE=10 BODY=8BITMIME\r\n",
    b"MAIL FROM:<\xc3\xa9@b> SMTPUTF8\r\n",
    b"RCPT TO:<c@d>\r\n",
    b"RCPT TO:<c@d> NOTIFY=NEVER ORCPT=rfc822;c@d\r\n",
    b"DATA\r\n",
    b"BDAT 3\r\n",
    b"BDAT 4 LAST\r\n",
    b"BDAT 0 LAST\r\n",
    b"STARTTLS\r\n",
    b"RSET\r\n",
    b"NOOP\r\n",
    b"VRFY x\r\n",
    b"HELP\r\n",
    b"QUIT\r\n",
    b"POST / HTTP/1.1\r\n",
    b"\x16\x03\x01",
    b"\r\n.\r\n",
    b"\n.\n",
    b"\r.\r",
    b"\r\n..\r\n",
    b"\r\n.\r",
    b"Received: x\r\n",
    b"Subject: x\r\n\r\n",
    b"\r\n",
    b"\0",
    b"\xff",
    b"x" * 60,
    b"x" * 2100,
)
LIMITS = Limits(400, 200, 8, 90, 4, command_line=80, bad_commands=7)
_PIECE = 512
_REPLIES = re.compile(rb"(?:[2-5]\d\d[ -][ -~\x80-\xff]*\r\n)*")
_REPLY = re.compile(rb"^\d\d\d ", re.MULTILINE)
_END = re.compile(rb"(?=\r\n\.\r\n)")
_TOO_SOON = re.compile(rb"(?i)(?:DATA|STARTTLS)[^\r\n]*\r\n")


def check(octets: bytes) -> None:
    """See above; the first three octets say which session it is, what it refuses, and how the rest is cut."""
    if len(octets) < 3:
        return
    kind, refusals, cut, stream = octets[0], octets[1], octets[2], octets[3:]
    edges = {found.end() for found in _TOO_SOON.finditer(stream)}
    whole = _play(kind, refusals, stream, edges)
    for step in {cut or 1, 1} if len(stream) <= 1000 else {cut or 1}:
        pieces = _play(kind, refusals, stream, edges | set(range(0, len(stream), step)))
        assert pieces.told == whole.told
        assert pieces.said == whole.said
    for session in (whole, _play(kind, refusals, stream, set())):
        # a banner, a reply to each line, and up to three more where a line is too long, or one too many
        assert len(_REPLY.findall(session.said)) <= stream.count(b"\r\n") + 4, "something else than CR LF ended a line"
        assert session.ends <= len(_END.findall(stream)), "something else than CR LF . CR LF ended a message"
    if kind & 0x70 == 0x70 and stream:
        long = Session(kind, refusals)
        for times in range(50_000 // len(stream)):
            for at in range(0, len(stream), _PIECE):
                long.hear(stream[at : at + _PIECE])
            long.told.clear()
            long.said = b""
            if times % 32 == 0:
                assert held(long.engine) <= 2 * _PIECE + 4000


def _play(kind: int, refusals: int, stream: bytes, edges: set[int]) -> Session:
    session = Session(kind, refusals)
    for start, end in pairwise(sorted({0, *edges, len(stream)})):
        session.hear(stream[start:end])
    session.hear(b"")
    assert session.closed
    assert isinstance(session.engine.next_event(), events.Closed)
    return session


class Session:
    """One that says yes, and no as the bits of `refusals` have it."""

    def __init__(self, kind: int, refusals: int) -> None:
        self._tls, self._require, self._repair = kind & 1, kind & 2, bool(kind & 4)
        limits = LIMITS
        if kind & 8:
            limits = Limits(-1, -1, -1, -1, -1, repair_line_endings=self._repair)
        elif self._repair:
            limits = Limits(400, 200, 8, 90, 4, command_line=80, bad_commands=7, repair_line_endings=True)
        self._limits = limits
        self._never_starts = bool(kind & 128)
        """Whether we wait for a ClientHello for ever."""
        self._awaits_hello = False
        self.engine = Receiver("mx.example", limits, starttls=bool(kind & 3), require_tls=bool(kind & 2))
        self._refusals, self._asked = refusals, 0
        self._encrypted = False
        self._content: bytes | None = None
        self.closed = False
        self.told: list[object] = []
        """Events, and in the place of an end of mail data what was accepted."""
        self.said = b""
        self.ends = 0
        """Ends of mail data that DATA brought."""
        self._chunked = False
        self.engine.greet(reply.banner("mx.example"))
        self._work()

    def hear(self, octets: bytes) -> None:
        """Take octets and answer all that can be answered."""
        if self.closed:
            return
        said = self.said
        self.engine.receive_data(octets)
        self._work()
        if self._awaits_hello:
            assert self.closed, "octets in the clear behind STARTTLS"
            assert self.said == said
        self._awaits_hello = self._never_starts and self.said.endswith(reply.READY_FOR_TLS.encode()) and not self.closed

    def _work(self) -> None:
        while True:
            while not self.closed and (event := self.engine.next_event()) is not None:
                self._take(event)
            said = self.engine.data_to_send()
            assert _REPLIES.fullmatch(said), said
            self.said += said
            if not self.engine.paused:
                return
            assert said, "it waits for nothing"

    def _take(self, event: events.Event) -> None:
        if isinstance(event, events.Content):
            assert self._content is not None, "content outside mail data"
            self._content += event.octets
            return
        self.told.append(event)
        if isinstance(event, events.Closed):
            self.closed = True
        elif isinstance(event, events.Refused):
            assert event.reply.code >= 400
            assert event.command.isprintable()
        answer = self._answer(event)
        if answer is not None:
            self.engine.reply(answer)
            if isinstance(event, events.StartTls) and answer.is_positive and not self._never_starts:
                self._start_tls()

    def _start_tls(self) -> None:
        said = self.engine.data_to_send()
        if said.endswith(reply.READY_FOR_TLS.encode()):
            self.engine.tls_started()
            self._encrypted = True
        self.said += said

    def _answer(self, event: events.Event) -> Reply | None:
        if isinstance(event, events.Reset | events.Refused | events.Quit | events.Closed):
            return None
        self._asked += 1
        no = self._refusals >> self._asked % 8 & 1
        if isinstance(event, events.EndOfData):
            return self._end(event, bool(no))
        if no:
            return (reply.LOW_RESOURCES, reply.ADDRESS_REJECTED, reply.TOO_MANY_MESSAGES)[self._asked % 3]
        match event:
            case events.Hello():
                return reply.hello("mx.example")
            case events.Mail(reverse_path=path):
                assert self._encrypted or not self._require
                return reply.sender_ok(str(path))
            case events.Rcpt(forward_path=path):
                return reply.recipient_ok(str(path))
            case events.Data(bdat=bdat):
                self._content, self._chunked = b"", bdat
                return reply.GO_AHEAD
            case events.StartTls():
                assert not self._encrypted
                return reply.READY_FOR_TLS
        raise AssertionError(event)

    def _end(self, event: events.EndOfData, no: bool) -> Reply:
        content, self._content = self._content, None
        self.ends += not self._chunked
        assert content is not None
        if event.fault is not None:
            return event.fault
        assert event.size == len(content)
        assert content.count(b"\r") == content.count(b"\n") == content.count(b"\r\n")
        assert b"\0" not in content
        if self._limits.max_message_size >= 0:
            assert len(content) <= self._limits.max_message_size
            assert all(len(line) <= self._limits.max_line_length for line in content.splitlines(keepends=True))
        self.told.append(content)
        return reply.QUEUE_FULL if no else reply.message_accepted(1)
