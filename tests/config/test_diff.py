"""What differs between two documents, in words and as text, and never a key."""

from __future__ import annotations

from hypothesis import given, settings

from gatepost.config.diff import differences, unified
from gatepost.config.edit import delete_path, set_path
from gatepost.config.model import Certificate, Config, Listener, MailFlowPolicy, Recipient, SenderGroup
from tests.config.documents import patient, tables

OLD = Config(
    certificates={"mx": Certificate(certificate="-----BEGIN X", private_key="top secret")},
    listeners={
        "A": Listener(
            policies={"PARTNER_TLS": MailFlowPolicy(tls="preferred")},
            sender_groups=[
                SenderGroup(name="P", senders=["192.0.2.1"], policy="PARTNER_TLS"),
                SenderGroup(name="Q", policy="REJECT"),
            ],
            recipients=[Recipient(match="example.com")],
        )
    },
    routes={"ALL": ["USEDNS"]},
)


def said(*edits: tuple[str, str]) -> list[str]:
    new = OLD
    for path, value in edits:
        new = set_path(new, path, value)
    return [str(change) for change in differences(OLD, new)]


def test_nothing_differs() -> None:
    assert said() == []
    assert unified(OLD, OLD) == ""


def test_one_field() -> None:
    assert said(("listeners.A.policies.PARTNER_TLS.tls", "required")) == [
        "listeners.A.policies.PARTNER_TLS.tls: preferred -> required"
    ]
    assert said(("listeners.A.policies.PARTNER_TLS.max_message_size", "10M")) == [
        "listeners.A.policies.PARTNER_TLS.max_message_size: (default) -> 10M"
    ]
    assert said(("listeners.A.sender_groups.P.comment", "two words")) == [
        'listeners.A.sender_groups.P.comment: "" -> "two words"'
    ]


def test_lists() -> None:
    assert said(("listeners.A.sender_groups.P.senders", '["192.0.2.1", ".a.b"]')) == [
        "listeners.A.sender_groups.P.senders: [192.0.2.1] -> [192.0.2.1, .a.b]"
    ]
    many = str([f"10.0.0.{number}" for number in range(20)])
    assert said(("listeners.A.sender_groups.P.senders", many)) == [
        "listeners.A.sender_groups.P.senders: 1 entries -> 20 entries, with "
        + ", ".join(f"10.0.0.{number}" for number in range(12))
        + " and 8 more, without 192.0.2.1"
    ]


def test_new_and_removed_tables() -> None:
    assert said(
        ('destinations."partner.example".tls', "required"),
        ("destinations.plain", "{}"),
        ("listeners.A.sender_groups.R", '{ name = "R", policy = "ACCEPT" }'),
    ) == [
        "listeners.A.sender_groups.R.name: new, R",
        "listeners.A.sender_groups.R.policy: new, ACCEPT",
        'destinations."partner.example".tls: new, required',
        "destinations.plain: new, {}",
    ]
    gone = [
        str(change)
        for change in differences(OLD, delete_path(delete_path(OLD, "routes.ALL"), "listeners.A.policies.PARTNER_TLS"))
    ]
    assert gone == [
        "listeners.A.policies.PARTNER_TLS: removed, was {behavior = accept, tls = preferred}",
        "routes.ALL: removed, was [USEDNS]",
    ]
    new = set_path(OLD, "listeners.B.sender_groups", '[{ name = "R", policy = "ACCEPT", senders = [] }]')
    assert "listeners.B.sender_groups.R.name: new, R" in [str(change) for change in differences(OLD, new)]


def test_the_order_of_sender_groups_matters() -> None:
    assert said(
        (
            "listeners.A.sender_groups",
            '[{ name = "Q", policy = "REJECT" }, { name = "P", policy = "PARTNER_TLS", senders = ["192.0.2.1"] }]',
        )
    ) == ["order of listeners.A.sender_groups: P, Q -> Q, P"]


def test_keys_are_never_shown_but_their_change_is() -> None:
    new = set_path(OLD, "certificates.mx.private_key", "hush")
    assert [str(change) for change in differences(OLD, new)] == ["certificates.mx.private_key: ***** -> ***** (another)"]
    text = unified(OLD, new)
    assert "secret" not in text
    assert "hush" not in text
    assert "+private_key" in text
    added = [str(change) for change in differences(Config(), new)] + [str(change) for change in differences(new, Config())]
    assert "hush" not in "\n".join(added)
    renewed = set_path(OLD, "certificates.mx.certificate", "-----BEGIN Y")
    (change,) = differences(OLD, renewed)
    assert change.old.startswith("PEM text #")
    assert change.old != change.new


def test_text() -> None:
    text = unified(OLD, set_path(OLD, "listeners.A.policies.PARTNER_TLS.tls", "required"), "revision 3", "draft")
    assert text.startswith("--- revision 3\n+++ draft\n")
    assert '-tls = "preferred"\n+tls = "required"\n' in text


@given(tables(), tables())
@settings(patient, max_examples=25)
def test_any_two_documents_differ_in_words_when_they_differ(one: Config, other: Config) -> None:
    assert bool(differences(one, other)) == (one != other)
    assert differences(one, one) == []
