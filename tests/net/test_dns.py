"""What the resolver makes of every answer that DNS can give, and of none (faults.md 5.7)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import dns.name
import dns.rdata
import dns.rdtypes.ANY.MX
import dns.rdtypes.ANY.PTR
import dns.reversename
import pytest
from dns.rdatatype import RdataType

from gatepost.net import dns as net_dns
from gatepost.net import dns_query
from gatepost.net.dns import MxHost, NoData, NxDomain, Resolver, ReverseName, TemporaryDnsFailure, to_name
from tests.support.dns_server import DnsServer


@pytest.fixture
async def server() -> AsyncIterator[DnsServer]:
    async with DnsServer() as server:
        yield server


@pytest.fixture
def resolver(server: DnsServer) -> Resolver:
    return Resolver([server.address], patience=1.0)


def odd_name(*labels: bytes) -> dns.name.Name:
    return dns.name.Name((*labels, b""))


async def test_mx_hosts_come_by_preference(server: DnsServer, resolver: Resolver) -> None:
    server.add("example.com", "MX", "20 b.example.com.", "10 A.example.com.")
    answer = await resolver.mx("Example.com")
    assert answer.hosts == (MxHost(10, "a.example.com"), MxHost(20, "b.example.com"))
    assert (answer.null, answer.implicit, answer.secure) == (False, False, False)


async def test_null_mx_takes_no_mail(server: DnsServer, resolver: Resolver) -> None:
    server.add("null.example", "MX", "0 .")
    answer = await resolver.mx("null.example")
    assert answer.null
    assert answer.hosts == ()


async def test_no_mx_record_makes_the_domain_its_own_host(server: DnsServer, resolver: Resolver) -> None:
    server.add("bare.example", "A", "192.0.2.1")
    answer = await resolver.mx("bare.example")
    assert answer.implicit
    assert answer.hosts == (MxHost(0, "bare.example"),)


async def test_mx_of_a_name_that_does_not_exist(resolver: Resolver) -> None:
    with pytest.raises(NxDomain, match=r"DNS Hard Error looking up none.example \(MX\):  NXDomain"):
        await resolver.mx("none.example")


@pytest.mark.parametrize("rcode", ["SERVFAIL", "REFUSED", "NOTIMP", "FORMERR"])
async def test_a_failing_server_is_a_temporary_failure(server: DnsServer, resolver: Resolver, rcode: str) -> None:
    server.fail("broken.example", rcode)
    with pytest.raises(TemporaryDnsFailure, match=rcode):
        await resolver.mx("broken.example")


async def test_no_answer_is_a_temporary_failure(server: DnsServer, resolver: Resolver) -> None:
    server.silent.add("slow.example.")
    with pytest.raises(TemporaryDnsFailure, match="did not answer"):
        await resolver.mx("slow.example")


async def test_an_answer_with_another_id_is_none(server: DnsServer, resolver: Resolver) -> None:
    server.add("forged.example", "MX", "10 evil.example.")
    server.wrong_id.add("forged.example.")
    with pytest.raises(TemporaryDnsFailure):
        await resolver.mx("forged.example")


async def test_a_truncated_answer_is_fetched_over_tcp(server: DnsServer, resolver: Resolver) -> None:
    server.add("long.example", "MX", *(f"10 mx{n}.long.example." for n in range(500)))
    server.truncated.add("long.example.")
    assert len((await resolver.mx("long.example")).hosts) == net_dns.MAX_HOSTS


async def test_a_truncated_answer_whose_tcp_fails_is_temporary(server: DnsServer, resolver: Resolver) -> None:
    server.truncated.add("long.example.")
    server.refuse_tcp = True
    with pytest.raises(TemporaryDnsFailure):
        await resolver.mx("long.example")


async def test_mx_names_with_nul_dot_or_backslash_are_no_hosts(server: DnsServer, resolver: Resolver) -> None:
    odd = [odd_name(b"a\0b", b"example"), odd_name(b"a.b", b"example"), odd_name(b"a\\b", b"example")]
    good = odd_name(b"mx", b"example")
    mx = dns.rdtypes.ANY.MX.MX
    server.add_rdata("odd.example", "MX", [mx(1, 15, 10, name) for name in (*odd, good)])  # type: ignore[arg-type]
    assert (await resolver.mx("odd.example")).hosts == (MxHost(10, "mx.example"),)


async def test_a_cname_at_the_domain_is_followed_and_a_loop_of_them_ends(server: DnsServer, resolver: Resolver) -> None:
    server.add("alias.example", "CNAME", "real.example.")
    server.add("real.example", "MX", "10 mx.example.")
    server.add("loop-a.example", "CNAME", "loop-b.example.")
    server.add("loop-b.example", "CNAME", "loop-a.example.")
    assert (await resolver.mx("alias.example")).hosts == (MxHost(10, "mx.example"),)
    with pytest.raises(TemporaryDnsFailure, match="ChainTooLong"):
        await resolver.mx("loop-a.example")


async def test_the_ad_bit_is_handed_on(server: DnsServer, resolver: Resolver) -> None:
    server.add("signed.example", "MX", "10 mx.signed.example.")
    server.add("mx.signed.example", "A", "192.0.2.1")
    server.secure |= {"signed.example.", "mx.signed.example."}
    assert (await resolver.mx("signed.example")).secure
    assert (await resolver.secure_addresses("mx.signed.example")).secure


async def test_addresses_are_ipv6_then_ipv4(server: DnsServer, resolver: Resolver) -> None:
    server.add("both.example", "A", "192.0.2.1")
    server.add("both.example", "AAAA", "2001:db8::1")
    assert await resolver.addresses("both.example") == ("2001:db8::1", "192.0.2.1")


async def test_a_host_with_ipv6_only_has_addresses(server: DnsServer, resolver: Resolver) -> None:
    server.add("six.example", "AAAA", "2001:db8::1")
    assert await resolver.addresses("six.example") == ("2001:db8::1",)


async def test_a_host_without_address_is_no_data_and_one_that_is_none_nxdomain(
    server: DnsServer, resolver: Resolver
) -> None:
    server.add("text.example", "TXT", "hello")
    with pytest.raises(NoData):
        await resolver.addresses("text.example")
    with pytest.raises(NxDomain):
        await resolver.addresses("none.example")


@pytest.mark.parametrize(
    "name", ["", ".", "a..b", "a b.example", "a\0b.example", "a\\b.example", "x" * 64 + ".example", "a." * 130 + "b", "-a.b"]
)
def test_what_is_not_a_host_name_is_never_asked(name: str) -> None:
    with pytest.raises(NxDomain, match="is not a domain name"):
        to_name(name)


def test_u_labels_become_a_labels() -> None:
    assert to_name("BÜCHER.example").to_text() == "xn--bcher-kva.example."


async def test_answers_are_remembered_and_those_with_ttl_0_are_not(server: DnsServer, resolver: Resolver) -> None:
    server.add("kept.example", "MX", "10 mx.example.")
    server.add("fleeting.example", "MX", "10 mx.example.", ttl=0)
    for _ in range(3):
        await resolver.mx("kept.example")
        await resolver.mx("fleeting.example")
        with pytest.raises(NxDomain):
            await resolver.mx("none.example")
    assert server.asked.count(("kept.example.", "MX")) == 1
    assert server.asked.count(("none.example.", "MX")) == 1
    assert server.asked.count(("fleeting.example.", "MX")) == 3


async def test_the_cache_is_bounded(server: DnsServer, resolver: Resolver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dns_query, "MAX_ENTRIES", 3)
    for number in range(10):
        with pytest.raises(NxDomain):
            await resolver.mx(f"n{number}.example")
    assert len(resolver._query._cache) == 3


async def test_the_same_question_is_asked_once_at_a_time(server: DnsServer, resolver: Resolver) -> None:
    server.add("busy.example", "MX", "10 mx.example.", ttl=0)
    answers = await asyncio.gather(*(resolver.mx("busy.example") for _ in range(20)))
    assert len(set(answers)) == 1
    assert len(server.asked) == 1


async def test_who_waits_for_a_question_survives_the_one_who_asked(server: DnsServer, resolver: Resolver) -> None:
    server.silent.add("late.example.")
    server.add("late.example", "MX", "10 mx.example.")
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(resolver.mx("late.example"))
        second = tasks.create_task(resolver.mx("late.example"))
        await server.until_asked()
        server.silent.clear()
        first.cancel()
    assert second.result().hosts == (MxHost(10, "mx.example"),)


# --- the double lookup -----------------------------------------------------------------------------------------------


async def test_a_name_that_leads_back_is_verified(server: DnsServer, resolver: Resolver) -> None:
    server.add_reverse("192.0.2.1", "wrong.example.", "Host.example.")
    server.add("host.example", "A", "192.0.2.9", "192.0.2.1")
    assert await resolver.host("192.0.2.1") == ReverseName("host.example", "verified")
    assert await resolver.host("::ffff:192.0.2.1") == ReverseName("host.example", "verified")


async def test_ipv6_is_compared_by_value(server: DnsServer, resolver: Resolver) -> None:
    server.add_reverse("2001:db8::1", "six.example.")
    server.add("six.example", "AAAA", "2001:db8:0:0::1")
    assert await resolver.host("2001:0db8::0001") == ReverseName("six.example", "verified")


async def test_a_host_is_remembered_as_long_as_all_that_was_asked(server: DnsServer, resolver: Resolver) -> None:
    for address, ttl in (("192.0.2.21", 300), ("192.0.2.22", 0)):
        name = f"h{address[-2:]}.example"
        server.add_reverse(address, f"{name}.")
        server.add(name, "A", address, ttl=ttl)
        for _ in range(3):
            assert await resolver.host(address) == ReverseName(name, "verified")
    assert server.asked.count(("h21.example.", "A")) == 1
    assert server.asked.count(("h22.example.", "A")) == 3
    name, query = to_name("h21.example"), resolver._query
    asked = [(dns.reversename.from_address("192.0.2.21"), RdataType.PTR), (name, RdataType.A), (name, RdataType.AAAA)]
    assert resolver._hosts["192.0.2.21"][0] == min(query.until(*question) for question in asked)


async def test_a_name_that_does_not_lead_back_is_told_but_not_verified(server: DnsServer, resolver: Resolver) -> None:
    server.add_reverse("192.0.2.1", "liar.example.")
    server.add("liar.example", "A", "192.0.2.2")
    assert await resolver.host("192.0.2.1") == ReverseName("liar.example", "not.double.verified")


async def test_no_name_is_nx_domain(resolver: Resolver) -> None:
    assert await resolver.host("192.0.2.1") == ReverseName("", "nx.domain")


async def test_a_failing_lookup_is_serv_fail(server: DnsServer, resolver: Resolver) -> None:
    server.fail("1.2.0.192.in-addr.arpa", "SERVFAIL")
    assert await resolver.host("192.0.2.1") == ReverseName("", "serv.fail")


async def test_ptr_names_that_are_no_host_names_count_for_nothing(server: DnsServer, resolver: Resolver) -> None:
    ptr = dns.rdtypes.ANY.PTR.PTR
    server.add_rdata("1.2.0.192.in-addr.arpa", "PTR", [ptr(1, 12, odd_name(b"evil\0", b"example"))])  # type: ignore[arg-type]
    assert await resolver.host("192.0.2.1") == ReverseName("", "nx.domain")


async def test_at_most_ten_ptr_names_are_tried(server: DnsServer, resolver: Resolver) -> None:
    server.add_reverse("192.0.2.1", *(f"n{number:03}.example." for number in range(100)))
    assert (await resolver.host("192.0.2.1")).status == "not.double.verified"
    assert sum(kind == "A" for _, kind in server.asked) == net_dns.MAX_PTR_NAMES


async def test_a_dead_resolver_delays_one_banner_and_not_the_next(server: DnsServer, resolver: Resolver) -> None:
    server.dead = True
    assert (await resolver.host("192.0.2.1")).status == "serv.fail"
    asked = len(server.asked)
    assert (await resolver.host("192.0.2.2")).status == "serv.fail"
    assert len(server.asked) == asked


async def test_a_slow_zone_is_not_taken_for_a_dead_resolver(server: DnsServer, resolver: Resolver) -> None:
    server.silent.add("1.2.0.192.in-addr.arpa.")
    server.add_reverse("192.0.2.2", "host.example.")
    server.add("host.example", "A", "192.0.2.2")
    assert (await resolver.host("192.0.2.1")).status == "serv.fail"
    assert (await resolver.host("192.0.2.2")).status == "verified"


# --- DNS lists and servers -------------------------------------------------------------------------------------------


async def test_dns_list(server: DnsServer, resolver: Resolver) -> None:
    server.add("1.2.0.192.list.example", "A", "127.0.0.2")
    server.add("2.2.0.192.list.example", "A", "127.255.255.254")
    server.add("3.2.0.192.list.example", "A", "198.51.100.1")
    server.fail("4.2.0.192.list.example", "SERVFAIL")
    found = [await resolver.listed("list.example", f"192.0.2.{n}") for n in range(1, 6)]
    assert found == [True, False, False, False, False]
    assert not await resolver.listed("not..a.zone", "192.0.2.1")


async def test_dns_list_of_an_ipv6_address(server: DnsServer, resolver: Resolver) -> None:
    server.add("1" + ".0" * 23 + ".8.b.d.0.1.0.0.2.list.example", "A", "127.0.0.2")
    assert await resolver.listed("list.example", "2001:db8::1")


async def test_a_second_server_answers_when_the_first_does_not(server: DnsServer) -> None:
    server.add("example.com", "MX", "10 mx.example.com.")
    async with DnsServer() as dead:
        dead.dead = True
        assert (await Resolver([dead.address, server.address], patience=0.1).mx("example.com")).hosts


def test_servers_are_read_with_and_without_port() -> None:
    servers = [dns_query.parse_server(text) for text in ("192.0.2.1", "192.0.2.1:5353", "2001:db8::1", "[2001:db8::1]:54")]
    assert [(server.address, server.port) for server in servers] == [
        ("192.0.2.1", 53),
        ("192.0.2.1", 5353),
        ("2001:db8::1", 53),
        ("2001:db8::1", 54),
    ]


def test_resolv_conf_is_read(tmp_path: object) -> None:
    path = f"{tmp_path}/resolv.conf"
    with open(path, "w") as file:
        file.write("# comment\nsearch example.com\nnameserver 192.0.2.53\noptions edns0\nnameserver 192.0.2.54\n")
    assert [server.address for server in dns_query.system_servers(path)] == ["192.0.2.53", "192.0.2.54"]
    assert [server.address for server in dns_query.system_servers(f"{path}.none")] == ["127.0.0.1"]
