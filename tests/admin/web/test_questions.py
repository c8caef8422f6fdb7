"""Trace and Explain in this process: what they answer, what will not do, and who may ask."""

from __future__ import annotations

from gatepost.admin.operations.offers import on_record
from gatepost.config.model import (
    Certificate,
    Config,
    DefaultPolicy,
    DestinationControl,
    Listener,
    MailFlowPolicy,
    Recipient,
    SenderGroup,
)
from gatepost.tls.making import Subject, self_signed
from tests.admin.web.conftest import SignIn
from tests.support.web import Visitor

PAIR = self_signed(Subject(names=("mx.example.com",)))
BEGIN = Config(
    certificates={"mx": Certificate(certificate=PAIR.certificate, private_key=PAIR.private_key)},
    listeners={
        "InboundMail": Listener(
            address="127.0.0.1",
            port=2525,
            certificates=["mx"],
            default_policy=DefaultPolicy(tls="preferred"),
            policies={"PARTNER_TLS": MailFlowPolicy(tls="required"), "ACCEPTED": MailFlowPolicy()},
            sender_groups=[
                SenderGroup(name="PARTNERS", senders=["192.0.2.0/24"], policy="PARTNER_TLS"),
                SenderGroup(name="OTHERS", senders=["192.0.2.9"], policy="ACCEPTED"),
            ],
            recipients=[Recipient(match="example.com", action="accept")],
        )
    },
    destinations={"partner.example": DestinationControl(tls="required-verify")},
)
TRACE = {"address": "192.0.2.9", "sender": "ceo@partner.example", "recipients": "box@example.com, no@other.example"}


def fault(text: str, field: str) -> str:
    return text.partition(f'id="fault-{field}"')[2].partition("</p>")[0]


# --- trace -----------------------------------------------------------------------------------------------------------


def test_a_trace_says_what_each_table_does(visit: SignIn) -> None:
    console = visit(BEGIN)
    assert "Trace on" not in console.get("/trace").text
    page = console.post("/trace", TRACE, message="Subject: hello <b>\r\n\r\nText.", hello="mail.partner.example").text
    assert "Accepted for box@example.com; refused: no@other.example." in page
    for section in ("Host Access Table", "Processing MAIL FROM", "Processing Recipient List", "Message Processing"):
        assert f"<h3>{section}</h3>" in page
    assert "530 #5.7.0 Must issue a STARTTLS command first" in page
    assert "from mail.partner.example" in page.partition("Final message")[2]
    assert "Subject: hello &lt;b&gt;" in page
    assert console.draft == BEGIN


def test_a_trace_is_by_the_draft_or_by_what_is_committed(visit: SignIn) -> None:
    console = visit(BEGIN)
    console.post("/policies/InboundMail/policy/PARTNER_TLS", behavior="reject", tls="required")
    assert "by the draft on revision 1" in console.post("/trace", TRACE).text
    assert "No mail is accepted" in console.post("/trace", TRACE).text
    assert "Accepted for box@example.com" in console.post("/trace", TRACE, under="committed").text


def test_whoever_only_looks_may_trace_without_a_message(visit: SignIn) -> None:
    console = visit(BEGIN, "read-only")
    assert '<form method="get" action="/trace">' in console.get("/trace").text
    assert "Accepted for box@example.com" in console.get("/trace", params=TRACE).text
    assert console.post("/trace", TRACE).status_code == 403


def test_faults_of_a_trace_stand_by_their_fields_all_at_once(visit: SignIn) -> None:
    answer = visit(BEGIN).post("/trace", address="<b>", name="a b", sender="@@", recipients="@@")
    assert answer.status_code == 422
    for field in ("address", "name", "sender", "recipients"):
        assert fault(answer.text, field), field
    assert 'value="&lt;b&gt;"' in answer.text
    none = visit(BEGIN).post("/trace", address="192.0.2.1")
    assert "name at least one recipient" in fault(none.text, "recipients")


# --- explain ---------------------------------------------------------------------------------------------------------


def ask(console: Visitor, **fields: str) -> str:
    return console.get("/explain", params={"host": "192.0.2.9", **fields}).text


def test_explain_has_every_section_of_the_answer(visit: SignIn) -> None:
    console = visit(BEGIN)
    page = ask(console, sender="ceo@partner.example", recipient="box@example.com")
    for section in ("Connection", "Sender group", "Behaviour", "TLS", "Ciphers", "Sender", "Recipient"):
        assert f"<h3>{section}</h3>" in page, section
    assert "Sender group PARTNERS, policy PARTNER_TLS: ACCEPT, tls = required." in page
    assert "never reached: the broader 192.0.2.0/24 stands above it" in page
    for one in on_record():
        assert f'<th scope="row">{one.client}</th>' in page
    assert "Default Policy Parameters" in page


def test_an_offer_on_record_is_explained_and_a_file_of_ours_is_not_read(visit: SignIn) -> None:
    console = visit(BEGIN)
    page = ask(console, offer="openssl-tls1.2")
    assert "<h3>Handshake</h3>" in page
    assert "Our order decided (cipher_order = server)" in page
    assert "choose one of the clients on record" in fault(ask(console, offer=str(console.state / "config.db")), "offer")
    both = ask(console, offer="openssl-tls1.2", icid="7")
    assert "not both" in fault(both, "offer")


def test_explain_says_what_the_draft_would_change(visit: SignIn) -> None:
    console = visit(BEGIN)
    assert "If the draft were committed" not in ask(console)
    console.post("/policies/InboundMail/policy/PARTNER_TLS", behavior="accept", tls="no")
    page = ask(console)
    assert "<h3>If the draft were committed</h3>" in page
    assert "tls: required -&gt; no" in page
    assert "by the draft on revision 1" in ask(console, under="draft")


def test_faults_of_an_explanation_stand_by_their_fields_all_at_once(visit: SignIn) -> None:
    answer = visit(BEGIN).get(
        "/explain", params={"host": "<b>", "name": "a b", "sender": "@@", "recipient": "@@", "icid": "x", "offer": "y"}
    )
    assert answer.status_code == 422
    for field in ("host", "name", "sender", "recipient", "icid", "offer"):
        assert fault(answer.text, field), field
    assert 'value="&lt;b&gt;"' in answer.text
    assert "ICID 7 is not on record" in ask(visit(BEGIN), icid="7")


def test_explain_out_has_every_section_of_the_answer(visit: SignIn) -> None:
    console = visit(BEGIN, "read-only")
    page = console.get("/explain/out", params={"domain": "ann@partner.example"}).text
    for section in ("Destination", "Route", "TLS", "Ciphers", "Retries"):
        assert f"<h3>{section}</h3>" in page, section
    assert "Destination control partner.example, no SMTP route: tls = required-verify." in page
    refused = console.get("/explain/out", params={"domain": "<b>"})
    assert refused.status_code == 422
    assert fault(refused.text, "domain")


def test_without_anything_committed_the_pages_say_so(visit: SignIn) -> None:
    console = visit()
    assert console.get("/explain").status_code == 200
    for path in (
        "/explain?host=192.0.2.1",
        "/explain/out?domain=example.com",
        "/trace?address=192.0.2.1&recipients=a@b.example",
    ):
        answer = console.get(path)
        assert answer.status_code == 422
        assert "nothing is configured" in answer.text
