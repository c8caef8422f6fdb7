"""Address Lists and Bounce Profiles in this process: what is typed, who uses what, faults, roles."""

from __future__ import annotations

from gatepost.config.model import AddressList, BounceProfile, Certificate, Config, Listener, MailFlowPolicy
from gatepost.tls.making import Subject, self_signed
from tests.admin.web.conftest import SignIn

PAIR = self_signed(Subject(names=("mx.example.com",)))
BEGIN = Config(
    certificates={"mx": Certificate(certificate=PAIR.certificate, private_key=PAIR.private_key)},
    address_lists={
        "banks": AddressList(addresses=["@bank.example", "boss@"], description="must <i>encrypt</i>"),
        "spare": AddressList(addresses=["@spare.example"]),
    },
    bounce_profiles={"Quick": BounceProfile(max_age=3600), "Spare": BounceProfile()},
    listeners={
        "InboundMail": Listener(
            address="127.0.0.1",
            port=2525,
            certificates=["mx"],
            bounce_profile="Quick",
            policies={"P": MailFlowPolicy(tls="preferred", tls_mandatory_senders="banks")},
        )
    },
)


def test_an_address_list_is_added_and_edited(visit: SignIn) -> None:
    console = visit(BEGIN)
    form = {"name": "clinics", "description": "doctors", "addresses": "@.clinic.example\r\n@[192.0.2.1]"}
    assert console.post("/lists/new", form).headers["Location"] == "/lists"
    made = AddressList(addresses=["@.clinic.example", "@[192.0.2.1]"], description="doctors")
    assert console.draft.address_lists["clinics"] == made
    console.post("/lists/list/banks", addresses="@bank.example", description="")
    assert console.draft.address_lists["banks"] == AddressList(addresses=["@bank.example"])


def test_an_address_list_says_who_uses_it_and_stays_while_somebody_does(visit: SignIn) -> None:
    console = visit(BEGIN)
    page = console.get("/lists").text
    assert "policy P of listener InboundMail" in page
    assert "must &lt;i&gt;encrypt" in page
    refused = console.post("/lists/list/banks/delete")
    assert (refused.status_code, "is used by policy P of listener InboundMail" in refused.text) == (422, True)
    assert console.post("/lists/list/spare/delete").status_code == 303
    assert list(console.draft.address_lists) == ["banks"]


def test_every_entry_that_is_no_address_is_told(visit: SignIn) -> None:
    console = visit(BEGIN)
    answer = console.post("/lists/new", name="banks 2", addresses="bank.example\n@ok.example\n@@", description="kept")
    assert answer.status_code == 422
    for field in ("name", "addresses"):
        assert f'id="fault-{field}"' in answer.text
    assert "bank.example\n@ok.example\n@@</textarea>" in answer.text
    assert "write @bank.example for a domain" in answer.text
    assert 'value="kept"' in answer.text
    assert "already" in console.post("/lists/new", name="BANKS", addresses="@x.example").text
    assert console.draft == BEGIN


def test_a_bounce_profile_is_added_and_edited(visit: SignIn) -> None:
    console = visit(BEGIN)
    numbers = {"max_retries": "3", "max_age": "7200", "initial_wait": "30", "max_wait": "600"}
    assert console.post("/bounces/new", numbers, name="Slow").headers["Location"] == "/bounces"
    made = BounceProfile(max_retries=3, max_age=7200, initial_wait=30, max_wait=600)
    assert console.draft.bounce_profiles["Slow"] == made
    assert 'value="259200"' in console.get("/bounces/profile/Default").text
    console.post("/bounces/profile/Default", numbers)
    assert console.draft.bounce_profiles["Default"] == made


def test_bad_numbers_of_a_bounce_profile_are_told_by_their_fields(visit: SignIn) -> None:
    console = visit(BEGIN)
    answer = console.post("/bounces/new", name="quick", max_retries="many", max_age="0", initial_wait="60", max_wait="3600")
    assert answer.status_code == 422
    assert [f for f in ("name", "max_retries", "max_age", "initial_wait", "max_wait") if f"fault-{f}" in answer.text] == [
        "name",
        "max_retries",
        "max_age",
    ]
    assert 'value="many"' in answer.text
    short = {"max_retries": "3", "max_age": "7200", "initial_wait": "60", "max_wait": "30"}
    assert 'id="fault-max_wait"' in console.post("/bounces/new", short, name="X").text
    assert 'id="fault-name"' in console.post("/bounces/new", {**short, "max_wait": "60"}, name="quick").text
    assert console.draft == BEGIN


def test_a_bounce_profile_stays_while_somebody_uses_it(visit: SignIn) -> None:
    console = visit(BEGIN)
    refused = console.post("/bounces/profile/Quick/delete")
    assert (refused.status_code, "is used by listener InboundMail" in refused.text) == (422, True)
    assert console.post("/bounces/profile/Spare/delete").status_code == 303
    assert list(console.draft.bounce_profiles) == ["Quick"]


def test_only_an_administrator_may_change_lists_and_profiles(visit: SignIn) -> None:
    console = visit(BEGIN, "operator")
    for path in ("/lists/new", "/lists/list/spare", "/lists/list/spare/delete"):
        assert console.post(path, name="x", addresses="@x.example").status_code == 403
    for path in ("/bounces/new", "/bounces/profile/Spare", "/bounces/profile/Spare/delete"):
        assert console.post(path, name="x").status_code == 403
    assert "Submit" not in console.get("/lists/list/banks").text + console.get("/bounces/profile/Quick").text
    assert console.draft == BEGIN


def test_what_does_not_exist_is_404_and_no_list_is_said(visit: SignIn) -> None:
    console = visit()
    assert "There is no address list" in console.get("/lists").text
    assert console.get("/lists/list/nobody").status_code == 404
    assert console.get("/bounces/profile/nobody").status_code == 404
