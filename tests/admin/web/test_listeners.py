"""Listeners in this process: one added, edited and renamed, what holds for all, faults, roles."""

from __future__ import annotations

from gatepost.config.model import Certificate, Config, DomainMapping, Gateway, Listener, MailFlowPolicy
from gatepost.tls.making import Subject, self_signed
from tests.admin.web.conftest import SignIn

PAIR = self_signed(Subject(names=("mx.example.com",)))
CERTIFICATE = Certificate(certificate=PAIR.certificate, private_key=PAIR.private_key)
BEGIN = Config(
    certificates={"mx": CERTIFICATE, "second": CERTIFICATE, "third": CERTIFICATE},
    listeners={
        "InboundMail": Listener(
            address="127.0.0.1",
            port=2525,
            certificates=["mx", "third"],
            policies={"PARTNER_TLS": MailFlowPolicy(tls="required")},
        )
    },
)
FORM = {
    "name": "OutboundMail",
    "type": "private",
    "interface": "PrivateNet",
    "address": "127.0.0.2",
    "port": "2526",
    "certificate": "",
    "max_concurrency": "300",
    "tcp_queue": "20",
    "default_domain": "example.com",
    "domain_map": "@old.example @new.example\r\n",
    "bare_line_endings": "repair",
    "bounce_profile": "Default",
}


def test_a_private_listener_is_added_with_its_first_hosts(visit: SignIn) -> None:
    console = visit(BEGIN)
    assert console.post("/listeners/new", FORM, first="10.0.0.0/8\r\n.inside.example").headers["Location"] == "/listeners"
    made = console.draft.listeners["OutboundMail"]
    assert (made.type, made.interface, made.address, made.port) == ("private", "PrivateNet", "127.0.0.2", 2526)
    assert (made.max_concurrency, made.tcp_queue, made.default_domain) == (300, 20, "example.com")
    assert (made.domain_map, made.bare_line_endings) == ([DomainMapping(match="@old.example", to="@new.example")], "repair")
    assert [(row.name, row.senders, row.policy) for row in made.sender_groups] == [
        ("RELAYLIST", ["10.0.0.0/8", ".inside.example"], "RELAYED")
    ]
    assert list(made.policies) == ["RELAYED", "BLOCKED"]
    assert "PrivateNet (127.0.0.2)" in console.get("/listeners").text


def test_a_public_listener_is_added_with_its_first_recipients(visit: SignIn) -> None:
    console = visit(BEGIN)
    console.post("/listeners/new", {**FORM, "type": "public"}, first="example.com .example.com")
    made = console.draft.listeners["OutboundMail"]
    assert [row.match for row in made.recipients] == ["example.com", ".example.com"]
    assert list(made.policies) == ["ACCEPTED", "TRUSTED", "THROTTLED", "BLOCKED"]


def test_a_listener_is_edited_and_renamed_and_keeps_its_tables(visit: SignIn) -> None:
    console = visit(BEGIN)
    page = console.get("/listeners/listener/InboundMail").text
    assert 'name="certificate third" checked' in page
    assert 'name="certificate second">' in page
    form = {**FORM, "name": "Public", "type": "public", "certificate": "second", "certificate mx": "on"}
    assert console.post("/listeners/listener/InboundMail", form).status_code == 303
    made = console.draft.listeners["Public"]
    assert (made.certificates, made.port) == (["second", "mx"], 2526)
    assert made.policies == BEGIN.listeners["InboundMail"].policies
    assert list(console.draft.listeners) == ["Public"]


def test_every_fault_stands_by_its_field_and_what_was_typed_stays(visit: SignIn) -> None:
    console = visit(BEGIN)
    wrong = {
        "name": "a b",
        "type": "secret",
        "port": "0",
        "max_concurrency": "many",
        "tcp_queue": "",
        "bare_line_endings": "",
    }
    answer = console.post("/listeners/new", {**FORM, **wrong, "domain_map": "<i>\n@a.example @b.example"})
    assert answer.status_code == 422
    for field in (*wrong, "domain_map"):
        assert f'id="fault-{field}"' in answer.text
    assert "&lt;i&gt;\n@a.example @b.example</textarea>" in answer.text
    assert "7 fields want mending" in answer.text
    judged = {"address": "1.2.3", "default_domain": "<b>", "bounce_profile": "nosuch", "name": "bad name"}
    answer = console.post("/listeners/new", {**FORM, **judged})
    for field in judged:
        assert f'id="fault-{field}"' in answer.text
    assert 'id="fault-first"' in console.post("/listeners/new", FORM, first="10.0.0.300").text
    assert console.draft == BEGIN


def test_an_address_that_is_taken_and_a_certificate_that_is_needed_are_told(visit: SignIn) -> None:
    console = visit(BEGIN)
    assert 'id="fault-port"' in console.post("/listeners/new", {**FORM, "address": "127.0.0.1", "port": "2525"}).text
    assert "already" in console.post("/listeners/new", {**FORM, "name": "inboundmail"}).text
    answer = console.post("/listeners/listener/InboundMail", {**FORM, "name": "InboundMail", "type": "public"})
    assert 'id="fault-certificates"' in answer.text
    assert console.draft == BEGIN


def test_a_listener_is_deleted_and_no_listener_is_said(visit: SignIn) -> None:
    console = visit(BEGIN)
    assert console.post("/listeners/listener/InboundMail/delete").headers["Location"] == "/listeners"
    assert "There is no listener: no mail comes in." in console.get("/listeners").text
    assert console.get("/listeners/listener/InboundMail").status_code == 404


def test_what_holds_for_all_listeners_is_set(visit: SignIn) -> None:
    console = visit(BEGIN)
    form = {
        "unsuccessful_connection_timeout": "120",
        "connection_time_limit": "600",
        "command_timeout": "60",
        "tls_handshake_timeout": "10",
        "max_header_size": "128k",
        "max_header_lines": "1000",
        "max_line_length": "2000",
        "max_hops": "50",
    }
    assert console.post("/listeners/global", form).headers["Location"] == "/listeners"
    made = console.draft.gateway
    assert (made.max_header_size, made.max_hops, made.command_timeout) == ("128k", 50, 60)
    answer = console.post("/listeners/global", {**form, "max_hops": "0", "max_header_size": "big"})
    assert (answer.status_code, 'id="fault-max_hops"' in answer.text, 'id="fault-max_header_size"' in answer.text) == (
        422,
        True,
        True,
    )
    assert Gateway().max_hops != console.draft.gateway.max_hops == 50


def test_only_an_administrator_may_change_listeners(visit: SignIn) -> None:
    console = visit(BEGIN, "operator")
    assert "Add Listener" not in console.get("/listeners").text
    assert "Submit" not in console.get("/listeners/listener/InboundMail").text
    for path in ("new", "global", "listener/InboundMail", "listener/InboundMail/delete"):
        assert console.post(f"/listeners/{path}", FORM).status_code == 403
    assert console.draft == BEGIN
