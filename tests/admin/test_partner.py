"""What is found of a partner, and what is proposed: against a real DNS server, as an administrator would see it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from gatepost.admin.operations import configuration, partner
from gatepost.admin.operations.drafts import current
from gatepost.admin.operations.operator import Operator
from gatepost.config.exchange import examine
from gatepost.errors import GatepostError
from tests.support.dns_server import DnsServer, dns_thread

DOCUMENT = """
[gateway]
hostname = "mx1.example.com"
dns_servers = ["{dns}"]
[listeners.InboundMail]
address = "127.0.0.1"
port = 2525
[listeners.InboundMail.policies.STRICT]
tls = "required"
[listeners.InboundMail.policies.OPEN]
[[listeners.InboundMail.sender_groups]]
name = "NEIGHBOURS"
senders = ["198.51.0.0/16"]
policy = "OPEN"
"""


@pytest.fixture(scope="module")
def dns() -> Iterator[DnsServer]:
    with dns_thread() as server:
        server.add("partner.example", "MX", "10 mx1.partner.example.", "20 gone.partner.example.")
        server.add("mx1.partner.example", "A", "203.0.113.9")
        server.add("partner.example", "TXT", '"v=spf1 ip4:198.51.100.0/25 ip4:198.51.100.128/25 a:out.partner.example -all"')
        server.add("out.partner.example", "A", "203.0.113.77")
        server.add_reverse("203.0.113.77", "out.partner.example.")
        server.add(
            "hosted.example", "TXT", '"v=spf1 include:_spf.provider.example ?ip4:192.0.2.1 exists:%{i}.x.example ~all"'
        )
        server.add("_spf.provider.example", "TXT", '"v=spf1 ip4:203.0.113.0/28 ip6:2001:db8::/40 ip4:0.0.0.0/0 -all"')
        server.add("loop.example", "TXT", '"v=spf1 include:loop.example redirect=loop.example"')
        deep = " ".join(f"a:h{number}.deep.example" for number in range(12))
        server.add("deep.example", "TXT", f'"v=spf1 {deep}"')
        server.add("silent.example", "MX", "0 .")
        yield server


@pytest.fixture
def operator(tmp_path: Path, dns: DnsServer) -> Operator:
    made = Operator(tmp_path / "state", "test")
    made.prepare()
    examined = examine(DOCUMENT.format(dns=dns.address))
    assert examined.config is not None
    configuration.replace(made, examined.config)
    return made


def test_a_partner_with_hosts_of_its_own(operator: Operator) -> None:
    found = partner.look(operator, "Somebody@Partner.example")
    assert [(host.name, host.addresses) for host in found.mx] == [
        ("mx1.partner.example", ["203.0.113.9"]),
        ("gone.partner.example", []),
    ]
    assert "NXDomain" in found.mx[1].fault
    assert [(one.network, one.name, one.group, one.policy) for one in found.sending] == [
        ("203.0.113.77", "out.partner.example", "", "ACCEPT"),
        ("198.51.100.0/24", "", "NEIGHBOURS", "OPEN"),
    ]
    assert "has no certificate" in found.answer
    assert (found.proposal.method, found.proposal.policy, found.proposal.group) == (
        "hosts",
        "STRICT",
        "PARTNER_PARTNER_EXAMPLE",
    )
    assert found.proposal.before == "NEIGHBOURS", "which would decide first"
    tag = configuration.tag(operator)
    told = [str(change) for change in partner.preview(operator, found.proposal)]
    assert any("PARTNER_PARTNER_EXAMPLE" in line for line in told)
    assert configuration.tag(operator) == tag, "looking changes nothing"
    partner.apply(operator, found.proposal)
    config = current(operator)
    groups = config.listeners["InboundMail"].sender_groups
    assert [(group.name, group.policy) for group in groups] == [
        ("PARTNER_PARTNER_EXAMPLE", "STRICT"),
        ("NEIGHBOURS", "OPEN"),
    ]
    assert config.destinations["partner.example"].tls == "required"
    again = partner.look(operator, "partner.example")
    assert {one.group for one in again.sending} == {"PARTNER_PARTNER_EXAMPLE"}
    assert again.proposal.group == "PARTNER_PARTNER_EXAMPLE_2"


def test_a_partner_behind_a_shared_relay_is_proposed_by_sender(operator: Operator) -> None:
    found = partner.look(operator, "hosted.example")
    assert found.spf.shared == ["_spf.provider.example"]
    assert {one.network for one in found.sending} == {"203.0.113.0/28", "2001:db8::/40"}
    assert "which send for others as well" in found.advice[0]
    assert any("exists:%{i}.x.example" in line for line in found.advice)
    assert any("far too large" in line for line in found.advice)
    assert found.proposal.method == "senders"
    partner.apply(operator, found.proposal)
    config = current(operator)
    assert config.address_lists["must_encrypt"].addresses == ["@hosted.example", "@.hosted.example"]
    default = config.listeners["InboundMail"].default_policy
    assert (default.tls, default.tls_mandatory_senders) == ("preferred", "must_encrypt")


def test_records_that_run_in_circles_or_without_end_are_cut(operator: Operator) -> None:
    assert partner.look(operator, "loop.example").spf.senders == []
    told = partner.look(operator, "deep.example").spf.left_out
    assert any("more than 10 lookups" in line for line in told)


def test_a_domain_that_says_nothing(operator: Operator) -> None:
    found = partner.look(operator, "silent.example")
    assert found.mx_note == "silent.example takes no mail (null MX, RFC 7505)"
    assert any("no SPF record" in line for line in found.advice)
    with pytest.raises(GatepostError, match="no hosts are named"):
        partner.apply(operator, found.proposal)
    with pytest.raises(GatepostError, match="there is no listener 'nowhere'"):
        partner.look(operator, "silent.example", listener="nowhere")
    with pytest.raises(GatepostError):
        partner.look(operator, "no domain")


def test_what_is_there_is_not_overwritten(operator: Operator) -> None:
    found = partner.look(operator, "partner.example")
    taken = msgspec.structs.replace(found.proposal, group="NEIGHBOURS")
    with pytest.raises(GatepostError, match="there is a sender group NEIGHBOURS already"):
        partner.apply(operator, taken)
    fresh = msgspec.structs.replace(found.proposal, policy="NEW", inbound_tls="required-verify", outbound_tls="preferred")
    partner.apply(operator, fresh)
    assert current(operator).listeners["InboundMail"].policies["NEW"].tls == "required-verify"
