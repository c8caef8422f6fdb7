"""The little languages: tables of what is read as what, and of sentences for what is refused."""

from __future__ import annotations

import ipaddress
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.config import entries
from gatepost.config.entries import (
    AddressPattern,
    DnsList,
    DomainKey,
    Endpoint,
    HostName,
    HostsBelow,
    HostStatus,
    RouteHost,
    Special,
    parse_address,
    parse_destination,
    parse_domain,
    parse_endpoint,
    parse_key,
    parse_list_entry,
    parse_network,
    parse_recipient,
    parse_route,
    parse_sender,
)
from tests.config.documents import patient


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("0.0.0.0", "0.0.0.0"),
        ("192.0.2.", "192.0.2.0/24"),
        ("192.0.2", "192.0.2.0/24"),
        ("10.1.", "10.1.0.0/16"),
        ("10.1", "10.1.0.0/16"),
        ("10.", "10.0.0.0/8"),
        ("10", "10.0.0.0/8"),
        ("10.1.2.3-9", "10.1.2.3-10.1.2.9"),
        ("10.1.2.3-3", "10.1.2.3"),
        ("10.1.2-3.", "10.1.2.0/23"),
        ("10.1.2-3", "10.1.2.0/23"),
        ("10.1-2.", "10.1.0.0-10.2.255.255"),
        ("10.1-2", "10.1.0.0-10.2.255.255"),
        ("10-11.", "10.0.0.0/7"),
        ("10-11", "10.0.0.0/7"),
        ("10.1.2.0/24", "10.1.2.0/24"),
        ("10.1.2/24", "10.1.2.0/24"),
        ("10.1/16", "10.1.0.0/16"),
        ("10/8", "10.0.0.0/8"),
        ("0/0", "0.0.0.0/0"),
        ("10.1.2.3/32", "10.1.2.3"),
        ("2001:db8:0:0:0:0:0:1", "2001:db8::1"),
        ("2001:0db8::0001", "2001:db8::1"),
        ("::", "::"),
        ("2001:db8::1-2001:db8::9", "2001:db8::1-2001:db8::9"),
        ("2001:db8::/32", "2001:db8::/32"),
        ("::/0", "::/0"),
    ],
)
def test_every_form_of_address_is_one_range(text: str, network: str) -> None:
    assert str(parse_network(text)) == network
    assert parse_sender(text) == parse_network(text)


@pytest.mark.parametrize(
    ("text", "sender"),
    [
        ("MX.Partner.example", HostName("mx.partner.example")),
        ("localhost", HostName("localhost")),
        ("_spf.a-b.xn--bcher-kva.example", HostName("_spf.a-b.xn--bcher-kva.example")),
        ("1and1.example", HostName("1and1.example")),
        (".Partner.example", HostsBelow("partner.example")),
        (".com", HostsBelow("com")),
        ("dnslist[zone.example.org]", DnsList("zone.example.org")),
        ("DNSLIST[zone.example.org]", DnsList("zone.example.org")),
        ("nx.domain", HostStatus("nx.domain")),
        ("SERV.FAIL", HostStatus("serv.fail")),
        ("not.double.verified", HostStatus("not.double.verified")),
    ],
)
def test_members_that_are_no_address(text: str, sender: entries.Sender) -> None:
    assert parse_sender(text) == sender


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "empty"),
        ("ALL", "set all_hosts"),
        ("all", "set all_hosts"),
        ("SBRS[-10.0:-2.0]", "is not supported"),
        ("sbrs[none]", "is not supported"),
        ("SBO:1234", "is not supported"),
        ("country[de]", "is not supported"),
        ("Somalia", "countries are not supported"),
        ("dnslist(zone.example)", "write dnslist["),
        ("dnslist[]", "write dnslist["),
        ("dnslist[zone]", "not a full domain name"),
        ("nxdomain", "write nx.domain"),
        ("not-double-verified", "write not.double.verified"),
        ("*.example.com", "write .example.com"),
        ("user@example.com", "is a mail address"),
        ("mx.example.com.", "ends in a dot"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("\u0000ü..example", "xn--..."),
        ("a b.example", "white space"),
        ("a..example", "two dots"),
        ("-a.example", "letters, digits"),
        ("mx.example.1", "its last part is a number"),
        (f"{'a' * 64}.example", "longer than 63"),
        (".".join(["abcdefgh"] * 30), "at most 253"),
        ("10.1.2.256", "more than 255"),
        ("010.1.2.3", "leading zero"),
        ("10.1.2.3.", "is not an IPv4 address"),
        ("10.1.2.3.4", "is not an IPv4 address"),
        ("10.1.2.3-10.1.2.9", "10.1.2.3-9"),
        ("10.1.2.9-3", "is an empty range"),
        ("10.1.2-3./24", "is not an IPv4 address"),
        ("10.1./16", "is not an IPv4 address"),
        ("10.1.2.3/16", "write 10.1.0.0/16"),
        ("10.1.2.0/33", "at most 32 bits"),
        ("...", "is not an IPv4 address"),
        ("2001:db8::g", "is not an IPv6 address"),
        ("2001:db8::/129", "at most 128 bits"),
        ("2001:db8::1/32", "write 2001:db8::/32"),
        ("2001:db8::/x", "is not an IPv6 network"),
        ("2001:db8::9-2001:db8::1", "is an empty range"),
        ("fe80::1%eth0", "names an interface"),
        ("::ffff:192.0.2.1", "write 192.0.2.1"),
    ],
)
def test_members_that_are_refused_say_why(text: str, sentence: str) -> None:
    with pytest.raises(ValueError) as refusal:
        parse_sender(text)
    assert sentence in str(refusal.value)


@patient
@given(st.ip_addresses())
def test_every_address_is_itself(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    mapped = address.version == 6 and address.ipv4_mapped
    if mapped or getattr(address, "scope_id", None):
        return
    network = parse_address(str(address))
    assert (network.first, network.last, network.version) == (int(address), int(address), address.version)


@patient
@given(st.integers(0, 2**32 - 1), st.integers(0, 32))
def test_networks_agree_with_ipaddress(value: int, prefix: int) -> None:
    expected = ipaddress.ip_network((value, prefix), strict=False)
    network = parse_network(str(expected))
    assert network.first == int(expected.network_address)
    assert network.last == int(expected.broadcast_address)


@patient
@given(st.text(max_size=30))
def test_any_text_is_read_or_refused_with_a_sentence(text: str) -> None:
    for parse in (parse_sender, parse_recipient, parse_list_entry, parse_destination, parse_endpoint, parse_network):
        try:
            parse(text)
        except ValueError as refusal:
            assert str(refusal)  # noqa: PT017 - nothing else may be raised, and most texts are refused


@patient
@given(st.from_regex(r"[0-9a-f.:/\[\]-]{0,20}", fullmatch=True))
def test_nearly_addresses_raise_nothing_else(text: str) -> None:
    test_any_text_is_read_or_refused_with_a_sentence.hypothesis.inner_test(text)


def test_a_hundred_thousand_members_are_read_in_two_seconds() -> None:
    members = [f"10.{i >> 16 & 255}.{i >> 8 & 255}.{i & 255}" for i in range(90_000)]
    members += [f"h{i}.relay.example.com" for i in range(10_000)]
    start = time.process_time()
    for member in members:
        parse_sender(member)
    assert time.process_time() - start < 2


def test_only_a_full_address_is_an_address() -> None:
    assert str(parse_address("192.0.2.7")) == "192.0.2.7"
    for text in ("192.0.2", "192.0.2.0/24", "192.0.2.7/32", "192.0.2.7-7", "192.0.2.7-9", "::/128", "", "mx.example"):
        with pytest.raises(ValueError):
            parse_address(text)


@pytest.mark.parametrize(
    ("match", "entry", "pattern"),
    [
        ("Bob@Example.com", "Bob@Example.com", AddressPattern("bob", "example.com")),
        ("example.com", "@example.com", AddressPattern("", "example.com")),
        (".example.com", "@.example.com", AddressPattern("", "example.com", True)),
        ("postmaster@", "postmaster@", AddressPattern("postmaster")),
        ("[192.0.2.1]", "@[192.0.2.1]", AddressPattern("", "[192.0.2.1]")),
        ("[ipv6:2001:0db8::1]", "@[IPv6:2001:db8:0::1]", AddressPattern("", "[IPv6:2001:db8::1]")),
        ("bob@[192.0.2.1]", "bob@[192.0.2.1]", AddressPattern("bob", "[192.0.2.1]")),
        ('"a b"@example.com', '"a b"@example.com', AddressPattern('"a b"', "example.com")),
        ("jürgen@example.com", "jürgen@example.com", AddressPattern("jürgen", "example.com")),
        ("ALL", None, AddressPattern()),
    ],
)
def test_recipients_and_list_entries_are_one_language_in_two_spellings(
    match: str, entry: str | None, pattern: AddressPattern
) -> None:
    assert parse_recipient(match) == pattern
    if entry is not None:
        assert parse_list_entry(entry) == pattern


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("all", "write ALL"),
        ("@example.com", "write example.com for a domain"),
        ("*.example.com", "write .example.com"),
        ("bob@.example.com", "mixes a mailbox"),
        ("b ob@example.com", "not a local part"),
        ("a..b@", "not a local part"),
        ("[192.0.2]", "not an address literal"),
        ("[2001:db8::1]", "not an address literal"),
        ("[192.0.2.1", "not an address literal"),
    ],
)
def test_refused_recipients(text: str, sentence: str) -> None:
    with pytest.raises(ValueError) as refusal:
        parse_recipient(text)
    assert sentence in str(refusal.value)


@pytest.mark.parametrize(("text", "sentence"), [("Example.com", "write @example.com"), ("@", "names no address")])
def test_refused_list_entries(text: str, sentence: str) -> None:
    with pytest.raises(ValueError) as refusal:
        parse_list_entry(text)
    assert sentence in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "destination"),
    [
        ("Inside.example.com", RouteHost("inside.example.com", False)),
        ("inside", RouteHost("inside", False)),
        ("inside:2525", RouteHost("inside", False, 2525)),
        ("10.0.0.6:2525/pri=10", RouteHost("10.0.0.6", True, 2525, 10)),
        ("10.0.0.6/PRI=0", RouteHost("10.0.0.6", True)),
        ("2001:db8::5", RouteHost("2001:db8::5", True)),
        ("[2001:db8::5]", RouteHost("2001:db8::5", True)),
        ("[2001:db8::5]:26/pri=65535", RouteHost("2001:db8::5", True, 26, 65535)),
        ("/dev/null", Special.DISCARD),
        ("UseDNS", Special.USE_DNS),
    ],
)
def test_route_destinations(text: str, destination: RouteHost | Special) -> None:
    assert parse_destination(text) == destination
    assert parse_route([text]) == (destination if isinstance(destination, Special) else (destination,))


@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        ([], "needs a destination"),
        (["a", "USEDNS"], "stands alone"),
        (["/dev/null", "a"], "stands alone"),
        (["a/pri=x"], "write /pri=N"),
        (["a/pri=65536"], "write /pri=N"),
        (["a/mx=1"], "write /pri=N"),
        (["a:0"], "1 to 65535"),
        (["a:99999"], "1 to 65535"),
        (["a:"], "1 to 65535"),
        (["bob@example.com"], "leads to a host"),
        (["10.0.0"], "not an IP address"),
        (["10.0.0.256"], "more than 255"),
        ([""], "is not a host"),
        (["[]:25"], "is not a host"),
        (["[::1"], "is not a host"),
    ],
)
def test_refused_routes(texts: list[str], sentence: str) -> None:
    with pytest.raises(ValueError) as refusal:
        parse_route(texts)
    assert sentence in str(refusal.value)


def test_endpoints() -> None:
    assert parse_endpoint("127.0.0.1", 53) == Endpoint("127.0.0.1", 53)
    assert parse_endpoint("127.0.0.1:5353", 53) == Endpoint("127.0.0.1", 5353)
    assert parse_endpoint("[::1]:9090") == Endpoint("::1", 9090)
    assert parse_endpoint("::1", 53) == Endpoint("::1", 53)
    with pytest.raises(ValueError, match="lacks a port"):
        parse_endpoint("127.0.0.1")
    with pytest.raises(ValueError, match="not an IP address"):
        parse_endpoint("localhost:9090")


def test_keys_of_routes_and_destinations() -> None:
    assert parse_key("example.com", allow_all=False) == DomainKey("example.com")
    assert parse_key(".example.com", allow_all=False) == DomainKey("example.com", True)
    assert parse_key("ALL", allow_all=True) == DomainKey("")
    for text, sentence in [
        ("ALL", "set default_destination"),
        ("Example.com", "write example.com"),
        ("bob@example.com", "write its domain, example.com"),
        ("*.example.com", "write .example.com"),
    ]:
        with pytest.raises(ValueError) as refusal:
            parse_key(text, allow_all=False)
        assert sentence in str(refusal.value)


def test_a_domain_may_have_one_label_where_it_is_a_key() -> None:
    assert parse_domain("inside", dotted=False) == "inside"
