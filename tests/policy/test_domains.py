"""One spelling for each domain, the one that is looked up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.net.dns import NxDomain, to_name
from gatepost.policy.domains import above, canonical


@pytest.mark.parametrize(
    ("domain", "name"),
    [
        ("Example.COM", "example.com"),
        ("example.com.", "example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.Example", "xn--bcher-kva.example"),
        ("straße.example", "xn--strae-oqa.example"),
        ("a\u200db.example", "a\u200db.example"),
        ("a。example", "a。example"),
        ("[192.0.2.1]", "[192.0.2.1]"),
        ("[ipv6:2001:DB8:0::1]", "[IPv6:2001:db8::1]"),
        ("[TAG:x]", "[tag:x]"),
        ("", ""),
    ],
)
def test_spellings(domain: str, name: str) -> None:
    assert canonical(domain) == name


def test_what_a_domain_lies_below() -> None:
    assert list(above("a.b.example")) == ["b.example", "example"]
    assert list(above("example")) == []
    assert list(above("[192.0.2.1]")) == []


LABEL = st.text(st.characters(codec="utf-8", exclude_characters=".[]\0"), min_size=1, max_size=8)


@given(st.lists(LABEL, min_size=1, max_size=3).map(".".join))
def test_what_a_table_takes_for_a_name_is_what_the_dns_is_asked_for(domain: str) -> None:
    """Otherwise a spelling could be ours in the table and a stranger's in the DNS."""
    try:
        asked = to_name(domain).to_text(omit_final_dot=True).lower()
    except NxDomain:
        return
    assert canonical(domain) == asked
