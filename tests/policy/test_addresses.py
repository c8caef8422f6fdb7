"""Address lists: which entry names an envelope address."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.policy.addresses import AddressMatcher
from gatepost.smtp.path import Path


@pytest.mark.parametrize(
    ("entry", "path", "matches"),
    [
        ("ceo@partner.example", Path("ceo", "partner.example"), True),
        ("CEO@Partner.Example", Path("Ceo", "partner.example"), True),
        ("ceo@partner.example", Path('"ceo"', "partner.example"), True),
        ("ceo@partner.example", Path('"c\\eo"', "partner.example"), True),
        ("ceo@partner.example", Path("ceo", "sub.partner.example"), False),
        ("ceo@", Path("ceo", "anywhere.example"), True),
        ("ceo@", Path("ceo", ""), True),
        ("ceo@", Path("ceo2", "anywhere.example"), False),
        ("@bank.example", Path("clerk", "bank.example"), True),
        ("@bank.example", Path("clerk", "a.bank.example"), False),
        ("@bank.example", Path("", ""), False),
        ("@.clinic.example", Path("doctor", "a.b.clinic.example"), True),
        ("@.clinic.example", Path("doctor", "clinic.example"), False),
        ("@.clinic.example", Path("doctor", "myclinic.example"), False),
        ("@[192.0.2.1]", Path("root", "[192.0.2.1]"), True),
        ("@[192.0.2.1]", Path("root", "[192.0.2.10]"), False),
        ("@[IPv6:2001:db8::1]", Path("root", "[ipv6:2001:DB8:0::1]"), True),
        ("@.example", Path("root", "[192.0.2.1.example]"), False),
    ],
)
def test_each_form_of_entry(entry: str, path: Path, matches: bool) -> None:
    assert AddressMatcher([entry]).match(path) == (entry if matches else "")


def test_the_first_entry_in_order_is_named() -> None:
    matcher = AddressMatcher(["@.example", "@bank.example", "ceo@bank.example", "@bank.example"])
    assert matcher.match(Path("ceo", "bank.example")) == "@.example"
    assert AddressMatcher([]).match(Path("ceo", "bank.example")) == ""


def test_an_entry_that_cannot_be_read_is_told() -> None:
    with pytest.raises(ValueError, match="has no @"):
        AddressMatcher(["bank.example"])


def test_an_empty_quoted_local_part_is_not_any_local_part() -> None:
    matcher = AddressMatcher(['""@', '""@bank.example'])
    assert matcher.match(Path("clerk", "bank.example")) == ""
    assert matcher.match(Path('""', "other.example")) == '""@'


@given(st.text(max_size=20), st.text(max_size=20))
def test_any_text_is_looked_up_without_a_fault(local: str, domain: str) -> None:
    matcher = AddressMatcher(["ceo@partner.example", "@.clinic.example"])
    assert matcher.match(Path(local, domain)) in ("", "ceo@partner.example", "@.clinic.example")
