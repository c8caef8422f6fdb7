"""The domain map: the first row that names a recipient decides, before the recipient table, and only once."""

from __future__ import annotations

import pytest

from gatepost.config.model import DomainMapping, Gateway, Listener, Recipient
from gatepost.policy.access import HostAccessTable
from gatepost.policy.domain_map import DomainMap
from gatepost.policy.recipients import RecipientTable
from gatepost.policy.verdict import RecipientVerdict
from gatepost.smtp.path import Path

GATEWAY = Gateway(hostname="mx1.example.com")
ACCEPT = HostAccessTable.build(Listener()).all_hosts
RELAY = HostAccessTable.build(Listener(all_hosts="RELAY")).all_hosts


def mapped(rows: dict[str, str], address: str) -> str:
    """Return what becomes of an address; empty when it stays."""
    made = DomainMap([DomainMapping(match=match, to=to) for match, to in rows.items()])
    local, _, domain = address.rpartition("@")
    rewriting = made.rewrite(Path(local, domain))
    return str(rewriting.path) if rewriting else ""


@pytest.mark.parametrize(
    ("match", "to", "address", "becomes"),
    [
        ("@old.example", "@new.example", "Joe@old.example", "Joe@new.example"),
        ("@old.example", "@new.example", "joe@sub.old.example", ""),
        ("@.old.example", "@new.example", "joe@sub.old.example", "joe@new.example"),
        ("@.old.example", "@new.example", "joe@a.b.old.example", "joe@new.example"),
        ("@.old.example", "@new.example", "joe@old.example", "joe@new.example"),
        ("@.old.example", "@new.example", "joe@bold.example", ""),
        ("@old.example", "Help@new.example", "joe@old.example", "Help@new.example"),
        ("joe@old.example", "@new.example", "JOE@old.example", "JOE@new.example"),
        ("joe@old.example", "Joseph@new.example", "joe@old.example", "Joseph@new.example"),
        ("joe@old.example", "joseph@new.example", '"joe"@old.example', "joseph@new.example"),
        ("joe@old.example", "joseph@new.example", "jo@old.example", ""),
        ("@old.example", "@new.example", '"a b"@old.example', '"a b"@new.example'),
        ("@[192.0.2.1]", "@new.example", "joe@[192.0.2.1]", "joe@new.example"),
        ("@xn--bcher-kva.example", "@new.example", "joe@bücher.example", "joe@new.example"),
        ("@new.example", "@new.example", "joe@new.example", ""),
    ],
)
def test_each_form_of_row(match: str, to: str, address: str, becomes: str) -> None:
    assert mapped({match: to}, address) == becomes


def test_the_first_row_decides_and_what_it_makes_is_not_looked_up_again() -> None:
    rows = {
        "boss@a.example": "@a.example",
        "joe@a.example": "@c.example",
        "@a.example": "@b.example",
        "@b.example": "@a.example",
    }
    assert mapped(rows, "joe@a.example") == "joe@c.example"
    assert mapped(rows, "ann@a.example") == "ann@b.example", "and does not come back"
    assert mapped(rows, "ann@b.example") == "ann@a.example"
    assert mapped(rows, "boss@a.example") == "", "a row that changes nothing is an exception to those below it"
    late = {"@a.example": "@b.example", "joe@a.example": "@c.example"}
    assert mapped(late, "joe@a.example") == "joe@b.example"


@pytest.mark.parametrize("match", ["old.example", "joe@", "@", "@.example", "@*.old.example", "joe@.old.example", ""])
def test_no_row(match: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        DomainMap([DomainMapping(match=match, to="@new.example")])


@pytest.mark.parametrize("to", ["new.example", "joe@", "@", "@.new.example", "@[192.0.2.300]", ""])
def test_no_target(to: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        DomainMap([DomainMapping(match="@old.example", to=to)])


def judge(address: str, **fields: object) -> RecipientVerdict:
    listener = Listener(
        recipients=[Recipient(match="new.example")],
        domain_map=[DomainMapping(match="@.old.example", to="@new.example")],
        **fields,  # type: ignore[arg-type]
    )
    local, _, domain = address.partition("@")
    policy = RELAY if fields.get("all_hosts") == "RELAY" else ACCEPT
    return RecipientTable.build(listener, GATEWAY).judge(policy, Path(local, domain))


def test_it_stands_before_the_recipient_table() -> None:
    verdict = judge("joe@old.example")
    assert (verdict.accepted, str(verdict.forward_path), verdict.entry) == (True, "joe@new.example", "new.example")
    assert verdict.reason == (
        "joe@old.example becomes joe@new.example by @.old.example of the domain map; "
        "joe@new.example is in new.example of the recipient table: accept"
    )
    assert verdict.rewriting is not None
    assert str(verdict.rewriting.written) == "joe@old.example"
    assert judge("joe@new.example").rewriting is None
    assert not judge("joe@other.example").accepted


def test_it_stands_behind_the_default_domain_and_leaves_postmaster_alone() -> None:
    assert str(judge("joe", default_domain="old.example").forward_path) == "joe@new.example"
    assert str(judge("Postmaster", default_domain="old.example").forward_path) == "postmaster@mx1.example.com"
    assert not judge("joe").accepted


@pytest.mark.parametrize("fields", [{"all_hosts": "RELAY"}, {"type": "private"}])
def test_it_holds_where_the_recipient_table_is_passed_by(fields: dict[str, str]) -> None:
    assert str(judge("joe@old.example", **fields).forward_path) == "joe@new.example"
