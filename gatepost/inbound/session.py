"""One inbound connection (one ICID), told in the order it happens: who is it, what may it, what does it say, how it ends.

A straight coroutine. The engine (`smtp.receiver`) answers syntax and sequence, `policy` decides, `spool` keeps; here they
are only brought together. The configuration snapshot is taken when the connection is accepted and stays.
"""

from __future__ import annotations

import asyncio
import traceback

from gatepost.errors import TlsFailure, WireError, WireTimeout
from gatepost.inbound.arrival import Arrival
from gatepost.inbound.limits import Clocks
from gatepost.inbound.security import Security
from gatepost.inbound.shared import Shared
from gatepost.inbound.transaction import Transaction
from gatepost.net.wire import Wire
from gatepost.policy import access
from gatepost.policy.verdict import AccessVerdict
from gatepost.records import maillog
from gatepost.smtp import events, reply
from gatepost.smtp.path import Path
from gatepost.smtp.receiver import CLIENT_CLOSED, CLIENT_QUIT, Receiver
from gatepost.smtp.reply import Reply
from gatepost.snapshot import ListenerSnapshot, Snapshot

WRITE_TIMEOUT = 60.0
"""Seconds that a client may leave our replies unread."""
IN_ORDER = frozenset({CLIENT_QUIT, CLIENT_CLOSED, "refused"})
"""Endings that the log tells as `close`; any other is told as `lost`, with its reason."""


class Session:
    """A connection from accept to close. `run` never raises; `stop` asks it to end at the next command."""

    def __init__(self, wire: Wire, snapshot: Snapshot, listener: ListenerSnapshot, shared: Shared) -> None:
        self._wire, self._snapshot, self._listener, self._shared = wire, snapshot, listener, shared
        self._journal, self._metrics = shared.journal, shared.metrics
        self._loop = asyncio.get_running_loop()
        self._icid = 0
        self._arrival = Arrival(wire, listener, shared)
        self._security: Security | None = None
        self._engine: Receiver | None = None
        self._transaction: Transaction | None = None
        self._messages = 0
        self._stopping = False

    async def run(self) -> None:
        """Serve the connection to its end."""
        ending = ""
        try:
            ending = await self._serve()
        except WireError as fault:
            ending = str(fault)
        except Exception:  # it ends this session and no other
            ending = "internal error"
            self._journal.critical(maillog.internal_error(f"ICID {self._icid}", traceback.format_exc()))
            self._collapse()
        finally:
            self._finish(ending)

    def stop(self) -> None:
        """End at the next command; at once when the client has nothing under way."""
        self._stopping = True
        if self._engine is not None and not self._engine.in_transaction:
            self._wire.interrupt(WireTimeout("the gateway is stopping"))

    async def _serve(self) -> str:
        """Return how it ended; empty when the log has said it already."""
        verdict = await self._arrival.judge()
        self._metrics.connections["in", verdict.policy.behavior] += 1
        if verdict.policy.behavior == "tcprefuse":
            self._journal.info(maillog.access(0, "TCPREFUSE", verdict.group, verdict.entry))
            self._wire.reset()
            return ""
        self._icid = self._shared.next_icid()
        self._security = security = Security(self._snapshot, self._listener, self._shared, verdict)
        self._arrival.tell(self._icid, verdict)
        if verdict.policy.behavior == "reject":
            self._wire.write(access.refusal(verdict, self._snapshot.gateway.hostname).encode())
            return "refused"
        if (refusal := await self._arrival.admit(verdict)) is not None:
            self._metrics.connections["in", "limit"] += 1
            self._journal.info(maillog.receiving_failed(self._icid, "Connection limit exceeded"))
            self._wire.write(refusal.encode())
            return "refused"
        return await self._converse(verdict, security)

    # --- the conversation --------------------------------------------------------------------------------------------

    async def _converse(self, verdict: AccessVerdict, security: Security) -> str:
        policy, gateway = verdict.policy, self._snapshot.gateway
        self._engine = engine = Receiver(
            gateway.hostname,
            self._listener.engine_limits(policy),
            starttls=policy.tls != "no",
            require_tls=policy.tls in ("required", "required-verify"),
        )
        clocks = Clocks(
            self._loop.time(),
            command=gateway.command_timeout,
            unsuccessful=gateway.unsuccessful_connection_timeout if self._listener.is_public else 0,
            total=gateway.connection_time_limit,
        )
        if self._wire.at_hand and not self._wire.closed:
            self._journal.info(maillog.early_talker(self._icid))
        engine.greet(reply.banner(gateway.hostname))
        while True:
            event = engine.next_event()
            if event is None:
                await self._exchange(engine, clocks)
                continue
            answer: Reply | None = None
            match event:
                case events.Content(octets=octets):
                    if self._transaction is not None:
                        await self._transaction.content(octets)
                case events.Mail():
                    answer = self._mail(event, verdict, security, clocks)
                case events.Rcpt():
                    assert self._transaction is not None
                    answer = await self._transaction.recipient(event)
                case events.Data():
                    assert self._transaction is not None
                    self._transaction.begin(engine.hello_name, engine.extended, security.outcome)
                    answer = reply.GO_AHEAD
                case events.EndOfData():
                    answer = await self._end_of_data(event, security, clocks)
                case events.Hello():
                    answer = reply.hello(gateway.hostname)
                case events.Reset():
                    self._abandon()
                case events.StartTls():
                    await self._start_tls(engine, security, clocks)
                case events.Refused():
                    security.was_demanded |= event.reply == reply.STARTTLS_FIRST
                    self._journal.info(maillog.command_refused(self._icid, event.command, str(event.reply)))
                    self._metrics.replies["in", event.reply.code] += 1
                case events.Quit():
                    pass
                case events.Closed():
                    self._flush(engine)
                    return event.reason
            if answer is not None:
                engine.reply(answer)
                self._metrics.replies["in", answer.code] += 1

    async def _exchange(self, engine: Receiver, clocks: Clocks) -> None:
        """Send what is due and wait for more; when the time runs out or the gateway stops, the engine says so and closes."""
        if octets := engine.data_to_send():
            self._wire.write(octets)
            clocks.answered(self._loop.time())
        if self._wire.clogged:
            await self._unclog(min(WRITE_TIMEOUT, clocks.left(self._loop.time())))
        if self._stopping and not engine.in_transaction:
            engine.refuse(self._not_available())
            return
        if engine.paused:
            await asyncio.sleep(0)  # a client that says so much at once is not served before all others
            return
        try:
            octets = await self._wire.read(clocks.left(self._loop.time()))
        except WireTimeout:
            engine.refuse(self._not_available() if self._stopping else clocks.farewell(self._loop.time()))
            return
        if engine.takes_content:
            clocks.mail_data(len(octets), self._loop.time())
        engine.receive_data(octets)

    async def _unclog(self, timeout: float) -> None:
        try:
            await self._wire.drain(timeout)
        except WireTimeout:
            raise WireTimeout("the client does not read our replies") from None

    async def _start_tls(self, engine: Receiver, security: Security, clocks: Clocks) -> None:
        engine.reply(reply.READY_FOR_TLS)
        self._flush(engine)
        refusal = await security.start(self._wire, self._icid)
        engine.tls_started()
        clocks.answered(self._loop.time())
        if refusal is not None:
            engine.refuse(refusal)

    def _flush(self, engine: Receiver) -> None:
        if octets := engine.data_to_send():
            self._wire.write(octets)

    def _not_available(self) -> Reply:
        return reply.service_not_available(self._snapshot.gateway.hostname)

    # --- a message ---------------------------------------------------------------------------------------------------

    def _mail(self, event: events.Mail, verdict: AccessVerdict, security: Security, clocks: Clocks) -> Reply:
        path = self._listener.complete(event.reverse_path)
        if (refusal := self._refuse_mail(path, verdict, security, clocks)) is not None:
            self._tell_refused(path, refusal)
            return refusal
        self._transaction = Transaction(
            self._shared,
            self._snapshot,
            self._listener,
            self._arrival.host,
            verdict.group,
            verdict.policy,
            self._icid,
            event,
            path,
        )
        return reply.sender_ok(str(path))

    def _refuse_mail(self, path: Path, verdict: AccessVerdict, security: Security, clocks: Clocks) -> Reply | None:
        spool, policy = self._shared.spool, verdict.policy
        if self._stopping:
            return self._not_available()
        if clocks.refuses_message(self._loop.time()):
            return reply.CONNECTION_TIME_EXCEEDED
        if (refusal := access.message(policy, self._messages)) is not None:
            return refusal
        if not spool.accepting:
            return reply.SERVER_ERROR if spool.sick else reply.LOW_RESOURCES
        if not path.is_null and not path.domain:
            return reply.DOMAIN_REQUIRED
        senders = self._listener.mandatory_senders(policy)
        return access.mail(policy, senders, path, encrypted=security.outcome is not None)

    def _tell_refused(self, path: Path, refusal: Reply) -> None:
        if refusal is reply.DOMAIN_REQUIRED:
            line = maillog.sender_rejected(self._icid, str(path), "envelope sender domain missing")
        else:
            line = maillog.command_refused(self._icid, f"MAIL FROM:<{path}>", str(refusal))
        self._journal.info(line)

    async def _end_of_data(self, event: events.EndOfData, security: Security, clocks: Clocks) -> Reply:
        transaction = self._transaction
        assert transaction is not None
        if event.fault is not None:
            self._transaction = None
            transaction.abandon(str(event.fault))
            self._journal.info(maillog.receiving_failed(self._icid, str(event.fault)))
            return event.fault
        answer = await transaction.accept(security.outcome)
        self._transaction = None  # and not before: a bug in between would leave its file behind
        if answer.is_positive:
            self._messages += 1
            clocks.message_accepted()
        return answer

    def _abandon(self) -> None:
        if self._transaction is not None:
            self._transaction.abandon()
            self._transaction = None

    # --- the end -----------------------------------------------------------------------------------------------------

    def _collapse(self) -> None:
        """After a bug: say so, if there is still somebody to hear it."""
        if self._engine is None:
            return
        try:
            self._engine.refuse(self._not_available())
            self._flush(self._engine)
        except TlsFailure:
            pass

    def _finish(self, ending: str) -> None:
        self._abandon()
        self._wire.close()
        self._arrival.leave()
        if self._security is None:
            return
        told = "" if self._security.has_failed else ending
        self._journal.info(maillog.icid_close(self._icid) if ending in IN_ORDER else maillog.icid_lost(self._icid, told))
        self._security.keep(self._icid, self._arrival.host, self._wire.local_port, self._messages)
