"""`nslookup` and `tlsverify`, against a real resolver and a real partner."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatepost.admin.console.lookups import nslookup, tlsverify
from gatepost.admin.operations import documents
from gatepost.admin.operations.operator import Operator
from gatepost.errors import GatepostError
from tests.admin.console.dialogues import run
from tests.admin.test_tls_verify import commit
from tests.outbound.test_tls import config, server_side
from tests.support import tls as certificates
from tests.support.dns_server import DnsServer
from tests.support.peer import Peer


async def test_names_are_looked_up_by_type(operator: Operator) -> None:
    async with DnsServer() as dns:
        dns.add("partner.example", "MX", "20 b.partner.example.", "10 a.partner.example.", ttl=300)
        dns.add("_25._tcp.a.partner.example", "TLSA", "3 1 1 " + "ab" * 32)
        dns.secure.add("_25._tcp.a.partner.example.")
        dns.add_reverse("192.0.2.1", "a.partner.example.")
        dns.fail("broken.example", "SERVFAIL")
        documents.set_field(operator, "gateway.dns_servers", f'["{dns.address}"]')
        screen = await run(nslookup, operator, "partner.example", "MX")
        assert "Choose the query type.\n1. A\n2. AAAA\n3. CNAME\n4. MX\n" in screen
        assert screen.endswith(f"\nMX 10 a.partner.example.\nMX 20 b.partner.example.\nTTL 300 s\nAsked: {dns.address}\n")
        screen = await run(nslookup, operator, rest="_25._tcp.a.partner.example tlsa")
        assert "TTL 60 s, validated by DNSSEC" in screen
        assert "PTR a.partner.example." in await run(nslookup, operator, rest="192.0.2.1")
        assert "partner.example AAAA: no such record" in await run(nslookup, operator, rest="partner.example AAAA")
        assert "nowhere.example A: NXDomain" in await run(nslookup, operator, rest="nowhere.example")
        assert "broken.example A: SERVFAIL" in await run(nslookup, operator, rest="broken.example")
        for rest, said in (("partner.example ANY", "'ANY' is not a type"), ("a..b", "'a..b' is not a domain name")):
            with pytest.raises(GatepostError, match=said):
                await run(nslookup, operator, rest=rest)


async def test_tlsverify_asks_for_domain_and_host_and_tells_each_step(tmp_path: Path) -> None:
    pair = certificates.issued("example.com")
    async with DnsServer() as dns, Peer(tls=server_side(tmp_path, pair)) as peer:
        dns.add("mx.partner.example", "A", "127.0.0.1")
        operator = commit(tmp_path / "state", config(peer.port, "required-verify"), dns.address)
        by_route = await run(tlsverify, operator, "example.com", "")
        given = await run(tlsverify, operator, f"127.0.0.1:{peer.port}", rest="example.com")
    assert "\nEnter the TLS domain to verify against:\n[]> \n" in by_route
    told = (
        f"Connecting to mx.partner.example (127.0.0.1) on port {peer.port}.\n"
        "Connected to 127.0.0.1 from 127.0.0.1.\n"
        "Checking TLS connection.\n"
        "TLS connection established: protocol TLSv1.3, cipher TLS_AES_256_GCM_SHA384,\n"
        "group X25519.\n"
        "Certificate verification successful: certificate of mx.partner.example is valid\n"
        "for example.com.\n"
    )
    assert told in by_route
    assert "required-verify *" in by_route
    assert by_route.endswith("TLS verification completed.\n")
    assert f"Connecting to 127.0.0.1 (127.0.0.1) on port {peer.port}." in given
