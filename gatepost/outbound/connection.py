"""One connection to a next hop (DCID): opened, greeted, encrypted as the destination requires, and on record.

Not one octet of mail is sent through it before the TLS verdict allows it (RFC 3207; docs/tls.md). What the peer said before
TLS is forgotten; STARTTLS answered with anything but 220 leads to clear text only where the setting allows that.
"""

from __future__ import annotations

import ipaddress
import time

from gatepost.errors import GatepostError, WireError
from gatepost.net.wire import Wire, connect
from gatepost.outbound.dialogue import (
    CONNECT_TIMEOUT,
    GREETING_TIMEOUT,
    HELLO_TIMEOUT,
    STARTTLS_TIMEOUT,
    Dialogue,
)
from gatepost.outbound.outcome import Carrier
from gatepost.outbound.router import NextHop
from gatepost.outbound.shared import Shared
from gatepost.policy import failure
from gatepost.policy.destination import Destination
from gatepost.policy.failure import Cost
from gatepost.policy.requirement import judge_outbound, outbound_requirement
from gatepost.policy.verdict import References, TlsVerdict
from gatepost.records import maillog
from gatepost.records.tls_record import TlsRecord
from gatepost.smtp.events import Event, Greeting, HelloReply, PeerFault, StartTlsReply
from gatepost.smtp.reply import Reply
from gatepost.snapshot import Snapshot
from gatepost.tls.engine import TlsEngine
from gatepost.tls.outcome import TlsOutcome


class HostFailed(GatepostError):
    """The connection cannot carry mail; the cost says what that means."""

    def __init__(self, cost: Cost) -> None:
        super().__init__(cost.diagnostic)
        self.cost = cost


class Connection:
    """A connection and its facts; `open`, then messages through `dialogue`, then `close`."""

    def __init__(
        self, shared: Shared, snapshot: Snapshot, destination: Destination, domain: str, hop: NextHop, *, hosts_left: bool
    ) -> None:
        self._shared = shared
        self._snapshot = snapshot
        self._destination = destination
        self._domain = domain
        self._hosts_left = hosts_left
        self.hop = hop
        self.dcid = shared.next_dcid()
        self.requirement = outbound_requirement(destination)
        self.messages = 0
        self._references = References(domain=domain, host=hop.host)
        self._started = time.time()
        self._wire: Wire | None = None
        self._dialogue: Dialogue | None = None
        self._engine: TlsEngine | None = None
        self._outcome: TlsOutcome | None = None
        self._verdict: TlsVerdict | None = None
        self._carrier: Carrier | None = None
        self._failure = ""
        self._ended = False

    @property
    def dialogue(self) -> Dialogue:
        """The conversation; only of an open connection."""
        assert self._dialogue is not None
        return self._dialogue

    @property
    def carrier(self) -> Carrier:
        """The connection as outcomes name it."""
        if self._carrier is None or self._verdict is None:  # before the verdict it may become another one
            tls = self._outcome
            encrypted = f"{tls.protocol} {tls.cipher}" if tls else ""
            self._carrier = Carrier(dcid=self.dcid, host=self.hop.host, address=self.hop.address, encrypted=encrypted)
        return self._carrier

    @property
    def is_fit(self) -> bool:
        """Whether an idle connection is still of use: the peer neither closed it nor said anything unasked."""
        dialogue = self.dialogue
        return not (dialogue.wire.at_hand or dialogue.wire.closed) and dialogue.sender.ready

    # --- opening -----------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Make the connection ready for mail; raises HostFailed."""
        wire = self._wire = await self._connect()
        self._shared.metrics.sessions["out"] += 1
        self._shared.journal.info(maillog.new_dcid(self.dcid, wire.local_address, self.hop.address, self.hop.port))
        self._dialogue = Dialogue(wire, self._snapshot.gateway.hostname, self._shared.metrics)
        event = await self.dialogue.event(GREETING_TIMEOUT)
        if not isinstance(event, Greeting) or event.reply.code != 220:
            raise self._failed("greeting", event)
        await self._hello()
        self._verdict = verdict = await self._secure()
        self._log_tls(verdict)
        if not verdict.allowed:
            raise HostFailed(failure.of_tls(verdict, hosts_left=self._hosts_left))
        if self._outcome is not None:
            # RFC 3207 4.2: what it offered before is void, and could have been an attacker's.
            await self._hello()

    async def _connect(self) -> Wire:
        hop = self.hop
        try:
            return await connect(hop.address, hop.port, CONNECT_TIMEOUT)
        except WireError as fault:
            raise self._failed("connect", PeerFault(str(fault))) from None

    async def _hello(self) -> None:
        """EHLO; HELO where the peer does not know it (RFC 5321 3.2) and nothing is needed that only EHLO can offer."""
        self.dialogue.sender.hello()
        event = await self.dialogue.event(HELLO_TIMEOUT)
        if isinstance(event, HelloReply) and event.reply.code == 250:
            return
        refused = isinstance(event, HelloReply) and event.reply.code >= 500
        if not refused or self._outcome is not None:
            raise self._failed("hello", event)
        if self.requirement.is_required:
            return  # it offers no STARTTLS: the verdict will name that
        self.dialogue.sender.helo()
        event = await self.dialogue.event(HELLO_TIMEOUT)
        if not isinstance(event, HelloReply) or event.reply.code != 250:
            raise self._failed("hello", event)

    async def _secure(self) -> TlsVerdict:
        """Start TLS where the requirement wants it and the peer offers it, and hold the outcome against it."""
        sender = self.dialogue.sender
        if self.requirement.setting == "no":
            return judge_outbound(self.requirement, self._references)
        if "STARTTLS" not in sender.extensions:
            return judge_outbound(self.requirement, self._references, starttls_offered=False)
        sender.starttls()
        event = await self.dialogue.event(STARTTLS_TIMEOUT)
        if not isinstance(event, StartTlsReply):
            self._failure = event.text if isinstance(event, PeerFault) else "STARTTLS unexpected response"
            return judge_outbound(self.requirement, self._references, failure=self._failure)
        if event.reply.code != 220:
            self._failure = f"STARTTLS unexpected response: {event.reply}"
            return judge_outbound(self.requirement, self._references, starttls_reply=event.reply)
        if not await self._handshake():
            return judge_outbound(self.requirement, self._references, failure=self._failure)
        return judge_outbound(self.requirement, self._references, outcome=self._outcome)

    async def _handshake(self) -> bool:
        hop = self.hop
        name = self._domain if _is_address(hop.host) else hop.host
        self._engine = TlsEngine.client(self._snapshot.client_context(self._destination), name)
        try:
            timeout = self._snapshot.gateway.tls_handshake_timeout
            self._outcome = await self.dialogue.wire.start_tls(self._engine, timeout)
        except WireError as fault:
            self._failure = str(fault)
            return False
        self.dialogue.sender.tls_started()
        return True

    def _failed(self, stage: failure.Stage, event: Event) -> HostFailed:
        """Judge a failure of setting up; the log says it with the address, for none of it is about a message."""
        reply: Reply | None = getattr(event, "reply", None)
        if reply is not None:
            cost = failure.of_reply(stage, reply, hosts_left=self._hosts_left)
        else:
            text = event.text if isinstance(event, PeerFault) else "the peer answered out of step"
            cost = failure.of_fault(stage, text, hosts_left=self._hosts_left)
        self.broke(cost.diagnostic)
        return HostFailed(cost)

    # --- for the log and the records ---------------------------------------------------------------------------------

    def broke(self, details: str) -> None:
        """Tell that the connection did not come about, or ended in mid-conversation."""
        local = self._wire.local_address if self._wire else ""
        self._shared.journal.info(maillog.connection_error(self.dcid, self.hop.address, details, local))

    def _log_tls(self, verdict: TlsVerdict) -> None:
        journal, metrics, tls = self._shared.journal, self._shared.metrics, self._outcome
        if tls is not None and verdict.allowed:
            journal.info(maillog.dcid_tls_success(self.dcid, tls.protocol, tls.cipher, self._domain))
            metrics.tls["out", tls.protocol, tls.cipher, tls.group, "success"] += 1
        elif verdict.allowed and not self._failure and self.requirement.setting != "no":
            journal.info(maillog.dcid_tls_not_used(self.dcid, verdict.reason))
            metrics.tls["out", "", "", "", "none"] += 1
        elif self.requirement.setting != "no":
            if tls is not None:
                self._failure = f"verify error: {verdict.reason}"
            journal.info(maillog.dcid_tls_failed(self.dcid, self._failure or verdict.reason))
            metrics.tls["out", "", "", "", "failed" if self._failure else "none"] += 1
        if not verdict.allowed and self.requirement.is_required:
            journal.info(maillog.dcid_tls_required_failed(self.dcid, self.hop.address))

    async def close(self) -> None:
        """End the connection in order and keep its record."""
        try:
            if self._dialogue is not None:
                await self._dialogue.quit()
        finally:
            self.drop()

    def drop(self) -> None:
        """End the connection at once and keep its record; harmless after `close`."""
        if self._ended:
            return
        self._ended = True
        up = self._verdict is not None and self._verdict.allowed
        self._shared.metrics.connections["out", "up" if up else "failed"] += 1
        if self._wire is None:
            return  # there never was a connection
        if not self._wire.closed:
            self._wire.abort()
        self._shared.metrics.sessions["out"] -= 1
        self._shared.journal.info(maillog.dcid_close(self.dcid))
        self._shared.journal.tls(self._record())

    def _record(self) -> TlsRecord:
        hop, requirement, verdict = self.hop, self.requirement, self._verdict
        return TlsRecord(
            direction="out",
            connection=self.dcid,
            time=self._started,
            peer=hop.address,
            peer_name=hop.host,
            port=hop.port,
            domain=self._domain,
            rule=self._destination.pattern or "default",
            reason=self._destination.source,
            requirement=requirement.setting,
            requirement_source=requirement.source,
            offer=self._engine.offer if self._engine else None,
            allowance=self._engine.allowance if self._engine else None,
            outcome=self._outcome,
            failure=self._failure or (verdict.reason if verdict and not verdict.allowed else ""),
            verdict=verdict.reason if verdict else "",
            verified=bool(verdict and verdict.verified),
            messages=self.messages,
            revision=self._snapshot.revision,
        )


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
