"""A man in the middle against every setting (faults.md 5.6): what could he read, by what he himself saw.

One real gateway, one good peer, and between them a proxy for each attack and setting. `clear`: MAIL came through in clear
text; `forged`: inside TLS under his own certificate; `sealed`: inside TLS that ends at the good peer; `never`: not at all.
"""

from __future__ import annotations

import contextlib
import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gatepost.records.message_record import OutcomeRecord
from gatepost.records.search import RecordSearch
from gatepost.records.tables import outcomes
from gatepost.records.tls_record import TlsRecord
from gatepost.tls.certificates import KeyPair
from tests.faults.mitm import VECTORS, Middle
from tests.support.background import background
from tests.support.client import Client
from tests.support.dns_server import DnsServer
from tests.support.documents import private_out
from tests.support.gateway import gateway
from tests.support.peer import Peer
from tests.support.process import free_port, wait_for
from tests.support.tls import authority, issued, pair

pytestmark = pytest.mark.system

SETTINGS = ("no", "preferred", "required", "preferred-verify", "required-verify", "required-verify-hosted")
PLAIN = ("PIPELINING", "8BITMIME")
"""The proxy reads lines: no CHUNKING."""
HOST = "mx.partner.example"
BEFORE_220 = ("clear", "clear", "never", "clear", "never", "never")
BEHIND_220 = ("clear", "never", "never", "never", "never", "never")
"""Whoever can break a handshake gains nothing by it, under no setting."""
EXPECTED = {
    "pass": ("clear", "sealed", "sealed", "sealed", "sealed", "sealed"),
    "strip": BEFORE_220,
    "ehlo500": BEFORE_220,
    "454": BEFORE_220,
    "500": BEFORE_220,
    "220plain": BEHIND_220,
    "inject": BEHIND_220,
    "inject-later": BEHIND_220,
    "fakecert": ("clear", "forged", "forged", "forged", "never", "never"),
    "closeafter": BEHIND_220,
    "garbage": BEHIND_220,
}
WHY = {
    "strip": "does not offer STARTTLS",
    "ehlo500": "does not offer STARTTLS",
    "454": "answered STARTTLS with 454",
    "500": "answered STARTTLS with 500",
    "220plain": "garbage instead of a ServerHello: '250 2.",
    "inject": "octets in the clear",
    "inject-later": "garbage instead of a ServerHello: '250-",
    "fakecert": "certificate of mx.partner.example is not valid",
    "closeafter": "peer closed the connection",
    "garbage": "peer sent alert: handshake failure",
}
NOT_THERE = ("strip", "ehlo500", "454", "500")
"""4.7.4, there is no TLS; the others are 4.7.5, the TLS there is will not do."""
GATEWAY = """
[gateway]
hostname = "mx1.example.com"
dns_servers = ["{dns}"]
tls_handshake_timeout = 2
certificate_authorities = '''
{authority}'''
"""


def domain(vector: str, setting: str) -> str:
    return f"{setting}.{vector}.example"


CASES = [(vector, setting) for vector in VECTORS for setting in SETTINGS]


@dataclass
class Seen:
    middles: dict[tuple[str, str], Middle]
    peer: Peer
    log: str = ""
    mids: dict[tuple[str, str], int] = field(default_factory=dict)
    queued: dict[int, str] = field(default_factory=dict)
    tls: dict[str, TlsRecord] = field(default_factory=dict)
    records: dict[int, list[OutcomeRecord]] = field(default_factory=dict)

    def through(self, vector: str, setting: str) -> str:
        """Return what the man in the middle could read of a message."""
        middle = self.middles[vector, setting]
        if middle.clear:
            return "clear"
        if middle.inside:
            return "forged"
        arrived = [message for message in self.peer.messages if f"@{domain(vector, setting)}>" in message.rcpt[0]]
        return "sealed" if arrived and arrived[0].tls else "never"


def context(directory: Path, name: str, shown: KeyPair) -> ssl.SSLContext:
    file = directory / f"{name}.pem"
    file.write_text(shown.certificate + shown.private_key)
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(file)
    return made


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    directory = tmp_path_factory.mktemp("mitm")
    domains = [domain(*case) for case in CASES]
    dns, peer = DnsServer(), Peer(extensions=PLAIN, tls=context(directory, "good", issued(HOST, *domains)))
    forged = context(directory, "forged", pair(HOST, *domains))
    port = free_port()
    with contextlib.ExitStack() as stack:
        stack.enter_context(background(dns, peer))
        dns.add(HOST, "A", "127.0.0.1")
        facts = Seen({(vector, setting): Middle(vector, peer.port, forged) for vector, setting in CASES}, peer)
        stack.enter_context(background(*facts.middles.values()))
        document = GATEWAY.format(dns=dns.address, authority=authority().cert_pem.bytes().decode()) + private_out(port)
        document += "".join(f'[destinations."{domain(*case)}"]\ntls = "{case[1]}"\n' for case in CASES) + "[routes]\n"
        document += "".join(f'"{domain(*case)}" = ["{HOST}:{facts.middles[case].port}"]\n' for case in CASES)
        one = stack.enter_context(gateway(directory, document))
        with Client(port, timeout=60) as client:
            client.ehlo()
            for case in CASES:
                for line in ("MAIL FROM:<>", f"RCPT TO:<box@{domain(*case)}>", "DATA"):
                    assert client.say(line)[:1] in "23"
                found = re.search(r"Message (\d+) accepted", client.say("Subject: secret\r\n\r\nsecret\r\n."))
                assert found
                facts.mids[case] = int(found[1])

        def settled() -> bool:
            log = one.log()
            return all(f"Message finished MID {mid} " in log or f"MID {mid} to RID [0] pen" in log for mid in mids)

        mids = facts.mids.values()
        with contextlib.suppress(AssertionError):  # which hangs, the tests tell
            wait_for(settled, "every message has come to something", 30)
        for message in one.ask("queue_list", limit=1000, offset=0, destination="")["messages"]:
            facts.queued[message["mid"]] = message["recipients"][0]["detail"]
        one.stop()
        facts.log = one.log()
        search = RecordSearch(one.state)
        facts.tls = {record.domain: record for record in search.tls(direction="out", limit=1000)}
        for record in search._ask(OutcomeRecord, outcomes, limit=-1):
            facts.records.setdefault(record.mid, []).append(record)
        yield facts


@pytest.mark.parametrize(("vector", "setting"), CASES, ids=["-".join(case) for case in CASES])
def test_what_he_can_read(seen: Seen, vector: str, setting: str) -> None:
    expected = EXPECTED[vector][SETTINGS.index(setting)]
    assert seen.through(vector, setting) == expected
    middle, mid = seen.middles[vector, setting], seen.mids[vector, setting]
    assert not [line for line in middle.commands if line.upper().startswith(b"AUTH")], "nothing injected is believed"
    [outcome] = seen.records[mid]
    record = seen.tls[domain(vector, setting)]
    assert record.requirement == setting
    lines = [line for line in seen.log.splitlines() if re.search(rf"\bDCID {record.connection}\b", line)]
    if expected == "never":
        status = "4.7.4" if vector in NOT_THERE else "4.7.5"
        assert any(f"Delayed: DCID {record.connection} MID {mid} to RID 0 - {status} " in line for line in lines), lines
        assert outcome.outcome == "deferred"
        for told in (record.verdict, seen.queued[mid], "\n".join(lines)):
            assert WHY[vector] in told
        assert any("TLS failed: " in line for line in lines)
        required = "TLS was required but could not be successfully negotiated"
        assert any(required in line for line in lines) == setting.startswith("required")
    else:
        assert mid not in seen.queued
        assert outcome.outcome == "delivered"
        assert bool(outcome.encrypted) == (expected != "clear")
        assert any("TLS success" in line for line in lines) == (expected != "clear")
    if expected == "clear" and setting != "no":
        assert any("TLS not used: " in line or "TLS failed: " in line for line in lines), "the fall-back is told"
        assert "allows clear text" in record.verdict
        assert WHY[vector] in record.verdict
    if expected == "forged":
        assert not record.verified
        if setting == "preferred-verify":
            assert "self-signed certificate" in record.verdict, "who looks says what he saw"
    if expected == "sealed":
        assert record.verified == ("verify" in setting)


def test_the_proxy_sees_what_there_is_to_see(seen: Seen) -> None:
    """The control: a proxy that could not see MAIL would find nothing under any setting."""
    assert seen.middles["pass", "no"].clear
    assert seen.middles["fakecert", "required"].inside
    assert not seen.middles["pass", "required"].clear
