"""One host of a domain, asked what TLS it gives: connected to as a delivery would, up to the end of the handshake.

STARTTLS is tried whatever setting is in force. What came of it is held against every setting by the function that decides in
production (`policy.requirement`). No mail is sent and nothing is recorded.
"""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

from gatepost.config.model import OutboundTls
from gatepost.errors import WireError
from gatepost.net.wire import Wire, connect
from gatepost.outbound.dialogue import CONNECT_TIMEOUT, Dialogue
from gatepost.outbound.router import NextHop
from gatepost.policy.destination import Destination
from gatepost.policy.requirement import judge_outbound
from gatepost.policy.verdict import References, Requirement, TlsVerdict
from gatepost.records.metrics import Metrics
from gatepost.smtp.events import Event, Greeting, HelloReply, PeerFault, StartTlsReply
from gatepost.smtp.reply import Reply
from gatepost.snapshot import Snapshot
from gatepost.tls.engine import TlsEngine
from gatepost.tls.identity import normal_name
from gatepost.tls.outcome import TlsOutcome

PATIENCE = 30.0
"""Seconds for each answer; a delivery would wait longer, a person would not."""
SETTINGS: tuple[OutboundTls, ...] = get_args(OutboundTls)


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What one destination setting makes of a host."""

    setting: OutboundTls
    mail: Literal["encrypted", "clear text", "held back"]
    verified: bool
    reason: str


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What one host gave."""

    host: str
    address: str
    port: int
    steps: list[str]
    """What was done, a line each."""
    outcome: TlsOutcome | None
    failure: str
    """Why there was no TLS; empty where there was."""
    judged: list[Judged]
    """By each setting; empty when nothing can be said, because the host cannot be spoken to."""


async def probe(snapshot: Snapshot, destination: Destination, domain: str, hop: NextHop) -> Checked:
    """Ask one host; whatever goes wrong stands in what is returned."""
    conversation = _Probe(snapshot, destination, domain, hop)
    judged: list[Judged] = []
    try:
        judged = await conversation.run()
    except WireError as fault:
        conversation.failed(str(fault))
    finally:
        await conversation.close()
    return Checked(
        host=hop.host,
        address=hop.address,
        port=hop.port,
        steps=conversation.steps,
        outcome=conversation.outcome,
        failure=conversation.failure,
        judged=judged,
    )


class _Probe:
    """The conversation with one host."""

    def __init__(self, snapshot: Snapshot, destination: Destination, domain: str, hop: NextHop) -> None:
        self._snapshot, self._destination, self._domain, self._hop = snapshot, destination, domain, hop
        self._dialogue: Dialogue | None = None
        self.steps: list[str] = []
        self.outcome: TlsOutcome | None = None
        self.failure = ""

    async def run(self) -> list[Judged]:
        """Connect, encrypt, judge; raises WireError where the host cannot be spoken to."""
        hop = self._hop
        self.steps.append(f"Connecting to {hop.host} ({hop.address}) on port {hop.port}.")
        wire = await connect(hop.address, hop.port, CONNECT_TIMEOUT)
        self.steps.append(f"Connected to {hop.address} from {wire.local_address}.")
        dialogue = self._dialogue = Dialogue(wire, self._snapshot.gateway.hostname, Metrics())
        greeting = await dialogue.event(PATIENCE)
        if not isinstance(greeting, Greeting) or greeting.reply.code != 220:
            raise WireError(_told("the greeting", greeting))
        await self._hello(dialogue)
        if "STARTTLS" not in dialogue.sender.extensions:
            self.failed(f"{hop.host} does not offer STARTTLS")
            return self._judge(starttls_offered=False)
        self.steps.append("Checking TLS connection.")
        dialogue.sender.starttls()
        answer = await dialogue.event(PATIENCE)
        if not isinstance(answer, StartTlsReply):
            self.failed(_told("the answer to STARTTLS", answer))
            return self._judge(failure=self.failure)
        if answer.reply.code != 220:
            self.failed(_told("the answer to STARTTLS", answer))
            return self._judge(starttls_reply=answer.reply)
        return await self._handshake(wire)

    async def _hello(self, dialogue: Dialogue) -> None:
        """EHLO; HELO where the host does not know it, as a delivery does that may go in the clear."""
        dialogue.sender.hello()
        event = await dialogue.event(PATIENCE)
        if isinstance(event, HelloReply) and event.reply.code >= 500:
            dialogue.sender.helo()
            event = await dialogue.event(PATIENCE)
        if not isinstance(event, HelloReply) or event.reply.code != 250:
            raise WireError(_told("the answer to EHLO", event))

    async def _handshake(self, wire: Wire) -> list[Judged]:
        # A delivery's server name: that of the host, and that of the domain where the route names an address.
        name = self._hop.host if normal_name(self._hop.host) else self._domain
        engine = TlsEngine.client(self._snapshot.client_context(self._destination), name)
        try:
            self.outcome = outcome = await wire.start_tls(engine, self._snapshot.gateway.tls_handshake_timeout)
        except WireError as fault:
            self.failed(str(fault))
            return self._judge(failure=self.failure)
        assert self._dialogue is not None
        self._dialogue.sender.tls_started()
        group = f", group {outcome.group}" if outcome.group else ""
        self.steps.append(f"TLS connection established: protocol {outcome.protocol}, cipher {outcome.cipher}{group}.")
        judged = self._judge(outcome=outcome)
        strict = next(one for one in judged if one.setting == "required-verify")
        said = "successful" if strict.verified else "failed"
        self.steps.append(f"Certificate verification {said}: {strict.reason.partition(': required-verify')[0]}.")
        return judged

    def failed(self, why: str) -> None:
        """Note why there is no TLS."""
        self.failure = why
        self.steps.append(f"TLS connection failed: {why}.")

    async def close(self) -> None:
        """Say goodbye."""
        if self._dialogue is not None:
            await self._dialogue.quit()

    def _judge(
        self,
        *,
        outcome: TlsOutcome | None = None,
        starttls_offered: bool = True,
        starttls_reply: Reply | None = None,
        failure: str = "",
    ) -> list[Judged]:
        references = References(domain=self._domain, host=self._hop.host)
        destination, found = self._destination, []
        for setting in SETTINGS:
            source = destination.tls_source if setting == destination.tls else "were it set"
            verdict = judge_outbound(
                Requirement(setting=setting, profile=destination.tls_profile, source=source),
                references,
                outcome=outcome if setting != "no" else None,
                starttls_offered=starttls_offered,
                starttls_reply=starttls_reply,
                failure=failure,
            )
            found.append(_judged(setting, verdict, encrypted=outcome is not None and setting != "no"))
        return found


def _judged(setting: OutboundTls, verdict: TlsVerdict, *, encrypted: bool) -> Judged:
    sent: Literal["encrypted", "clear text"] = "encrypted" if encrypted else "clear text"
    return Judged(
        setting=setting,
        mail=sent if verdict.allowed else "held back",
        verified=verdict.verified,
        reason=verdict.reason,
    )


def _told(what: str, event: Event) -> str:
    if isinstance(event, PeerFault):
        return f"{what} did not come: {event.text}"
    return f"{what} was {getattr(event, 'reply', 'out of step')}"
