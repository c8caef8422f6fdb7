"""The TLS side of an inbound session: the handshake behind STARTTLS, the verdict on it, and the record that proves both.

A session without TLS has one, too: its record says that there was none, and what would have been asked for.
"""

from __future__ import annotations

import time

from gatepost.errors import TlsFailure, WireError, WireTimeout
from gatepost.inbound.shared import Shared
from gatepost.net.wire import Wire
from gatepost.policy.requirement import judge_inbound
from gatepost.policy.verdict import AccessVerdict, Host, TlsVerdict
from gatepost.records import maillog
from gatepost.records.tls_record import TlsRecord
from gatepost.smtp.reply import Reply
from gatepost.snapshot import ListenerSnapshot, Snapshot
from gatepost.tls.engine import TlsEngine
from gatepost.tls.outcome import Offer, TlsOutcome


class Security:
    """What is known of one connection's encryption."""

    def __init__(self, snapshot: Snapshot, listener: ListenerSnapshot, shared: Shared, access: AccessVerdict) -> None:
        self._snapshot, self._listener, self._shared, self._access = snapshot, listener, shared, access
        self._began = time.time()
        self._offer: Offer | None = None
        self._verdict: TlsVerdict | None = None
        self._failure = ""
        self.outcome: TlsOutcome | None = None
        """Of the handshake that succeeded; None: what is said now is said in the clear."""
        self.was_demanded = False
        """Whether the client was told to issue STARTTLS first."""

    @property
    def has_failed(self) -> bool:
        """Whether TLS did not come about or was not good enough: then the log has said why."""
        return bool(self._failure)

    async def start(self, wire: Wire, icid: int) -> Reply | None:
        """Do the handshake, the 220 being out; the refusal when what it came to is not enough. Raises TlsFailure."""
        policy, journal = self._access.policy, self._shared.journal
        context = self._listener.tls_context(policy)
        assert context is not None, "STARTTLS is only offered where there is a context"
        engine = TlsEngine.server(context)
        try:
            self.outcome = outcome = await wire.start_tls(engine, self._snapshot.gateway.tls_handshake_timeout)
        except WireError as fault:
            self._failure = f"{fault} in the TLS handshake" if isinstance(fault, WireTimeout) else str(fault)
            journal.info(maillog.tls_failed_in(icid, self._failure))
            raise TlsFailure(self._failure) from None
        finally:
            self._offer = engine.offer
        journal.info(maillog.tls_success_in(icid, outcome.protocol, outcome.cipher))
        self._verdict = verdict = judge_inbound(policy, outcome)
        if verdict.allowed:
            return None
        self._failure = verdict.reason
        journal.info(maillog.tls_failed_in(icid, verdict.reason))
        assert verdict.reply is not None, "a client that is refused is told why"
        return verdict.reply

    def tell_never_started(self, icid: int) -> None:
        """Log it, where TLS was demanded of a client that then left without."""
        if self.was_demanded and self.outcome is None and not self._failure:
            self._shared.journal.info(maillog.tls_required_not_started(icid))

    def keep(self, icid: int, host: Host, port: int, messages: int) -> None:
        """Keep the connection's record, and count it."""
        if self.outcome is None and not self._failure:
            self._verdict = judge_inbound(self._access.policy, None)
            if self.was_demanded:
                self._failure = self._verdict.reason
        self._shared.journal.tls(self._record(icid, host, port, messages))
        tls, counters = self.outcome, self._shared.metrics.tls
        if tls is not None:
            counters["in", tls.protocol, tls.cipher, tls.group, "success"] += 1
        else:
            counters["in", "", "", "", "failed" if self._failure else "none"] += 1

    def _record(self, icid: int, host: Host, port: int, messages: int) -> TlsRecord:
        access = self._access
        policy = access.policy
        context = self._listener.tls_context(policy)
        return TlsRecord(
            direction="in",
            connection=icid,
            time=self._began,
            peer=host.address,
            peer_name=host.verified_name,
            port=port,
            listener=self._listener.name,
            rule=f"{access.group or 'ALL'}: {access.entry}",
            reason=access.reason,
            policy=policy.name,
            requirement=policy.tls,
            requirement_source=f"policy {policy.name} of listener {self._listener.name}",
            offer=self._offer,
            allowance=context.allowance if context else None,
            cipher_order=context.terms.cipher_order if context else "",
            outcome=self.outcome,
            failure=self._failure,
            verdict=self._verdict.reason if self._verdict else "",
            verified=bool(self._verdict and self._verdict.verified),
            messages=messages,
            revision=self._snapshot.revision,
        )
