"""Outcome, bounce profile and operator's verdict make exactly one state."""

from __future__ import annotations

import pytest

from gatepost.config.model import BounceProfile, DefaultDestination, DestinationControl
from gatepost.outbound.outcome import Deleted, Delivered, Held, Outcome, Postponed
from gatepost.outbound.parcel import Verdict
from gatepost.outbound.ruling import MAX_DETAIL, delivered, phrase, profile_name, rule
from gatepost.policy.destination import DestinationTable
from gatepost.policy.failure import Cost
from gatepost.smtp.reply import Reply
from gatepost.spool.message import Envelope, Status

ENVELOPE = Envelope(mid=1, icid=1, received=0.0, reverse_path="b@c.example", recipients=("a@b.example",), size=1)
SOFT = Cost(scope="recipient", action="retry", status="4.2.1", diagnostic="later")
HARD = Cost(scope="recipient", action="bounce", status="5.1.1", diagnostic="never")
ONCE = BounceProfile(max_retries=0)


@pytest.mark.parametrize(
    ("outcome", "verdict", "profile", "status", "attempts"),
    [
        (SOFT, "", BounceProfile(), Status.DEFERRED, 4),
        (SOFT, "", ONCE, Status.BOUNCED, 4),
        (SOFT, "delete", BounceProfile(), Status.DELETED, 3),
        (SOFT, "bounce", BounceProfile(), Status.BOUNCED, 3),
        (HARD, "", BounceProfile(), Status.BOUNCED, 4),
        (HARD, "delete", BounceProfile(), Status.BOUNCED, 4),
        (Postponed(50.0, "rate"), "", ONCE, Status.DEFERRED, 3),
        (Postponed(50.0, "rate"), "delete", ONCE, Status.DELETED, 3),
        (Held("odd"), "", ONCE, Status.HELD, 3),
        (Held("odd"), "bounce", ONCE, Status.BOUNCED, 3),
        (Deleted(), "bounce", ONCE, Status.DELETED, 3),
    ],
)
def test_where_a_recipient_stands(
    outcome: Outcome, verdict: Verdict, profile: BounceProfile, status: Status, attempts: int
) -> None:
    ruling = rule(ENVELOPE, 0, "b.example", outcome, 3, verdict, profile, 100.0)
    assert (ruling.state.status, ruling.state.attempts) == (status, attempts)
    assert (ruling.state.due > 0) == (status is Status.DEFERRED)


def test_what_expires_says_what_the_last_attempt_met() -> None:
    ruling = rule(ENVELOPE, 0, "b.example", SOFT, 3, "", ONCE, 100.0)
    assert isinstance(ruling.outcome, Cost)
    assert ruling.outcome.status == "5.4.7"
    assert "later" in ruling.outcome.diagnostic


def test_what_is_kept_of_a_peers_words_is_bounded() -> None:
    wordy = Cost(scope="recipient", action="retry", status="4.0.0", diagnostic="x" * 50_000)
    assert len(rule(ENVELOPE, 0, "b", wordy, 0, "", BounceProfile(), 1.0).state.detail) == MAX_DETAIL
    assert len(delivered(0, Delivered(Reply(250, "x" * 50_000)), 0).state.detail) == MAX_DETAIL


@pytest.mark.parametrize(
    ("listener", "domain", "expected"),
    [("Default", "b.example", "Fast"), ("Slow", "b.example", "Slow"), ("Slow", "own.example", "Own")],
)
def test_the_destinations_own_profile_then_the_listeners_then_the_default(listener: str, domain: str, expected: str) -> None:
    table = DestinationTable(
        {"own.example": DestinationControl(bounce_profile="Own")}, DefaultDestination(bounce_profile="Fast")
    )
    envelope = Envelope(mid=1, icid=1, received=0.0, reverse_path="", recipients=("a",), size=1, bounce_profile=listener)
    assert profile_name(envelope, table.find(domain)) == expected


def test_a_status_has_words() -> None:
    assert phrase("5.1.2") == "Bad destination host"
    assert phrase("4.9.9") == "Other undefined status"
