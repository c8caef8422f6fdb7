"""`hostaccess`: sender groups, policies and defaults of a listener, asked one by one."""

from __future__ import annotations

import pytest

from gatepost.admin.console.hostaccess import hostaccess
from gatepost.admin.operations import configuration, drafts, files, groups
from gatepost.admin.operations.operator import Operator
from gatepost.config.check import check, errors
from gatepost.config.model import (
    AddressList,
    Config,
    DefaultPolicy,
    Gateway,
    Listener,
    MailFlowPolicy,
    Recipient,
    SenderGroup,
)
from tests.admin.console.dialogues import run

LISTENER = Listener(
    policies={"PARTNER_TLS": MailFlowPolicy(max_message_size="10M"), "BLOCKED": MailFlowPolicy(behavior="reject")},
    sender_groups=[
        SenderGroup(name="PARTNERS", senders=["198.51.100.0/24"], policy="PARTNER_TLS"),
        SenderGroup(name="BAD", senders=["203.0.113.66"], policy="BLOCKED", comment="since May"),
    ],
    recipients=[Recipient(match="example.com")],
)
TLS = """
Do you want to allow encrypted TLS connections?
1. No
2. Preferred
3. Required
4. Preferred - Verify
5. Required - Verify
[1]> """


@pytest.fixture
def begun(operator: Operator) -> Operator:
    configuration.replace(
        operator,
        Config(
            gateway=Gateway(hostname="mx1.example.com"),
            listeners={"In": LISTENER},
            address_lists={"must_encrypt": AddressList(addresses=["@bank.example"])},
        ),
    )
    return operator


def listener(operator: Operator) -> Listener:
    return drafts.current(operator).listeners["In"]


async def access(operator: Operator, *lines: str) -> str:
    return await run(hostaccess, operator, *lines, "", rest="In")


async def test_the_defaults_one_by_one(begun: Operator) -> None:
    screen = await access(begun, "default", "20M", "10", "11", "12", "100", "3", "")
    assert TLS in screen
    assert listener(begun).default_policy == DefaultPolicy(
        max_message_size="20M",
        max_connections_per_host=10,
        max_messages_per_connection=11,
        max_recipients_per_message=12,
        max_recipients_per_hour=100,
        tls="required",
    )
    assert "There are currently 2 policies defined.\nThere are currently 2 sender groups.\n" in screen


async def test_what_a_tls_setting_needs_is_asked_with_it(begun: Operator) -> None:
    lines = "default", "", "", "", "", ""
    screen = await access(begun, *lines, "no")
    assert "For which address list" not in screen
    assert "Which TLS profile" not in screen
    screen = await access(begun, *lines, "2", "must_encrypt", "")
    assert "For which address list is TLS mandatory?\n1. None\n2. must_encrypt\n[1]> " in screen
    screen = await access(begun, *lines, "5", "mx partner", "MX.partner.example", "outbound")
    assert "'mx' is not a full domain name" in screen
    default = listener(begun).default_policy
    assert (default.tls, default.tls_peer_names, default.tls_profile) == (
        "required-verify",
        ["MX.partner.example"],
        "outbound",
    )
    assert default.tls_mandatory_senders == "must_encrypt"
    assert "has no effect with tls = required-verify" in screen, "the list of before is no longer asked, but warned of"


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("12x", "'12x' is not a size: write octets, or a whole number with k, M or G, such as 10M, or -1 for no limit"),
        ("0", "0 is not from 1 to"),
        ("-2", "-2 is not from 1 to"),
    ],
)
async def test_a_value_that_will_not_do_is_asked_again(begun: Operator, typed: str, told: str) -> None:
    screen = await access(begun, "default", typed, "-1", "", "", "", "", "")
    assert told in screen
    assert listener(begun).default_policy.max_message_size == -1


async def test_a_policy_sets_what_it_wants_and_inherits_the_rest(begun: Operator) -> None:
    screen = await access(begun, "new", "policy", "BANKS", "accept", "y", "1M", "", "50", "default", "", "3", "")
    assert '-1: no limit. "default" uses the default (100M).\n[default]> ' in screen
    assert "5. Required - Verify\n6. Default (No)\n[6]> " in screen
    made = listener(begun).policies["BANKS"]
    assert made == MailFlowPolicy(max_message_size="1M", max_messages_per_connection=50, tls="required")
    screen = await access(begun, "edit", "2", "BANKS", "", "", "default", "7", "default", "", "", "default")
    assert "\n[1M]> " in screen
    assert "\n[3]> " in screen
    assert listener(begun).policies["BANKS"] == MailFlowPolicy(max_connections_per_host=7)


async def test_what_a_policy_inherits_decides_which_questions_follow(begun: Operator) -> None:
    await access(begun, "default", "", "", "", "", "", "2", "", "")
    screen = await access(begun, "new", "2", "BANKS", "", "y", "", "", "", "", "", "", "must", "")
    assert "6. Default (Preferred)" in screen
    assert listener(begun).policies["BANKS"] == MailFlowPolicy(tls_mandatory_senders="must_encrypt")


async def test_a_policy_that_takes_no_mail_is_not_asked_for_more(begun: Operator) -> None:
    screen = await access(begun, "new", "2", "accept", "blocked", "NEVER", "TCP Refuse")
    assert "there is a policy or behavior 'ACCEPT' already" in screen
    assert "there is a policy or behavior 'BLOCKED' already" in screen
    assert listener(begun).policies["NEVER"] == MailFlowPolicy(behavior="tcprefuse")
    await access(begun, "edit", "2", "PARTNER_TLS", "", "reject")
    assert listener(begun).policies["PARTNER_TLS"] == MailFlowPolicy(behavior="reject")


async def test_a_policy_is_renamed_where_it_is_used(begun: Operator) -> None:
    groups.set_all_hosts(begun, "In", "PARTNER_TLS")
    await access(begun, "edit", "2", "1", "blocked", "PARTNER_2026", "", "", "", "", "", "", "")
    made = listener(begun)
    assert list(made.policies) == ["PARTNER_2026", "BLOCKED"]
    assert made.policies["PARTNER_2026"] == LISTENER.policies["PARTNER_TLS"]
    assert made.sender_groups[0].policy == made.all_hosts == "PARTNER_2026"


async def test_a_policy_in_use_stays(begun: Operator) -> None:
    groups.set_all_hosts(begun, "In", "PARTNER_TLS")
    screen = await access(begun, "delete", "2", "PARTNER_TLS", "y")
    assert (
        "policy PARTNER_TLS of listener In is used by sender group PARTNERS, the ALL row: give them another policy first"
    ) in screen
    assert "PARTNER_TLS" in listener(begun).policies
    await access(
        begun, "edit", "1", "PARTNERS", "policy", "ACCEPT", "", "edit", "1", "all", "BLOCKED", "delete", "2", "1", "y"
    )
    made = listener(begun)
    assert (made.sender_groups[0].policy, made.all_hosts, list(made.policies)) == ("ACCEPT", "BLOCKED", ["BLOCKED"])


async def test_a_sender_group_is_made(begun: Operator) -> None:
    screen = await access(
        begun, "new", "sender", "ALL", "partners", "RELAYS",
        "", "10.0.0.1, 10.0.0.300 *.example.com", "10.0.0.1, .example.com", "RELAY", "our own",
    )  # fmt: skip
    assert "there is a sender group 'ALL' already" in screen
    assert "there is a sender group 'PARTNERS' already" in screen
    assert "A sender group without hosts matches nobody" in screen
    assert "'10.0.0.300' is not an IPv4 address, for 300 is more than 255" in screen
    assert "'*.example.com' holds a wildcard: write .example.com for the hosts of a domain" in screen
    expected = SenderGroup(name="RELAYS", senders=["10.0.0.1", ".example.com"], policy="RELAY", comment="our own")
    assert listener(begun).sender_groups[-1] == expected


async def test_hosts_come_and_go(begun: Operator) -> None:
    screen = await access(
        begun, "edit", "", "BAD",
        "new", "203.0.113.66", "new", "203.0.113.67,203.0.113.68",
        "delete", "9", "delete", "1, 203.0.113.68",
        "comment", "none", "rename", "PARTNERS", "WORSE", "print", "",
    )  # fmt: skip
    assert "sender group BAD would hold 203.0.113.66 twice: leave it out" in screen
    assert "There is no 9: there is 203.0.113.66, 203.0.113.67, 203.0.113.68" in screen
    assert "Removed: 203.0.113.66, 203.0.113.68." in screen
    assert "Name: WORSE\nPolicy: BLOCKED\nComment:\nHosts:\n203.0.113.67\n" in screen
    assert listener(begun).sender_groups[1] == SenderGroup(name="WORSE", senders=["203.0.113.67"], policy="BLOCKED")


async def test_what_is_hidden_is_said_at_once_and_moved_up(begun: Operator) -> None:
    screen = await access(begun, "new", "", "ONE", "198.51.100.7", "REJECT", "")
    assert "never matches: 198.51.100.0/24 of PARTNERS, which stands above," in screen
    screen = await access(begun, "move", "ONE", "1")
    assert [group.name for group in listener(begun).sender_groups] == ["ONE", "PARTNERS", "BAD"]
    assert "never matches" not in screen
    await access(begun, "move", "ONE", "ALL")
    assert [group.name for group in listener(begun).sender_groups] == ["PARTNERS", "BAD", "ONE"]
    await access(begun, "delete", "1", "3", "y", "delete", "1", "1", "")
    assert [group.name for group in listener(begun).sender_groups] == ["PARTNERS", "BAD"]


async def test_the_all_row_never_continues(begun: Operator) -> None:
    screen = await access(begun, "edit", "1", "ALL", "RELAY")
    assert "CONTINUE" not in screen
    assert "an open relay" in screen
    assert listener(begun).all_hosts == "RELAY"


async def test_out_and_in_again_is_the_same(begun: Operator) -> None:
    screen = await access(begun, "export", "hat.txt")
    written = files.directory(begun) / "hat.txt"
    assert f"The table is saved in {written}." in screen
    assert written.read_text().rstrip() in await access(begun, "print")
    before = listener(begun)
    await access(begun, "delete", "1", "1", "y", "import", "hat.txt")
    assert listener(begun) == before
    await access(begun, "export", "hat.txt", "")
    assert "Do you want to replace it?" in await access(begun, "export", "hat.txt", "y")


async def test_an_import_with_bad_lines_changes_nothing(begun: Operator) -> None:
    text = "$A\n    ACCEPT\nX:\n    10.0.0.300\n        $A\nY:\n    10.0.0.1\n        $B\nALL\n    $A"
    screen = await access(begun, "import", "1", *text.split("\n"), ".")
    assert "line 4" in screen
    assert "line 8" in screen
    assert listener(begun) == LISTENER
    await access(begun, "import", "1", *text.replace("300", "3").replace("$B", "REJECT").split("\n"), ".")
    assert [(group.name, group.policy) for group in listener(begun).sender_groups] == [("X", "A"), ("Y", "REJECT")]
    assert listener(begun).all_hosts == "A"


async def test_reset_is_asked_for_and_leaves_a_table_that_can_be_committed(begun: Operator) -> None:
    screen = await access(begun, "reset", "")
    assert "TLS is then not offered" in screen
    assert listener(begun) == LISTENER
    await access(begun, "default", "", "", "", "", "", "3", "", "reset", "y")
    made = listener(begun)
    assert (made.sender_groups, list(made.policies)) == ([], ["ACCEPTED", "TRUSTED", "THROTTLED", "BLOCKED"])
    assert (made.default_policy, made.all_hosts) == (DefaultPolicy(), "")
    assert not errors(check(drafts.current(begun)))
