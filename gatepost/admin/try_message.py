"""`gatepost try`: one test message through a listener, as a partner's server would send it, and what became of it.

A small SMTP client over the same wire, engine and TLS contexts as delivery. It shows what goes over the connection, reads
the records that the gateway made of it, and changes nothing.
"""

from __future__ import annotations

import asyncio
import email.utils
import secrets
from collections.abc import Callable

import msgspec

from gatepost.admin.operations.profiles import terms
from gatepost.admin.operations.tables import read_path
from gatepost.config.model import Config, Listener, TlsProfile
from gatepost.errors import GatepostError, WireError
from gatepost.net.wire import Wire, connect
from gatepost.records.printable import printable
from gatepost.smtp.events import EndReply, Event, Greeting, HelloReply, MailReply, PeerFault, RcptReply, StartTlsReply
from gatepost.smtp.grammar import is_hello_name
from gatepost.smtp.sender import Sender, Transaction
from gatepost.tls.engine import TlsEngine
from gatepost.tls.outcome import TlsOutcome
from gatepost.tls.sides import ClientContext

PATIENCE = 30.0
"""Seconds for each answer: the gateway is ours and near."""
LINE = 70
Tell = Callable[[str], None]


class Test(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent, and where to."""

    listener: str
    address: str
    port: int
    hostname: str
    """The gateway's name: whom the certificate should be for."""
    sender: str
    recipient: str
    size: int = 0
    """Octets of the body; 0: a line of text."""
    clear: bool = False
    """Do not start TLS."""
    token: str = ""
    """Stands in Message-ID and Subject, so that the message is found again."""


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """What the gateway answered."""

    reply: str
    tls: TlsOutcome | None


def plan(
    config: Config,
    name: str,
    listener: Listener,
    *,
    sender: str = "",
    recipient: str = "",
    size: int = 0,
    clear: bool = False,
) -> Test:
    """Fill in what was not given: try@ the gateway's name to the first address that the listener takes."""
    hostname = config.gateway.hostname
    return Test(
        listener=name,
        address={"0.0.0.0": "127.0.0.1", "::": "::1"}.get(listener.address, listener.address),
        port=listener.port,
        hostname=hostname,
        sender=str(read_path(sender or f"try@{hostname}", "sender")),
        recipient=str(read_path(recipient or _first_recipient(listener, hostname), "recipient")),
        size=size,
        clear=clear,
        token=secrets.token_hex(8),
    )


async def send(test: Test, tell: Tell) -> Sent:
    """Send the message and tell each line as it goes; GatepostError says at which step the gateway refused it."""
    try:
        wire = await connect(test.address, test.port, PATIENCE)
    except WireError as fault:
        raise GatepostError(f"{fault}; is the gateway running, with its listener {test.listener} open?") from None
    conversation = _Conversation(wire, test, tell)
    try:
        return await conversation.run()
    except WireError as fault:
        raise GatepostError(f"the connection ended: {fault}") from None
    finally:
        wire.close()


class _Conversation:
    """The dialogue, told as it happens."""

    def __init__(self, wire: Wire, test: Test, tell: Tell) -> None:
        self._wire, self._test, self._tell = wire, test, tell
        # The name that EHLO says is the machine's own business; `try` says what it is.
        self._sender = Sender(f"try.{test.hostname}" if is_hello_name(f"try.{test.hostname}") else "localhost")
        self._heard = b""

    async def run(self) -> Sent:
        sender, test = self._sender, self._test
        self._tell(f"-- connected to {test.address} port {test.port}, listener {test.listener}")
        await self._expect(Greeting, "the connection")
        sender.hello()
        await self._expect(HelloReply, "EHLO")
        tls = None if test.clear else await self._start_tls()
        content = message(test)
        transaction = Transaction(test.sender, (test.recipient,), len(content))
        if (refusal := sender.check(transaction)) is not None:
            raise GatepostError(f"the gateway cannot take it: {refusal}")
        reply = await self._transact(transaction, content)
        sender.quit()
        await self._next()
        return Sent(reply=reply, tls=tls)

    async def _transact(self, transaction: Transaction, content: bytes) -> str:
        sender = self._sender
        sender.mail(transaction)
        if sender.using_bdat:
            self._flush()
            sender.content(content)
            sender.end()
            self._flush(hidden=len(content))
        await self._expect(MailReply, f"MAIL FROM:<{transaction.reverse_path}>")
        await self._expect(RcptReply, f"RCPT TO:<{transaction.recipients[0]}>")
        if not sender.using_bdat:
            await self._expect(None, "DATA")
            sender.content(content)
            sender.end()
            self._flush(hidden=len(content))
        return await self._expect(EndReply, "the message")

    async def _start_tls(self) -> TlsOutcome | None:
        if "STARTTLS" not in self._sender.extensions:
            self._tell("-- STARTTLS is not offered: going on in clear text")
            return None
        self._sender.starttls()
        await self._expect(StartTlsReply, "STARTTLS")
        engine = TlsEngine.client(ClientContext(terms(TlsProfile())), self._test.hostname)
        outcome = await self._wire.start_tls(engine, PATIENCE)
        for line in tls_lines(outcome):
            self._tell(f"-- {line}")
        self._sender.tls_started()
        self._sender.hello()
        await self._expect(HelloReply, "EHLO")
        return outcome

    async def _expect(self, kind: type[Event] | None, what: str) -> str:
        event = await self._next()
        if isinstance(event, PeerFault):
            raise GatepostError(f"{what} was not answered: {event.text}")
        reply = getattr(event, "reply", None)
        if reply is None or not reply.is_positive or (kind is not None and not isinstance(event, kind)):
            raise GatepostError(f"the gateway answered {what} with {reply}")
        return str(reply)

    async def _next(self) -> Event:
        while (event := self._sender.next_event()) is None:
            self._flush()
            octets = await self._wire.read(PATIENCE)
            self._hear(octets)
            self._sender.receive_data(octets)
        self._flush()
        return event

    def _hear(self, octets: bytes) -> None:
        *lines, self._heard = (self._heard + octets).split(b"\r\n")
        for line in lines:
            self._tell(f"S: {printable(line.decode('utf-8', 'replace'))}")

    def _flush(self, hidden: int = 0) -> None:
        """Send what is due; mail data of `hidden` octets is told by its size."""
        octets = self._sender.data_to_send()
        if not octets:
            return
        head = octets.split(b"\r\n", 1)[0] if octets.startswith(b"BDAT") else b""
        for line in [head] if hidden else octets.removesuffix(b"\r\n").split(b"\r\n"):
            if line:
                self._tell(f"C: {printable(line.decode('utf-8', 'replace'))}")
        if hidden:
            self._tell(f"C: ({hidden} octets of mail data)")
        self._wire.write(octets)


def message(test: Test) -> bytes:
    """Return the test message with CR LF line ends."""
    body = "This message was sent by `gatepost try`.\r\n"
    if test.size:
        lines, rest = divmod(test.size, LINE)
        body = ("x" * (LINE - 2) + "\r\n") * lines + ("x" * (rest - 2) + "\r\n" if rest > 2 else "")
    fields = (
        f"From: <{test.sender}>" if test.sender else f"From: <postmaster@{test.hostname}>",
        f"To: <{test.recipient}>",
        f"Subject: Gatepost test {test.token}",
        f"Message-ID: <{test.token}@{test.hostname}>",
        f"Date: {email.utils.formatdate()}",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=us-ascii",
    )
    return ("\r\n".join(fields) + "\r\n\r\n" + body).encode()


def tls_lines(outcome: TlsOutcome) -> list[str]:
    """Say what was negotiated."""
    group = f", group {outcome.group}" if outcome.group else ""
    lines = [f"TLS: {outcome.protocol}, {outcome.cipher}{group}"]
    if outcome.peer is not None:
        names = ", ".join(outcome.peer.dns_names) or outcome.peer.common_name
        chain = "its chain verifies" if outcome.chain_ok else f"not verified: {outcome.chain_error}"
        lines.append(f"TLS: certificate for {printable(names)}, {outcome.peer.key}, {chain}")
    return lines


def _first_recipient(listener: Listener, hostname: str) -> str:
    for row in listener.recipients:
        if row.action == "accept" and listener.type == "public":
            if row.match == "ALL":
                break
            local, at, domain = row.match.rpartition("@")
            if at:
                return row.match if domain else f"{local}@{hostname}"
            return f"test@{domain}" if not domain.startswith(".") else f"test@mail{domain}"
    return f"postmaster@{hostname}"


def run(test: Test, tell: Tell) -> Sent:
    """Send from a process without an event loop."""
    return asyncio.run(send(test, tell))
