"""The dialogue of `trace`: what it asks for, and that each section stands where the gateway would come to it."""

from __future__ import annotations

import pytest

from gatepost.admin.console import trace as dialogues
from gatepost.admin.operations import configuration
from gatepost.admin.operations.operator import Operator
from gatepost.config.model import (
    Config,
    DefaultPolicy,
    DomainMapping,
    Gateway,
    Listener,
    MailFlowPolicy,
    Recipient,
    SenderGroup,
)
from gatepost.errors import GatepostError
from tests.admin.console.dialogues import run

LISTENER = Listener(
    default_domain="example.org",
    domain_map=[DomainMapping(match="@old.example", to="@example.com")],
    default_policy=DefaultPolicy(max_recipients_per_message=2, max_message_size="1K"),
    policies={"BLOCKED": MailFlowPolicy(behavior="reject")},
    sender_groups=[SenderGroup(name="BLACKLIST", senders=["192.0.2.66"], policy="BLOCKED")],
    recipients=[Recipient(match="example.com")],
)
QUESTIONS = ("192.0.2.1", "client.example", "Host.client.example", "ann@client.example")
RESULT = "Would you like to see the resulting message?"


@pytest.fixture
def traced(operator: Operator) -> Operator:
    config = Config(gateway=Gateway(hostname="mx1.example.com"), listeners={"In": LISTENER})
    configuration.replace(operator, config, force=True)
    configuration.commit(operator, "begin")
    return operator


async def test_a_message_is_followed_to_its_next_hop(traced: Operator) -> None:
    lines = ("joe@old.example,eve@elsewhere.example", "y", "Subject: x", "", "body", ".", "", "")
    screen = await run(dialogues.trace, traced, *QUESTIONS, *lines)
    titles = ["Host Access Table", "Processing MAIL FROM", "Processing Recipient List", "Message Processing",
              "Message Enqueued for Delivery to example.com"]  # fmt: skip
    places = [screen.index(f"\n\n{title}:\n- ") for title in titles]
    assert places == sorted(places)
    assert "From the Default Policy Parameters: " in screen
    assert "RCPT TO:<joe@old.example> is accepted and goes to <joe@example.com>: " in screen
    assert "RCPT TO:<eve@elsewhere.example> is answered `550 #5.1.0" in screen
    assert (
        f"{RESULT}\n[Y]> \n\nReceived: from client.example (host.client.example [192.0.2.1])\n by mx1.example.com" in screen
    )
    assert " for <joe@example.com>;\n" in screen
    assert "\nSubject: x\n\nbody\n\nRun through another debug session?\n[N]> \n" in screen


async def test_it_stops_where_the_gateway_stops(traced: Operator) -> None:
    screen = await run(dialogues.trace, traced, "192.0.2.66", "", "x.example", "<>", "joe@example.com", "", "")
    assert "\nEnd:\n- The banner is `554" in screen
    assert "MAIL FROM" not in screen
    nobody = await run(dialogues.trace, traced, *QUESTIONS, "eve@elsewhere.example", "", "")
    assert nobody.index("Processing Recipient List") < nobody.index("\nEnd:\n- No recipient is left")
    assert "Message Processing" not in nobody


async def test_the_limits_of_the_policy_hold(traced: Operator) -> None:
    body = ["x" * 70] * 20
    lines = ("a@example.com,b@example.com,c@example.com", "y", *body, ".", "")
    screen = await run(dialogues.trace, traced, *QUESTIONS, *lines)
    assert "RCPT TO:<c@example.com> is answered `452" in screen
    assert "The end of the mail data is answered `552 #5.3.4 message size exceeds limit`: it has 1440 octets" in screen
    assert "Enqueued" not in screen
    assert RESULT not in screen


async def test_what_cannot_be_read_is_asked_again(traced: Operator) -> None:
    answers = (
        "nonsense",
        "192.0.2.1",
        "",
        "a b",
        "x.example",
        "",
        "@@",
        "box",
        ",",
        "joe@example.com,@",
        "postmaster",
        "",
        "y",
    )
    again = ("192.0.2.1", "", "x.example", "<>", "joe@example.com", "", "n")
    screen = await run(dialogues.trace, traced, *answers, *again)
    assert "'nonsense' is not an IP address" in screen
    assert "Enter the address of a sender." in screen
    assert "Enter at least one recipient." in screen
    assert "box is completed with the listener's default domain: box@example.org." in screen
    assert screen.count("\nHost Access Table:\n") == 2


async def test_draft_or_committed(traced: Operator) -> None:
    config = Config(gateway=Gateway(hostname="mx1.example.com"), listeners={"In": LISTENER, "Other": Listener(port=26)})
    configuration.replace(traced, config, force=True)
    screen = await run(dialogues.trace, traced, *QUESTIONS[:3], "2", "<>", "joe@example.com", "", "")
    assert "Select the listener to trace behavior on:\n1. In\n2. Other\n[1]> \n" in screen
    assert "Under the draft on revision 1, listener Other\n" in screen
    screen = await run(dialogues.trace, traced, *QUESTIONS, "joe@example.com", "", "", rest="committed")
    assert "Under revision 1, listener In\n" in screen
    with pytest.raises(GatepostError, match="trace committed"):
        await run(dialogues.trace, traced, rest="x")
