"""The reply as a value, and every reply that Gatepost gives by name (asyncos.md 4, 11.1).

Refusals carry the model's `#x.y.z` codes in their text, as its administrators grep for them. Answers to commands that
went well carry the code of RFC 3463 in front, for we advertise ENHANCEDSTATUSCODES (RFC 2034). No reply repeats what the
client sent, except the two that name an address (faults.md 2, row 19).
"""

from __future__ import annotations

import msgspec

from gatepost.smtp.grammar import printable


class Reply(msgspec.Struct, frozen=True, gc=False):
    """One SMTP reply (RFC 5321 4.2): a code and one or more lines of text, without line ends."""

    code: int
    text: str
    """Lines separated by LF; only printable text, see `smtp.grammar.printable`."""
    close: bool = False
    """Whether the server closes the connection after this reply."""

    @property
    def is_positive(self) -> bool:
        """Whether the command was taken: 2yz, or 3yz which asks for more."""
        return self.code < 400

    @property
    def is_transient(self) -> bool:
        """Whether the client should try again later (4yz)."""
        return 400 <= self.code < 500

    def encode(self) -> bytes:
        """Return the reply as it goes on the wire, all its lines in one piece (scanners read one segment for one reply)."""
        text = self.text
        if text.isprintable():
            return f"{self.code} {text}\r\n".encode()
        # more lines, or something in them that must not reach the wire as it stands: a CR here would be another reply
        *rest, last = map(printable, text.split("\n"))
        lines = [f"{self.code}-{line}\r\n" for line in rest]
        return f"{''.join(lines)}{self.code} {last}\r\n".encode()

    def __str__(self) -> str:
        return f"{self.code} {self.text}".replace("\n", " / ")


# --- it went well ----------------------------------------------------------------------------------------------------


def banner(hostname: str) -> Reply:
    """Greet the client."""
    return Reply(220, f"{hostname} ESMTP")


def hello(hostname: str) -> Reply:
    """Answer EHLO and HELO; the engine adds the extensions. No code in front (RFC 2034 4)."""
    return Reply(250, hostname)


def sender_ok(reverse_path: str) -> Reply:
    """Take MAIL."""
    return Reply(250, f"2.1.0 sender <{reverse_path}> ok")


def recipient_ok(forward_path: str) -> Reply:
    """Take RCPT."""
    return Reply(250, f"2.1.5 recipient <{forward_path}> ok")


def message_accepted(mid: int) -> Reply:
    """Take responsibility for the message (RFC 5321 6.1); the two blanks are the model's."""
    return Reply(250, f"2.0.0 ok:  Message {mid} accepted")


def chunk_taken(size: int) -> Reply:
    """Answer a BDAT that is not the last (RFC 3030 2)."""
    return Reply(250, f"2.0.0 {size} octets received")


def goodbye(hostname: str) -> Reply:
    """Answer QUIT."""
    return Reply(221, hostname, close=True)


GO_AHEAD = Reply(354, "go ahead")
READY_FOR_TLS = Reply(220, "Go ahead with TLS")
NOOP_OK = Reply(250, "2.0.0 ok")
RESET_OK = Reply(250, "2.0.0 reset")
CANNOT_VERIFY = Reply(252, "2.0.0 cannot VRFY user, but will accept message and attempt delivery")
HELP = Reply(
    214,
    "The following commands are recognized\n bdat data ehlo helo\n help mail noop quit\n rcpt rset starttls vrfy",
)

# --- the engine refuses ----------------------------------------------------------------------------------------------


def syntax_error(where: str) -> Reply:
    """Refuse an argument; `where` in our words, never in the client's."""
    return Reply(501, f"#5.5.2 syntax error {where}")


COMMAND_UNKNOWN = Reply(500, "#5.5.1 command not recognized")
LINE_TOO_LONG = Reply(500, "Line too long")
LINE_TOO_LONG_CLOSING = Reply(421, "Line too long, disconnecting", close=True)
BARE_LINE_END = Reply(501, "#5.5.2 syntax error bare CR or LF in command, disconnecting", close=True)
HELLO_NEEDS_NAME = Reply(501, "#5.0.0 EHLO requires domain address")
NO_ARGUMENT_ALLOWED = syntax_error("no argument allowed")
ARGUMENT_NEEDED = syntax_error("argument required")
PARAMETER_UNKNOWN = Reply(555, "#5.5.4 MAIL or RCPT parameter not recognized")
UTF8_NOT_EXPECTED = Reply(553, "#5.6.7 non-ASCII address needs SMTPUTF8")
CHUNK_SIZE_INVALID = Reply(501, "#5.5.2 syntax error in BDAT, disconnecting", close=True)
CHUNK_TOO_LARGE = Reply(552, "#5.3.4 message size exceeds limit", close=True)

HELLO_FIRST = Reply(503, "#5.5.1 EHLO first")
MAIL_FIRST = Reply(503, "#5.5.1 MAIL first")
RCPT_FIRST = Reply(503, "#5.5.1 RCPT first")
BAD_SEQUENCE = Reply(503, "#5.5.1 bad sequence of commands")
TLS_ALREADY = Reply(503, "#5.5.1 TLS already started")
NOT_SYNCHRONIZED = Reply(554, "#5.5.0 commands sent before the answer was due, disconnecting", close=True)
"""RFC 2920 3.1: DATA and STARTTLS end a pipeline. What came behind is smuggling or injection (CVE-2011-0411)."""

STARTTLS_FIRST = Reply(530, "#5.7.0 Must issue a STARTTLS command first")
TOO_MANY_BAD_COMMANDS = Reply(421, "Exceeded bad SMTP command limit, disconnecting.", close=True)
NOT_SMTP = Reply(421, "#4.7.0 this is an SMTP server, disconnecting", close=True)

# --- mail data is refused --------------------------------------------------------------------------------------------

MESSAGE_TOO_LARGE = Reply(552, "#5.3.4 message size exceeds limit")
HEADER_TOO_LARGE = Reply(552, "#5.3.4 message header size exceeds limit")
BARE_CR_OR_LF = Reply(554, "message body contains illegal bare CR/LF characters.")
NUL_IN_MESSAGE = Reply(554, "message body contains illegal NUL characters.")
TEXT_LINE_TOO_LONG = Reply(554, "message body contains a line that is too long.")
TOO_MANY_HOPS = Reply(554, "Too many hops")

# --- policy refuses --------------------------------------------------------------------------------------------------

SENDER_STARTTLS_FIRST = Reply(530, "#5.7.0 This sender must issue a STARTTLS command first")
DOMAIN_REQUIRED = Reply(553, "#5.1.7 sender address needs a domain")
ADDRESS_REJECTED = Reply(550, "#5.1.0 Address rejected.")
TOO_MANY_RECIPIENTS = Reply(452, "#4.5.3 Too many recipients")
TOO_MANY_RECIPIENTS_THIS_HOUR = Reply(452, "Too many recipients received this hour")
TOO_MANY_MESSAGES = Reply(421, "#4.x.2 Too many messages for this session", close=True)

# --- we refuse for a next hop that could not take the message --------------------------------------------------------

NO_8BITMIME = Reply(554, "5.6.3 the next hop takes no 8-bit content (it does not offer 8BITMIME)")
NO_SMTPUTF8 = Reply(553, "5.6.7 the next hop takes no UTF-8 addresses or headers (it does not offer SMTPUTF8)")


def larger_than_next_hop_takes(size: int, limit: int) -> Reply:
    """Refuse by the SIZE that the next hop announced (RFC 1870 6.1)."""
    return Reply(552, f"5.3.4 message of {size} octets is larger than the next hop's limit of {limit}")


# --- resources and time ----------------------------------------------------------------------------------------------

TOO_MANY_FROM_HOST = Reply(421, "#4.4.5 Too many connections from your host", close=True)
TOO_MANY_ON_LISTENER = Reply(421, "#4.4.5 Too many connections to this listener", close=True)
CONNECTION_TIME_EXCEEDED = Reply(421, "Exceeded allowable connection time, disconnecting.", close=True)
UNSUCCESSFUL_TIMEOUT = Reply(421, "Timed out waiting for successful message injection, disconnecting.", close=True)
COMMAND_TIMEOUT = Reply(421, "#4.4.2 Timed out waiting for a command, disconnecting.", close=True)
SERVER_ERROR = Reply(451, "#4.3.0 Server Error")
QUEUE_FULL = Reply(452, "#4.3.1 queue full")
LOW_RESOURCES = Reply(452, "#4.3.1 server resources low - try again later")


def service_not_available(hostname: str) -> Reply:
    """Close a connection that we cannot serve (RFC 5321 3.8), with our name as the model has it."""
    return Reply(421, f"{hostname} Service not available, closing transaction channel", close=True)
