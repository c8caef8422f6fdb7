"""`tls verify`: what it foretells of each setting is what delivery does (tests/outbound/test_tls.py), on the same peers."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from gatepost.admin import tls_probe
from gatepost.admin.operations import configuration, tls_verify
from gatepost.admin.operations.operator import Operator
from gatepost.admin.operations.tls_verify import Verified
from gatepost.config.model import Config, DestinationControl
from gatepost.errors import GatepostError
from tests.admin.conftest import Terminal
from tests.outbound.test_tls import SETTINGS, VECTORS, config, server_side
from tests.support import tls as certificates
from tests.support.background import background
from tests.support.dns_server import DnsServer, dns_thread
from tests.support.peer import CLOSE, SILENT, Peer
from tests.support.process import free_port

MAIL = {"tls": "encrypted", "clear": "clear text", "never": "held back"}


def commit(state: Path, document: Config, dns: str, **changes: object) -> Operator:
    """Commit a document whose resolver is the one given."""
    operator = Operator(state, "tester")
    gateway = msgspec.structs.replace(document.gateway, dns_servers=[dns])
    configuration.replace(operator, msgspec.structs.replace(document, gateway=gateway, **changes))
    configuration.commit(operator, "Begin")
    return operator


async def verify(operator: Operator, domain: str, host: str = "") -> Verified:
    return await asyncio.to_thread(tls_verify.verify, operator, domain, host)


@pytest.mark.parametrize("vector", VECTORS)
async def test_it_foretells_what_delivery_does(tmp_path: Path, vector: str) -> None:
    pair, attack, outcomes = VECTORS[vector]
    async with DnsServer() as dns, Peer(tls=server_side(tmp_path, pair)) as peer:
        dns.add("mx.partner.example", "A", "127.0.0.1")
        attack(peer)
        operator = commit(tmp_path / "state", config(peer.port, "required-verify"), dns.address)
        found = await verify(operator, "example.com")
        assert not any("MAIL" in verb for session in peer.sessions for verb in session.verbs)
        assert len(peer.sessions) == 1
    (checked,) = found.hosts
    assert (checked.host, checked.address, checked.port) == ("mx.partner.example", "127.0.0.1", peer.port)
    foretold = {one.setting: one.mail for one in checked.judged}
    assert foretold == {setting: MAIL[outcome] for setting, outcome in zip(SETTINGS, outcomes, strict=True)}
    assert found.ok == (outcomes[SETTINGS.index("required-verify")] != "never")
    assert all(one.reason for one in checked.judged)
    assert bool(checked.outcome) != bool(checked.failure)


async def test_every_host_of_the_mx_is_asked_and_one_that_is_down_said_so(tmp_path: Path) -> None:
    pair = certificates.issued("partner.example")
    async with DnsServer() as dns, Peer(tls=server_side(tmp_path, pair)) as peer:
        dns.add("down.partner.example", "A", "127.0.0.1")
        dns.add("mx.partner.example", "A", "127.0.0.1")
        routes = {"partner.example": [f"down.partner.example:{free_port()}", f"mx.partner.example:{peer.port}/pri=10"]}
        document = config(peer.port, "preferred")
        control = {"partner.example": DestinationControl(tls="required-verify")}
        operator = commit(tmp_path / "state", document, dns.address, routes=routes, destinations=control)
        found = await verify(operator, "ann@partner.example")
    down, up = found.hosts
    assert "Connection refused" in down.failure
    assert down.judged == []
    assert up.steps[1:] == [
        "Connected to 127.0.0.1 from 127.0.0.1.",
        "Checking TLS connection.",
        "TLS connection established: protocol TLSv1.3, cipher TLS_AES_256_GCM_SHA384, group X25519.",
        "Certificate verification successful: certificate of mx.partner.example is valid for partner.example.",
    ]
    assert (found.setting, found.source, found.ok) == ("required-verify", "destination control for partner.example", True)
    assert found.verdict == (
        "Mail to partner.example goes encrypted to mx.partner.example now: "
        "required-verify (destination control for partner.example)."
    )


async def test_a_host_that_is_given_goes_before_the_route(tmp_path: Path) -> None:
    async with DnsServer() as dns, Peer(tls=server_side(tmp_path, certificates.issued("example.com"))) as peer:
        document = config(free_port(), "required-verify")
        operator = commit(tmp_path / "state", document, dns.address)
        found = await verify(operator, "example.com", f"127.0.0.1:{peer.port}")
        assert found.ok
        assert [checked.host for checked in found.hosts] == ["127.0.0.1"]
        with pytest.raises(GatepostError, match="holds white space"):
            await verify(operator, "example.com", "a host:25")


@pytest.mark.parametrize(
    ("step", "answer", "said", "hopeless"),
    [
        ("CONNECT", SILENT, "the greeting did not come: the peer let the time run out", True),
        ("CONNECT", "554 not you", "the greeting was 554 not you", True),
        ("EHLO", CLOSE, "the answer to EHLO did not come: ", True),
        ("EHLO", "421 later", "the answer to EHLO was 421 later", True),
        ("EHLO", "500 what?", "mx.partner.example does not offer STARTTLS", False),
        ("STARTTLS", SILENT, "the answer to STARTTLS did not come: the peer let the time run out", False),
        ("STARTTLS", "454 later", "the answer to STARTTLS was 454 later", False),
    ],
)
async def test_what_goes_wrong_on_the_way_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, answer: object, said: str, hopeless: bool
) -> None:
    monkeypatch.setattr(tls_probe, "PATIENCE", 0.5)
    pair = certificates.issued("example.com")
    async with DnsServer() as dns, Peer(tls=server_side(tmp_path, pair), answers={step: answer}) as peer:
        dns.add("mx.partner.example", "A", "127.0.0.1")
        operator = commit(tmp_path / "state", config(peer.port, "preferred"), dns.address)
        (checked,) = (await verify(operator, "example.com")).hosts
    assert checked.failure.startswith(said)
    assert checked.steps[-1] == f"TLS connection failed: {checked.failure}."
    assert bool(checked.judged) != hopeless


async def test_where_there_is_no_host_the_reason_is_told(tmp_path: Path) -> None:
    async with DnsServer() as dns:
        dns.add("null.example", "MX", "0 .")
        document = msgspec.structs.replace(config(25, "preferred"), routes={"gone.example": ["/dev/null"]})
        operator = commit(tmp_path / "state", document, dns.address)
        for domain, said in (
            ("gone.example", "the SMTP route for gone.example throws mail to gone.example away"),
            ("null.example", "the domain null.example takes no mail"),
            ("nowhere.example", "the domain nowhere.example does not exist"),
        ):
            with pytest.raises(GatepostError, match=said):
                await verify(operator, domain)


def test_the_command_line_shows_steps_and_settings(gatepost: Terminal, tmp_path: Path) -> None:
    peer = Peer(tls=server_side(tmp_path, certificates.issued("mx.partner.example")))
    with dns_thread() as dns, background(peer):
        dns.add("mx.partner.example", "A", "127.0.0.1")
        commit(gatepost.state, config(peer.port, "required-verify"), dns.address)
        done = gatepost("tls", "verify", "example.com", status=1)
        value = gatepost("tls", "verify", "example.com", "--json", status=1).json
    assert f"Connecting to mx.partner.example (127.0.0.1) on port {peer.port}." in done.out
    assert "required-verify *" in done.out
    assert max(map(len, done.out.splitlines())) <= 80
    rule = "required-verify (default destination control)"
    assert done.err == f"gatepost: Mail to example.com would wait now: no host gives what {rule} wants.\n"
    assert {one["setting"]: one["mail"] for one in value["hosts"][0]["judged"]}["required-verify-hosted"] == "encrypted"
