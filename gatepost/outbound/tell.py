"""What the log, the records and the counters are told of the outbound side (asyncos.md 8.2). Decides nothing."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from gatepost.outbound.outcome import Carrier, Deleted, Delivered, Held, Outcome
from gatepost.outbound.ruling import Ruling, detail_of, phrase, profile_name
from gatepost.outbound.shared import Shared
from gatepost.policy.failure import Cost
from gatepost.records import maillog
from gatepost.records.message_record import MessageRecord, OutcomeRecord
from gatepost.spool.message import Envelope, Message, Status


def outcomes(
    shared: Shared, envelope: Envelope, rulings: Sequence[Ruling], carrier: Carrier, now: float, *, finished: bool
) -> None:
    """Tell where the recipients of one job stand now."""
    if len(rulings) == 1:
        _group(shared, envelope, rulings, carrier)
    else:
        for same in _by_outcome(rulings):
            _group(shared, envelope, same, carrier)
    for ruling in rulings:
        _record(shared, envelope, ruling, carrier, now)
    if finished:
        shared.journal.info(maillog.message_finished(envelope.mid))


def delivered_whole(
    shared: Shared,
    envelope: Envelope,
    rids: Sequence[int],
    outcome: Delivered,
    attempts: Mapping[int, int],
    carrier: Carrier,
) -> None:
    """Tell that the next hop took a message for all its recipients that were left: what `outcomes` says, in one go."""
    journal, mid = shared.journal, envelope.mid
    journal.infos(
        maillog.message_done(carrier.dcid, mid, rids),
        maillog.response(mid, rids, outcome.reply.text),
        maillog.message_finished(mid),
    )
    shared.metrics.recipients["delivered"] += len(rids)
    detail, now = detail_of(outcome), time.time()
    for rid in rids:
        journal.outcome(
            OutcomeRecord(
                mid=mid,
                rid=rid,
                time=now,
                address=envelope.recipients[rid],
                outcome="delivered",
                reply=detail,
                dcid=carrier.dcid,
                peer=carrier.address,
                encrypted=carrier.encrypted,
                attempts=attempts.get(rid, 0) + 1,
            )
        )


def _by_outcome(rulings: Sequence[Ruling]) -> list[list[Ruling]]:
    """Recipients that share an outcome share a line."""
    groups: dict[tuple[Status, Outcome, float], list[Ruling]] = {}
    for ruling in rulings:
        groups.setdefault((ruling.state.status, ruling.outcome, ruling.state.due), []).append(ruling)
    return list(groups.values())


def _group(shared: Shared, envelope: Envelope, rulings: Sequence[Ruling], carrier: Carrier) -> None:
    journal, mid = shared.journal, envelope.mid
    rids = [ruling.state.rid for ruling in rulings]
    outcome = rulings[0].outcome
    match outcome:
        case Delivered():
            journal.info(maillog.message_done(carrier.dcid, mid, rids))
            journal.info(maillog.response(mid, rids, outcome.reply.text))
        case Cost():
            for ruling in rulings:
                _failure(shared, envelope, ruling, outcome, carrier)
        case Deleted():
            journal.info(maillog.deleted(mid, rids))
        case Held():
            journal.warning(maillog.held(mid, rids, outcome.reason))
    state = rulings[0].state
    if state.status is Status.DEFERRED:
        destination = shared.snapshot().destinations.find(state.destination)
        journal.info(maillog.pending_till(mid, rids, state.due, profile_name(envelope, destination)))


def _failure(shared: Shared, envelope: Envelope, ruling: Ruling, cost: Cost, carrier: Carrier) -> None:
    reply, code = (cost.reply.text, f"{cost.reply.code:03}") if cost.reply else (cost.diagnostic, "000")
    rid, why = ruling.state.rid, phrase(cost.status)
    if ruling.state.status is Status.DEFERRED:
        line = maillog.delayed(carrier.dcid, envelope.mid, rid, cost.status, why, reply, code)
    elif envelope.reverse_path:
        line = maillog.bounced(carrier.dcid, envelope.mid, rid, cost.status, why, reply, code)
    else:
        line = maillog.double_bounce(envelope.mid, rid, cost.status, why, reply, code)
    shared.journal.info(line)


_OUTCOMES = {
    Status.DELIVERED: "delivered",
    Status.DEFERRED: "deferred",
    Status.BOUNCED: "bounced",
    Status.DELETED: "deleted",
    Status.HELD: "held",
}


def _record(shared: Shared, envelope: Envelope, ruling: Ruling, carrier: Carrier, now: float) -> None:
    state = ruling.state
    word = _OUTCOMES[state.status]
    shared.metrics.recipients[word] += 1
    shared.journal.outcome(
        OutcomeRecord(
            mid=envelope.mid,
            rid=state.rid,
            time=now,
            address=envelope.recipients[state.rid],
            outcome=word,  # type: ignore[arg-type]
            reply=state.detail,
            dcid=carrier.dcid,
            peer=carrier.address,
            encrypted=carrier.encrypted,
            attempts=state.attempts,
        )
    )


def notification(shared: Shared, bounce: Message) -> None:
    """Tell of a notification that was made and is durable."""
    envelope = bounce.envelope
    shared.journal.info(maillog.generated_for_bounce(envelope.mid, envelope.bounce_of))
    shared.journal.message(
        MessageRecord(
            mid=envelope.mid,
            icid=0,
            time=envelope.received,
            recipients=envelope.recipients,
            size=envelope.size,
            subject=envelope.subject,
            message_id=envelope.message_id,
            revision=shared.snapshot().revision,
        )
    )
