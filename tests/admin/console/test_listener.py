"""`listenerconfig`: a listener made, shown, changed and taken out, all in the draft."""

from __future__ import annotations

import pytest

from gatepost.admin.console.listener import listenerconfig
from gatepost.admin.operations import certificates, configuration, drafts
from gatepost.admin.operations.operator import Operator
from gatepost.config.model import (
    BounceProfile,
    Config,
    DefaultPolicy,
    Listener,
    MailFlowPolicy,
    Recipient,
    SenderGroup,
)
from tests.admin.console.conftest import INTERRUPT
from tests.admin.console.dialogues import run

SUMMARY = """\
Name: InboundMail
Type: Public
Interface: PublicNet (192.0.2.1) TCP Port 25
Protocol: SMTP
Default Domain:
Max Concurrency: 1000 (TCP Queue: 50)
Domain map: disabled
TLS: No

Choose the operation you want to perform:
"""


@pytest.fixture
def begun(operator: Operator) -> Operator:
    inbound = Listener(address="192.0.2.1", interface="PublicNet", recipients=[Recipient(match="example.com")])
    private = Listener(type="private", address="10.0.0.1", sender_groups=[SenderGroup(name="RELAYLIST", policy="RELAY")])
    slow = {"SLOW": BounceProfile(max_retries=5)}
    configuration.replace(operator, Config(listeners={"InboundMail": inbound, "Out": private}, bounce_profiles=slow))
    return operator


def listener(operator: Operator, name: str = "InboundMail") -> Listener:
    return drafts.current(operator).listeners[name]


async def edited(operator: Operator, *lines: str, name: str = "InboundMail") -> str:
    return await run(listenerconfig, operator, "edit", name, *lines, "", "")


async def test_the_list_and_the_summary(begun: Operator) -> None:
    screen = await edited(begun)
    assert (
        "\nCurrently configured listeners:\n"
        "1. InboundMail (on PublicNet, 192.0.2.1) SMTP TCP Port 25 Public\n"
        "2. Out (on Out, 10.0.0.1) SMTP TCP Port 25 Private\n"
    ) in screen
    assert f"\n\n{SUMMARY}" in screen
    assert "- RCPTACCESS" in screen
    assert "- RCPTACCESS" not in await edited(begun, name="2"), "a private listener has none"


async def test_a_public_listener_is_made_where_nothing_is_configured(operator: Operator) -> None:
    screen = await run(
        listenerconfig, operator,
        "new", "", "Inbound Mail", "InboundMail", "192.0.2", "192.0.2.1", "PublicNet", "0", "2525",
        "example.com, .example.com example.com", "y", "4500", "y", "10M", "", "", "", "", "2", "", "", "",
    )  # fmt: skip
    assert "There is no listener yet." in screen
    assert "'Inbound Mail' is not a name" in screen
    assert "'192.0.2' is not an IP address" in screen
    assert "0 is not from 1 to 65535" in screen
    made = listener(operator)
    assert (made.type, made.address, made.interface, made.port) == ("public", "192.0.2.1", "PublicNet", 2525)
    assert [(row.match, row.action) for row in made.recipients] == [("example.com", "accept"), (".example.com", "accept")]
    assert list(made.policies) == ["ACCEPTED", "TRUSTED", "THROTTLED", "BLOCKED"]
    expected = DefaultPolicy(max_message_size="10M", max_recipients_per_hour=4500, tls="preferred")
    assert made.default_policy == expected
    assert "needs a certificate" in screen, "said at once, and refused by the commit"


async def test_a_private_listener_is_made(operator: Operator) -> None:
    await run(
        listenerconfig, operator,
        "new", "private", "OutboundMail", "127.0.0.1", "", "", "10.0.0.300", "10.0.0.0/24", "n", "n", "",
    )  # fmt: skip
    made = listener(operator, "OutboundMail")
    assert made.sender_groups == [SenderGroup(name="RELAYLIST", senders=["10.0.0.0/24"], policy="RELAYED")]
    assert made.policies["RELAYED"] == MailFlowPolicy(behavior="relay", max_recipients_per_hour=-1)
    assert made.all_hosts == "", "every other host is rejected"


async def test_two_listeners_cannot_share_a_port(begun: Operator) -> None:
    before = drafts.current(begun)
    screen = await edited(begun, "interface", "10.0.0.1", "", "", name="InboundMail")
    assert "10.0.0.1 port 25 is already taken by listeners.Out (10.0.0.1); choose another port or address" in screen
    assert drafts.current(begun) == before
    assert screen.count("Name: InboundMail") == 2, "the menu stays"


async def test_its_own_settings(begun: Operator) -> None:
    await edited(begun, "name", "out", "Mail2")
    assert list(drafts.current(begun).listeners) == ["Mail2", "Out"], "it keeps its place"
    await edited(begun, "interface", "::1", "none", "2525", "limits", "0", "200", "20", name="Mail2")
    screen = await edited(begun, "setup", "defaultdomain", "exa mple", "Example.com", "cleansmtp", "2", "", name="Mail2")
    assert "'exa mple' holds white space" in screen
    screen = await edited(
        begun, "bounceconfig", "SLOW", "domainmap", "new", "@old.example", "@example.com", "", name="Mail2"
    )
    made = listener(begun, "Mail2")
    assert (made.address, made.interface, made.port) == ("::1", "", 2525)
    assert (made.default_domain, made.bare_line_endings, made.bounce_profile) == ("example.com", "repair", "SLOW")
    assert "Interface: Mail2 (::1) TCP Port 2525\n" in screen
    assert "Default Domain: example.com\nMax Concurrency: 200 (TCP Queue: 20)\nDomain map: enabled\n" in screen
    await edited(begun, "setup", "def", "none", "", name="Mail2")
    assert listener(begun, "Mail2").default_domain == ""


async def test_certificates(begun: Operator) -> None:
    assert "No certificate is installed" in await edited(begun, "certificate")
    for name in ("mx", "other"):
        certificates.make_self_signed(begun, name, hostnames=[f"{name}.example.com"])
    screen = await edited(begun, "cert", "mx, such", "2, mx")
    assert "There is no such: there is mx, other" in screen
    assert "\n1. mx: mx.example.com, 82" in screen
    assert listener(begun).certificates == ["other", "mx"]
    await edited(begun, "cert", "none")
    assert listener(begun).certificates == []


async def test_settings_of_all_listeners(begun: Operator) -> None:
    screen = await run(listenerconfig, begun, "setup", "60", "6k", "600", "", "", "5", "64k", "", "", "7", "")
    gateway = drafts.current(begun).gateway
    assert (gateway.unsuccessful_connection_timeout, gateway.connection_time_limit) == (60, 600)
    assert (gateway.max_header_size, gateway.max_hops) == ("64k", 7)
    assert "'6k' is not a number: write a whole number" in screen
    assert "5 is not from 1024 to" in screen


async def test_a_listener_is_deleted_when_that_is_confirmed(begun: Operator) -> None:
    await run(listenerconfig, begun, "delete", "2", "", "")
    assert "Out" in drafts.current(begun).listeners
    await run(listenerconfig, begun, "delete", "2", "y", "")
    assert "Out" not in drafts.current(begun).listeners


async def test_whoever_leaves_half_way_has_changed_nothing(begun: Operator) -> None:
    before = drafts.current(begun)
    await run(listenerconfig, begun, "edit", "1", "hostaccess", "default", "1M", "", "", "", "", "3", INTERRUPT, left=True)
    await run(listenerconfig, begun, "new", "", "Third", INTERRUPT, left=True)
    assert drafts.current(begun) == before


async def test_names_are_taken_in_any_case_and_unknown_ones_are_helped_with(begun: Operator) -> None:
    screen = await run(listenerconfig, begun, "edit", "InbondMail", "INBOUNDMAIL", "", "")
    assert "There is no InbondMail: did you mean InboundMail?" in screen
    assert "Name: InboundMail" in screen
