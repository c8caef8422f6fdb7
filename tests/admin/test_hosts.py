"""Facts about a connecting host, asked of a real DNS server as a session asks them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from gatepost.admin.operations.explain_in import Question, explained
from gatepost.admin.operations.hosts import addresses_of, facts, read_address, read_name
from gatepost.admin.operations.stores import Loaded
from gatepost.config.model import Config, Gateway, Listener, SenderGroup
from gatepost.errors import GatepostError
from gatepost.policy.access import HostAccessTable
from tests.support.dns_server import DnsServer


@contextmanager
def _dns() -> Iterator[str]:
    """Serve a small zone in a thread of its own; the address to ask."""
    address: list[str] = []
    ready = threading.Event()
    ends: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def serve() -> None:
        async with DnsServer() as dns:
            dns.add_reverse("192.0.2.1", "mx.partner.example.")
            dns.add("mx.partner.example", "A", "192.0.2.1")
            dns.add_reverse("192.0.2.2", "liar.example.")
            dns.add("liar.example", "A", "192.0.2.99")
            dns.fail("3.2.0.192.in-addr.arpa", "SERVFAIL")
            dns.add("5.2.0.192.bl.example", "A", "127.0.0.2")
            dns.add("relays.partner.example", "A", "192.0.2.1", "192.0.2.4", "192.0.2.7")
            dns.fail("broken.example", "SERVFAIL")
            address.append(dns.address)
            stop = asyncio.Event()
            ends.append((asyncio.get_running_loop(), stop))
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert ready.wait(10)
    try:
        yield address[0]
    finally:
        loop, stop = ends[0]
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)


@pytest.mark.parametrize(
    ("address", "reason", "origin"),
    [
        ("192.0.2.1", "has the verified name mx.partner.example", "was looked up and leads back to 192.0.2.1."),
        ("192.0.2.2", "has a reverse name that does not lead back", "liar.example does not lead back to 192.0.2.2"),
        ("192.0.2.3", "has a reverse name that could not be looked up", "could not be looked up"),
        ("192.0.2.4", "has no reverse name", "has no reverse name"),
        ("192.0.2.5", "192.0.2.5 is listed by bl.example", "has no reverse name"),
    ],
)
def test_names_and_lists_are_looked_up_for_a_table_that_asks(address: str, reason: str, origin: str) -> None:
    groups = [
        SenderGroup(name="LISTED", senders=["dnslist[bl.example]"], policy="REJECT"),
        SenderGroup(name="NAMED", senders=[".partner.example"], policy="ACCEPT"),
        SenderGroup(name="UNNAMED", senders=["nx.domain", "serv.fail", "not.double.verified"], policy="REJECT"),
    ]
    listener = Listener(sender_groups=groups)
    table = HostAccessTable.build(listener)
    with _dns() as server:
        config = Config(gateway=Gateway(dns_servers=[server]))
        known = facts(config, listener, table, address, "")
    assert origin in known.origin
    assert reason in table.match(known.host, known.listed).reason


def test_a_table_without_names_asks_nothing() -> None:
    listener = Listener(sender_groups=[SenderGroup(name="G", senders=["192.0.2.0/24"], policy="REJECT")])
    known = facts(
        Config(gateway=Gateway(dns_servers=["127.0.0.1:1"])), listener, HostAccessTable.build(listener), "192.0.2.1", ""
    )
    assert "was not looked up" in known.origin


def test_addresses_and_names_have_one_form() -> None:
    assert read_address("[IPv6:2001:DB8::0:1]") == "2001:db8::1"
    assert read_address("::ffff:192.0.2.1") == "192.0.2.1"
    assert read_name("MX.Example.COM.") == "mx.example.com"
    with pytest.raises(GatepostError, match="is not an IP address"):
        read_address("example.com")


def test_a_host_name_is_resolved() -> None:
    with _dns() as server:
        config = Config(gateway=Gateway(dns_servers=[server]))
        assert addresses_of(config, "Mx.Partner.Example.") == ("192.0.2.1",)
        assert addresses_of(config, "[192.0.2.9]") == ("192.0.2.9",)
        for name, told in (
            ("gone.example", r"gone\.example has no address to explain: DNS Hard Error .* NXDomain"),
            ("broken.example", r"broken\.example has no address to explain: DNS Soft Error"),
            ("192.0.2", "'192.0.2' is neither an IP address nor the name of a host"),
            ("a b", "is not a domain name|white space"),
        ):
            with pytest.raises(GatepostError, match=told):
                addresses_of(config, name)


def test_a_name_with_several_addresses_is_told_where_they_differ() -> None:
    groups = [
        SenderGroup(name="NAMED", senders=[".partner.example"], policy="ACCEPT"),
        SenderGroup(name="ONE", senders=["192.0.2.4"], policy="REJECT"),
    ]
    with _dns() as server:
        config = Config(
            gateway=Gateway(dns_servers=[server]), listeners={"InboundMail": Listener(port=2525, sender_groups=groups)}
        )
        told = explained(Loaded(config=config, label="revision 1"), Question(host="relays.partner.example"))
        alone = explained(Loaded(config=config, label="revision 1"), Question(host="192.0.2.7"))
    addresses = {"192.0.2.1": ("NAMED", ".partner.example"), "192.0.2.4": ("ONE", "192.0.2.4"), "192.0.2.7": ("", "ALL")}
    assert (told.group, told.entry) == addresses[told.address]
    assert told.policy in ("ACCEPT", "REJECT")
    others = told.sections[0].sentences[2:]
    assert len(others) == 2
    for address in set(addresses) - {told.address}:
        sentence = next(one for one in others if one.startswith(f"Its address {address} gets something else: {address}"))
        assert addresses[address][1] in sentence
    assert (alone.group, alone.entry) == ("", "ALL")
    assert len(alone.sections[0].sentences) == 2
