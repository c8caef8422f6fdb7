"""The Host Access Table over the wire: who gets which row, by address, name, DNS list and verification, and what it does."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.client import Client, session
from tests.support.dns_server import DnsServer, dns_thread
from tests.support.documents import relay
from tests.support.gateway import Gateway, gateway
from tests.support.judge import Sink
from tests.support.process import free_port, wait_for

OTHERS = """
[listeners.V6]
address = "::1"
port = {v6}
sender_groups = [
    {{ name = "REFUSED6", senders = ["2001:db8::/32", "::2-::9"], policy = "REJECT" }},
    {{ name = "LOOP6", senders = ["0:0:0:0::/64"], policy = "RELAY" }},
]

[listeners.OutboundMail]
type = "private"
address = "127.0.0.1"
port = {private}
sender_groups = [{{ name = "RELAYLIST", senders = ["127.2.8.1"], policy = "RELAY" }}]
"""
GROUPS = {
    "REFUSED": ('"127.2.1.1"', "TCPREFUSE"),
    "REJECTED": ('"127.2.1.2-5"', "REJECT"),
    "PASSED": ('"127.2.2.0/24", "mx.partner.example"', "CONTINUE"),
    "SECOND": ('"127.2.2.128/25"', "REJECT"),
    "RELAYS": ('"127.2.2.7"', "RELAY"),
    "NETWORK": ('"127.2.2"', "ACCEPT"),
    "HIDDEN": ('"127.2.2.9"', "REJECT"),
    "NAMED": ('"mx.partner.example"', "ACCEPT"),
    "BELOW": ('".relay.example"', "RELAY"),
    "LISTED": ('"dnslist[bl.example]"', "REJECT"),
    "LIAR": ('"not.double.verified"', "THIN1"),
    "BROKEN": ('"serv.fail"', "THIN2"),
    "NOBODY": ('"nx.domain"', "THIN3"),
}
POLICIES = "".join(f"[listeners.InboundMail.policies.THIN{n}]\nmax_message_size = {n}000\n" for n in (1, 2, 3))


@dataclass
class Served:
    gateway: Gateway
    public: int
    private: int
    v6: int
    dns: DnsServer
    sink: Sink


def names(dns: DnsServer) -> None:
    """Give the connecting addresses their names."""
    for address, name in {
        "127.2.4.1": "mx.partner.example.",
        "127.2.4.2": "a.b.relay.example.",
        "127.2.4.3": "relay.example.",
        "127.2.4.4": "fine.example.",
        "127.2.1.5": "mx.partner.example.",
    }.items():
        dns.add_reverse(address, name)
    dns.add("mx.partner.example", "A", "127.2.4.1", "127.2.1.5")
    dns.add("a.b.relay.example", "A", "127.2.4.2")
    dns.add("relay.example", "A", "127.2.4.3")
    dns.add("fine.example", "A", "127.2.4.4")
    dns.add_reverse("127.2.5.1", "mx.partner.example.")  # which does not lead back
    dns.add_reverse("127.2.5.2", "gone.example.")  # which does not exist
    dns.fail("3.5.2.127.in-addr.arpa", "SERVFAIL")
    for address in ("1.6.2.127", "1.4.2.127", "1.2.2.127"):
        dns.add(f"{address}.bl.example", "A", "127.0.0.2")
    dns.add_reverse("127.2.6.1", "spam.example.")
    dns.add("spam.example", "A", "127.2.6.1")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    public, private, v6 = free_port(), free_port(), free_port("127.0.0.1")
    groups = POLICIES + "".join(
        f'[[listeners.InboundMail.sender_groups]]\nname = "{name}"\nsenders = [{senders}]\npolicy = "{policy}"\n'
        for name, (senders, policy) in GROUPS.items()
    )
    with dns_thread() as dns, Sink() as sink, gateway(tmp_path_factory.mktemp("hat"), start=False) as one:
        names(dns)
        document = relay(public, sink.port, gateway=f'dns_servers = ["{dns.address}"]')
        one.configure(document + groups + OTHERS.format(private=private, v6=v6))
        one.start()
        yield Served(one, public, private, v6, dns, sink)
        assert "Internal error" not in one.log()


def row(served: Served, source: str) -> str:
    """Return what the log says of a connection that came from `source`: its row of the table."""
    icid = served.gateway.wait_log(f" address {source} ").split(" ICID ")[1].split()[0]
    return served.gateway.wait_log(f" Info: ICID {icid} ").split(f" Info: ICID {icid} ")[1].removesuffix(" SBRS None")


def host(served: Served, source: str) -> str:
    return served.gateway.wait_log(f" address {source} ").split(" reverse dns host ")[1]


def record(served: Served, source: str) -> dict[str, Any]:
    one = served.gateway
    return wait_for(lambda: one.json("track", "tls", "--peer", source), "the record")[0]  # type: ignore[no-any-return]


def arrived(served: Served, number: int) -> bytes:
    return wait_for(lambda: served.sink.bodies.get(number, b""), "it arrives")


ROWS = {
    "127.2.2.200": ("REJECT SG SECOND match 127.2.2.128/25", "CONTINUE is passed over"),
    "127.2.2.1": ("ACCEPT SG NETWORK match 127.2.2", "a partial address, and no DNS list above it decides"),
    "127.2.2.7": ("RELAY SG RELAYS match 127.2.2.7", "the narrow row stands above"),
    "127.2.2.9": ("ACCEPT SG NETWORK match 127.2.2", "and below it is hidden"),
    "127.2.4.1": ("ACCEPT SG NAMED match mx.partner.example", "a verified name; a DNS list below does not matter"),
    "127.2.4.2": ("RELAY SG BELOW match .relay.example", "any depth below"),
    "127.2.4.3": ("ACCEPT SG None match ALL", "the domain itself is not below it"),
    "127.2.4.4": ("ACCEPT SG None match ALL", "nobody speaks of it"),
    "127.2.1.5": ("REJECT SG REJECTED match 127.2.1.2-5", "the address above the name"),
    "127.2.1.6": ("ACCEPT SG NOBODY match nx.domain", "just outside the range"),
    "127.2.6.1": ("REJECT SG LISTED match dnslist[bl.example]", "listed"),
    "127.2.5.1": ("ACCEPT SG LIAR match not.double.verified", "its name is somebody else's"),
    "127.2.5.2": ("ACCEPT SG LIAR match not.double.verified", "its name does not exist"),
    "127.2.5.3": ("ACCEPT SG BROKEN match serv.fail", "nobody could say"),
    "127.2.5.4": ("ACCEPT SG NOBODY match nx.domain", "it has none"),
}
SIZES = {"LIAR": 1000, "BROKEN": 2000, "NOBODY": 3000}


@pytest.mark.parametrize("source", ROWS)
def test_row(served: Served, source: str) -> None:
    expected, why = ROWS[source]
    with Client(served.public, source) as client:
        if expected.startswith("REJECT"):
            assert client.banner.startswith("554-mx1.example.com\n554 #5.7.1 "), why
            assert client.is_closed
        else:
            assert client.banner == "220 mx1.example.com ESMTP"
            group = expected.split()[2]
            assert f"SIZE {SIZES.get(group, 104857600)}\n" in client.say("EHLO client.example")
            elsewhere = "250" if expected.startswith("RELAY") else "550"
            client.say("MAIL FROM:<a@client.example>")
            assert client.say("RCPT TO:<x@elsewhere.example>").startswith(elsewhere), "a relay may name any recipient"
    assert row(served, source) == expected, why


def test_names_in_the_log(served: Served) -> None:
    for source, told in {
        "127.2.7.1": "unknown verified no",
        "127.2.7.2": "one.example verified yes",
        "127.2.7.3": "mx.partner.example verified no",
    }.items():
        if "one.example" in told:
            served.dns.add_reverse(source, "One.Example.")
            served.dns.add("one.example", "A", source)
        elif "partner" in told:
            served.dns.add_reverse(source, "mx.partner.example.")
        with Client(served.public, source) as client:
            assert client.banner.startswith("220")
        assert host(served, source) == told


def test_only_a_verified_name_is_written_down(served: Served) -> None:
    served.dns.add_reverse("127.2.7.4", "two.example.")
    served.dns.add("two.example", "A", "127.2.7.4")
    served.dns.add_reverse("127.2.7.5", "two.example.")
    for number, source in enumerate(("127.2.7.4", "127.2.7.5")):
        with session(served.public, source=source) as client:
            assert client.message(b"X-Test-Id: %d\r\n\r\nbody\r\n" % number).startswith("250")
        name = b"unknown" if number else b"two.example"
        assert arrived(served, number).startswith(b"Received: from client.example (%s [%s])" % (name, source.encode()))
        assert record(served, source).get("peer_name", "") == ("" if number else "two.example")


def test_tcprefuse_is_a_reset_without_a_word(served: Served) -> None:
    def knock() -> bytes:
        with Client(served.public, "127.2.1.1", greeted=False) as client:
            return client.socket.recv(1)

    with pytest.raises(ConnectionResetError):  # in connect already, if it is quick
        knock()
    served.gateway.wait_log("ICID 0 TCPREFUSE SG REFUSED match 127.2.1.1 SBRS None")
    assert "address 127.2.1.1 " not in served.gateway.log(), "one line, and no number is spent on it"


def test_what_a_rejected_host_says_is_not_heard(served: Served) -> None:
    with Client(served.public, "127.2.1.3", greeted=False) as client:
        client.send(b"EHLO x\r\nMAIL FROM:<a@b.example>\r\n")
        answer = client.rest()
    assert answer.startswith("554-mx1.example.com\r\n554 #5.7.1 ")
    assert answer.count("\r\n") == 2
    assert "REJECTED" not in answer, "a table is not told to those it keeps out"


def test_dns_lists_are_asked_only_where_they_decide(served: Served) -> None:
    with contextlib.ExitStack() as stack:
        for source in ("127.2.2.20", "127.2.2.21"):
            assert stack.enter_context(Client(served.public, source)).banner.startswith("220")
    asked = {name for name, _ in served.dns.asked}
    assert not {"20.2.2.127.bl.example.", "21.2.2.127.bl.example."} & asked
    with Client(served.public, "127.2.6.20") as client:
        assert client.banner.startswith("220")
    assert "20.6.2.127.bl.example." in {name for name, _ in served.dns.asked}


def test_a_private_listener_takes_its_own_hosts_only(served: Served) -> None:
    with session(served.private, source="127.2.8.1") as client:
        client.say("MAIL FROM:<a@client.example>")
        assert client.say("RCPT TO:<x@anywhere.example>").startswith("250"), "it has no recipient table"
    with Client(served.private, "127.2.8.2") as client:
        assert client.banner.startswith(
            "554-mx1.example.com\n554 #5.7.1 This server takes no mail from hosts it does not know"
        )
        assert client.is_closed
    assert row(served, "127.2.8.1") == "RELAY SG RELAYLIST match 127.2.8.1"
    assert row(served, "127.2.8.2") == "REJECT SG None match ALL"


def test_addresses_of_the_other_family(served: Served) -> None:
    with Client(served.v6, "::1", address="::1") as client:
        client.ehlo()
        client.say("MAIL FROM:<a@client.example>")
        assert client.say("RCPT TO:<x@anywhere.example>").startswith("250")
        client.say("DATA")
        assert client.say("X-Test-Id: 6\r\n\r\nsix\r\n.").startswith("250")
    assert row(served, "::1") == "RELAY SG LOOP6 match 0:0:0:0::/64"
    assert arrived(served, 6).startswith(b"Received: from client.example (unknown [IPv6:::1])")
