"""`addresslistconfig`: lists of addresses, and who uses them."""

from __future__ import annotations

from gatepost.admin.console.addresslistconfig import addresslistconfig
from gatepost.admin.operations import configuration, drafts
from gatepost.admin.operations.operator import Operator
from gatepost.config.model import AddressList, Config, DefaultPolicy, Listener, MailFlowPolicy
from tests.admin.console.dialogues import run


def lists(operator: Operator) -> dict[str, AddressList]:
    return drafts.current(operator).address_lists


async def test_a_list_is_made_and_edited(operator: Operator) -> None:
    screen = await run(
        addresslistconfig,
        operator,
        "new",
        "must encrypt",
        "banks",
        "Who must",
        "bank.example, @*.x",
        "@bank.example, ceo@",
        "",
    )
    assert "There is no address list yet." in screen
    assert "'must encrypt' is not a name" in screen
    assert "'bank.example' has no @: write @bank.example for a domain, user@ for a mailbox in any domain\n" in screen
    assert "'*.x' holds a wildcard" in screen, "every bad address is told"
    assert lists(operator) == {"banks": AddressList(addresses=["@bank.example", "ceo@"], description="Who must")}
    screen = await run(addresslistconfig, operator, "edit", "1", "none", "", "new", "BANKS", "more", "", "@c.example", "")
    assert "\n[@bank.example, ceo@]> " in screen
    assert "there is a address list" not in screen
    assert "address list 'banks'" in screen
    assert lists(operator)["banks"] == AddressList(addresses=["@bank.example", "ceo@"])


async def test_a_list_in_use_stays(operator: Operator) -> None:
    uses = MailFlowPolicy(tls_mandatory_senders="banks")
    listener = Listener(policies={"BANKS": uses}, default_policy=DefaultPolicy(tls_mandatory_senders="banks"))
    names = {"banks": AddressList(addresses=["@bank.example"], description="Who must"), "free": AddressList()}
    configuration.replace(operator, Config(listeners={"In": listener}, address_lists=names))
    screen = await run(addresslistconfig, operator, "print", "delete", "banks", "y", "delete", "free", "", "")
    users = "the Default Policy Parameters of listener In, policy BANKS of listener In"
    assert f"\nName: banks\nDescription: Who must\nAddresses: @bank.example\nUsed by: {users}\n" in screen
    assert "\nName: free\nAddresses:\nUsed by: nothing\n" in screen
    assert f"address list banks is used by {users}: give them another list, or none, first\n" in screen
    assert list(lists(operator)) == ["banks", "free"]
    await run(addresslistconfig, operator, "delete", "free", "y", "")
    assert list(lists(operator)) == ["banks"]
