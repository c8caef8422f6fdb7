"""The Recipient Access Table: the first qualifying entry decides, and no syntax makes a relay of it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost.config.entries import parse_recipient
from gatepost.config.model import Gateway, Listener, Recipient
from gatepost.policy.access import HostAccessTable
from gatepost.policy.recipients import RecipientTable
from gatepost.policy.verdict import Policy, RecipientVerdict
from gatepost.smtp.path import Path

GATEWAY = Gateway(hostname="MX1.example.com")
ACCEPT = HostAccessTable.build(Listener()).all_hosts
RELAY = HostAccessTable.build(Listener(all_hosts="RELAY")).all_hosts
OURS = Path("user", "example.com")


def judge(
    rows: list[tuple[str, str]], path: Path, policy: Policy = ACCEPT, gateway: Gateway = GATEWAY, **fields: object
) -> RecipientVerdict:
    recipients = [Recipient(match=match, action=action) for match, action in rows]  # type: ignore[arg-type]
    listener = Listener(recipients=recipients, **fields)  # type: ignore[arg-type]
    return RecipientTable.build(listener, gateway).judge(policy, path)


@pytest.mark.parametrize(
    ("entry", "path", "accepted"),
    [
        ("user@example.com", Path("User", "example.com"), True),
        ("user@example.com", Path('"user"', "example.com"), True),
        ("user@example.com", Path("other", "example.com"), False),
        ("example.com", OURS, True),
        ("example.com", Path("user", "sub.example.com"), False),
        (".example.com", Path("user", "sub.example.com"), True),
        (".example.com", OURS, False),
        ("user@", Path("user", "anywhere.example"), True),
        ("user@", Path("other", "anywhere.example"), False),
        ("[192.0.2.1]", Path("user", "[192.0.2.1]"), True),
        ("[192.0.2.1]", Path("user", "[192.0.2.2]"), False),
        ("[IPv6:2001:db8::1]", Path("user", "[IPv6:2001:0db8::0001]"), True),
        ("ALL", Path("user", "anywhere.example"), True),
    ],
)
def test_each_form_of_row(entry: str, path: Path, accepted: bool) -> None:
    verdict = judge([(entry, "accept")], path)
    assert (verdict.accepted, verdict.entry) == ((True, entry) if accepted else (False, "ALL"))
    assert str(verdict.reply or "") == ("" if accepted else "550 #5.1.0 Address rejected.")


def test_the_first_qualifying_row_decides() -> None:
    rows = [("abuse@example.com", "accept"), ("spam@", "reject"), ("example.com", "accept"), ("user@example.com", "reject")]
    assert judge(rows, Path("abuse", "example.com")).accepted
    refused = judge(rows, Path("spam", "example.com"))
    assert (refused.accepted, refused.entry) == (False, "spam@")
    assert refused.reason == "spam@example.com is in spam@ of the recipient table: reject"
    assert judge(rows, OURS).reason == "user@example.com is in example.com of the recipient table: accept"


def test_what_no_row_names_is_refused() -> None:
    assert judge([], OURS).reason == "no row of the recipient table names user@example.com: ALL, reject"


@pytest.mark.parametrize("local", ["a%other.example", "other.example!a", '"a@other.example"', "@hop.example:a", "a@b"])
def test_a_local_part_is_never_a_route(local: str) -> None:
    rows = [("example.com", "accept")]
    assert judge(rows, Path(local, "example.com")).forward_path == Path(local, "example.com")
    assert not judge(rows, Path(local, "other.example")).accepted
    assert not judge(rows, Path("a%example.com", "other.example")).accepted
    assert not judge(rows, Path('"a@example.com"', "other.example")).accepted


def test_relay_and_private_listeners_take_everybody() -> None:
    anywhere = Path("user", "anywhere.example")
    assert judge([], anywhere, RELAY).reason == "policy RELAY relays for every recipient"
    assert judge([], anywhere, type="private").reason == "a private listener takes every recipient"


# --- without a domain --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("local", ["postmaster", "PostMaster", '"postmaster"'])
def test_bare_postmaster_is_always_taken(local: str) -> None:
    verdict = judge([], Path(local, ""))
    assert (verdict.accepted, verdict.forward_path) == (True, Path("postmaster", "mx1.example.com"))
    assert verdict.reason == "postmaster without a domain is postmaster@mx1.example.com (RFC 5321 4.5.1)"
    gateway = Gateway(hostname="mx1.example.com", postmaster="it@Example.com")
    assert judge([], Path(local, ""), gateway=gateway).forward_path == Path("it", "example.com")


def test_the_default_domain_completes_the_others() -> None:
    rows = [("example.com", "accept")]
    assert judge(rows, Path("user", ""), default_domain="Example.com").forward_path == OURS
    assert not judge(rows, Path("user", ""), default_domain="other.example").accepted
    refused = judge(rows, Path("user", ""))
    assert (refused.accepted, refused.reason) == (False, "user has no domain, and the listener has no default domain")
    assert not judge(rows, Path("user", ""), RELAY).accepted


def test_a_sender_is_completed_and_the_null_path_is_not() -> None:
    table = RecipientTable.build(Listener(default_domain="example.com"), GATEWAY)
    assert table.complete(Path("user", "")) == OURS
    assert table.complete(OURS) == OURS
    assert table.complete(Path("", "")).is_null


# --- against a reader who goes row by row ------------------------------------------------------------------------------

LOCAL = st.sampled_from(["a", "b", "postmaster"])
DOMAIN = st.sampled_from(["example.com", "x.example.com", "y.x.example.com", "other.example", "[192.0.2.1]"])
ENTRY = st.one_of(
    DOMAIN,
    DOMAIN.filter(lambda domain: domain[0] != "[").map(lambda domain: f".{domain}"),
    LOCAL.map(lambda local: f"{local}@"),
    st.builds("{}@{}".format, LOCAL, DOMAIN),
    st.just("ALL"),
)


def names(entry: str, path: Path) -> bool:
    pattern = parse_recipient(entry)
    domain = path.domain.endswith(f".{pattern.domain}") if pattern.below else path.domain == pattern.domain
    return pattern.local in ("", path.local_part) and (not pattern.domain or domain)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(ENTRY, st.sampled_from(["accept", "reject"])), max_size=8), st.builds(Path, LOCAL, DOMAIN))
def test_the_compiled_table_agrees_with_reading_row_by_row(rows: list[tuple[str, str]], path: Path) -> None:
    expected = next((row for row in rows if names(row[0], path)), ("ALL", "reject"))
    verdict = judge(rows, path)
    assert (verdict.entry, verdict.accepted) == (expected[0], expected[1] == "accept")
