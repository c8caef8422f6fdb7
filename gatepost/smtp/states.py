"""The state tables of both engines: what may follow what (RFC 5321 4.1.4, 3.3; RFC 3207 4; RFC 3030 2).

Only values, no behaviour. The state moves on the reply, not on the command: a refused command leaves it where it was,
save where REFUSED says otherwise. `docs/states.md` is drawn from these tables.
"""

from __future__ import annotations

from enum import Enum

import msgspec


class _Name(Enum):
    """Members are singletons: the hash of the object serves, at a tenth of the price of Enum's own."""

    __hash__ = object.__hash__


class State(_Name):
    """Where a session stands, on the receiver's side."""

    CONNECTED = "connected"
    """Before our banner: nothing is read yet."""
    GREETED = "greeted"
    READY = "ready"
    MAIL = "mail"
    RCPT = "rcpt"
    """At least one recipient was accepted."""
    DATA = "data"
    """354 was given: everything is mail data up to CR LF . CR LF."""
    BDAT = "bdat"
    """Between the chunks of a message, or within one."""
    HANDSHAKE = "handshake"
    """220 was given to STARTTLS: nothing in the clear is read any more."""
    UNWELCOME = "unwelcome"
    """The banner was a refusal: only QUIT is answered (RFC 5321 3.1)."""
    CLOSED = "closed"


class Verb(_Name):
    """What moves a session: commands, and the end of mail data."""

    HELO = "HELO"
    EHLO = "EHLO"
    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    BDAT = "BDAT"
    END_OF_DATA = "end of data"
    RSET = "RSET"
    NOOP = "NOOP"
    VRFY = "VRFY"
    HELP = "HELP"
    QUIT = "QUIT"
    STARTTLS = "STARTTLS"


class Command(msgspec.Struct, frozen=True):
    """What holds for a command in every state."""

    verb: Verb
    argument: bool | None = None
    """True: needed, False: not allowed, None: either."""
    before_tls: bool = False
    """Allowed while TLS is required and has not begun (RFC 3207 4)."""
    ends_pipeline: bool = False
    """Nothing may stand behind it in the buffer: the client must wait for the answer (RFC 2920 3.1, RFC 3207 4.2)."""


# RFC 2920 has EHLO, VRFY, NOOP and QUIT end a pipeline, too; the field does not keep to it and nothing is lost by it.
COMMANDS = {
    command.verb.value.encode(): command
    for command in (
        Command(Verb.HELO, argument=True),
        Command(Verb.EHLO, argument=True, before_tls=True),
        Command(Verb.MAIL, argument=True),
        Command(Verb.RCPT, argument=True),
        Command(Verb.DATA, argument=False, ends_pipeline=True),
        Command(Verb.BDAT, argument=True),
        Command(Verb.RSET, argument=False),
        Command(Verb.NOOP, before_tls=True),
        Command(Verb.VRFY, argument=True),
        Command(Verb.HELP),
        Command(Verb.QUIT, argument=False, before_tls=True),
        Command(Verb.STARTTLS, argument=False, before_tls=True, ends_pipeline=True),
    )
}


def _any_time(state: State) -> dict[Verb, State]:
    return {Verb.NOOP: state, Verb.VRFY: state, Verb.HELP: state, Verb.QUIT: State.CLOSED}


_HELLO = {Verb.EHLO: State.READY, Verb.HELO: State.READY}
_RESET = {Verb.RSET: State.READY}

TABLE: dict[State, dict[Verb, State]] = {
    State.CONNECTED: {},
    State.GREETED: {
        **_HELLO,
        Verb.STARTTLS: State.HANDSHAKE,
        Verb.RSET: State.GREETED,
        **_any_time(State.GREETED),
    },
    State.READY: {Verb.MAIL: State.MAIL, Verb.STARTTLS: State.HANDSHAKE, **_HELLO, **_RESET, **_any_time(State.READY)},
    State.MAIL: {Verb.RCPT: State.RCPT, **_HELLO, **_RESET, **_any_time(State.MAIL)},
    State.RCPT: {
        Verb.RCPT: State.RCPT,
        Verb.DATA: State.DATA,
        Verb.BDAT: State.BDAT,
        **_HELLO,
        **_RESET,
        **_any_time(State.RCPT),
    },
    State.DATA: {Verb.END_OF_DATA: State.READY},
    State.BDAT: {
        Verb.BDAT: State.BDAT,
        Verb.END_OF_DATA: State.READY,
        **_HELLO,
        **_RESET,
        **_any_time(State.BDAT),
    },
    State.HANDSHAKE: {},
    State.UNWELCOME: {Verb.QUIT: State.CLOSED},
    State.CLOSED: {},
}

REFUSED = {Verb.DATA: State.READY, Verb.BDAT: State.READY, Verb.END_OF_DATA: State.READY}
"""Where a refusal leads: the transaction is over, and policy must be asked again (faults.md 2, row 5)."""

TRANSACTION = frozenset({State.MAIL, State.RCPT, State.DATA, State.BDAT})
"""States in which a mail transaction is under way."""


# --- the sender's side -----------------------------------------------------------------------------------------------


class Stage(_Name):
    """Where a connection to a next hop stands, on the sender's side."""

    CONNECTED = "connected"
    """The banner is due."""
    GREETED = "greeted"
    READY = "ready"
    HANDSHAKE = "handshake"
    ENVELOPE = "envelope"
    """MAIL was sent; with CHUNKING content may follow at once."""
    CONTENT = "content"
    """354 has come."""
    ENDING = "ending"
    """The end of mail data was sent: who is responsible is open until its answer."""
    CLOSING = "closing"
    CLOSED = "closed"


class Ask(_Name):
    """What a reply can be due for."""

    GREETING = "banner"
    HELLO = "EHLO, HELO"
    STARTTLS = "STARTTLS"
    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    CHUNK = "BDAT"
    END = "end of data"
    RSET = "RSET"
    NOOP = "NOOP"
    QUIT = "QUIT"


class Step(msgspec.Struct, frozen=True):
    """What holds for one thing that is asked of the peer."""

    stages: frozenset[Stage]
    """Where it may be sent."""
    codes: frozenset[int]
    """The positive replies that are due; every other positive one is a fault of the peer (RFC 5321 4.3.2)."""
    sent: Stage | None = None
    """Where sending it leads; None: nowhere. A client that pipelines is ahead of the replies (RFC 2920)."""
    taken: Stage | None = None
    """Where a positive reply leads."""
    refused: Stage | None = None


def _stages(*stages: Stage) -> frozenset[Stage]:
    return frozenset(stages)


_OK = frozenset({250})

SENDER: dict[Ask, Step] = {
    Ask.GREETING: Step(_stages(Stage.CONNECTED), frozenset({220}), taken=Stage.GREETED, refused=Stage.GREETED),
    Ask.HELLO: Step(_stages(Stage.GREETED, Stage.READY), _OK, sent=Stage.GREETED, taken=Stage.READY),
    Ask.STARTTLS: Step(_stages(Stage.READY), frozenset({220}), taken=Stage.HANDSHAKE),
    Ask.MAIL: Step(_stages(Stage.READY), _OK, sent=Stage.ENVELOPE),
    # 251 and 252 take the recipient as well (RFC 5321 3.4, 3.5.3)
    Ask.RCPT: Step(_stages(Stage.ENVELOPE), frozenset({250, 251, 252})),
    Ask.DATA: Step(_stages(Stage.ENVELOPE), frozenset({354}), taken=Stage.CONTENT),
    Ask.CHUNK: Step(_stages(Stage.ENVELOPE), _OK),
    Ask.END: Step(_stages(Stage.ENVELOPE, Stage.CONTENT), _OK, sent=Stage.ENDING, taken=Stage.READY, refused=Stage.READY),
    Ask.RSET: Step(_stages(Stage.READY, Stage.ENVELOPE), _OK),
    Ask.NOOP: Step(_stages(Stage.READY), _OK),
    Ask.QUIT: Step(
        _stages(Stage.GREETED, Stage.READY),
        frozenset({221, 250}),
        sent=Stage.CLOSING,
        taken=Stage.CLOSED,
        refused=Stage.CLOSED,
    ),
}
"""A transaction that is given up (MAIL, every RCPT, DATA or a chunk refused) leads back to ready when no reply is due."""
