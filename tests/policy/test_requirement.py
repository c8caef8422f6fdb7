"""The TLS requirement held against what was negotiated: the table in the module's head, cell by cell."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from gatepost.config.model import DefaultDestination, DefaultPolicy, DestinationControl, Listener, OutboundTls
from gatepost.policy.access import HostAccessTable
from gatepost.policy.destination import DestinationTable
from gatepost.policy.requirement import judge_inbound, judge_outbound, outbound_requirement, reference_names
from gatepost.policy.verdict import Policy, References, Requirement, TlsVerdict
from gatepost.smtp.reply import Reply
from gatepost.tls.outcome import PeerCertificate, TlsOutcome

SETTINGS: tuple[OutboundTls, ...] = get_args(OutboundTls)
PARTNER = References(domain="partner.example", host="mx.partner.example")
SOURCE = "destination control for partner.example"


def outcome(*names: str, ok: bool = True, error: str = "", common_name: str = "") -> TlsOutcome:
    peer = PeerCertificate(dns_names=names, common_name=common_name)
    return TlsOutcome(protocol="TLSv1.3", cipher="TLS_AES_256_GCM_SHA384", chain_ok=ok, chain_error=error, peer=peer)


GOOD = outcome("partner.example")
HOSTED = outcome("mx.partner.example")
OTHER = outcome("other.example")
EXPIRED = outcome("partner.example", ok=False, error="certificate has expired")
NO_CERTIFICATE = TlsOutcome(protocol="TLSv1.2", cipher="ADH-AES256-SHA")


def required(setting: OutboundTls) -> Requirement:
    return Requirement(setting=setting, profile="outbound", source=SOURCE)


def judge(setting: OutboundTls, given: TlsOutcome | None = None, **facts: Any) -> TlsVerdict:
    return judge_outbound(required(setting), PARTNER, outcome=given, **facts)


CLEAR = {"no", "preferred", "preferred-verify"}


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize(
    "facts",
    [
        {"starttls_offered": False},
        {"starttls_reply": Reply(454, "TLS not available")},
        {"starttls_reply": Reply(500, "what?")},
        {},
    ],
)
def test_without_tls_only_what_does_not_require_it_goes_in_the_clear(setting: OutboundTls, facts: dict[str, Any]) -> None:
    verdict = judge(setting, **facts)
    assert (verdict.allowed, verdict.verified) == (setting in CLEAR, False)
    assert verdict.status == ("" if verdict.allowed else "4.7.4")
    assert f"{setting} ({SOURCE})" in verdict.reason


@pytest.mark.parametrize("setting", [setting for setting in SETTINGS if setting != "no"])
@pytest.mark.parametrize(
    "facts", [{"failure": "peer sent an alert: handshake failure"}, {"starttls_reply": Reply(220, "go")}]
)
def test_a_failure_after_220_never_falls_back(setting: OutboundTls, facts: dict[str, Any]) -> None:
    verdict = judge(setting, **facts)
    assert (verdict.allowed, verdict.status) == (False, "4.7.5")


@pytest.mark.parametrize(
    ("given", "allowed", "verified"),
    [
        (GOOD, set(SETTINGS), {"preferred-verify", "required-verify", "required-verify-hosted"}),
        (HOSTED, set(SETTINGS) - {"required-verify"}, {"required-verify-hosted"}),
        (OTHER, {"no", "preferred", "required", "preferred-verify"}, set()),
        (EXPIRED, {"no", "preferred", "required", "preferred-verify"}, set()),
        (NO_CERTIFICATE, {"no", "preferred", "required", "preferred-verify"}, set()),
    ],
)
@pytest.mark.parametrize("setting", SETTINGS)
def test_the_certificate_counts_where_it_is_verified(
    setting: OutboundTls, given: TlsOutcome, allowed: set[str], verified: set[str]
) -> None:
    verdict = judge(setting, given)
    assert (verdict.allowed, verdict.verified) == (setting in allowed, setting in verified)
    assert verdict.status == ("" if verdict.allowed else "4.7.5")


@pytest.mark.parametrize(
    ("setting", "given", "facts", "reason"),
    [
        ("no", None, {"starttls_offered": False}, f"TLS is not tried: no ({SOURCE})"),
        (
            "preferred",
            None,
            {"starttls_offered": False},
            f"mx.partner.example does not offer STARTTLS; preferred ({SOURCE}) allows clear text",
        ),
        (
            "required",
            None,
            {"starttls_reply": Reply(454, "4.7.0 later")},
            f"mx.partner.example answered STARTTLS with 454 4.7.0 later; required ({SOURCE}) allows no clear text",
        ),
        (
            "preferred",
            None,
            {"failure": "peer closed the connection"},
            "TLS with mx.partner.example failed: peer closed the connection; "
            f"preferred ({SOURCE}) allows no clear text after 220",
        ),
        (
            "required-verify",
            OTHER,
            {},
            "certificate of mx.partner.example is for other.example; required-verify wants partner.example",
        ),
        (
            "required-verify-hosted",
            OTHER,
            {},
            "certificate of mx.partner.example is for other.example; "
            "required-verify-hosted wants partner.example or mx.partner.example",
        ),
        (
            "required-verify",
            EXPIRED,
            {},
            "certificate of mx.partner.example is not valid: certificate has expired; required-verify wants a valid one",
        ),
        ("required-verify", NO_CERTIFICATE, {}, "mx.partner.example showed no certificate; required-verify wants one"),
        (
            "required-verify",
            GOOD,
            {},
            f"certificate of mx.partner.example is valid for partner.example: required-verify ({SOURCE})",
        ),
        (
            "preferred-verify",
            OTHER,
            {},
            "certificate of mx.partner.example is for other.example; preferred-verify wants partner.example; "
            f"sent encrypted all the same: preferred-verify ({SOURCE})",
        ),
        ("required", OTHER, {}, f"encrypted, the certificate of mx.partner.example is not looked at: required ({SOURCE})"),
    ],
)
def test_the_reason_is_a_sentence(
    setting: OutboundTls, given: TlsOutcome | None, facts: dict[str, Any], reason: str
) -> None:
    assert judge(setting, given, **facts).reason == reason


def test_names_of_a_strange_certificate_are_cut_and_escaped() -> None:
    many = judge("required-verify", outcome(*(f"n{n}.example" for n in range(10_000))))
    assert "n0.example, n1.example, n2.example, n3.example and 9996 more; required-verify" in many.reason
    evil = judge("required-verify", outcome("partner.example\0.evil.example\x1b[31m"))
    assert (evil.allowed, evil.reason.isprintable()) == (False, True)
    assert "is for no DNS name" in judge("required-verify", outcome()).reason


def test_the_common_name_counts_only_without_dns_names() -> None:
    assert judge("required-verify", outcome(common_name="partner.example")).verified
    assert not judge("required-verify", outcome("other.example", common_name="partner.example")).allowed


def test_the_requirement_says_where_it_comes_from() -> None:
    destinations = {
        "partner.example": DestinationControl(tls="required-verify"),
        "old.example": DestinationControl(tls_profile="old"),
    }
    table = DestinationTable(destinations, DefaultDestination(tls="required"))
    assert outbound_requirement(table.find("partner.example")) == required("required-verify")
    inherited = outbound_requirement(table.find("old.example"))
    assert (inherited.setting, inherited.profile, inherited.source) == ("required", "old", "default destination control")


def test_the_reference_names() -> None:
    assert reference_names(required("required"), PARTNER) == ()
    assert reference_names(required("preferred-verify"), PARTNER) == ("partner.example",)
    assert reference_names(required("required-verify"), PARTNER) == ("partner.example",)
    assert reference_names(required("required-verify-hosted"), PARTNER) == ("partner.example", "mx.partner.example")
    international = References(domain="straße.example", host="mx.partner.example")
    assert reference_names(required("required-verify"), international) == ("xn--strae-oqa.example",)
    same = References(domain="partner.example", host="partner.example")
    assert reference_names(required("required-verify-hosted"), same) == ("partner.example",)


# --- inbound -----------------------------------------------------------------------------------------------------------


def policy(tls: str, *names: str) -> Policy:
    default = DefaultPolicy(tls=tls, tls_peer_names=list(names))  # type: ignore[arg-type]
    return HostAccessTable.build(Listener(default_policy=default)).all_hosts


@pytest.mark.parametrize(
    ("tls", "names", "given", "allowed", "verified"),
    [
        ("no", (), None, True, False),
        ("preferred", (), None, True, False),
        ("preferred-verify", (), None, True, False),
        ("required", (), None, False, False),
        ("required-verify", (), None, False, False),
        ("preferred", (), NO_CERTIFICATE, True, False),
        ("required", (), EXPIRED, True, False),
        ("preferred-verify", (), NO_CERTIFICATE, True, False),
        ("preferred-verify", (), EXPIRED, False, False),
        ("preferred-verify", (), GOOD, True, True),
        ("preferred-verify", ("partner.example",), OTHER, False, False),
        ("required-verify", (), NO_CERTIFICATE, False, False),
        ("required-verify", (), EXPIRED, False, False),
        ("required-verify", (), OTHER, True, True),
        ("required-verify", ("x.example", "partner.example"), GOOD, True, True),
        ("required-verify", ("partner.example",), OTHER, False, False),
    ],
)
def test_inbound(tls: str, names: tuple[str, ...], given: TlsOutcome | None, allowed: bool, verified: bool) -> None:
    verdict = judge_inbound(policy(tls, *names), given)
    assert (verdict.allowed, verdict.verified, verdict.reply is None) == (allowed, verified, allowed)


def test_inbound_refusals_say_why() -> None:
    clear = judge_inbound(policy("required"), None, "mx.partner.example")
    assert str(clear.reply) == "530 #5.7.0 Must issue a STARTTLS command first"
    assert clear.reason == "mx.partner.example has not started TLS; required (policy ACCEPT) allows no clear text"
    wrong = judge_inbound(policy("required-verify", "partner.example"), OTHER, "192.0.2.1")
    assert wrong.reason == "certificate of 192.0.2.1 is for other.example; required-verify wants partner.example"
    assert str(wrong.reply) == f"554 #5.7.5 {wrong.reason}"
    good = judge_inbound(policy("required-verify", "partner.example"), GOOD, "192.0.2.1")
    assert good.reason == "certificate of 192.0.2.1 is valid for partner.example: required-verify (policy ACCEPT)"
    chain = judge_inbound(policy("required-verify"), GOOD, "192.0.2.1")
    assert chain.reason == "certificate of 192.0.2.1 has a valid chain: required-verify (policy ACCEPT)"
