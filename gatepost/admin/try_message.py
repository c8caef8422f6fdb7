"""`gatepost try`: one test message through a listener, as a partner's server would send it, and what became of it.

A small SMTP client over the same wire, engine and TLS contexts as delivery. It shows what goes over the connection, reads
the records that the gateway made of it, and changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from gatepost.admin.try_plan import Plan, message
from gatepost.config.model import TlsProfile
from gatepost.errors import GatepostError, WireError
from gatepost.net.wire import Wire, connect
from gatepost.records.printable import printable
from gatepost.smtp.events import EndReply, Event, Greeting, HelloReply, MailReply, PeerFault, RcptReply, StartTlsReply
from gatepost.smtp.grammar import is_hello_name
from gatepost.smtp.sender import Sender, Transaction
from gatepost.snapshot import terms
from gatepost.tls.engine import TlsEngine
from gatepost.tls.outcome import TlsOutcome
from gatepost.tls.sides import ClientContext

PATIENCE = 30.0
"""Seconds for each answer: the gateway is ours and near."""
Tell = Callable[[str], None]


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """What the gateway answered."""

    reply: str
    tls: TlsOutcome | None


async def send(plan: Plan, tell: Tell) -> Sent:
    """Send the message and tell each line as it goes; GatepostError says at which step the gateway refused it."""
    try:
        wire = await connect(plan.address, plan.port, PATIENCE, plan.source)
    except WireError as fault:
        ours = f"is {plan.source} an address of this machine, and " if plan.source else ""
        raise GatepostError(f"{fault}; {ours}is the gateway running, with its listener {plan.listener} open?") from None
    conversation = _Conversation(wire, plan, tell)
    try:
        return await conversation.run()
    except WireError as fault:
        raise GatepostError(f"the connection ended: {fault}") from None
    finally:
        wire.close()


class _Conversation:
    """The dialogue, told as it happens."""

    def __init__(self, wire: Wire, plan: Plan, tell: Tell) -> None:
        self._wire, self._plan, self._tell = wire, plan, tell
        # The name that EHLO says is the machine's own business; `try` says what it is.
        self._sender = Sender(f"try.{plan.hostname}" if is_hello_name(f"try.{plan.hostname}") else "localhost")
        self._heard = b""

    async def run(self) -> Sent:
        sender, plan = self._sender, self._plan
        came = f" from {plan.source}" if plan.source else ""
        self._tell(f"-- connected{came} to {plan.address} port {plan.port}, listener {plan.listener}")
        await self._expect(Greeting, "the connection")
        sender.hello()
        await self._expect(HelloReply, "EHLO")
        tls = None if plan.clear else await self._start_tls()
        content = message(plan)
        transaction = Transaction(plan.sender, (plan.recipient,), len(content))
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
        engine = TlsEngine.client(ClientContext(terms(TlsProfile())), self._plan.hostname)
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


def tls_lines(outcome: TlsOutcome) -> list[str]:
    """Say what was negotiated."""
    group = f", group {outcome.group}" if outcome.group else ""
    lines = [f"TLS: {outcome.protocol}, {outcome.cipher}{group}"]
    if outcome.peer is not None:
        names = ", ".join(outcome.peer.dns_names) or outcome.peer.common_name
        chain = "its chain verifies" if outcome.chain_ok else f"not verified: {outcome.chain_error}"
        lines.append(f"TLS: certificate for {printable(names)}, {outcome.peer.key}, {chain}")
    return lines


def run(plan: Plan, tell: Tell) -> Sent:
    """Send from a process without an event loop."""
    return asyncio.run(send(plan, tell))
