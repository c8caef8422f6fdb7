"""Next hops by route and by MX, and what it means when there are none (RFC 5321 5.1; faults.md 5.7)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gatepost.net.dns import Resolver
from gatepost.outbound.ours import Ours, is_local
from gatepost.outbound.router import MAX_ADDRESSES, NextHop, Router, Unroutable, literal_address
from gatepost.policy.destination import Route, RouteTable
from tests.support.dns_server import DnsServer

NOBODY = Ours(hostname="gate.example", listeners=())
NO_ROUTE = RouteTable({}).find("example.com")


@pytest.fixture
async def dns() -> AsyncIterator[DnsServer]:
    async with DnsServer() as server:
        yield server


@pytest.fixture
def router(dns: DnsServer) -> Router:
    resolver = Resolver([dns.address], patience=1.0)
    return Router(lambda: resolver)


def route(*destinations: str) -> Route:
    return RouteTable({"example.com": list(destinations)}).find("example.com")


def shown(hops: tuple[NextHop, ...]) -> list[str]:
    return [f"{hop.host} {hop.address}:{hop.port}" for hop in hops]


async def cost_of(router: Router, domain: str, route: Route = NO_ROUTE, ours: Ours = NOBODY) -> tuple[str, str]:
    with pytest.raises(Unroutable) as caught:
        await router.next_hops(domain, route, ours)
    return caught.value.cost.action, caught.value.cost.status


# --- by MX -----------------------------------------------------------------------------------------------------------


async def test_mx_hosts_come_by_preference_with_all_their_addresses(dns: DnsServer, router: Router) -> None:
    dns.add("example.com", "MX", "20 b.example.com.", "10 a.example.com.")
    dns.add("a.example.com", "A", "192.0.2.1", "192.0.2.2")
    dns.add("a.example.com", "AAAA", "2001:db8::1")
    dns.add("b.example.com", "A", "192.0.2.3")
    hops = await router.next_hops("example.com", NO_ROUTE, NOBODY)
    assert shown(hops)[0] == "a.example.com 2001:db8::1:25"
    assert set(shown(hops)[1:3]) == {"a.example.com 192.0.2.1:25", "a.example.com 192.0.2.2:25"}
    assert shown(hops)[3:] == ["b.example.com 192.0.2.3:25"]
    assert not any(hop.from_route or hop.secure for hop in hops)


async def test_hosts_of_equal_preference_take_turns_and_their_addresses_stay_together(
    dns: DnsServer, router: Router
) -> None:
    dns.add("example.com", "MX", "10 a.example.com.", "10 b.example.com.")
    for host, net in (("a", "198.51.100"), ("b", "203.0.113")):
        dns.add(f"{host}.example.com", "A", f"{net}.1", f"{net}.2")
    orders = set()
    for _ in range(40):
        hosts = [hop.host for hop in await router.next_hops("example.com", NO_ROUTE, NOBODY)]
        assert hosts[0] == hosts[1] != hosts[2] == hosts[3]
        orders.add(hosts[0])
    assert orders == {"a.example.com", "b.example.com"}


async def test_a_domain_without_mx_is_its_own_host(dns: DnsServer, router: Router) -> None:
    dns.add("example.com", "AAAA", "2001:db8::1")
    assert shown(await router.next_hops("example.com", NO_ROUTE, NOBODY)) == ["example.com 2001:db8::1:25"]


async def test_a_validated_answer_makes_a_secure_hop(dns: DnsServer, router: Router) -> None:
    dns.add("example.com", "MX", "10 a.example.com.")
    dns.add("a.example.com", "A", "192.0.2.1")
    dns.secure |= {"example.com.", "a.example.com."}
    assert [hop.secure for hop in await router.next_hops("example.com", NO_ROUTE, NOBODY)] == [True]


async def test_many_hosts_are_cut(dns: DnsServer, router: Router) -> None:
    dns.add("example.com", "MX", *(f"{n} mx{n}.example.com." for n in range(500)))
    for number in range(100):
        dns.add(f"mx{number}.example.com", "A", f"192.0.2.{number}")
    assert len(await router.next_hops("example.com", NO_ROUTE, NOBODY)) == MAX_ADDRESSES


@pytest.mark.parametrize(
    ("records", "cost"),
    [
        ({}, ("bounce", "5.1.2")),
        ({"example.com MX": ["0 ."]}, ("bounce", "5.1.10")),
        ({"example.com TXT": ["hello"]}, ("bounce", "5.4.4")),
        ({"example.com MX": ["10 none.example.com."]}, ("bounce", "5.4.4")),
        ({"example.com MX": ["10 zero.example.com."], "zero.example.com A": ["0.0.0.0"]}, ("bounce", "5.4.4")),
        ({"example.com MX": ["10 broken.example.com."], "broken.example.com A": []}, ("retry", "4.4.3")),
        ({"example.com MX": ["10 gate.example."], "gate.example A": ["192.0.2.1"]}, ("bounce", "5.4.6")),
    ],
    ids=["nxdomain", "null-mx", "no-address", "mx-without-address", "zero-address", "mx-fails", "ourselves"],
)
async def test_no_hop_costs(dns: DnsServer, router: Router, records: dict[str, list[str]], cost: tuple[str, str]) -> None:
    for key, texts in records.items():
        name, kind = key.split()
        if texts:
            dns.add(name, kind, *texts)
        else:
            dns.fail(name, "SERVFAIL")
    assert await cost_of(router, "example.com") == cost


async def test_an_mx_that_cannot_be_asked_defers_and_never_falls_back_to_a(dns: DnsServer, router: Router) -> None:
    dns.add("example.com", "A", "192.0.2.1")
    dns.fail("example.com", "SERVFAIL")
    assert await cost_of(router, "example.com") == ("retry", "4.4.3")
    dns.silent.add("slow.example.")
    assert await cost_of(router, "slow.example") == ("retry", "4.4.3")


async def test_one_host_that_cannot_be_resolved_leaves_the_others(dns: DnsServer, router: Router) -> None:
    dns.add("example.com", "MX", "10 broken.example.com.", "20 b.example.com.")
    dns.fail("broken.example.com", "SERVFAIL")
    dns.add("b.example.com", "A", "192.0.2.3")
    assert shown(await router.next_hops("example.com", NO_ROUTE, NOBODY)) == ["b.example.com 192.0.2.3:25"]


@pytest.mark.parametrize("domain", ["", "a..b", "x" * 70 + ".example", "a\\b.example"])
async def test_what_is_no_domain_bounces(router: Router, domain: str) -> None:
    assert await cost_of(router, domain) == ("bounce", "5.1.2")


# --- address literals ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("domain", "address"),
    [("[192.0.2.1]", "192.0.2.1"), ("[IPv6:2001:DB8::1]", "2001:db8::1"), ("[192.0.2]", ""), ("192.0.2.1", "")],
)
async def test_address_literals(router: Router, domain: str, address: str) -> None:
    assert literal_address(domain) == address
    if address:
        assert shown(await router.next_hops(domain, NO_ROUTE, NOBODY)) == [f"{address} {address}:25"]


async def test_an_address_literal_of_nobody_bounces(router: Router) -> None:
    assert await cost_of(router, "[0.0.0.0]") == ("bounce", "5.4.4")


# --- by route --------------------------------------------------------------------------------------------------------


async def test_a_route_of_addresses_asks_no_dns(dns: DnsServer, router: Router) -> None:
    hops = await router.next_hops("example.com", route("192.0.2.1", "[2001:db8::1]:2525/pri=10"), NOBODY)
    assert shown(hops) == ["192.0.2.1 192.0.2.1:25", "2001:db8::1 2001:db8::1:2525"]
    assert all(hop.from_route for hop in hops)
    assert not dns.asked


async def test_hosts_of_equal_priority_take_turns_by_connection(router: Router) -> None:
    several = route("192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.9/pri=5")
    orders = [[hop.address[-1] for hop in await router.next_hops("example.com", several, NOBODY)] for _ in range(3)]
    assert sorted("".join(order) for order in orders) == ["1239", "2319", "3129"]


async def test_a_name_in_a_route_is_looked_up_as_mx_then_as_a(dns: DnsServer, router: Router) -> None:
    dns.add("inside.example", "MX", "10 mx.inside.example.")
    dns.add("inside.example", "A", "192.0.2.9")
    dns.add("mx.inside.example", "A", "192.0.2.1")
    dns.add("bare.example", "A", "192.0.2.2")
    assert shown(await router.next_hops("example.com", route("inside.example:26"), NOBODY)) == [
        "inside.example 192.0.2.1:26"
    ]
    assert shown(await router.next_hops("example.com", route("bare.example"), NOBODY)) == ["bare.example 192.0.2.2:25"]


@pytest.mark.parametrize("broken", [True, False])
async def test_a_route_that_cannot_be_resolved_waits_and_does_not_fall_back_to_mx(
    dns: DnsServer, router: Router, broken: bool
) -> None:
    dns.add("example.com", "MX", "10 mx.example.com.")
    dns.add("mx.example.com", "A", "192.0.2.1")
    if broken:
        dns.fail("inside.example", "SERVFAIL")
    action, _ = await cost_of(router, "example.com", route("inside.example"))
    assert action == "retry"
    assert ("example.com.", "MX") not in dns.asked


# --- ourselves -------------------------------------------------------------------------------------------------------


async def test_only_hosts_better_than_ourselves_are_tried(dns: DnsServer, router: Router) -> None:
    dns.add("example.com", "MX", "10 a.example.com.", "20 Gate.Example.", "20 b.example.com.", "30 c.example.com.")
    for host, last in (("a", 1), ("b", 2), ("c", 3)):
        dns.add(f"{host}.example.com", "A", f"192.0.2.{last}")
    assert shown(await router.next_hops("example.com", NO_ROUTE, NOBODY)) == ["a.example.com 192.0.2.1:25"]


async def test_a_host_at_the_address_of_our_listener_is_ourselves(dns: DnsServer, router: Router) -> None:
    dns.add("example.com", "MX", "10 a.example.com.", "20 b.example.com.", "30 c.example.com.")
    for host, last in (("a", 1), ("b", 2), ("c", 3)):
        dns.add(f"{host}.example.com", "A", f"192.0.2.{last}")
    ours = Ours(hostname="gate.example", listeners=(("192.0.2.2", 25),))
    assert shown(await router.next_hops("example.com", NO_ROUTE, ours)) == ["a.example.com 192.0.2.1:25"]
    other_port = Ours(hostname="gate.example", listeners=(("192.0.2.2", 2525),))
    assert len(await router.next_hops("example.com", NO_ROUTE, other_port)) == 3


async def test_a_listener_on_all_addresses_is_met_on_every_local_one(dns: DnsServer, router: Router) -> None:
    ours = Ours(hostname="gate.example", listeners=(("0.0.0.0", 25),))
    dns.add("example.com", "MX", "10 mx.example.com.")
    dns.add("mx.example.com", "A", "127.0.0.1")
    assert await cost_of(router, "example.com", ours=ours) == ("bounce", "5.4.6")
    assert is_local("127.0.0.1")
    assert not is_local("192.0.2.1")


async def test_a_route_back_to_ourselves_waits_for_its_administrator(router: Router) -> None:
    ours = Ours(hostname="gate.example", listeners=(("127.0.0.1", 25),))
    assert (await cost_of(router, "example.com", route("127.0.0.1"), ours))[0] == "retry"
    assert shown(await router.next_hops("example.com", route("127.0.0.1", "192.0.2.1"), ours)) == ["192.0.2.1 192.0.2.1:25"]
