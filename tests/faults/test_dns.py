"""Every answer that the DNS can give, and none, on the way of a message and at the door (faults.md 5.7).

One real gateway with a server of our own: whatever cannot be answered waits, whatever is answered "no" bounces, one slow
domain delays no other, and a name that cannot be proved only weakens what the Host Access Table makes of a host. What ends
in a delivery is shown with an outbound side whose port for MX is ours. DANE and MTA-STS do not exist yet, nor do their rows.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import dns.message
import dns.name
import dns.rdtypes.ANY.MX
import dns.rdtypes.ANY.PTR
import pytest

from gatepost.config.model import Config, Gateway, Listener
from gatepost.net.dns import MAX_HOSTS
from gatepost.outbound import delivery
from gatepost.records.message_record import OutcomeRecord
from gatepost.records.search import RecordSearch
from gatepost.records.tables import outcomes
from tests.support.background import background
from tests.support.client import Client
from tests.support.dns_server import DnsServer
from tests.support.documents import private_out
from tests.support.gateway import gateway
from tests.support.outbound import FAST, Outbound
from tests.support.peer import Peer
from tests.support.process import free_port, wait_for

DOCUMENT = """
[gateway]
hostname = "gate.example"
dns_servers = ["{dns}"]

[listeners.InboundMail]
address = "127.0.0.1"
port = {port}

[[listeners.InboundMail.sender_groups]]
name = "PARTNERS"
senders = [".partner.example"]
policy = "RELAY"

[[listeners.InboundMail.sender_groups]]
name = "NETWORK"
senders = ["127.5.2.0/24"]
policy = "RELAY"

[routes]
"routed.example" = ["127.0.0.1:{inside}"]
"sender.example" = ["/dev/null"]
"""


class Lab(DnsServer):
    """The server, and names that it does not answer over TCP."""

    def __init__(self) -> None:
        super().__init__()
        self.tcp_refused: set[str] = set()

    def reply(self, octets: bytes, udp: bool) -> bytes | None:
        if not udp and dns.message.from_wire(octets).question[0].name.to_text().lower() in self.tcp_refused:
            raise ConnectionError
        return super().reply(octets, udp)


def odd_name(*labels: bytes) -> dns.name.Name:
    return dns.name.Name((*labels, b""))


# --- mail that does not go -------------------------------------------------------------------------------------------

Verdict = Literal["deferred", "bounced", "delivered"]
ROWS: dict[str, tuple[Verdict, str]] = {
    "no-answer": ("deferred", "4.4.3"),
    "servfail": ("deferred", "4.4.3"),
    "refused": ("deferred", "4.4.3"),
    "formerr": ("deferred", "4.4.3"),
    "wrong-id": ("deferred", "4.4.3"),
    "tc-refused": ("deferred", "4.4.3"),
    "tc-wrong-id": ("deferred", "4.4.3"),
    "cname-loop": ("deferred", "4.4.3"),
    "mx-cname-loop": ("deferred", "4.4.3"),
    "mx-servfail": ("deferred", "4.4.3"),
    "mx-no-answer": ("deferred", "4.4.3"),
    "servfail-with-a": ("deferred", "4.4.3"),
    "nxdomain": ("bounced", "5.1.2"),
    "nodata": ("bounced", "5.4.4"),
    "mx-nxdomain": ("bounced", "5.4.4"),
    "null-mx": ("bounced", "5.1.10"),
    "ourselves": ("bounced", "5.4.6"),
    "zero": ("bounced", "5.4.4"),
    "zero-mapped": ("bounced", "5.4.4"),
    "multicast": ("bounced", "5.4.4"),
    "odd-names": ("bounced", "5.4.4"),
    "500-mx-nowhere": ("bounced", "5.4.4"),
    "64k": ("deferred", "4.4.3"),
    "routed": ("delivered", ""),
}
SLOW = {"no-answer", "wrong-id", "mx-no-answer"}


def zone(lab: Lab) -> None:
    """Give the rows their records."""
    lab.silent |= {"no-answer.example.", "silent.example."}
    for rcode in ("servfail", "refused", "formerr"):
        lab.fail(f"{rcode}.example", rcode.upper())
    lab.add("servfail-with-a.example", "A", "127.0.0.1")
    lab.fail("servfail-with-a.example", "SERVFAIL")
    lab.add("wrong-id.example", "MX", "10 evil.example.")
    lab.wrong_id.add("wrong-id.example.")
    lab.add("tc-wrong-id.example", "MX", "10 evil.example.")
    lab.wrong_id.add("tc-wrong-id.example.")
    lab.truncated |= {"tc-refused.example.", "tc-wrong-id.example."}
    lab.tcp_refused.add("tc-refused.example.")
    for here, there in (("cname-loop", "loop-b"), ("loop-b", "cname-loop")):
        lab.add(f"{here}.example", "CNAME", f"{there}.example.")
    lab.add("mx-cname-loop.example", "MX", "10 cname-loop.example.")
    lab.add("mx-servfail.example", "MX", "10 servfail.example.")
    lab.add("mx-no-answer.example", "MX", "10 silent.example.")
    lab.add("mx-nxdomain.example", "MX", "10 none.example.")
    lab.add("nodata.example", "TXT", "hello")
    lab.add("null-mx.example", "MX", "0 .")
    lab.add("ourselves.example", "MX", "10 Gate.Example.", "20 backup.example.")
    lab.add("gate.example", "A", "127.0.0.1")
    lab.add("backup.example", "A", "127.0.0.1")
    for name, kind, address in (
        ("zero", "A", "0.0.0.0"),
        ("zero-mapped", "AAAA", "::ffff:0.0.0.0"),
        ("multicast", "A", "224.0.0.1"),
    ):
        lab.add(f"{name}.example", "MX", f"10 {name}-host.example.")
        lab.add(f"{name}-host.example", kind, address)
    mx = dns.rdtypes.ANY.MX.MX
    odd = [odd_name(b"a\0b", b"example"), odd_name(b"a.b", b"example"), odd_name(b"a\\b", b"example")]
    lab.add_rdata("odd-names.example", "MX", [mx(1, 15, 10, name) for name in odd])  # type: ignore[arg-type]
    lab.add("500-mx-nowhere.example", "MX", *(f"10 none-{n}.example." for n in range(500)))
    lab.add("64k.example", "MX", *(f"10 n{n}.64k.example." for n in range(2900)))
    lab.truncated |= {"500-mx-nowhere.example.", "64k.example."}


# --- hosts that cannot prove their name ------------------------------------------------------------------------------

HOSTS: dict[str, tuple[str, str]] = {
    # address: (what its name leads to, row of the table)
    "127.5.1.1": ("good", "RELAY SG PARTNERS match .partner.example"),
    "127.5.1.2": ("no answer", "ACCEPT SG None match ALL"),
    "127.5.1.3": ("SERVFAIL", "ACCEPT SG None match ALL"),
    "127.5.1.4": ("REFUSED", "ACCEPT SG None match ALL"),
    "127.5.1.5": ("wrong id", "ACCEPT SG None match ALL"),
    "127.5.1.6": ("TC, then TCP refused", "ACCEPT SG None match ALL"),
    "127.5.1.7": ("a loop of CNAMEs", "ACCEPT SG None match ALL"),
    "127.5.1.8": ("a name with a NUL", "ACCEPT SG None match ALL"),
    "127.5.1.9": ("a name whose address gets SERVFAIL", "ACCEPT SG None match ALL"),
    "127.5.1.10": ("a name whose address gets no answer", "ACCEPT SG None match ALL"),
    "127.5.1.11": ("a thousand names, none of them its own", "ACCEPT SG None match ALL"),
    "127.5.1.12": ("nothing at all", "ACCEPT SG None match ALL"),
    "127.5.2.1": ("no answer, but its address is known", "RELAY SG NETWORK match 127.5.2.0/24"),
    "127.5.2.2": ("SERVFAIL, but its address is known", "RELAY SG NETWORK match 127.5.2.0/24"),
}


def reverse(address: str) -> str:
    return ".".join([*address.split(".")[::-1], "in-addr.arpa."])


def reverse_zone(lab: Lab) -> None:
    lab.add_reverse("127.5.1.1", "mx.partner.example.")
    lab.add("mx.partner.example", "A", "127.5.1.1")
    lab.silent |= {reverse("127.5.1.2"), reverse("127.5.2.1"), "late.partner.example."}
    lab.fail(reverse("127.5.1.3"), "SERVFAIL")
    lab.fail(reverse("127.5.2.2"), "SERVFAIL")
    lab.fail(reverse("127.5.1.4"), "REFUSED")
    lab.add_reverse("127.5.1.5", "mx.partner.example.")
    lab.wrong_id.add(reverse("127.5.1.5"))
    lab.truncated.add(reverse("127.5.1.6"))
    lab.tcp_refused.add(reverse("127.5.1.6"))
    lab.add(reverse("127.5.1.7"), "CNAME", reverse("127.5.1.7"))
    ptr = dns.rdtypes.ANY.PTR.PTR
    nul = odd_name(b"mx\0", b"partner", b"example")
    lab.add_rdata(reverse("127.5.1.8"), "PTR", [ptr(1, 12, nul)])  # type: ignore[arg-type]
    lab.add_reverse("127.5.1.9", "broken.partner.example.")
    lab.fail("broken.partner.example", "SERVFAIL")
    lab.add_reverse("127.5.1.10", "late.partner.example.")
    lab.add_reverse("127.5.1.11", *(f"n{number:04}.partner.example." for number in range(1000)))
    lab.truncated.add(reverse("127.5.1.11"))


# --- the real service ------------------------------------------------------------------------------------------------


@dataclass
class Seen:
    log: str = ""
    mids: dict[str, int] = field(default_factory=dict)
    queued: set[int] = field(default_factory=set)
    records: dict[int, list[OutcomeRecord]] = field(default_factory=dict)
    banners: dict[str, str] = field(default_factory=dict)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    facts, lab, inside = Seen(), Lab(), Peer()
    zone(lab)
    reverse_zone(lab)
    port, out = free_port(), free_port()
    with background(lab, inside):
        document = DOCUMENT.format(dns=lab.address, port=port, inside=inside.port) + private_out(out)
        with gateway(tmp_path_factory.mktemp("dns"), document) as one, contextlib.ExitStack() as stack:
            hosts = {host: stack.enter_context(Client(port, host, greeted=False)) for host in HOSTS}
            with Client(out) as client:
                client.ehlo()
                for name in ROWS:
                    for line in ("MAIL FROM:<a@sender.example>", f"RCPT TO:<box@{name}.example>", "DATA"):
                        assert client.say(line)[:1] in "23"
                    found = re.search(r"Message (\d+) accepted", client.say("Subject: x\r\n\r\nx\r\n."))
                    assert found
                    facts.mids[name] = int(found[1])
            facts.banners = {host: client.reply() for host, client in hosts.items()}

            def settled() -> bool:
                log = one.log()
                mids = facts.mids.values()
                return all(f"Message finished MID {mid} " in log or f"MID {mid} to RID [0] pen" in log for mid in mids)

            with contextlib.suppress(AssertionError):  # which hangs, the tests tell
                wait_for(settled, "every message has come to something", 30)
            answer = one.ask("queue_list", limit=1000, offset=0, destination="")
            facts.queued = {message["mid"] for message in answer["messages"]}
            one.stop()
            facts.log = one.log()
            for record in RecordSearch(one.state)._ask(OutcomeRecord, outcomes, limit=-1):
                facts.records.setdefault(record.mid, []).append(record)
            yield facts


@pytest.mark.system
@pytest.mark.parametrize("name", ROWS)
def test_what_cannot_be_answered_waits_and_what_is_answered_no_bounces(seen: Seen, name: str) -> None:
    verdict, status = ROWS[name]
    mid = seen.mids[name]
    [record] = seen.records[mid]
    assert record.outcome == verdict
    assert (mid in seen.queued) == (verdict == "deferred")
    if status:
        word = "Delayed" if verdict == "deferred" else "Bounced"
        assert f"{word}: DCID 0 MID {mid} to RID 0 - {status} - " in seen.log
        assert f"{name}.example" in record.reply, "the reason names the domain"
    if name == "64k":
        assert " records, and 1000 is the most" in record.reply
    assert ("was generated for bounce of MID" in seen.log) or verdict != "bounced"
    assert "Internal error" not in seen.log


@pytest.mark.system
@pytest.mark.parametrize("slow", sorted(SLOW))
def test_a_slow_domain_delays_no_other(seen: Seen, slow: str) -> None:
    """It was sent first, or early, and everything that has an answer is done before it."""

    def at(name: str) -> int:
        found = re.search(rf"(Delayed: DCID \d+|Bounced: DCID \d+|Message done DCID \d+) MID {seen.mids[name]} ", seen.log)
        assert found, name
        return found.start()

    assert all(at(name) < at(slow) for name in ROWS if name not in SLOW)


@pytest.mark.system
@pytest.mark.parametrize("host", HOSTS)
def test_a_name_that_cannot_be_proved_only_weakens_the_match(seen: Seen, host: str) -> None:
    why, row = HOSTS[host]
    assert seen.banners[host] == "220 gate.example ESMTP", why
    [icid] = re.findall(rf"New SMTP ICID (\d+) .* address {re.escape(host)} ", seen.log)
    assert f"ICID {icid} {row} SBRS None" in seen.log, why


# --- mail that goes, by MX -------------------------------------------------------------------------------------------


@pytest.fixture
async def lab() -> AsyncIterator[Lab]:
    async with Lab() as server:
        yield server


def by_mx(port: int = 0, address: str = "") -> Config:
    """Return a configuration without routes; with a port and address: and with a listener of ours there."""
    listeners = {"InboundMail": Listener(address=address, port=port)} if port else {}
    return Config(
        gateway=Gateway(hostname="gate.example"), bounce_profiles={"Default": FAST}, listeners=listeners, routes={}
    )


GOES = ["plain", "implicit", "loopback", "mapped", "ttl-0", "40k-udp", "500-mx", "one-broken"]


def answered(lab: Lab, kind: str) -> None:
    """Let `KIND.example` lead to 127.0.0.1 in its own way."""
    name, host = f"{kind}.example", f"mx.{kind}.example"
    many = [f"{n} none-{n}.{kind}.example." for n in range(100, 2000)]
    records = {
        "implicit": [],
        "40k-udp": [f"10 {host}.", *many],
        "500-mx": [f"10 {host}.", *many[:499]],
        "one-broken": ["5 servfail.example.", f"10 {host}."],
    }.get(kind, [f"10 {host}."])
    ttl = 0 if kind == "ttl-0" else 60
    if records:
        lab.add(name, "MX", *records, ttl=ttl)
    if kind == "500-mx":
        lab.truncated.add(f"{name}.")
    lab.fail("servfail.example", "SERVFAIL")
    lab.add(
        host if records else name,
        "AAAA" if kind == "mapped" else "A",
        "::ffff:127.0.0.1" if kind == "mapped" else "127.0.0.1",
        ttl=ttl,
    )


@pytest.mark.parametrize("kind", GOES)
async def test_mail_goes(tmp_path: Path, lab: Lab, kind: str) -> None:
    answered(lab, kind)
    async with Peer() as peer, Outbound(tmp_path, by_mx(), dns=lab.address, mx_port=peer.port) as out:
        await out.finished(await out.send(f"ann@{kind}.example"))
        assert len(peer.messages) == 1
        assert out.journal.outcomes[0].peer == "127.0.0.1"
        asked = [name for name, kind in lab.asked if kind == "A" and name.startswith("none-")]
        assert len(set(asked)) < MAX_HOSTS


async def test_a_host_with_ipv6_only_is_reached(tmp_path: Path, lab: Lab) -> None:
    lab.add("six.example", "MX", "10 mx.six.example.")
    lab.add("mx.six.example", "AAAA", "::1")
    async with Peer(address="::1") as peer, Outbound(tmp_path, by_mx(), dns=lab.address, mx_port=peer.port) as out:
        await out.finished(await out.send("ann@six.example"))
        assert len(peer.messages) == 1


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
@pytest.mark.parametrize("kind", ["loopback", "mapped", "implicit"])
async def test_what_leads_back_to_our_own_listener_bounces(tmp_path: Path, lab: Lab, kind: str, address: str) -> None:
    """A loop by address, however the address is written; nobody is connected to."""
    answered(lab, kind)
    async with Peer() as peer, Outbound(tmp_path, by_mx(peer.port, address), dns=lab.address, mx_port=peer.port) as out:
        mid = await out.send(f"ann@{kind}.example")
        await out.until_line(f"Bounced: DCID 0 MID {mid} to RID 0 - 5.4.6 - ")
        assert not peer.sessions


async def test_an_answer_of_ttl_0_is_not_kept(tmp_path: Path, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was moved a moment ago is found where it is now."""
    monkeypatch.setattr(delivery, "IDLE", 0.0)
    answered(lab, "ttl-0")
    async with Peer() as peer, Outbound(tmp_path, by_mx(), dns=lab.address, mx_port=peer.port) as out:
        await out.finished(await out.send("ann@ttl-0.example"))
        lab.add("ttl-0.example", "MX", "0 .", ttl=0)
        await out.until_line("DCID 1 close")
        mid = await out.send("ann@ttl-0.example")
        await out.until_line(f"Bounced: DCID 0 MID {mid} to RID 0 - 5.1.10")


async def test_tcp_that_is_refused_by_the_kernel_defers(tmp_path: Path, lab: Lab) -> None:
    lab.truncated.add("long.example.")
    lab._stack[1].close()  # no listener for TCP any more
    async with Outbound(tmp_path, by_mx(), dns=lab.address) as out:
        mid = await out.send("ann@long.example")
        assert "cannot be reached" in await out.until_line(f"Delayed: DCID 0 MID {mid} to RID 0 - 4.4.3 - ")


@pytest.mark.parametrize("domain", ["a\0b.example", "a\\b.example", "a..b.example", ".example", "x" * 64 + ".example"])
async def test_a_recipient_whose_domain_is_no_name_bounces_unasked(tmp_path: Path, lab: Lab, domain: str) -> None:
    """The grammar of SMTP lets none of these in; whoever put it into the spool, nobody is asked for it."""
    async with Outbound(tmp_path, by_mx(), dns=lab.address) as out:
        mid = await out.send(f"ann@{domain}")
        await out.until_line(f"Bounced: DCID 0 MID {mid} to RID 0 - 5.1.2 - ")
        assert not [name for name, _ in lab.asked if name != "sender.example."]
