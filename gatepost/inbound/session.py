"""One inbound connection (one ICID), told in the order it happens: who is it, what may it, what does it say, how it ends.

A straight coroutine. The engine (`smtp.receiver`) answers syntax and sequence, `policy` decides, `spool` keeps; here they
are only brought together. The configuration snapshot is taken when the connection is accepted and stays.
"""

from __future__ import annotations

import asyncio
import time
import traceback

from gatepost.errors import TlsFailure, WireError, WireTimeout
from gatepost.inbound.limits import Clocks
from gatepost.inbound.shared import Shared
from gatepost.inbound.transaction import Transaction
from gatepost.net.wire import Wire
from gatepost.policy import access
from gatepost.policy.requirement import judge_inbound
from gatepost.policy.verdict import AccessVerdict, Host, TlsVerdict
from gatepost.records import maillog
from gatepost.records.tls_record import TlsRecord
from gatepost.smtp import events, reply
from gatepost.smtp.path import Path
from gatepost.smtp.receiver import Receiver
from gatepost.smtp.reply import Reply
from gatepost.snapshot import ListenerSnapshot, Snapshot
from gatepost.tls.engine import TlsEngine
from gatepost.tls.outcome import Offer, TlsOutcome

WRITE_TIMEOUT = 60.0
"""Seconds that a client may leave our replies unread."""
LOST = "lost"


class Session:
    """A connection from accept to close. `run` never raises; `stop` asks it to end at the next command."""

    def __init__(self, wire: Wire, snapshot: Snapshot, listener: ListenerSnapshot, shared: Shared) -> None:
        self._wire, self._snapshot, self._listener, self._shared = wire, snapshot, listener, shared
        self._journal, self._metrics = shared.journal, shared.metrics
        self._started = time.time()
        self._loop = asyncio.get_running_loop()
        self._icid = 0
        self._host = Host(wire.peer_address)
        self._verdict: AccessVerdict | None = None
        self._engine: Receiver | None = None
        self._clocks: Clocks | None = None
        self._transaction: Transaction | None = None
        self._tls: TlsOutcome | None = None
        self._tls_verdict: TlsVerdict | None = None
        self._offer: Offer | None = None
        self._failure = ""
        self._messages = 0
        self._refused_for_tls = False
        self._stopping = False
        self._leased: list[str] = []

    async def run(self) -> None:
        """Serve the connection to its end."""
        ending = ""
        try:
            ending = await self._serve()
        except TlsFailure:
            ending = LOST  # the log has said why
        except WireError as fault:
            ending = f"{LOST}: {fault}"
        except Exception:  # it ends this session and no other
            ending = "internal error"
            self._journal.critical(maillog.internal_error(f"ICID {self._icid}", traceback.format_exc()))
            self._say_farewell(self._not_available())
        finally:
            self._finish(ending)

    def stop(self) -> None:
        """End at the next command; at once when the client has nothing under way."""
        self._stopping = True
        if self._engine is not None and not self._engine.in_transaction:
            self._wire.interrupt(WireTimeout("the gateway is stopping"))

    # --- from accept to banner ---------------------------------------------------------------------------------------

    async def _serve(self) -> str:
        self._host = await self._identify()
        listed = await self._listed()
        self._verdict = verdict = self._listener.hat.match(self._host, listed)
        self._metrics.connections["in", verdict.policy.behavior] += 1
        if verdict.policy.behavior == "tcprefuse":
            self._journal.info(maillog.access(0, "TCPREFUSE", verdict.group, verdict.entry))
            self._wire.reset()
            return ""
        self._icid = self._shared.next_icid()
        self._tell_connection(verdict)
        if verdict.policy.behavior == "reject":
            self._wire.write(access.refusal(verdict, self._snapshot.gateway.hostname).encode())
            return "refused"
        if (refusal := await self._admit(verdict)) is not None:
            self._metrics.connections["in", "limit"] += 1
            self._journal.info(maillog.receiving_failed(self._icid, "Connection limit exceeded"))
            self._wire.write(refusal.encode())
            return "refused"
        return await self._converse(verdict)

    async def _identify(self) -> Host:
        name = await self._shared.resolver().host(self._wire.peer_address)
        return Host(self._wire.peer_address, name.name, name.status)

    async def _listed(self) -> frozenset[str]:
        zones = self._listener.hat.zones_needed(self._host)
        if not zones:
            return frozenset()
        resolver = self._shared.resolver()
        answers = await asyncio.gather(*(resolver.listed(zone, self._host.address) for zone in zones))
        return frozenset(zone for zone, listed in zip(zones, answers, strict=True) if listed)

    async def _admit(self, verdict: AccessVerdict) -> Reply | None:
        listener, address = self._listener, self._host.address
        if not await self._lease(f"listener/{listener.name}", listener.max_concurrency):
            return reply.TOO_MANY_ON_LISTENER
        if not await self._lease(f"host/{listener.name}/{address}", verdict.policy.max_connections_per_host):
            return reply.TOO_MANY_FROM_HOST
        return None

    async def _lease(self, key: str, limit: int) -> bool:
        granted = await self._shared.leases.take(key, limit)
        if granted:
            self._leased.append(key)
        return granted

    def _tell_connection(self, verdict: AccessVerdict) -> None:
        wire, host = self._wire, self._host
        verified = host.status == "verified"
        interface = self._listener.interface
        self._journal.info(
            maillog.new_icid(self._icid, interface, wire.local_address, wire.peer_address, host.name, verified)
        )
        self._journal.info(maillog.access(self._icid, verdict.policy.behavior.upper(), verdict.group, verdict.entry))

    # --- the conversation --------------------------------------------------------------------------------------------

    async def _converse(self, verdict: AccessVerdict) -> str:
        policy, gateway = verdict.policy, self._snapshot.gateway
        self._engine = engine = Receiver(
            gateway.hostname,
            self._listener.engine_limits(policy),
            starttls=policy.tls != "no",
            require_tls=policy.tls in ("required", "required-verify"),
        )
        self._clocks = clocks = Clocks(
            self._loop.time(),
            command=gateway.command_timeout,
            unsuccessful=gateway.unsuccessful_connection_timeout if self._listener.is_public else 0,
            total=gateway.connection_time_limit,
        )
        engine.greet(reply.banner(gateway.hostname))
        while True:
            event = engine.next_event()
            if event is None:
                if not await self._exchange(engine, clocks):
                    return "time is up"
                continue
            clocks.progress(self._loop.time())
            answer: Reply | None = None
            match event:
                case events.Content(octets=octets):
                    if self._transaction is not None:
                        await self._transaction.content(octets)
                case events.Mail():
                    answer = self._mail(event, verdict)
                case events.Rcpt():
                    assert self._transaction is not None
                    answer = await self._transaction.recipient(event)
                case events.Data():
                    assert self._transaction is not None
                    self._transaction.begin(engine.hello_name, engine.extended, self._tls)
                    answer = reply.GO_AHEAD
                case events.EndOfData():
                    answer = await self._end_of_data(event, clocks)
                case events.Hello():
                    answer = reply.hello(gateway.hostname)
                case events.Reset():
                    self._abandon()
                case events.StartTls():
                    engine.reply(reply.READY_FOR_TLS)
                    self._wire.write(engine.data_to_send())
                    await self._start_tls(verdict)
                case events.Refused():
                    self._refused_for_tls |= event.reply == reply.STARTTLS_FIRST
                    self._journal.info(maillog.command_refused(self._icid, event.command, str(event.reply)))
                case events.Quit():
                    pass
                case events.Closed():
                    self._flush(engine)
                    return event.reason
            if answer is not None:
                engine.reply(answer)
                self._metrics.replies["in", answer.code] += 1

    async def _exchange(self, engine: Receiver, clocks: Clocks) -> bool:
        """Send what is due and wait for more; False when the time ran out or the gateway stops, after saying so."""
        self._flush(engine)
        if self._wire.clogged:
            await self._wire.drain(min(WRITE_TIMEOUT, clocks.left(self._loop.time())))
        if self._stopping and not engine.in_transaction:
            self._say_farewell(self._not_available())
            return False
        try:
            engine.receive_data(await self._wire.read(clocks.left(self._loop.time())))
        except WireTimeout:
            self._say_farewell(self._not_available() if self._stopping else clocks.farewell(self._loop.time()))
            return False
        return True

    def _flush(self, engine: Receiver) -> None:
        if octets := engine.data_to_send():
            self._wire.write(octets)

    def _not_available(self) -> Reply:
        return reply.service_not_available(self._snapshot.gateway.hostname)

    def _say_farewell(self, last: Reply) -> None:
        if self._engine is not None:
            self._engine.refuse(last)
            self._flush(self._engine)

    # --- a message ---------------------------------------------------------------------------------------------------

    def _mail(self, event: events.Mail, verdict: AccessVerdict) -> Reply:
        if (refusal := self._refuse_mail(event, verdict)) is not None:
            return refusal
        reverse_path = self._listener.complete(event.reverse_path)
        self._transaction = Transaction(
            self._shared,
            self._snapshot,
            self._listener,
            self._host,
            verdict.group,
            verdict.policy,
            self._icid,
            event,
            reverse_path,
        )
        return reply.sender_ok(str(reverse_path))

    def _refuse_mail(self, event: events.Mail, verdict: AccessVerdict) -> Reply | None:
        spool, policy = self._shared.spool, verdict.policy
        if self._stopping:
            return self._not_available()
        if self._clocks is not None and self._clocks.refuses_message(self._loop.time()):
            return reply.CONNECTION_TIME_EXCEEDED
        if (refusal := access.message(policy, self._messages)) is not None:
            return refusal
        if not spool.accepting:
            return reply.SERVER_ERROR if spool.sick else reply.LOW_RESOURCES
        path: Path = self._listener.complete(event.reverse_path)
        if not path.is_null and not path.domain:
            return reply.DOMAIN_REQUIRED
        senders = self._listener.mandatory_senders(policy)
        return access.mail(policy, senders, path, encrypted=self._tls is not None)

    async def _end_of_data(self, event: events.EndOfData, clocks: Clocks) -> Reply:
        transaction, self._transaction = self._transaction, None
        assert transaction is not None
        if event.fault is not None:
            transaction.abandon(str(event.fault))
            self._journal.info(maillog.receiving_failed(self._icid, str(event.fault)))
            return event.fault
        answer = await transaction.accept(self._tls)
        if answer.is_positive:
            self._messages += 1
            clocks.message_accepted()
        return answer

    def _abandon(self) -> None:
        if self._transaction is not None:
            self._transaction.abandon()
            self._transaction = None

    # --- TLS ---------------------------------------------------------------------------------------------------------

    async def _start_tls(self, verdict: AccessVerdict) -> None:
        policy = verdict.policy
        context = self._listener.tls_context(policy)
        assert self._engine is not None
        assert context is not None, "STARTTLS is only offered where there is a context"
        tls = TlsEngine.server(context)
        try:
            self._tls = await self._wire.start_tls(tls, self._snapshot.gateway.tls_handshake_timeout)
        except WireTimeout:
            self._failure = "the client did not finish the TLS handshake in time"
            raise TlsFailure(self._failure) from None
        except WireError as fault:
            self._failure = str(fault)
            raise
        finally:
            self._offer = tls.offer
            if self._tls is None:
                self._journal.info(maillog.tls_failed_in(self._icid, self._failure))
        self._journal.info(maillog.tls_success_in(self._icid, self._tls.protocol, self._tls.cipher))
        self._engine.tls_started()
        self._tls_verdict = judge_inbound(policy, self._tls)
        if not self._tls_verdict.allowed:
            self._failure = self._tls_verdict.reason
            self._journal.info(maillog.tls_failed_in(self._icid, self._failure))
            self._say_farewell(self._tls_verdict.reply or self._not_available())

    # --- the end -----------------------------------------------------------------------------------------------------

    def _finish(self, ending: str) -> None:
        self._abandon()
        self._wire.close()
        for key in self._leased:
            self._shared.leases.give_back(key)
        if self._verdict is None or not self._icid:
            return
        if self._refused_for_tls and self._tls is None:
            self._journal.info(maillog.tls_required_not_started(self._icid))
        if ending.startswith(LOST):
            self._journal.info(maillog.icid_lost(self._icid, ending.removeprefix(LOST).removeprefix(": ")))
        else:
            self._journal.info(maillog.icid_close(self._icid))
        self._journal.tls(self._record(self._verdict))
        self._count_tls()

    def _count_tls(self) -> None:
        tls = self._tls
        if tls is not None:
            self._metrics.tls["in", tls.protocol, tls.cipher, tls.group, "success"] += 1
        else:
            self._metrics.tls["in", "", "", "", "failed" if self._failure else "none"] += 1

    def _record(self, verdict: AccessVerdict) -> TlsRecord:
        policy, host = verdict.policy, self._host
        context = self._listener.tls_context(policy)
        return TlsRecord(
            direction="in",
            connection=self._icid,
            time=self._started,
            peer=host.address,
            peer_name=host.name,
            port=self._wire.local_port,
            listener=self._listener.name,
            rule=f"{verdict.group or 'ALL'}: {verdict.entry}",
            reason=verdict.reason,
            policy=policy.name,
            requirement=policy.tls,
            requirement_source=f"policy {policy.name} of listener {self._listener.name}",
            offer=self._offer,
            allowance=context.allowance if context else None,
            cipher_order=context.terms.cipher_order if context else "",
            outcome=self._tls,
            failure=self._failure,
            verdict=self._tls_verdict.reason if self._tls_verdict else "",
            verified=bool(self._tls_verdict and self._tls_verdict.verified),
            messages=self._messages,
            revision=self._snapshot.revision,
        )
