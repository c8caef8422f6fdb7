"""Every attack on STARTTLS against every setting (faults.md 5.6): was mail sent, and through what?

Three answers: `tls` (delivered, encrypted), `clear` (delivered in clear text), `never` (the peer saw no MAIL at all).
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from gatepost.config.model import Config, DefaultDestination, DestinationControl, Gateway
from gatepost.tls.certificates import KeyPair
from tests.support import tls as certificates
from tests.support.dns_server import DnsServer
from tests.support.outbound import Outbound, routed
from tests.support.peer import CLOSE, Peer

SETTINGS = ("no", "preferred", "required", "preferred-verify", "required-verify", "required-verify-hosted")
BOTH = ("example.com", "mx.partner.example")


def server_side(directory: Path, pair: KeyPair, names: list[str] | None = None) -> ssl.SSLContext:
    """Return a peer's side of TLS; the server names that clients ask for go into `names`."""
    path = directory / "peer.pem"
    path.write_text(pair.certificate + pair.private_key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    if names is not None:
        context.sni_callback = lambda _, name, __: names.append(str(name))  # type: ignore[assignment,method-assign]
    return context


def config(port: int, setting: str) -> Config:
    authority = certificates.authority().cert_pem.bytes().decode()
    config = routed(
        port,
        gateway=Gateway(hostname="gate.example", tls_handshake_timeout=1, certificate_authorities=authority),
        default_destination=DefaultDestination(tls=setting),
    )
    config.routes["example.com"] = [f"mx.partner.example:{port}"]
    return config


def _strip(peer: Peer) -> None:
    peer.tls = None


def _answer(step: str, answer: object) -> Callable[[Peer], None]:
    return lambda peer: peer.answers.__setitem__(step, answer)


def _inject(peer: Peer) -> None:
    peer.injected = b"250-peer.example\r\n250 AUTH PLAIN\r\n"


def _nothing(peer: Peer) -> None:
    pass


NEVER_BUT_NO = ("clear", "never", "never", "never", "never", "never")
CLEAR_IF_ALLOWED = ("clear", "clear", "never", "clear", "never", "never")
VECTORS = {
    # name: (certificate, what the attacker does, outcome for each setting)
    "good": (certificates.issued(*BOTH), _nothing, ("clear", "tls", "tls", "tls", "tls", "tls")),
    "domain-only": (certificates.issued("example.com"), _nothing, ("clear", "tls", "tls", "tls", "tls", "tls")),
    "host-only": (certificates.issued("mx.partner.example"), _nothing, ("clear", "tls", "tls", "tls", "never", "tls")),
    "wrong-name": (certificates.issued("evil.example"), _nothing, ("clear", "tls", "tls", "tls", "never", "never")),
    "other-ca": (certificates.issued(*BOTH, ca="Evil"), _nothing, ("clear", "tls", "tls", "tls", "never", "never")),
    "self-signed": (certificates.pair(*BOTH), _nothing, ("clear", "tls", "tls", "tls", "never", "never")),
    "expired": (
        certificates.issued(*BOTH, first=-30, last=-1),
        _nothing,
        ("clear", "tls", "tls", "tls", "never", "never"),
    ),
    "not-yet-valid": (
        certificates.issued(*BOTH, first=10, last=30),
        _nothing,
        ("clear", "tls", "tls", "tls", "never", "never"),
    ),
    "strip": (certificates.issued(*BOTH), _strip, CLEAR_IF_ALLOWED),
    "ehlo500": (certificates.issued(*BOTH), _answer("EHLO", "500 what?"), CLEAR_IF_ALLOWED),
    "454": (certificates.issued(*BOTH), _answer("STARTTLS", "454 4.7.0 not now"), CLEAR_IF_ALLOWED),
    "500": (certificates.issued(*BOTH), _answer("STARTTLS", "500 5.5.1 what?"), CLEAR_IF_ALLOWED),
    "220plain": (certificates.issued(*BOTH), _answer("STARTTLS", "220 plain"), NEVER_BUT_NO),
    "inject": (certificates.issued(*BOTH), _inject, NEVER_BUT_NO),
    "close": (certificates.issued(*BOTH), _answer("STARTTLS", CLOSE), NEVER_BUT_NO),
    "garbage": (certificates.issued(*BOTH), _answer("STARTTLS", b"220 go on\r\n\x15\x03\x01\x00\x02\x02\x28"), NEVER_BUT_NO),
    "354": (certificates.issued(*BOTH), _answer("STARTTLS", "354 go on"), NEVER_BUT_NO),
}
CASES = [
    pytest.param(setting, vector, expected, id=f"{vector}-{setting}")
    for vector, (_, _, outcomes) in VECTORS.items()
    for setting, expected in zip(SETTINGS, outcomes, strict=True)
]


@pytest.mark.parametrize(("setting", "vector", "expected"), CASES)
async def test_no_attack_gets_more_than_the_setting_allows(tmp_path: Path, setting: str, vector: str, expected: str) -> None:
    pair, attack, _ = VECTORS[vector]
    async with DnsServer() as dns, Peer(tls=server_side(tmp_path, pair)) as peer:
        dns.add("mx.partner.example", "A", "127.0.0.1")
        attack(peer)
        async with Outbound(tmp_path / "spool", config(peer.port, setting), dns=dns.address) as out:
            mid = await out.send("ann@example.com")
            if expected == "never":
                line = await out.until_line(f"Delayed: DCID 1 MID {mid} to RID 0 - 4.7.")
                await out.until(lambda: out.journal.tls_records)
                assert not any("MAIL" in command for command in peer.sessions[0].commands)
                assert not peer.messages
                assert out.lines("DCID 1 TLS failed: ")
                required = out.lines("DCID 1 IP 127.0.0.1 TLS was required but could not be successfully negotiated")
                assert bool(required) == setting.startswith("required")
                assert "mx.partner.example" in line
            else:
                await out.finished(mid)
                assert [message.tls for message in peer.messages] == [expected == "tls"]
                assert bool(out.lines("DCID 1 TLS success protocol TLSv1.3")) == (expected == "tls")
                told = out.lines(
                    "DCID 1 TLS not used: mx.partner.example does not offer STARTTLS; preferred", "allows clear text"
                )
                assert bool(told) == (setting.startswith("preferred") and vector in ("strip", "ehlo500"))
        [record] = out.journal.tls_records
        assert (record.direction, record.connection, record.peer_name) == ("out", 1, "mx.partner.example")
        assert record.requirement == setting
        assert bool(record.outcome) == (expected == "tls" or (expected == "never" and vector in CERTIFICATES))
        assert record.messages == (expected != "never")
        assert record.verdict
        assert bool(record.failure) or expected != "never"
        verified = expected == "tls" and setting.endswith(("verify", "hosted"))
        assert record.verified == (verified and (vector in ("good", "domain-only") or setting.endswith("hosted")))


CERTIFICATES = {name for name, (_, attack, _) in VECTORS.items() if attack is _nothing}


async def test_the_server_name_is_the_hosts(tmp_path: Path) -> None:
    names: list[str] = []
    pair = certificates.issued(*BOTH)
    async with DnsServer() as dns, Peer(tls=server_side(tmp_path, pair, names)) as peer:
        dns.add("mx.partner.example", "A", "127.0.0.1")
        async with Outbound(tmp_path / "spool", config(peer.port, "required"), dns=dns.address) as out:
            await out.finished(await out.send("ann@example.com"))
    assert names == ["mx.partner.example"]


async def test_the_server_name_is_the_domain_where_the_route_names_an_address(tmp_path: Path) -> None:
    names: list[str] = []
    async with Peer(tls=server_side(tmp_path, certificates.issued(*BOTH), names)) as peer:
        settings = routed(peer.port, default_destination=DefaultDestination(tls="required"))
        async with Outbound(tmp_path / "spool", settings) as out:
            await out.finished(await out.send("ann@example.com"))
    assert names == ["example.com"]


async def test_what_was_offered_before_tls_is_forgotten(tmp_path: Path) -> None:
    pair = certificates.issued(*BOTH)
    ehlos = ["250-peer.example\r\n250-STARTTLS\r\n250-SIZE 10\r\n250 8BITMIME", "250-peer.example\r\n250 PIPELINING"]
    async with DnsServer() as dns, Peer(tls=server_side(tmp_path, pair), answers={"EHLO": ehlos}) as peer:
        dns.add("mx.partner.example", "A", "127.0.0.1")
        async with Outbound(tmp_path / "spool", config(peer.port, "required"), dns=dns.address) as out:
            await out.finished(await out.send("ann@example.com"))
            assert peer.sessions[0].commands[2:4] == ["TLS EHLO gate.example", "TLS MAIL FROM:<bob@sender.example>"]


async def test_a_second_host_that_meets_the_requirement_gets_the_mail(tmp_path: Path) -> None:
    pair = certificates.issued(*BOTH)
    async with DnsServer() as dns, Peer() as plain, Peer(tls=server_side(tmp_path, pair)) as good:
        dns.add("mx.partner.example", "A", "127.0.0.1")
        settings = config(plain.port, "required-verify")
        settings.routes["example.com"] = [
            f"mx.partner.example:{plain.port}",
            f"mx.partner.example:{good.port}/pri=1",
        ]
        async with Outbound(tmp_path / "spool", settings, dns=dns.address) as out:
            await out.finished(await out.send("ann@example.com"))
            assert not plain.messages
            assert [message.tls for message in good.messages] == [True]


async def test_mail_that_never_could_be_encrypted_bounces_when_it_is_too_old_and_the_dsn_says_why(tmp_path: Path) -> None:
    async with DnsServer() as dns, Peer() as peer, Peer() as sender:
        dns.add("mx.partner.example", "A", "127.0.0.1")
        settings = config(peer.port, "required")
        settings.routes["sender.example"] = [f"127.0.0.1:{sender.port}"]
        settings.destinations["sender.example"] = DestinationControl(tls="no")
        async with Outbound(tmp_path / "spool", settings, dns=dns.address) as out:
            mid = await out.send("ann@example.com", received=1.0)
            await out.until_line(f"Bounced: DCID 1 MID {mid} to RID 0 - 5.4.7 - Delivery time expired")
            await sender.until(lambda: sender.messages)
            text = sender.messages[0].octets.decode()
            assert "does not offer STARTTLS" in " ".join(text.split())
            assert "required (default destination control) allows no clear text" in " ".join(text.split())
