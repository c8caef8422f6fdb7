"""From what an attempt came to, to where the recipient stands now: bounce profile and operator's verdict applied. Pure.

An operator's verdict given while a delivery was under way holds for whatever that delivery did not deliver. A soft failure
becomes hard when the bounce profile is exhausted (asyncos.md 11.3).
"""

from __future__ import annotations

import msgspec

from gatepost.config.model import BounceProfile
from gatepost.outbound.outcome import Deleted, Delivered, Held, Outcome, Postponed
from gatepost.outbound.parcel import Verdict
from gatepost.policy import failure
from gatepost.policy.destination import Destination
from gatepost.policy.failure import Cost
from gatepost.spool import retry
from gatepost.spool.message import Envelope, RecipientState, Status

MAX_DETAIL = 1000
"""Characters kept of what a peer said; a million deferred recipients must not make a spool of essays."""
BY_OPERATOR = Cost(scope="recipient", action="bounce", status="5.0.0", diagnostic="bounced by the administrator")

# The model's words where they are known (asyncos.md 8.2), those of RFC 3463 elsewhere; without the class.
_PHRASES = {
    "0.0": "Other undefined status",
    "1.0": "Unknown address error",
    "1.1": "Bad destination mailbox address",
    "1.2": "Bad destination host",
    "1.10": "Destination takes no mail",
    "2.1": "Mailbox disabled, not accepting messages",
    "2.2": "Mailbox full",
    "3.4": "Message too big for system",
    "4.0": "Other network problem",
    "4.1": "No answer from host",
    "4.2": "Bad connection",
    "4.3": "Directory server failure",
    "4.4": "Unable to route",
    "4.6": "Routing loop detected",
    "4.7": "Delivery time expired",
    "5.0": "Other protocol problem",
    "6.3": "Conversion required but not supported",
    "6.7": "Non-ASCII addresses not permitted",
    "7.0": "Other security problem",
    "7.1": "Delivery not authorized, message refused",
    "7.4": "Security features not supported",
    "7.5": "Cryptographic failure",
}


class Ruling(msgspec.Struct, frozen=True, kw_only=True):
    """Where a recipient stands now, and what made it so."""

    state: RecipientState
    outcome: Outcome
    """What holds after profile and verdict: beside DEFERRED a `Cost` that retries, beside BOUNCED one that bounces."""


def phrase(status: str) -> str:
    """Return what an enhanced status means, in a few words."""
    return _PHRASES.get(status.partition(".")[2], "Other undefined status")


def profile_name(envelope: Envelope, destination: Destination) -> str:
    """Return the bounce profile that holds: the destination's own, else the listener's, else the default destination's."""
    if "bounce_profile" not in destination.inherited or envelope.bounce_profile == "Default":
        return destination.bounce_profile
    return envelope.bounce_profile


def delivered(rid: int, outcome: Delivered, attempts: int) -> Ruling:
    """Return the ruling that nothing can change: the next hop has the message."""
    state = RecipientState(rid=rid, status=Status.DELIVERED, attempts=attempts + 1, detail=detail_of(outcome))
    return Ruling(state=state, outcome=outcome)


def detail_of(outcome: Delivered) -> str:
    """Return what is kept of the next hop's reply."""
    return str(outcome.reply)[:MAX_DETAIL]


def rule(
    envelope: Envelope,
    rid: int,
    domain: str,
    outcome: Outcome,
    attempts: int,
    verdict: Verdict,
    profile: BounceProfile,
    now: float,
) -> Ruling:
    """Decide where recipient `rid` stands that was not delivered; `attempts` counts those before this one."""
    outcome = _overruled(outcome, verdict)
    if isinstance(outcome, Cost) and outcome is not BY_OPERATOR:
        attempts += 1
        return _failed(envelope, rid, domain, outcome, attempts, profile, now)
    status, due = Status.DELETED, 0.0
    detail = "deleted by the administrator"
    if isinstance(outcome, Postponed):
        status, due, detail = Status.DEFERRED, outcome.due, outcome.detail
    elif isinstance(outcome, Held):
        status, detail = Status.HELD, outcome.reason
    elif isinstance(outcome, Cost):
        status, detail = Status.BOUNCED, outcome.diagnostic
    return _ruling(rid, domain, status, due, attempts, detail, outcome)


def _failed(
    envelope: Envelope, rid: int, domain: str, cost: Cost, attempts: int, profile: BounceProfile, now: float
) -> Ruling:
    due = 0.0
    if cost.action != "bounce":
        match retry.next_attempt(attempts, envelope.received, now, profile):
            case retry.Retry(due=due):
                return _ruling(rid, domain, Status.DEFERRED, due, attempts, cost.diagnostic, cost)
            case retry.Expired(reason=reason):
                cost = failure.of_expiry(cost, reason)
    return _ruling(rid, domain, Status.BOUNCED, 0.0, attempts, cost.diagnostic, cost)


def _overruled(outcome: Outcome, verdict: Verdict) -> Outcome:
    """Apply the operator's verdict to what is not settled for good by itself."""
    settled = isinstance(outcome, Deleted) or (isinstance(outcome, Cost) and outcome.action == "bounce")
    if not verdict or settled:
        return outcome
    return Deleted() if verdict == "delete" else BY_OPERATOR


def _ruling(rid: int, domain: str, status: Status, due: float, attempts: int, detail: str, outcome: Outcome) -> Ruling:
    detail = detail[:MAX_DETAIL]
    state = RecipientState(rid=rid, status=status, destination=domain, due=due, attempts=attempts, detail=detail)
    return Ruling(state=state, outcome=outcome)
