"""A committed configuration made ready to run: everything is there, and what cannot be built is told as a whole."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from gatepost.config.model import (
    AddressList,
    BounceProfile,
    Certificate,
    Config,
    DefaultDestination,
    DefaultPolicy,
    DestinationControl,
    Gateway,
    Listener,
    MailFlowPolicy,
    SenderGroup,
    TlsProfile,
)
from gatepost.config.problems import ConfigErrors
from gatepost.policy.verdict import Host
from gatepost.smtp.path import Path
from gatepost.snapshot import ListenerSnapshot, Snapshot
from gatepost.tls.making import Subject, self_signed


@cache
def certificate(name: str = "mx1.example.com", days: int = 30) -> Certificate:
    pair = self_signed(Subject(names=(name,)), days=days)
    return Certificate(certificate=pair.certificate, private_key=pair.private_key)


def policies() -> dict[str, MailFlowPolicy]:
    return {
        "PARTNER_TLS": MailFlowPolicy(tls="required"),
        "VERIFIED": MailFlowPolicy(behavior="relay", tls="required-verify", tls_peer_names=["mx.partner.example"]),
        "CEO": MailFlowPolicy(tls_mandatory_senders="ceo", max_message_size="1M"),
        "CLEAR": MailFlowPolicy(tls="no"),
        "BLOCKED": MailFlowPolicy(behavior="reject"),
    }


def inbound(**fields: Any) -> Listener:
    groups = [
        SenderGroup(name=name, senders=[address], policy=policy)
        for name, address, policy in [
            ("P", "192.0.2.1", "PARTNER_TLS"),
            ("V", "192.0.2.2", "VERIFIED"),
            ("E", "192.0.2.3", "CEO"),
            ("C", "192.0.2.4", "CLEAR"),
            ("B", "192.0.2.5", "BLOCKED"),
        ]
    ]
    given = {"certificates": ["mx"], "default_policy": DefaultPolicy(tls="preferred"), "policies": policies()}
    return Listener(**{"sender_groups": groups, "default_domain": "example.com", **given, **fields})


def document(**fields: Any) -> Config:
    return Config(
        **{
            "gateway": Gateway(hostname="mx1.example.com", max_header_size="1k"),
            "certificates": {"mx": certificate()},
            "address_lists": {"ceo": AddressList(addresses=["ceo@partner.example"])},
            "listeners": {"InboundMail": inbound(), "Second": inbound(interface="PublicNet", port=26)},
            "destinations": {"partner.example": DestinationControl(tls="required", tls_profile="old")},
            "tls_profiles": {"old": TlsProfile(methods=["TLSv1.2"])},
            "routes": {"example.com": ["10.0.0.5"]},
            "bounce_profiles": {"Short": BounceProfile(max_retries=1)},
            **fields,
        }
    )


SNAPSHOT = Snapshot.build(document(), 7)


def of(address: str, listener: ListenerSnapshot = SNAPSHOT.listeners["InboundMail"]) -> Any:
    return listener.hat.match(Host(address)).policy


def test_the_gateway_has_sizes_in_octets_and_a_postmaster() -> None:
    gateway = SNAPSHOT.gateway
    assert (SNAPSHOT.revision, gateway.hostname, gateway.postmaster) == (7, "mx1.example.com", "postmaster@mx1.example.com")
    assert (gateway.max_header_size, gateway.min_free_space) == (1024, 100 * 1024**2)


def test_a_listener_has_its_engine_limits_by_policy() -> None:
    listener = SNAPSHOT.listeners["InboundMail"]
    limits = listener.engine_limits(of("192.0.2.3"))
    assert (limits.max_message_size, limits.max_header_size, limits.repair_line_endings) == (1024**2, 1024, False)
    assert listener.engine_limits(of("203.0.113.1")).max_message_size == 100 * 1024**2
    repairing = Snapshot.build(document(listeners={"L": inbound(bare_line_endings="repair")}), 1).listeners["L"]
    assert repairing.engine_limits(of("203.0.113.1", repairing)).repair_line_endings


def test_a_context_is_built_once_for_each_profile_and_kind_of_verification() -> None:
    listener = SNAPSHOT.listeners["InboundMail"]
    partner, everybody = listener.tls_context(of("192.0.2.1")), listener.tls_context(of("203.0.113.1"))
    verified = listener.tls_context(of("192.0.2.2"))
    assert partner is everybody
    assert partner is not None
    assert verified is not None
    assert (partner.requests_certificate, verified.requests_certificate, partner.profile) == (False, True, "inbound")
    assert listener.tls_context(of("192.0.2.4")) is None
    assert listener.tls_context(of("192.0.2.5")) is None


def test_no_context_is_shared_between_listeners() -> None:
    first, second = SNAPSHOT.listeners["InboundMail"], SNAPSHOT.listeners["Second"]
    assert first.tls_context(of("192.0.2.1")) is not second.tls_context(of("192.0.2.1", second))
    assert (first.interface, second.interface) == ("InboundMail", "PublicNet")


def test_mandatory_senders_and_default_domain() -> None:
    listener = SNAPSHOT.listeners["InboundMail"]
    mandatory = listener.mandatory_senders(of("192.0.2.3"))
    assert mandatory is not None
    assert mandatory.match(Path("CEO", "partner.example")) == "ceo@partner.example"
    assert listener.mandatory_senders(of("203.0.113.1")) is None
    assert listener.complete(Path("joe", "")) == Path("joe", "example.com")


def test_deliveries_find_their_context_route_and_bounce_profile() -> None:
    partner, other = SNAPSHOT.destinations.find("partner.example"), SNAPSHOT.destinations.find("other.example")
    assert SNAPSHOT.client_context(partner).profile == "old"
    assert SNAPSHOT.client_context(other).profile == "outbound"
    assert SNAPSHOT.routes.find("example.com").hosts[0].host == "10.0.0.5"
    assert SNAPSHOT.bounce_profile("Short").max_retries == 1
    assert SNAPSHOT.bounce_profile("Default") == SNAPSHOT.bounce_profile("gone since") == BounceProfile()


def test_a_client_certificate_is_used_for_all_outbound_tls() -> None:
    Snapshot.build(document(default_destination=DefaultDestination(certificate="mx")), 1)


def test_an_expired_certificate_still_runs() -> None:
    Snapshot.build(document(certificates={"mx": certificate(days=0)}), 1)


def test_an_empty_document_can_run() -> None:
    assert Snapshot.build(Config(), 0).listeners == {}


def test_a_clear_listener_needs_no_certificate() -> None:
    plain = Snapshot.build(Config(listeners={"L": Listener()}), 1).listeners["L"]
    assert plain.tls_context(of("192.0.2.1", plain)) is None


def test_everything_that_cannot_be_built_is_told_at_once() -> None:
    broken = document(
        gateway=Gateway(max_header_size="big"),
        address_lists={"ceo": AddressList(addresses=["nobody"])},
        listeners={
            "A": inbound(certificates=["none"]),
            "B": inbound(certificates=[], sender_groups=[], default_policy=DefaultPolicy(tls="required")),
            "C": inbound(all_hosts="NONE"),
            "D": inbound(sender_groups=[], default_policy=DefaultPolicy(tls="preferred", tls_profile="none")),
            "E": inbound(bounce_profile="none"),
        },
        destinations={
            "x.example": DestinationControl(bounce_profile="none"),
            "y.example": DestinationControl(tls_profile="none"),
        },
        routes={"*.example": ["USEDNS"]},
        default_destination=DefaultDestination(certificate="none"),
    )
    with pytest.raises(ConfigErrors) as told:
        Snapshot.build(broken, 1)
    places = {problem.path for problem in told.value.problems}
    assert places == {
        "gateway",
        "address_lists.ceo",
        "listeners.A",
        "listeners.B.policies.ACCEPT",
        "listeners.C",
        "listeners.D.policies.ACCEPT",
        "listeners.E",
        "default_destination",
        'destinations."x.example"',
        'destinations."y.example"',
        "routes",
    }
    assert "there is no certificate 'none'" in str(told.value)


def test_a_snapshot_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        SNAPSHOT.revision = 8  # type: ignore[misc]
    with pytest.raises(AttributeError):
        SNAPSHOT.gateway.hostname = "other"  # type: ignore[misc]
