"""Destination Controls in this process: own values and defaults, the appliance's text, faults, roles."""

from __future__ import annotations

from gatepost.config.model import (
    BounceProfile,
    Certificate,
    Config,
    DefaultDestination,
    DestinationControl,
    RecipientRate,
    TlsProfile,
)
from gatepost.tls.making import Subject, self_signed
from tests.admin.web.conftest import SignIn

PAIR = self_signed(Subject(names=("mx.example.com",)))
BEGIN = Config(
    certificates={"mx": Certificate(certificate=PAIR.certificate, private_key=PAIR.private_key)},
    tls_profiles={"old": TlsProfile(methods=["TLSv1.2"])},
    bounce_profiles={"Quick": BounceProfile()},
    destinations={"partner.example": DestinationControl(tls="required", max_connections=5)},
)
DEFAULTS = {
    "tls": "required",
    "tls_profile": "old",
    "max_connections": "7",
    "max_messages_per_connection": "8",
    "bounce_profile": "Quick",
    "certificate": "mx",
}


def test_a_control_keeps_to_the_default_what_it_leaves_empty(visit: SignIn) -> None:
    console = visit(BEGIN)
    form = {"domain": ".Bank.Example", "tls": "required-verify", "recipients": "1000", "minutes": "", "tls_profile": ""}
    assert console.post("/destinations/new", form).headers["Location"] == "/destinations"
    made = DestinationControl(tls="required-verify", recipients_per_minutes=RecipientRate(recipients=1000, minutes=60))
    assert console.draft.destinations[".bank.example"] == made
    assert "1,000 in 60 minutes" in console.get("/destinations").text
    page = console.get("/destinations/domain/.bank.example").text
    assert 'value="1000"' in page
    assert "Use Default (Preferred)" in page
    console.post("/destinations/domain/.bank.example", tls="", bounce_profile="Quick")
    assert console.draft.destinations[".bank.example"] == DestinationControl(bounce_profile="Quick")


def test_the_default_is_set_as_a_whole(visit: SignIn) -> None:
    console = visit(BEGIN)
    assert console.post("/destinations/default", DEFAULTS).status_code == 303
    assert console.draft.default_destination == DefaultDestination(
        tls="required",
        tls_profile="old",
        max_connections=7,
        max_messages_per_connection=8,
        bounce_profile="Quick",
        certificate="mx",
    )
    assert "Required (default)" not in console.get("/destinations").text
    assert "8 (default)" in console.get("/destinations").text


def test_the_default_leaves_nothing_open(visit: SignIn) -> None:
    console = visit(BEGIN)
    answer = console.post("/destinations/default", {})
    assert answer.status_code == 422
    for field in ("tls", "tls_profile", "max_connections", "max_messages_per_connection", "bounce_profile"):
        assert f'id="fault-{field}"' in answer.text
    assert console.draft == BEGIN


def test_faults_stand_by_their_fields_and_what_was_typed_stays(visit: SignIn) -> None:
    console = visit(BEGIN)
    form = {
        "domain": "<b>.example",
        "tls": "perhaps",
        "max_connections": "-1",
        "max_messages_per_connection": "ten",
        "recipients": "",
        "minutes": "61",
    }
    answer = console.post("/destinations/new", form)
    assert answer.status_code == 422
    for field in form:
        assert f'id="fault-{field}"' in answer.text
    assert 'value="&lt;b&gt;.example"' in answer.text
    assert 'value="ten"' in answer.text
    unknown = console.post("/destinations/new", domain="a.example", tls_profile="nosuch", bounce_profile="none")
    for field in ("tls_profile", "bounce_profile"):
        assert f'id="fault-{field}"' in unknown.text
    assert "already" in console.post("/destinations/new", domain="PARTNER.example").text
    assert console.draft == BEGIN


def test_a_control_is_deleted(visit: SignIn) -> None:
    console = visit(BEGIN)
    assert console.post("/destinations/domain/partner.example/delete").headers["Location"] == "/destinations"
    assert console.draft.destinations == {}
    assert "No domain has a control of its own" in console.get("/destinations").text


def test_the_table_goes_out_and_comes_in_as_text(visit: SignIn) -> None:
    console = visit(BEGIN)
    text = console.get("/destinations/export").text
    assert "[partner.example]" in text
    bad = console.post("/destinations/import", text=f"{text}\n[other.example]\ntable_tls = always\nnosuch = 1\n<b>")
    assert bad.status_code == 422
    first = text.count("\n") + 3
    assert [line for line in range(1, first + 5) if f"line {line}: " in bad.text] == [first, first + 1, first + 2]
    assert "&lt;b&gt;</textarea>" in bad.text
    console.post("/destinations/import", text=text.replace("[partner.example]", "[other.example]"))
    assert list(console.draft.destinations) == ["other.example"]


def test_only_an_administrator_may_change_it(visit: SignIn) -> None:
    console = visit(BEGIN, "read-only")
    assert "Add Destination" not in console.get("/destinations").text
    assert "Submit" not in console.get("/destinations/default").text
    for path in ("new", "default", "domain/partner.example", "domain/partner.example/delete", "import"):
        assert console.post(f"/destinations/{path}", DEFAULTS).status_code == 403
    assert console.draft == BEGIN
    assert console.get("/destinations/domain/nobody.example").status_code == 404
