"""Receiver side of SMTP (RFC 5321 section 4): octets in, events out; replies in, octets out.

Knows no socket, clock, config or policy, and never raises whatever the client sends. The state moves when the reply is
given (`states.TABLE`), for a refused command changes nothing. One event that *asks* is out at a time: nothing behind it is
read before it is answered, so pipelined order is free (RFC 2920), and what came behind STARTTLS in the clear is never
read at all (CVE-2011-0411).
"""

from __future__ import annotations

from collections import deque

from gatepost.smtp import reply as replies
from gatepost.smtp.chunks import ChunkCommand, parse_chunk
from gatepost.smtp.data import ChunkReader, DotReader
from gatepost.smtp.events import (
    Closed,
    Content,
    Data,
    EndOfData,
    Event,
    Hello,
    Mail,
    Quit,
    Refused,
    Reset,
    StartTls,
)
from gatepost.smtp.grammar import is_hello_name, printable
from gatepost.smtp.limits import Limits
from gatepost.smtp.lines import LineReader, Trouble
from gatepost.smtp.parameters import parse_mail, parse_rcpt, usual_mail, usual_rcpt
from gatepost.smtp.reply import Reply
from gatepost.smtp.states import COMMANDS, REFUSED, TABLE, TRANSACTION, Command, State, Verb

__all__ = ["Limits", "Receiver"]

CLIENT_QUIT = "client quit"
CLIENT_CLOSED = "client closed the connection"
"""The two endings, as `Closed` names them, that are in order; any other reason says what went wrong."""

MANY = 1000
"""Replies that are kept before they must be sent: a client that pipelines and never reads would have us keep millions."""

_HTTP = frozenset({b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"CONNECT", b"PATCH", b"TRACE", b"PRI"})
_ERRORS = frozenset({500, 501, 502, 503, 504, 555})
"""Replies that make a command a bad one; refusals by size or policy do not."""
_WITHIN = frozenset({Verb.RCPT, Verb.DATA, Verb.BDAT})
"""Commands that need an open transaction."""

_ENDS_PIPELINE = frozenset(command.verb for command in COMMANDS.values() if command.ends_pipeline)
_DEAF = frozenset({State.CONNECTED, State.DATA, State.HANDSHAKE})
"""States in which no command is read."""
_BUILT_UPON = frozenset({Verb.MAIL, Verb.RCPT, *REFUSED})
"""Commands whose refusal makes those behind them in a pipeline fail as well: that is no fault of the client."""

_USUAL = {b"MAIL ": Verb.MAIL, b"RCPT ": Verb.RCPT, b"DATA": Verb.DATA}
_DATA = Data()

_LINE_TROUBLE = {
    Trouble.TOO_LONG: replies.LINE_TOO_LONG,
    Trouble.ENDLESS: replies.LINE_TOO_LONG_CLOSING,
    Trouble.BARE: replies.BARE_LINE_END,
}


class Receiver:
    """One session with a client, from our banner to the close."""

    def __init__(self, hostname: str, limits: Limits, *, starttls: bool, require_tls: bool = False) -> None:
        self.hello_name = ""
        """What the client called itself; empty before EHLO and after STARTTLS."""
        self.extended = False
        """Whether it said EHLO."""
        self.paused = False
        """Whether the last None of `next_event` asks for `data_to_send` and not for more octets."""
        self._hostname, self._limits = hostname, limits
        self._max_size = (1 << 62) if limits.max_message_size < 0 else limits.max_message_size
        self._offers_tls, self._require_tls, self._encrypted = starttls, require_tls, False
        self._state = State.CONNECTED
        self._lines = LineReader(limits.command_line)
        self._events: deque[Event] = deque()
        self._question: tuple[Verb, Event] | None = None
        self._out: list[bytes] = []
        self._ended = False
        self._reason = ""
        self._bad = 0
        self._forgive = False
        """Whether part of this transaction was refused: a pipeline may still hold what builds on it (RFC 2920 3.1)."""
        self._smtputf8 = False
        self._reader: DotReader | ChunkReader | None = None
        self._chunk: ChunkCommand | None = None
        self._left = 0
        """Octets of the chunk under way that are still to come."""

    # --- the session's side ------------------------------------------------------------------------------------------

    @property
    def in_transaction(self) -> bool:
        """Whether a MAIL was accepted and its fate is open."""
        return self._state in TRANSACTION

    @property
    def takes_content(self) -> bool:
        """Whether the octets that come next are mail data."""
        return self._state is State.DATA or self._chunk is not None

    def greet(self, reply: Reply) -> None:
        """Send the banner; nothing is read before. A refusal that does not close leaves the client to say QUIT."""
        if self._state is not State.CONNECTED:
            raise RuntimeError("the client was greeted before")
        self._out.append(reply.encode())
        self._state = State.GREETED if reply.is_positive else State.UNWELCOME
        if reply.close:
            self._close("refused at the banner")

    def receive_data(self, octets: bytes) -> None:
        """Take octets as they came; b"" says that the client closed its side."""
        if not octets:
            self._ended = True
        elif self._state is State.DATA and self._question is None:
            self._read_data(octets)  # nothing stands in front of it: DATA ended the pipeline
        elif self._state is not State.CLOSED:
            self._lines.feed(octets)

    def next_event(self) -> Event | None:
        """Return what happened next; None when more octets are needed, or when `paused`: then send what is due first.

        To ask while a reply is owed is a bug.
        """
        self.paused = False
        while not self._events:
            if self._question is not None:
                raise RuntimeError("an event waits for its reply")
            if self._state is State.CLOSED:
                return Closed(self._reason)
            if len(self._out) >= MANY:
                self.paused = True
                return None
            if (self._lines.empty and self._chunk is None) or not self._advance():
                if not self._ended:
                    return None
                self._close(CLIENT_CLOSED)
        return self._events.popleft()

    def reply(self, reply: Reply) -> None:
        """Answer the event that asks; here, and only here, the state moves for it."""
        if self._question is None:
            raise RuntimeError("no event waits for a reply")
        verb, event = self._question
        if verb in _ENDS_PIPELINE and not self._lines.empty:
            reply = replies.NOT_SYNCHRONIZED  # octets that came while the answer was being made
        if reply.code < 400:
            if verb in REFUSED:
                _insist(event, reply)
            state, self._state = self._state, TABLE[self._state][verb]
            if verb is not Verb.RCPT:
                reply = self._taken(event, reply, state)
        else:
            if verb in REFUSED:
                self._state, self._reader = REFUSED[verb], None
            self._forgive |= verb in _BUILT_UPON
        self._question = None
        if verb is not Verb.BDAT or reply.code >= 400:  # the chunk is answered, not the wish to send it
            self._out.append(reply.encode())
        if reply.close:
            self._close(str(reply))

    def refuse(self, reply: Reply) -> None:
        """Say `reply` unasked and close: time is up, or the service stops (RFC 5321 3.8)."""
        if self._state is State.CLOSED:
            return
        self._out.append(reply.encode())
        self._question = None
        self._events.clear()
        self._close(str(reply))

    def data_to_send(self) -> bytes:
        """Hand over what is due to the client; replies to a pipeline come in one piece."""
        if not self._out:
            return b""
        octets = b"".join(self._out)
        self._out.clear()
        return octets

    def tls_started(self) -> None:
        """Begin anew behind the handshake: whatever was said in the clear is forgotten (RFC 3207 4.2)."""
        if self._state is not State.HANDSHAKE:
            raise RuntimeError("no STARTTLS was answered")
        self._lines.clear()
        self._encrypted, self._state = True, State.GREETED
        self.hello_name, self.extended = "", False

    # --- octets ------------------------------------------------------------------------------------------------------

    def _advance(self) -> bool:
        """Make the next step; False when the octets at hand do not suffice."""
        if self._chunk is not None:
            return self._read_chunk(self._chunk)
        if self._state in _DEAF:
            if self._state is not State.HANDSHAKE or self._lines.empty:
                return False
            self._close("octets in the clear behind STARTTLS")
            return True
        line = self._lines.next_line()
        if line is None:
            return False
        if not isinstance(line, Trouble):
            if not self._usual(line):
                self._command(line)
        elif line is Trouble.TLS:
            self._close(line.value)  # without a word: an answer would be taken for a TLS record
        else:
            self._refuse_command(line.value.encode(), _LINE_TROUBLE[line], bad=True)
        return True

    def _read_data(self, octets: bytes) -> None:
        reader = self._reader
        assert isinstance(reader, DotReader)
        if content := reader.feed(octets):
            self._events.append(Content(content))
        if reader.rest is not None:
            self._lines.feed(reader.rest)
            self._ask(Verb.END_OF_DATA, EndOfData(reader.size, reader.fault))

    def _read_chunk(self, chunk: ChunkCommand) -> bool:
        octets = self._lines.take(self._left)
        self._left -= len(octets)
        complete = not self._left
        reader = self._reader
        if isinstance(reader, ChunkReader):
            content = reader.feed(octets)
            if complete and chunk.last:
                content += reader.finish()
            if content:
                self._events.append(Content(content))
            if complete and chunk.last:
                self._ask(Verb.END_OF_DATA, EndOfData(reader.size, reader.fault))
            elif complete:
                self._out.append(replies.chunk_taken(chunk.size).encode())
        if complete:
            self._chunk = None
        return complete or bool(octets)

    # --- commands ----------------------------------------------------------------------------------------------------

    def _usual(self, line: bytes) -> bool:
        """Hand up MAIL, RCPT or DATA in sequence and as nearly every client writes it; False for `_command` to look closely.

        The long way comes to the same, at three times the price; a test holds the two together.
        """
        verb = _USUAL.get(line[:5])
        if verb is None or verb not in TABLE[self._state] or (self._require_tls and not self._encrypted):
            return False
        event: Event | None
        if verb is Verb.RCPT:
            event = usual_rcpt(line)
        elif verb is Verb.MAIL:
            event = usual_mail(line, self._max_size)
        else:
            event = _DATA if self._lines.empty else None
        if event is None:
            return False
        self._question = (verb, event)
        self._events.append(event)
        return True

    def _command(self, line: bytes) -> None:
        word, _, rest = line.partition(b" ")
        command = COMMANDS.get(word) or COMMANDS.get(word.rstrip(b"\t").upper())
        if command is not None and command.verb is Verb.STARTTLS and not (self._offers_tls or self._encrypted):
            command = None
        if command is None:
            if word.upper() in _HTTP:
                self._refuse_command(line, replies.NOT_SMTP)
            else:
                self._refuse_command(line, self._tls_first() or replies.COMMAND_UNKNOWN, bad=True)
            return
        argument = rest.strip(b" \t").decode("utf-8", "surrogateescape")
        if command.verb is Verb.BDAT:
            # before anything else: its octets follow whatever the answer is, and must not be read as commands
            chunk = parse_chunk(argument)
            if isinstance(chunk, Reply):
                self._refuse_command(line, chunk)
                return
            self._chunk, self._left = chunk, chunk.size
        refusal = self._objection(command, argument)
        if refusal is None:
            refusal = self._perform(command.verb, argument)
        if refusal is not None:
            forgiven = self._forgive and command.verb in _WITHIN and refusal.code == 503
            self._forgive |= command.verb in _BUILT_UPON and refusal.code != 503
            self._refuse_command(line, refusal, bad=refusal.code in _ERRORS and not forgiven)

    def _tls_first(self) -> Reply | None:
        return replies.STARTTLS_FIRST if self._require_tls and not self._encrypted else None

    def _objection(self, command: Command, argument: str) -> Reply | None:
        """What stands against a command whatever its argument says."""
        verb = command.verb
        if command.ends_pipeline and not self._lines.empty:
            return replies.NOT_SYNCHRONIZED
        if not command.before_tls and (refusal := self._tls_first()):
            return refusal
        if verb is Verb.STARTTLS and self._encrypted:
            return replies.TLS_ALREADY
        if verb not in TABLE[self._state]:
            return _out_of_sequence(verb, self._state)
        if command.argument is not None and command.argument != bool(argument):
            if not command.argument:
                return replies.NO_ARGUMENT_ALLOWED
            return replies.HELLO_NEEDS_NAME if verb in (Verb.EHLO, Verb.HELO) else replies.ARGUMENT_NEEDED
        return None

    def _perform(self, verb: Verb, argument: str) -> Reply | None:
        """Answer a command that stands in sequence, or hand it up; returns the refusal when its argument is wrong."""
        match verb:
            case Verb.MAIL:
                mail = parse_mail(argument)
                if isinstance(mail, Reply):
                    return mail
                if mail.size > self._max_size:
                    return replies.MESSAGE_TOO_LARGE
                self._ask(verb, mail)
            case Verb.RCPT:
                rcpt = parse_rcpt(argument, smtputf8=self._smtputf8)
                if isinstance(rcpt, Reply):
                    return rcpt
                self._ask(verb, rcpt)
            case Verb.DATA:
                self._ask(verb, Data())
            case Verb.BDAT:
                if self._state is not State.BDAT:
                    self._ask(verb, Data(bdat=True))
            case Verb.EHLO | Verb.HELO:
                if not is_hello_name(argument):
                    return replies.HELLO_NEEDS_NAME
                self._ask(verb, Hello(argument, verb is Verb.EHLO))
            case Verb.STARTTLS:
                self._ask(verb, StartTls())
            case _:
                self._answer(verb)
        return None

    def _answer(self, verb: Verb) -> None:
        """Answer what nobody has to decide about."""
        state, self._state = self._state, TABLE[self._state][verb]
        match verb:
            case Verb.RSET:
                self._reset(state)
                self._out.append(replies.RESET_OK.encode())
            case Verb.VRFY:
                self._out.append(replies.CANNOT_VERIFY.encode())
            case Verb.HELP:
                self._out.append(replies.HELP.encode())
            case Verb.QUIT:
                self._out.append(replies.goodbye(self._hostname).encode())
                self._events.append(Quit())
                self._close(CLIENT_QUIT)
            case _:
                self._out.append(replies.NOOP_OK.encode())

    # --- moves -------------------------------------------------------------------------------------------------------

    def _taken(self, event: Event, reply: Reply, state: State) -> Reply:
        """Do what follows from a positive reply; return it as it is to be sent."""
        if isinstance(event, Mail):
            self._smtputf8, self._forgive = event.smtputf8, False
        elif isinstance(event, EndOfData):
            self._reader, self._bad = None, 0
        elif isinstance(event, Data):
            self._reader = ChunkReader(self._limits) if event.bdat else DotReader(self._limits)
        elif isinstance(event, Hello):
            self._reset(state)
            self.hello_name, self.extended = event.domain, event.extended
            if event.extended:
                return Reply(reply.code, f"{reply.text}\n{self._extensions()}", reply.close)
        return reply

    def _reset(self, state: State) -> None:
        self._reader, self._forgive = None, False
        if state in TRANSACTION:
            self._events.append(Reset())

    def _extensions(self) -> str:
        size = self._limits.max_message_size
        names = ["8BITMIME", "SIZE" if size < 0 else f"SIZE {size}", "PIPELINING", "CHUNKING", "SMTPUTF8", "DSN"]
        if self._offers_tls and not self._encrypted:
            names.append("STARTTLS")
        return "\n".join([*names, "ENHANCEDSTATUSCODES"])

    def _ask(self, verb: Verb, event: Event) -> None:
        self._question = (verb, event)
        self._events.append(event)

    def _refuse_command(self, line: bytes, answer: Reply, *, bad: bool = False) -> None:
        self._out.append(answer.encode())
        self._events.append(Refused(printable(line, 80), answer))
        if answer.close:
            self._close(str(answer))
            return
        self._bad += bad
        if self._bad >= self._limits.bad_commands:
            self._out.append(replies.TOO_MANY_BAD_COMMANDS.encode())
            self._close("too many bad commands")

    def _close(self, reason: str) -> None:
        """End the session: nothing more is read. A message under way is never completed."""
        self._state, self._reason = State.CLOSED, reason
        self._reader, self._chunk = None, None
        self._lines.clear()


def _insist(event: Event, reply: Reply) -> None:
    """Guard against answers that would break the protocol: they are bugs of the session."""
    if isinstance(event, Data) and reply.code != 354:
        raise RuntimeError(f"DATA can be answered 354 or refused, not {reply.code}")
    if isinstance(event, EndOfData) and event.fault is not None:
        raise RuntimeError(f"the message must be refused: {event.fault}")


def _out_of_sequence(verb: Verb, state: State) -> Reply:
    """Say what was missing (RFC 5321 4.1.4)."""
    if state is State.GREETED:
        return replies.HELLO_FIRST
    if state is State.READY and verb in _WITHIN:
        return replies.MAIL_FIRST
    if state is State.MAIL and verb in _WITHIN:
        return replies.RCPT_FIRST
    return replies.BAD_SEQUENCE
