"""Answers of the DNS (net/dns_query.py, net/dns.py).

Whatever octets come as an answer, each question ends in a typed answer or a DnsFailure. Names are those of hosts, addresses
are addresses, at most a hundred MX hosts are looked at, and what is malformed is a temporary failure, never a reason to
bounce. Only the network is left out: the octets go through dnspython's parser as its TCP client calls it, and through our
reading of it.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
from collections.abc import Awaitable, Callable
from typing import TypeVar

import dns.exception
import dns.message
import dns.name
from dns.rdatatype import RdataType

from gatepost.net.dns import MAX_HOSTS, DnsFailure, Resolver, TemporaryDnsFailure
from gatepost.net.dns_query import Outcome, Query, Server, State, read_reply

WORDS = (
    b"\x07example\x03com\x00",
    b"\xc0\x0c",
    b"\xc0\xff",
    b"\x00\x0f\x00\x01",
    b"\x00\x01\x00\x01",
    b"\x00\x1c\x00\x01",
    b"\x00\x0c\x00\x01",
    b"\x00\x05\x00\x01",
    b"\x00\x06\x00\x01",
    b"\x00\x34\x00\x01",
    b"\x00\x00\x0e\x10",
    b"\x00\x04\x7f\x00\x00\x01",
    b"\x00\x05\x00\x0a\x01a\x00",
    b"\x81\x80\x00\x01\x00\x01",
    b"\x81\x83",
    b"\x81\x82",
    b"\x00",
    b"\x3f" + b"a" * 63,
    b"\x03a\\b",
    b"\x03a.b",
    b"\x03a\x00b",
    b"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00",
)
_HOST = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
T = TypeVar("T")
_LOOP = asyncio.new_event_loop()


def check(octets: bytes) -> None:
    """See above; the octets are a whole answer, its number first."""
    malformed = _parse(octets, None) is None
    _LOOP.run_until_complete(_ask(octets, malformed))


async def _ask(octets: bytes, malformed: bool) -> None:
    def resolver() -> Resolver:
        one = Resolver(["127.0.0.1"])
        one._query = Heard(octets)
        return one

    mx = await _answer(resolver().mx, "example.com", malformed)
    if mx is not None:
        hosts = mx.hosts
        assert len(hosts) <= MAX_HOSTS
        assert list(hosts) == sorted(hosts)
        assert mx.implicit or all(_HOST.fullmatch(host.name) for host in hosts)
        assert not (mx.null and hosts)
    found = await _answer(resolver().secure_addresses, "example.com", malformed)
    if found is not None:
        assert found.addresses
        for address in found.addresses:
            ipaddress.ip_address(address)
    name = await resolver().host("192.0.2.1")
    assert name.name == "" or _HOST.fullmatch(name.name)
    assert name.status in ("verified", "nx.domain", "serv.fail", "not.double.verified")
    assert bool(name.name) == (name.status in ("verified", "not.double.verified"))
    if malformed:
        assert name.status == "serv.fail"
    await resolver().listed("list.example", "192.0.2.1")


async def _answer(ask: Callable[[str], Awaitable[T]], name: str, malformed: bool) -> T | None:
    try:
        found = await ask(name)
    except TemporaryDnsFailure:
        return None
    except DnsFailure:
        found = None
    assert not malformed
    return found


class Heard(Query):
    """A query whose servers all answer with the same octets."""

    def __init__(self, octets: bytes) -> None:
        super().__init__([Server("127.0.0.1")])
        self._octets = octets

    async def ask_server(self, server: Server, name: dns.name.Name, kind: RdataType, timeout: float) -> Outcome:
        """Read the answer as the real one does, behind the network."""
        reply = _parse(self._octets, dns.message.make_query(name, kind))
        if reply is None:
            return Outcome(State.TEMPORARY, text="malformed")
        try:
            return read_reply(reply)
        except dns.exception.DNSException as fault:
            return Outcome(State.TEMPORARY, text=type(fault).__name__)


def _parse(octets: bytes, question: dns.message.Message | None) -> dns.message.Message | None:
    try:
        reply = dns.message.from_wire(octets, ignore_trailing=True)
    except dns.exception.DNSException:
        return None
    if question is not None:
        reply.id = question.id  # whoever forges an answer may be lucky
    return reply
