"""What the engines hand up: one event out, one answer in (DESIGN.md section 4, rule 2).

Receiver events marked *asks* hold the engine until `Receiver.reply` is called; the others only tell.
"""

from __future__ import annotations

import msgspec

from gatepost.smtp.path import Path
from gatepost.smtp.reply import Reply


class Event(msgspec.Struct, frozen=True, gc=False):
    """Anything an engine hands up."""


# --- receiver side ---------------------------------------------------------------------------------------------------


class Hello(Event, frozen=True, gc=False):
    """EHLO or HELO with a well-formed name; *asks*. A 250 makes the engine list the extensions that apply."""

    domain: str
    extended: bool


class Mail(Event, frozen=True, gc=False):
    """MAIL with valid syntax, in sequence; *asks*."""

    reverse_path: Path
    size: int = 0
    """SIZE= as declared (RFC 1870), 0 when absent; already checked against the limit."""
    eight_bit: bool = False
    """BODY=8BITMIME (RFC 6152)."""
    smtputf8: bool = False
    ret: str = ""
    """RET= FULL or HDRS (RFC 3461)."""
    envid: str = ""


class Rcpt(Event, frozen=True, gc=False):
    """RCPT with valid syntax, in sequence; *asks*."""

    forward_path: Path
    notify: str = ""
    """NOTIFY= as written, upper case (RFC 3461)."""
    orcpt: str = ""


class Data(Event, frozen=True, gc=False):
    """DATA, or the first BDAT chunk, with at least one accepted recipient; *asks*: 354 or a refusal.

    For BDAT the 354 only says yes and is not sent.
    """

    bdat: bool = False


class Content(Event, frozen=True, gc=False):
    """A piece of mail data, dot-unstuffed; tells. Pieces may split anywhere."""

    octets: bytes


class EndOfData(Event, frozen=True, gc=False):
    """The mail data is complete; *asks* for the reply that takes or refuses responsibility.

    `fault` is the refusal that the engine demands (bare line ends, size, header limits): then it must be the answer.
    """

    size: int
    fault: Reply | None = None


class StartTls(Event, frozen=True, gc=False):
    """STARTTLS, in the clear and nothing pipelined behind it; *asks*: 220 or 454. After 220 call `tls_started`."""


class Reset(Event, frozen=True, gc=False):
    """The transaction under way was given up by RSET, EHLO or HELO; tells."""


class Refused(Event, frozen=True, gc=False):
    """The engine itself answered a command with an error; tells, for the log and the counters."""

    command: str
    """The line as printable text, cut to 80 characters."""
    reply: Reply


class Quit(Event, frozen=True, gc=False):
    """QUIT; tells. The engine has answered 221; send what is due and close."""


class Closed(Event, frozen=True, gc=False):
    """The engine is done: what is due is to be sent and the connection closed; tells. Comes once, then for ever."""

    reason: str
    """One phrase for the log: `client closed the connection`, `too many bad commands`, the reply that closed it, …"""


# --- sender side -----------------------------------------------------------------------------------------------------


class Greeting(Event, frozen=True, gc=False):
    """The peer's banner."""

    reply: Reply


class HelloReply(Event, frozen=True, gc=False):
    """Answer to EHLO or HELO."""

    reply: Reply
    extensions: dict[str, str]
    """Keyword in upper case to its parameters; empty after HELO."""


class StartTlsReply(Event, frozen=True, gc=False):
    """Answer to STARTTLS. Bytes that stood behind the 220 in the clear end the connection instead (`PeerFault`)."""

    reply: Reply


class MailReply(Event, frozen=True, gc=False):
    """Answer to MAIL."""

    reply: Reply


class RcptReply(Event, frozen=True, gc=False):
    """Answer to the RCPT at `index` of the transaction."""

    index: int
    reply: Reply


class DataReply(Event, frozen=True, gc=False):
    """Answer to DATA (354 or a refusal); not seen when BDAT is used."""

    reply: Reply


class EndReply(Event, frozen=True, gc=False):
    """Answer to the end of mail data: the one that says who is responsible."""

    reply: Reply


class OtherReply(Event, frozen=True, gc=False):
    """Answer to RSET, NOOP or QUIT."""

    reply: Reply


class PeerFault(Event, frozen=True, gc=False):
    """The peer broke the protocol, went away in the middle or sent what nobody asked for; nothing more comes."""

    text: str
