"""`gatepost try`: the dialogue it shows, what it reads from the records, and its one sentence of verdict."""

from __future__ import annotations

import pytest

from gatepost.admin.operations import configuration, documents, trial
from gatepost.admin.operations.operator import Operator
from gatepost.admin.try_plan import Plan, make_plan, message
from gatepost.config.model import Config, Gateway, Listener, Recipient
from gatepost.smtp import reply

from .conftest import Terminal
from .fake_gateway import FakeGateway, fake_gateway


def _aim(terminal: Terminal, gateway: FakeGateway) -> None:
    operator = Operator(terminal.state, "tester")
    documents.set_field(operator, "listeners.InboundMail.port", str(gateway.port))
    configuration.commit(operator, "Aim at the fake")


def test_a_message_over_tls_is_told_from_banner_to_inbox(configured: Terminal) -> None:
    with fake_gateway(configured.state) as gateway:
        _aim(configured, gateway)
        told = configured("try").out
    lines = told.splitlines()
    assert lines[0] == f"-- connected to 127.0.0.1 port {gateway.port}, listener InboundMail"
    assert lines[1].startswith("S: 220 mx1.example.com")
    for line in (
        "C: EHLO try.mx1.example.com",
        "C: STARTTLS",
        "-- TLS: TLSv1.3, TLS_AES_256_GCM_SHA384, group X25519MLKEM768",
        "-- TLS: certificate for mx1.example.com, EC P-256, not verified: self-signed certificate",
        "C: RCPT TO:<test@example.com>",
        "C: QUIT",
        f"  Kept in:   {configured.state / 'demo-inbox' / '1.eml'}",
        "  Recipient: test@example.com: delivered (clear text), as it was set",
    ):
        assert line in lines, told
    came = "came over TLSv1.3 TLS_AES_256_GCM_SHA384 with group X25519MLKEM768"
    assert lines[-1] == f"Delivered: MID 7 {came} and went in clear text to 10.0.0.5."


def test_clear_text_is_tried_on_request_and_where_there_is_no_tls(configured: Terminal) -> None:
    with fake_gateway(configured.state) as gateway:
        _aim(configured, gateway)
        assert "STARTTLS" not in configured("try", "--clear").out.replace("S: 250-STARTTLS", "")
    with fake_gateway(configured.state, starttls=False) as gateway:
        _aim(configured, gateway)
        assert "-- STARTTLS is not offered: going on in clear text" in configured("try").out


def test_it_may_come_from_another_address_of_this_machine(configured: Terminal) -> None:
    with fake_gateway(configured.state) as gateway:
        _aim(configured, gateway)
        told = configured("try", "--source", "127.0.0.2").out
        assert told.startswith(f"-- connected from 127.0.0.2 to 127.0.0.1 port {gateway.port}, ")
        assert gateway.peer == "127.0.0.2"
        assert "is 192.0.2.7 an address of this machine" in configured("try", "--source", "192.0.2.7", status=1).err
    assert configured("try", "--source", "partner", status=1).err == (
        "gatepost: 'partner' is not an IP address: --source takes one that this machine has\n"
    )


def test_a_refusal_is_the_verdict(configured: Terminal) -> None:
    with fake_gateway(configured.state, refuse=reply.ADDRESS_REJECTED) as gateway:
        _aim(configured, gateway)
        done = configured("try", "--to", "joe@example.org", status=1)
        assert done.err == (
            "gatepost: Not sent: the gateway answered RCPT TO:<joe@example.org> with 550 #5.1.0 Address rejected.\n"
        )
        assert not configured("try", "--to", "joe@example.org", "--json", status=1).json["ok"]


def test_mail_that_waits_is_a_failure_with_its_reason(configured: Terminal) -> None:
    with fake_gateway(configured.state, outcome="deferred") as gateway:
        _aim(configured, gateway)
        assert "is deferred: as it was set" in configured("try", status=1).err


def test_silence_of_the_records_is_bounded(configured: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "WAIT", 0.3)
    monkeypatch.setattr(FakeGateway, "_record", lambda *_: None)
    with fake_gateway(configured.state) as gateway:
        _aim(configured, gateway)
        assert "the records do not show the message within 0.3 seconds" in configured("try", status=1).err


def test_no_gateway_is_said(configured: Terminal) -> None:
    operator = Operator(configured.state, "tester")
    with fake_gateway(configured.state) as gateway:
        port = gateway.port
    documents.set_field(operator, "listeners.InboundMail.port", str(port))
    configuration.commit(operator, "Nobody there")
    done = configured("try", status=1)
    assert f"connection to 127.0.0.1 port {port}: Connection refused; is the gateway running" in done.err


@pytest.mark.parametrize(
    ("match", "recipient"),
    [
        ("example.com", "test@example.com"),
        (".example.com", "test@mail.example.com"),
        ("joe@example.com", "joe@example.com"),
        ("info@", "info@mx1.example.com"),
        ("[192.0.2.1]", "test@[192.0.2.1]"),
        ("ALL", "postmaster@mx1.example.com"),
    ],
)
def test_the_recipient_is_one_that_the_listener_takes(match: str, recipient: str) -> None:
    listener = Listener(recipients=[Recipient(match="no@example.com", action="reject"), Recipient(match=match)])
    config = Config(gateway=Gateway(hostname="mx1.example.com"))
    assert make_plan(config, "InboundMail", listener).recipient == recipient


@pytest.mark.parametrize("size", [1, 3, 69, 70, 71, 72, 100_000])
def test_the_body_has_the_size_asked_for_and_whole_lines(size: int) -> None:
    plan = Plan(
        listener="",
        address="",
        port=0,
        hostname="mx1.example.com",
        sender="",
        recipient="a@example.com",
        size=size,
        token="t",
    )
    _, _, body = message(plan).partition(b"\r\n\r\n")
    assert size - 3 < len(body) <= size
    assert body.count(b"\n") == body.count(b"\r\n") == body.count(b"\r")
