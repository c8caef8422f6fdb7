"""Sender side of SMTP (RFC 5321 section 4): what to say in, octets out; octets in, the peer's replies out as events.

Knows no socket, clock or policy. Each command is sent when the peer may hear it: all at once with PIPELINING (RFC 2920),
with CHUNKING the content too (RFC 3030), one by one without; which replies are due is kept in a queue, and one that is
not due, or is no reply, ends the connection (`PeerFault`). Only a 250 that answers the end of mail data says delivered.

After each `next_event`, send `data_to_send`: a reply may have released the next command.
"""

from __future__ import annotations

from collections import deque

from gatepost.smtp.envelope import Transaction, mail_command, rcpt_command, refusal
from gatepost.smtp.events import (
    DataReply,
    EndReply,
    Event,
    Greeting,
    HelloReply,
    MailReply,
    OtherReply,
    PeerFault,
    RcptReply,
    StartTlsReply,
)
from gatepost.smtp.grammar import is_hello_name
from gatepost.smtp.outgoing import DotWriter, Writer, whole
from gatepost.smtp.reply import Reply
from gatepost.smtp.reply_reader import BadReply, ReplyReader
from gatepost.smtp.states import SENDER, Ask, Stage

__all__ = ["Sender", "Transaction"]

Due = tuple[Ask, int, bool]
"""What a reply is due for, the recipient's index, and whether the caller wants to see it."""

_MAIL: Due = (Ask.MAIL, 0, True)
_DATA: Due = (Ask.DATA, 0, True)
_END: Due = (Ask.END, 0, True)

_USUAL = {Ask.MAIL: 250, Ask.RCPT: 250, Ask.DATA: 354, Ask.END: 250}
"""The answers of a transaction in which all goes well."""

_TRANSACTION = frozenset({Stage.ENVELOPE, Stage.CONTENT, Stage.ENDING})


class Sender:
    """One connection to a next hop, from its banner to QUIT."""

    def __init__(self, hostname: str) -> None:
        if not is_hello_name(hostname):
            raise ValueError(f"not a host name: {hostname!r}")
        self.extensions: dict[str, str] = {}
        """Keyword in upper case to its parameters, from the last EHLO."""
        self.pipelining = False
        """Whether commands may be sent without waiting."""
        self.using_bdat = False
        """Whether content goes by BDAT: only where it need not wait either, for else DATA is as good."""
        self._hostname = hostname
        self._stage = Stage.CONNECTED
        self._replies = ReplyReader()
        self._due: deque[Due] = deque([(Ask.GREETING, 0, True)])
        self._waiting: deque[tuple[Due, bytes]] = deque()
        self._out: list[bytes] = []
        self._ended = self._leaving = False
        """Whether the peer has closed, and whether it said that it will (421, RFC 5321 3.8)."""
        self._fault = ""
        self._stale = False
        """Whether the peer may still hold a transaction that we gave up."""
        self._given_up = False
        self._mail_refused = False
        self._asked = self._accepted = 0
        """Recipients not answered yet, and recipients accepted."""
        self._writer: Writer = Writer()
        self._piece: bytes | None = None
        """With BDAT: the last piece of content, kept until it is known whether it is the last."""
        self._whole: bytes | None = None
        """Content to be sent by itself when 354 comes."""

    # --- what holds --------------------------------------------------------------------------------------------------

    @property
    def in_transaction(self) -> bool:
        """Whether the outcome of a transaction is still open; more events come, or content is to be given."""
        return self._stage in _TRANSACTION

    @property
    def ready(self) -> bool:
        """Whether the next transaction may begin, or QUIT be said: nothing is due and the peer means to stay."""
        return self._stage is Stage.READY and self._replies.empty and not (self._due or self._leaving or self._ended)

    def check(self, transaction: Transaction) -> Reply | None:
        """Return the refusal that we make ourselves because the peer could not take the message; None when it can."""
        return refusal(transaction, self.extensions)

    # --- commands ----------------------------------------------------------------------------------------------------

    def hello(self) -> None:
        """Say EHLO."""
        self._say(Ask.HELLO, f"EHLO {self._hostname}\r\n".encode())

    def helo(self) -> None:
        """Say HELO, to a peer that does not know EHLO."""
        self._say(Ask.HELLO, f"HELO {self._hostname}\r\n".encode())

    def starttls(self) -> None:
        """Say STARTTLS; after 220 make the handshake and call `tls_started`."""
        self._say(Ask.STARTTLS, b"STARTTLS\r\n")

    def tls_started(self) -> None:
        """Begin anew behind the handshake: what the peer said in the clear is forgotten (RFC 3207 4.2)."""
        if self._stage is not Stage.HANDSHAKE:
            raise RuntimeError("no STARTTLS was answered")
        if not self._replies.empty:
            self._fail("octets in the clear behind the answer to STARTTLS")
            return
        self._stage = Stage.GREETED
        self._learn({})

    def mail(self, transaction: Transaction) -> None:
        """Send the envelope: MAIL, each RCPT, and DATA where content does not go by BDAT."""
        self._begin(transaction)
        self._writer = Writer() if self.using_bdat else DotWriter()

    def _begin(self, transaction: Transaction) -> None:
        known = self.extensions
        dues, commands = [_MAIL], [mail_command(transaction, known)]
        for index in range(len(transaction.recipients)):
            dues.append((Ask.RCPT, index, True))
            commands.append(rcpt_command(transaction, index, known))
        if not self.using_bdat:
            dues.append(_DATA)
            commands.append(b"DATA\r\n")
        self._check_stage(Ask.MAIL)
        if self._stale:
            dues.insert(0, (Ask.RSET, 0, False))
            commands.insert(0, b"RSET\r\n")
        self._stage = Stage.ENVELOPE
        self._stale = self._given_up = self._mail_refused = False
        self._asked, self._accepted = len(transaction.recipients), 0
        self._piece = self._whole = None
        if self.pipelining and self._replies.empty:
            self._due += dues
            self._out += commands
            return
        for due, command in zip(dues, commands, strict=True):
            self._send(due, command)

    def content(self, octets: bytes) -> None:
        """Send a piece of content: behind 354, or behind `mail` at once when `using_bdat`.

        Does nothing for a transaction that was refused meanwhile. ValueError for a bare CR or LF: then only a closed
        connection keeps the peer from taking half a message.
        """
        if self._given_up:
            return
        if self.using_bdat:
            self._check_stage(Ask.CHUNK)
            if piece := self._writer.take(octets):
                if self._piece is not None:
                    self._send((Ask.CHUNK, 0, True), b"BDAT %d\r\n%b" % (len(self._piece), self._piece))
                self._piece = piece
            return
        if self._stage is not Stage.CONTENT:
            raise RuntimeError("354 has not come")
        self._out.append(self._writer.take(octets))

    def end(self) -> None:
        """End the mail data; its answer says who is responsible for the message."""
        if self._given_up:
            return
        if not self.using_bdat and self._stage is not Stage.CONTENT:
            raise RuntimeError("354 has not come")
        self._check_stage(Ask.END)
        end = self._writer.finish()
        if self.using_bdat:
            last, self._piece = self._piece or b"", None
            end = b"BDAT %d LAST\r\n%b" % (len(last), last)
        self._end(end)

    def send_whole(self, transaction: Transaction, octets: bytes) -> None:
        """Send envelope and content, everything as early as the peer allows; no further call is needed."""
        content = whole(octets, dots=not self.using_bdat)  # what is wrong with it shows before anything is sent
        self._begin(transaction)
        if self.using_bdat:
            self._end(b"BDAT %d LAST\r\n%b" % (len(content), content))
        else:
            self._whole = content

    def rset(self) -> None:
        """Give up the transaction under way; where DATA is on its way only a close does that."""
        self._check_stage(Ask.RSET)
        if any(ask is Ask.DATA for ask, _, _ in self._due):
            raise RuntimeError("no RSET behind DATA: it would be content")
        self._give_up(stale=False)
        self._send((Ask.RSET, 0, True), b"RSET\r\n")

    def noop(self) -> None:
        """Show that the connection lives."""
        self._say(Ask.NOOP, b"NOOP\r\n")

    def quit(self) -> None:
        """Say goodbye, between transactions; within one there is no goodbye, the connection is closed instead."""
        self._say(Ask.QUIT, b"QUIT\r\n")

    # --- octets ------------------------------------------------------------------------------------------------------

    def receive_data(self, octets: bytes) -> None:
        """Take octets as they came; b"" says that the peer closed the connection."""
        if octets:
            self._replies.feed(octets)
        else:
            self._ended = True

    def data_to_send(self) -> bytes:
        """Hand over what is due to the peer."""
        out = self._out
        if not out:
            return b""
        octets = out[0] if len(out) == 1 else b"".join(out)
        out.clear()
        return octets

    def events(self) -> list[Event]:
        """Return all replies at hand as events; behind a fault nothing comes."""
        found: list[Event] = []
        due, replies = self._due, self._replies
        while due and not (replies.empty or self._fault):
            try:
                reply = replies.next_reply()
            except BadReply as fault:
                self._fail(str(fault))
                break
            if reply is None:
                break
            ask, index, wanted = due.popleft()
            if reply.code == _USUAL.get(ask) and not (self._given_up or self._waiting):
                found.append(self._went_well(ask, index, reply))
            elif (event := self._answered((ask, index, wanted), reply)) is not None:
                found.append(event)
        if self._fault or self._ended or not (due or replies.empty):
            while (event := self.next_event()) is not None:
                found.append(event)
                if type(event) is PeerFault:
                    break
        return found

    def next_event(self) -> Event | None:
        """Return the next reply as an event; None when more octets are needed."""
        while not self._fault:
            try:
                reply = self._replies.next_reply()
            except BadReply as fault:
                self._fail(str(fault))
                break
            if reply is None:
                if self._ended:
                    self._fail("the peer closed the connection")
                    break
                if not (self._replies.empty or self._due or self._stage is Stage.CONTENT):
                    self._fail("the peer sent what nobody asked for")
                    break
                return None
            event = self._answered(self._due.popleft(), reply) if self._due else self._unasked(reply)
            if event is not None:
                return event
        return PeerFault(self._fault)

    # --- replies -----------------------------------------------------------------------------------------------------

    def _answered(self, due: Due, reply: Reply) -> Event | None:
        ask, index, wanted = due
        step = SENDER[ask]
        positive = reply.code < 400
        if positive and reply.code not in step.codes:
            self._fail(f"{reply.code} is no answer to {ask.value}")
            return None
        event = self._judge(ask, index, reply)
        if self._fault:
            return None
        if reply.code == 421:
            self._leaving = True
            if self._stage is Stage.ENVELOPE:
                self._give_up(stale=False)
        stage = step.taken if positive else step.refused
        if stage is not None and not (self._given_up and ask is Ask.DATA):
            self._stage = stage
            if stage is Stage.CONTENT and self._whole is not None:
                self._end(self._whole)
        if self._waiting and not self._due:
            following, command = self._waiting.popleft()
            self._send(following, command)
        if self._given_up and not self._due and self._stage in _TRANSACTION:
            self._stage = Stage.READY
        return event if wanted and not self._fault else None

    def _went_well(self, ask: Ask, index: int, reply: Reply) -> Event:
        """Do for the usual answers, with nothing given up and nothing held back, what the rest of `_answered` comes to."""
        if ask is Ask.RCPT:
            self._asked -= 1
            self._accepted += 1
            return RcptReply(index, reply)
        if ask is Ask.MAIL:
            return MailReply(reply)
        if ask is Ask.DATA:
            self._stage = Stage.CONTENT
            if self._whole is not None:
                self._end(self._whole)
            return DataReply(reply)
        self._stage = Stage.READY
        return EndReply(reply)

    def _judge(self, ask: Ask, index: int, reply: Reply) -> Event | None:
        """Turn a reply into the event that tells it, after what it means for the transaction."""
        if ask is Ask.RCPT:
            self._count(reply)
            return RcptReply(index, reply)
        if ask is Ask.MAIL:
            if reply.code >= 400:
                self._mail_refused = True
                self._give_up(stale=False)
            return MailReply(reply)
        if ask is Ask.DATA:
            return self._judge_data(reply)
        if ask is Ask.END or ask is Ask.CHUNK:
            return self._judge_end(ask, reply)
        match ask:
            case Ask.HELLO:
                self._learn(_extensions(reply))
                return HelloReply(reply, self.extensions)
            case Ask.STARTTLS:
                if reply.is_positive and not self._replies.empty:
                    # CVE-2021-38371: they would be read as if they had come encrypted
                    self._fail("octets in the clear behind the answer to STARTTLS")
                return StartTlsReply(reply)
            case Ask.GREETING:
                return Greeting(reply)
            case _:
                return OtherReply(reply)

    def _count(self, reply: Reply) -> None:
        self._asked -= 1
        if reply.code < 400:
            if self._mail_refused:
                self._fail(f"{reply.code} to RCPT behind a refused MAIL")
            self._accepted += 1
        elif not self._asked and not self._accepted:
            self._give_up(stale=True)

    def _judge_data(self, reply: Reply) -> Event | None:
        if not reply.is_positive:
            self._give_up(stale=True)
        elif self._given_up and self._accepted:
            self._fail("354 behind a 421")  # a lone dot would deliver an empty message
        elif self._given_up:
            # RFC 2920 3.1: DATA was sent before every recipient was refused; nothing but the end may follow
            self._stale = False
            self._send((Ask.END, 0, False), b".\r\n")
            return None
        return DataReply(reply)

    def _judge_end(self, ask: Ask, reply: Reply) -> Event | None:
        if self._given_up or (ask is Ask.CHUNK and reply.is_positive):
            return None
        if not reply.is_positive and self.using_bdat:
            self._give_up(stale=True)  # RFC 3030 2: after a failed BDAT only RSET clears the peer's mind
        return EndReply(reply)

    def _unasked(self, reply: Reply) -> Event | None:
        """A reply that nothing is due for: a refusal in the middle of the content is one, everything else a fault."""
        early = self._stage is Stage.CONTENT and not reply.is_positive
        self._fail("the peer answered before the end of data" if early else f"the peer sent, unasked: {reply}")
        return EndReply(reply) if early else None

    # --- sending -----------------------------------------------------------------------------------------------------

    def _say(self, ask: Ask, command: bytes) -> None:
        self._check_stage(ask)
        if (stage := SENDER[ask].sent) is not None:
            self._stage = stage
        self._send((ask, 0, True), command)

    def _send(self, due: Due, command: bytes) -> None:
        """Send now, or when every reply before it has come."""
        if self._due and not self.pipelining:
            self._waiting.append((due, command))
            return
        if not (self._due or self._replies.empty or self._stage is Stage.CONTENT):
            self._fail("the peer answered before it was asked")
            return
        self._due.append(due)
        self._out.append(command)

    def _end(self, octets: bytes) -> None:
        self._stage, self._whole = Stage.ENDING, None
        self._send(_END, octets)

    def _learn(self, extensions: dict[str, str]) -> None:
        self.extensions = extensions
        self.pipelining = "PIPELINING" in extensions
        self.using_bdat = self.pipelining and "CHUNKING" in extensions

    def _give_up(self, *, stale: bool) -> None:
        self._given_up, self._stale = True, stale
        self._waiting.clear()
        self._piece = self._whole = None

    def _check_stage(self, ask: Ask) -> None:
        if self._stage not in SENDER[ask].stages:
            raise RuntimeError(f"no {ask.value} when {self._stage.value}")

    def _fail(self, text: str) -> None:
        self._fault = self._fault or text
        self._stage, self._ended = Stage.CLOSED, True
        self._given_up = True
        self._waiting.clear()
        self._out.clear()


def _extensions(reply: Reply) -> dict[str, str]:
    """The extensions that an answer to EHLO lists (RFC 5321 4.1.1.1)."""
    if not reply.is_positive:
        return {}
    found: dict[str, str] = {}
    for line in reply.text.split("\n")[1:]:
        keyword, _, parameters = line.strip().partition(" ")
        if keyword and keyword.isascii():
            found.setdefault(keyword.upper(), parameters.strip())
    return found
