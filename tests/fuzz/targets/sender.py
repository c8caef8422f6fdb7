"""The sender engine (smtp/sender.py), driven as a delivery drives it, against a peer that says anything.

Whatever the peer says, in whatever portions: no exception, at most one fault, and behind it silence for ever. No mail before
a banner and a greeting, no command that is not one whole line, no "delivered" but by a reply that came after the end of mail
data, and what is kept of a peer that never ends is bounded.
"""

from __future__ import annotations

import re

from gatepost.smtp.events import (
    DataReply,
    EndReply,
    Event,
    Greeting,
    HelloReply,
    MailReply,
    PeerFault,
    RcptReply,
    StartTlsReply,
)
from gatepost.smtp.sender import Sender, Transaction
from tests.fuzz.measure import held

WORDS = (
    b"220 peer ESMTP\r\n",
    b"250 ok\r\n",
    b"250-peer\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 1000\r\n",
    b"250-peer\r\n250-PIPELINING\r\n250-CHUNKING\r\n250 DSN\r\n",
    b"250-peer\r\n250 STARTTLS\r\n",
    b"250-SMTPUTF8\r\n",
    b"250-SIZE 99999999999999999999999\r\n",
    b"220 go ahead\r\n",
    b"354 go\r\n",
    b"221 bye\r\n",
    b"251 ok\r\n",
    b"421 later\r\n",
    b"450 later\r\n",
    b"454 no TLS\r\n",
    b"502 what\r\n",
    b"550 no\r\n",
    b"554-no\r\n554 never\r\n",
    b"250-",
    b"250",
    b"\r\n",
    b"\n",
    b"\0",
    b"\xff\xfe",
    b"\x1b[31m",
)
CONTENT = b"Subject: x\r\n\r\n.dot\r\nlast\r\n"
ONE = Transaction("a@b.example", ("c@d.example",), len(CONTENT))
TWO = Transaction("a@b.example", ("c@d.example", "e@f.example"), len(CONTENT), ret="HDRS", notify=("NEVER", ""))
WIDE = Transaction("\xe9@b.example", ("c@d.example",), len(CONTENT), eight_bit=True, smtputf8=True)
_COMMAND = re.compile(rb"(?:EHLO|HELO|STARTTLS|MAIL|RCPT|DATA|RSET|NOOP|QUIT|BDAT)\b[^\r\n\0]*\r\n")
_CHUNK = re.compile(rb"BDAT (\d+)( LAST)?\r\n")
_BOUND = 64 * 1024 * 4 + 30_000
"""A reply of 64 KiB, as text (of which Python may need four octets a character) and in lines, and what came with it."""


def check(octets: bytes) -> None:
    """See above; the first two octets say what is to be delivered, and how the rest is cut."""
    if len(octets) < 2:
        return
    kind, cut, stream = octets[0], octets[1], octets[2:]
    for step in {len(stream) or 1, cut or 1}:
        _deliver(kind, [stream[at : at + step] for at in range(0, len(stream), step)])
    # line by line, as from a peer that waits for each command
    _deliver(kind, re.findall(rb"[^\n]*\n|[^\n]+", stream))
    first, _, rest = stream.partition(b"\n")
    if kind & 0xC0 == 0xC0 and rest:
        # a banner, and what follows without an end
        _deliver(
            kind, [first + b"\n", *[rest[at : at + 4096] for at in range(0, len(rest), 4096)] * (1_000_000 // len(rest))]
        )


def _deliver(kind: int, pieces: list[bytes]) -> None:
    delivery = Delivery(kind)
    for piece in (*pieces, b""):
        delivery.hear(piece)
    assert delivery.fault or delivery.left
    if delivery.fault:
        before = delivery.fault
        delivery.sender.receive_data(b"250 ok\r\n")
        assert delivery.sender.next_event() == before
        assert not delivery.sender.data_to_send()
        assert not delivery.sender.ready
        assert not delivery.sender.in_transaction


class Delivery:
    """What `outbound.connection` and `outbound.transaction` do, without the network."""

    def __init__(self, kind: int) -> None:
        self._wants_tls, self._in_pieces, self._idles = kind & 1, kind & 2, kind & 4
        self._gives_up = kind & 8
        self._several = bool(kind & 16)  # events in one go
        self._left = [ONE, TWO, WIDE] if kind & 32 else [TWO]
        self.sender = Sender("gate.example")
        self.fault: PeerFault | None = None
        self.left = False
        """Whether we said QUIT or closed."""
        self._helo = self._encrypted = False
        self._now: Transaction | None = None
        self._answered = 0
        self._greeted = self._hello = False
        self._ends = self._delivered = 0
        self._portions = 0
        self._clear = -1
        """The portion in which STARTTLS was answered 220."""
        self._in_data = False

    def hear(self, octets: bytes) -> None:
        """Take what the peer says, do what follows."""
        if self.fault or self.left:
            return
        self._portions += 1
        self.sender.receive_data(octets)
        told = 0
        while not self.fault and not self.left:
            found = self._next()
            for event in found:
                self._note(event)
                told += 1
            self._follow(self.sender.data_to_send())
            if not found and not self._go_on():
                break
        assert told <= len(octets) // 4 + 3, "more events than the peer can have said"
        if self._portions % 16 == 0 or not octets:
            assert held(self.sender) <= _BOUND + 16 * len(octets)

    def _next(self) -> list[Event]:
        if self._several and self._now is not None:
            return self.sender.events()
        event = self.sender.next_event()
        return [] if event is None else [event]

    def _note(self, event: Event) -> None:
        assert self.fault is None, "an event behind the fault"
        match event:
            case PeerFault():
                assert event.text.isprintable() or "\n" in event.text
                self.fault = event
            case Greeting():
                self._greeted = True
                if event.reply.code == 220:
                    self.sender.hello()
                else:
                    self._leave()
            case HelloReply():
                self._after_hello(event)
            case StartTlsReply():
                if event.reply.code == 220:
                    self._encrypted, self._clear = True, self._portions
                    self.sender.tls_started()
                    if self.sender.next_event() is None:
                        self.sender.hello()
            case EndReply():
                if event.reply.is_positive:
                    self._delivered += 1
                    assert event.reply.code == 250
                    assert self._delivered <= self._ends, "delivered before its end was sent"
            case MailReply() | RcptReply():
                self._answered += 1
            case DataReply():
                if event.reply.is_positive and self._now is not None and self._in_pieces:
                    self._give()

    def _after_hello(self, event: HelloReply) -> None:
        assert self._portions != self._clear, "octets in the clear were read as an answer inside TLS"
        if event.reply.code == 250:
            self._hello = True
            if self._wants_tls and not self._encrypted and "STARTTLS" in event.extensions:
                self.sender.starttls()
        elif event.reply.code >= 500 and not self._helo and not self._encrypted:
            self._helo = True
            self.sender.helo()
        else:
            self._leave()

    def _go_on(self) -> bool:
        """Begin what comes next where nothing is due; False when there is nothing to do but to listen."""
        sender = self.sender
        if self._now is not None and sender.in_transaction:
            welcome = self._answered == 1 + len(self._now.recipients)
            if self._in_pieces and sender.using_bdat and welcome and not self._ends_sent:
                self._give()
                return True
            if self._gives_up and self._in_pieces and sender.using_bdat and not self._ends_sent and self._answered == 2:
                sender.rset()
                self._gives_up = 0
                return True
            return False
        if not sender.ready or not self._hello:
            return False
        if self._now is not None and self._idles:
            self._idles = 0
            sender.noop()
            return True
        self._now = None
        if not self._left:
            self._leave()
            return False
        one = self._left.pop()
        if sender.check(one) is not None:
            return True
        self._now, self._answered, self._ends_sent = one, 0, False
        if self._in_pieces:
            sender.mail(one)
        else:
            sender.send_whole(one, CONTENT)
        return True

    def _give(self) -> None:
        self._ends_sent = True
        for at in range(0, len(CONTENT), 9):
            self.sender.content(CONTENT[at : at + 9])
        self.sender.end()

    def _leave(self) -> None:
        if self.sender.ready:
            self.sender.quit()
            self._follow(self.sender.data_to_send())
        self.left = True

    def _follow(self, octets: bytes) -> None:
        """Read what goes out as a strict peer would."""
        while octets:
            if self._in_data:
                end = octets.find(b"\r\n.\r\n")
                if octets.startswith(b".\r\n"):
                    end = -2
                elif end < 0:
                    return
                octets, self._in_data, self._ends = octets[end + 5 :], False, self._ends + 1
                continue
            found = _COMMAND.match(octets)
            if found is None and octets.startswith((b".\r\n", CONTENT[:7])):
                self._in_data = True
                continue
            assert found, octets[:200]
            line, octets = found[0], octets[found.end() :]
            assert self._greeted
            if line.startswith((b"MAIL", b"RCPT", b"DATA", b"BDAT")):
                assert self._hello, "mail before a greeting"
            if chunk := _CHUNK.match(line):
                octets = octets[int(chunk[1]) :]
                self._ends += chunk[2] is not None
