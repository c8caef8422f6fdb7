"""One message on its way in: from MAIL to the 250 that takes responsibility (RFC 5321 3.3, 4.2.5).

Nothing is answered 250 before the spool has it on disk; whatever ends the transaction early leaves nothing behind.
"""

from __future__ import annotations

import time

from gatepost.errors import SpoolFull, SpoolSick
from gatepost.inbound import trace
from gatepost.inbound.shared import Shared
from gatepost.policy import access
from gatepost.policy.verdict import Host, Policy
from gatepost.records import maillog
from gatepost.records.message_record import MessageRecord
from gatepost.smtp import events, reply
from gatepost.smtp.grammar import encode_xtext
from gatepost.smtp.parameters import MAX_ORCPT
from gatepost.smtp.path import Path
from gatepost.smtp.reply import Reply
from gatepost.snapshot import ListenerSnapshot, Snapshot
from gatepost.spool.message import Envelope, Message
from gatepost.tls.outcome import TlsOutcome

BACKLOG = 1024 * 1024
"""Octets of one message that may wait for the disk before the client is made to wait."""
HOUR = 3600


class Transaction:
    """A mail transaction that was given a MID; `accept` or `abandon` ends it."""

    def __init__(
        self,
        shared: Shared,
        snapshot: Snapshot,
        listener: ListenerSnapshot,
        host: Host,
        group: str,
        policy: Policy,
        icid: int,
        mail: events.Mail,
        reverse_path: Path,
    ) -> None:
        self._shared, self._snapshot, self._listener = shared, snapshot, listener
        self._host, self._group, self._policy, self._icid = host, group, policy, icid
        self._mail = mail
        self.mid = shared.next_mid()
        self._reverse_path = str(reverse_path)
        self._recipients: list[str] = []
        self._for = ""  # the first of them, as the client named it
        self._notify: list[str] = []
        self._orcpt: list[str] = []
        self._start = b""
        self._incoming = shared.spool.incoming(self.mid)
        shared.journal.infos(maillog.start_mid(self.mid, icid), maillog.mail_from(self.mid, icid, self._reverse_path))

    # --- recipients --------------------------------------------------------------------------------------------------

    async def recipient(self, event: events.Rcpt) -> Reply:
        """Take or refuse one recipient: how many, how many an hour, and whether the address is one of ours."""
        journal = self._shared.journal
        if (refusal := access.recipient(self._policy, len(self._recipients))) is not None:
            return refusal
        verdict = self._listener.recipients.judge(self._policy, event.forward_path)
        address = named = str(verdict.forward_path)
        orcpt = event.orcpt
        if (rewriting := verdict.rewriting) is not None:
            # The client hears of the address that it named, and so does the sender, should a report come to be written.
            named = str(rewriting.written)
            orcpt = orcpt or _original_recipient(named)
            journal.info(maillog.rcpt_mapped(self.mid, self._icid, named, address, rewriting.entry))
        if verdict.reply is not None:
            journal.info(maillog.rcpt_rejected(self.mid, self._icid, address))
            self._shared.metrics.recipients_in["rejected"] += 1
            return verdict.reply
        if not await self._within_rate():
            journal.info(maillog.rcpt_rejected(self.mid, self._icid, address, "Rejected by Injection Control"))
            self._shared.metrics.recipients_in["rejected"] += 1
            return reply.TOO_MANY_RECIPIENTS_THIS_HOUR
        journal.info(maillog.rcpt_to(self.mid, self._icid, len(self._recipients), address))
        if not self._recipients:
            self._for = named
        self._recipients.append(address)
        self._notify.append(event.notify)
        self._orcpt.append(orcpt)
        return reply.recipient_ok(named)

    async def _within_rate(self) -> bool:
        limit = self._policy.max_recipients_per_hour
        if limit < 0:
            return True
        return await self._shared.leases.spend(f"recipients/{self._listener.name}/{self._host.address}", 1, limit, HOUR)

    # --- mail data ---------------------------------------------------------------------------------------------------

    def begin(self, hello_name: str, extended: bool, tls: TlsOutcome | None) -> None:
        """Start the content with our Received field."""
        self._incoming.write(
            trace.received_field(
                hello_name=hello_name,
                peer_name=self._host.verified_name,
                peer_address=self._host.address,
                hostname=self._snapshot.gateway.hostname,
                extended=extended,
                tls=tls,
                smtputf8=self._mail.smtputf8,
                mid=self.mid,
                recipient=self._for if len(self._recipients) == 1 else "",
                now=time.time(),
            )
        )

    async def content(self, octets: bytes) -> None:
        """Take a piece of mail data; waits for the disk when it falls behind."""
        if len(self._start) < trace.PEEK:
            self._start = self._start + octets if self._start else octets
        self._incoming.write(octets)
        if self._incoming.backlog > BACKLOG:
            await self._incoming.drain()

    async def accept(self, tls: TlsOutcome | None) -> Reply:
        """Make the message durable and hand it on; 250 only then. 451 or 452 leave it with the client."""
        subject, message_id = trace.peek(self._start)
        began = time.monotonic()
        try:
            content = await self._incoming.finish()
            message = Message(self._envelope(subject, message_id), content)
            await self._shared.spool.commit(message)
        except SpoolFull as fault:
            return self._not_stored(reply.QUEUE_FULL, str(fault))
        except SpoolSick as fault:
            return self._not_stored(reply.SERVER_ERROR, str(fault))
        self._shared.metrics.commit(time.monotonic() - began)
        self._tell_accepted(message.envelope, tls)
        self._shared.enqueue(message)
        return reply.message_accepted(self.mid)

    def abandon(self, reason: str = "Receiving aborted by sender") -> None:
        """Forget the message; nothing of it stays on disk."""
        self._incoming.discard()
        self._shared.journal.info(maillog.receiving_aborted(self.mid, reason))

    def _not_stored(self, answer: Reply, why: str) -> Reply:
        self._incoming.discard()
        self._shared.journal.warning(maillog.not_stored(self.mid, self._icid, why))
        return answer

    def _envelope(self, subject: str, message_id: str) -> Envelope:
        return Envelope(
            mid=self.mid,
            icid=self._icid,
            received=time.time(),
            reverse_path=self._reverse_path,
            recipients=tuple(self._recipients),
            size=self._incoming.size,
            listener=self._listener.name,
            bounce_profile=self._listener.bounce_profile,
            eight_bit=self._mail.eight_bit,
            smtputf8=self._mail.smtputf8,
            ret=self._mail.ret,
            envid=self._mail.envid,
            notify=tuple(self._notify) if any(self._notify) else (),
            orcpt=tuple(self._orcpt) if any(self._orcpt) else (),
            subject=subject,
            message_id=message_id,
        )

    def _tell_accepted(self, envelope: Envelope, tls: TlsOutcome | None) -> None:
        journal, mid = self._shared.journal, self.mid
        self._shared.metrics.messages_accepted += 1
        self._shared.metrics.recipients_in["accepted"] += len(envelope.recipients)
        self._shared.metrics.bytes["in"] += envelope.size
        lines = [maillog.ready(mid, envelope.size, envelope.reverse_path), maillog.queued(mid)]
        if envelope.subject:
            lines.insert(0, maillog.subject(mid, envelope.subject))
        if envelope.message_id:
            lines.insert(0, maillog.message_id(mid, envelope.message_id))
        journal.infos(*lines)
        journal.message(
            MessageRecord(
                mid=mid,
                icid=self._icid,
                time=envelope.received,
                peer=self._host.address,
                peer_name=self._host.verified_name,
                listener=self._listener.name,
                group=self._group,
                policy=self._policy.name,
                reverse_path=envelope.reverse_path,
                recipients=envelope.recipients,
                size=envelope.size,
                subject=envelope.subject,
                message_id=envelope.message_id,
                encrypted=f"{tls.protocol} {tls.cipher}" if tls else "",
                revision=self._snapshot.revision,
            )
        )


def _original_recipient(address: str) -> str:
    """Return ORCPT for a recipient that we rewrote, as RFC 3461 5.2.1 has it; empty where it would be too long."""
    orcpt = f"{'rfc822' if address.isascii() else 'utf-8'};{encode_xtext(address)}"
    return orcpt if len(orcpt) <= MAX_ORCPT else ""
