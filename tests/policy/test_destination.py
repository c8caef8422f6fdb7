"""Destination controls and SMTP routes: the most specific entry wins, whatever the order."""

from __future__ import annotations

import pytest

from gatepost.config.model import DefaultDestination, DestinationControl, RecipientRate
from gatepost.policy.destination import DestinationTable, RouteTable

CONTROLS = {
    ".example": DestinationControl(tls="no"),
    ".partner.example": DestinationControl(tls="required", max_connections=5),
    "partner.example": DestinationControl(tls="required-verify"),
    "slow.partner.example": DestinationControl(recipients_per_minutes=RecipientRate(recipients=10)),
}
DEFAULT = DefaultDestination(tls="preferred", max_connections=7)


@pytest.mark.parametrize(
    ("domain", "pattern"),
    [
        ("partner.example", "partner.example"),
        ("a.partner.example", ".partner.example"),
        ("a.b.partner.example", ".partner.example"),
        ("slow.partner.example", "slow.partner.example"),
        ("x.slow.partner.example", ".partner.example"),
        ("notpartner.example", ".example"),
        ("example", ""),
        ("other.test", ""),
        ("Partner.Example.", "partner.example"),
        ("bücher.partner.example", ".partner.example"),
        ("[192.0.2.1]", ""),
        ("", ""),
    ],
)
@pytest.mark.parametrize("reverse", [False, True])
def test_the_most_specific_control_wins(domain: str, pattern: str, reverse: bool) -> None:
    order = reversed(CONTROLS.items()) if reverse else CONTROLS.items()
    assert DestinationTable(dict(order), DEFAULT).find(domain).pattern == pattern


def test_what_a_control_leaves_open_comes_from_the_default() -> None:
    table = DestinationTable(CONTROLS, DEFAULT)
    slow = table.find("slow.partner.example")
    assert (slow.tls, slow.tls_source, slow.max_connections) == ("preferred", "default destination control", 7)
    assert slow.source == "destination control for slow.partner.example"
    assert slow.recipients_per_minutes == RecipientRate(recipients=10, minutes=60)
    assert "recipients_per_minutes" not in slow.inherited
    partner = table.find("partner.example")
    assert (partner.tls, partner.tls_source) == ("required-verify", "destination control for partner.example")
    assert table.find("other.test").source == "default destination control"


def test_a_key_that_cannot_be_read_is_told() -> None:
    with pytest.raises(ValueError, match="ALL is not a destination"):
        DestinationTable({"ALL": DestinationControl()}, DEFAULT)
    with pytest.raises(ValueError, match="wildcard"):
        RouteTable({"*.example": ["USEDNS"]})


ROUTES = {
    "ALL": ["relay.example.net"],
    "example.com": ["10.0.0.6:2525/pri=10", "10.0.0.5", "10.0.0.7"],
    ".example.net": ["USEDNS"],
    "sink.example.net": ["/dev/null"],
}


def test_the_most_specific_route_wins() -> None:
    table = RouteTable(ROUTES)
    first = table.find("example.com")
    assert [host.host for host in first.hosts] == ["10.0.0.5", "10.0.0.7", "10.0.0.6"]
    assert (first.by_mx, first.discard, first.source) == (False, False, "SMTP route for example.com")
    assert table.find("a.example.net").by_mx
    assert table.find("a.example.net").pattern == ".example.net"
    assert (table.find("sink.example.net").discard, table.find("sink.example.net").by_mx) == (True, False)
    assert table.find("example.net").hosts[0].host == "relay.example.net"
    assert table.find("[192.0.2.1]").pattern == "ALL"


def test_without_a_route_the_dns_decides() -> None:
    route = RouteTable({}).find("example.com")
    assert (route.by_mx, route.source, route.pattern) == (True, "no SMTP route", "")
