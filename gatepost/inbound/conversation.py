"""What an inbound session says and is told, from banner to close: the engine speaks, policy decides, the spool keeps.

A straight coroutine. `smtp.receiver` answers syntax and sequence and hands up what may be decided; here the decision is
asked for and handed down. Its last words close the connection; where it ends without any, somebody else does.
"""

from __future__ import annotations

import asyncio

from gatepost.errors import WireTimeout
from gatepost.inbound.limits import Clocks
from gatepost.inbound.security import Security
from gatepost.inbound.shared import Shared
from gatepost.inbound.transaction import Transaction
from gatepost.net.wire import Wire
from gatepost.policy import access
from gatepost.policy.verdict import AccessVerdict, Host
from gatepost.records import maillog
from gatepost.smtp import events, reply
from gatepost.smtp.events import Event
from gatepost.smtp.path import Path
from gatepost.smtp.receiver import Receiver
from gatepost.smtp.reply import Reply
from gatepost.snapshot import ListenerSnapshot, Snapshot

WRITE_TIMEOUT = 60.0
"""Seconds that a client may leave our replies unread."""


class Conversation:
    """The talk of one session that was admitted."""

    def __init__(
        self,
        wire: Wire,
        snapshot: Snapshot,
        listener: ListenerSnapshot,
        shared: Shared,
        icid: int,
        host: Host,
        verdict: AccessVerdict,
        security: Security,
    ) -> None:
        self._wire, self._snapshot, self._listener, self._shared = wire, snapshot, listener, shared
        self._icid, self._host, self._verdict, self._security = icid, host, verdict, security
        self._journal, self._metrics = shared.journal, shared.metrics
        self._loop = asyncio.get_running_loop()
        self._hostname = snapshot.gateway.hostname
        self._engine = _engine(snapshot, listener, verdict)
        self._clocks = _clocks(snapshot, listener, self._loop.time())
        self._transaction: Transaction | None = None
        self.messages = 0
        """Messages accepted so far."""
        self.stopping = False
        """Whether the session is to end at the next command."""

    @property
    def in_transaction(self) -> bool:
        """Whether a message is under way."""
        return self._engine.in_transaction

    async def hold(self) -> str:
        """Talk to the end; return how it came. Raises WireError."""
        engine, wire, clocks, time = self._engine, self._wire, self._clocks, self._loop.time
        if wire.at_hand and not wire.closed:
            self._journal.info(maillog.early_talker(self._icid))
        engine.greet(reply.banner(self._hostname))
        while True:
            event = engine.next_event()
            if event is not None:
                if type(event) is events.Closed:
                    wire.close(engine.data_to_send())
                    return event.reason
                await self._answer(engine, event)
                continue
            # All that came is answered: send what is due and wait for more. The hot path of all mail: no call too many.
            if octets := engine.data_to_send():
                wire.write(octets)
                clocks.answered(time())
            if (wire.clogged or engine.paused or self.stopping) and await self._is_held_up(engine):
                continue
            try:
                octets = await wire.read_until(clocks.deadline)
            except WireTimeout:
                engine.refuse(self._not_available() if self.stopping else clocks.farewell(time()))
                continue
            if engine.takes_content:
                clocks.mail_data(len(octets), time())
            engine.receive_data(octets)

    async def _answer(self, engine: Receiver, event: Event) -> None:
        """Decide what an event asks, and take note of what it tells."""
        answer: Reply | None = None
        match event:
            case events.Content(octets=octets):
                if self._transaction is not None:
                    await self._transaction.content(octets)
            case events.Rcpt():
                assert self._transaction is not None
                answer = await self._transaction.recipient(event)
            case events.Mail():
                answer = self._mail(event)
            case events.Data():
                assert self._transaction is not None
                self._transaction.begin(engine.hello_name, engine.extended, self._security.outcome)
                answer = reply.GO_AHEAD
            case events.EndOfData():
                answer = await self._end_of_data(event)
            case events.Hello():
                answer = reply.hello(self._hostname)
            case events.Reset():
                self.abandon()
            case events.StartTls():
                await self._start_tls(engine)
            case events.Refused():
                self._security.was_demanded |= event.reply == reply.STARTTLS_FIRST
                self._journal.info(maillog.command_refused(self._icid, event.command, str(event.reply)))
                self._metrics.replies["in", event.reply.code] += 1
            case events.Quit():
                pass
        if answer is not None:
            engine.reply(answer)
            self._metrics.replies["in", answer.code] += 1

    async def _is_held_up(self, engine: Receiver) -> bool:
        """Do what stands before the next read, if anything does; False when the session may read on.

        It waits for a client that does not read our replies, leaves the others their turn when one says very much at once,
        and makes the engine end the session when the gateway stops.
        """
        if self._wire.clogged:
            left = self._clocks.deadline - self._loop.time()
            await self._unclog(min(WRITE_TIMEOUT, left))
        if self.stopping and not engine.in_transaction:
            engine.refuse(self._not_available())
            return True
        if engine.paused:
            await asyncio.sleep(0)
            return True
        return False

    async def _unclog(self, timeout: float) -> None:
        try:
            await self._wire.drain(timeout)
        except WireTimeout:
            raise WireTimeout("the client does not read our replies") from None

    async def _start_tls(self, engine: Receiver) -> None:
        engine.reply(reply.READY_FOR_TLS)
        self._flush(engine)
        refusal = await self._security.start(self._wire, self._icid)
        engine.tls_started()
        self._clocks.answered(self._loop.time())
        if refusal is not None:
            engine.refuse(refusal)

    def _flush(self, engine: Receiver) -> None:
        if octets := engine.data_to_send():
            self._wire.write(octets)

    def _not_available(self) -> Reply:
        return reply.service_not_available(self._hostname)

    # --- a message ---------------------------------------------------------------------------------------------------

    def _mail(self, event: events.Mail) -> Reply:
        path = self._listener.complete(event.reverse_path)
        if (refusal := self._refuse_mail(path)) is not None:
            self._tell_refused(path, refusal)
            return refusal
        self._transaction = Transaction(
            self._shared,
            self._snapshot,
            self._listener,
            self._host,
            self._verdict.group,
            self._verdict.policy,
            self._icid,
            event,
            path,
        )
        return reply.sender_ok(str(path))

    def _refuse_mail(self, path: Path) -> Reply | None:
        spool, policy = self._shared.spool, self._verdict.policy
        if self.stopping:
            return self._not_available()
        if self._clocks.refuses_message(self._loop.time()):
            return reply.CONNECTION_TIME_EXCEEDED
        if (refusal := access.message(policy, self.messages)) is not None:
            return refusal
        if not spool.accepting:
            return reply.SERVER_ERROR if spool.sick else reply.LOW_RESOURCES
        if not path.is_null and not path.domain:
            return reply.DOMAIN_REQUIRED
        senders = self._listener.mandatory_senders(policy)
        return access.mail(policy, senders, path, encrypted=self._security.outcome is not None)

    def _tell_refused(self, path: Path, refusal: Reply) -> None:
        if refusal is reply.DOMAIN_REQUIRED:
            line = maillog.sender_rejected(self._icid, str(path), "envelope sender domain missing")
        else:
            line = maillog.command_refused(self._icid, f"MAIL FROM:<{path}>", str(refusal))
        self._journal.info(line)

    async def _end_of_data(self, event: events.EndOfData) -> Reply:
        transaction = self._transaction
        assert transaction is not None
        if event.fault is not None:
            self._transaction = None
            transaction.abandon(str(event.fault))
            self._journal.info(maillog.receiving_failed(self._icid, str(event.fault)))
            return event.fault
        answer = await transaction.accept(self._security.outcome)
        self._transaction = None  # and not before: a bug in between would leave its file behind
        if answer.is_positive:
            self.messages += 1
            self._clocks.message_accepted()
        return answer

    def abandon(self) -> None:
        """Drop the message under way, if any."""
        if self._transaction is not None:
            self._transaction.abandon()
            self._transaction = None

    def break_off(self) -> None:
        """Say that we cannot go on, and end."""
        self._engine.refuse(self._not_available())
        self._flush(self._engine)


def _engine(snapshot: Snapshot, listener: ListenerSnapshot, verdict: AccessVerdict) -> Receiver:
    policy = verdict.policy
    return Receiver(
        snapshot.gateway.hostname,
        listener.engine_limits(policy),
        starttls=policy.tls != "no",
        require_tls=policy.tls in ("required", "required-verify"),
    )


def _clocks(snapshot: Snapshot, listener: ListenerSnapshot, now: float) -> Clocks:
    gateway = snapshot.gateway
    return Clocks(
        now,
        command=gateway.command_timeout,
        unsuccessful=gateway.unsuccessful_connection_timeout if listener.is_public else 0,
        total=gateway.connection_time_limit,
    )
