"""Delivery Status in this process: the queue, what operators do to it, what is asked before, roles and hostile text."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from gatepost.errors import ControlError
from tests.admin.fake_service import FakeService, fake_service
from tests.admin.web.conftest import SignIn
from tests.support.pages import FORGED, Parsed
from tests.support.web import Visitor

LISTENER = {"name": "InboundMail", "address": "127.0.0.1", "port": 2525}
STATUS = {
    "version": "1",
    "revision": 3,
    "pid": 1,
    "started": 0.0,
    "queue": {"messages": 1, "recipients": 2},
    "workers": [{"index": 0, "pid": 2}],
    "listeners": [LISTENER],
}
RECIPIENTS = [
    {
        "rid": 0,
        "address": "bob@b.example",
        "status": "deferred",
        "destination": "b.example",
        "due": 1e9,
        "detail": "451 later",
    },
    {"rid": 1, "address": "eve@c.example", "status": "delivered"},
]
MESSAGE = {
    "mid": 42,
    "received": 1e9,
    "reverse_path": "ann@a.example",
    "size": 999,
    "recipients": RECIPIENTS,
    "subject": "Hi",
}
DESTINATION = {"destination": "b.example", "recipients": 1, "next_due": 1e9}
HOST = {"down": "connection refused", "delivered": 12}


def text(page: str) -> str:
    """Return what a page says, without its tags."""
    return html.unescape(" ".join(re.sub(r"<[^>]*>", " ", page).split()))


@contextmanager
def serving(console: Visitor, **answers: Any) -> Iterator[FakeService]:
    """A service with one message that waits for b.example."""
    usual = {
        "status": STATUS,
        "queue_list": {"destinations": [DESTINATION], "messages": [MESSAGE]},
        "queue_show": lambda asked: MESSAGE if asked["mid"] == 42 else None,
        "queue_count": {"recipients": 1},
        "queue_content": {"size": 999, "octets": b"Subject: Hi\r\n\r\n<b>body</b>\r\n"},
        "hosts": {"b.example": HOST},
    }
    verbs = ("bounce", "delete", "redirect", "deliver_now")
    done = {verb: {"recipients": 1} for verb in verbs} | dict.fromkeys(
        ("suspend_delivery", "resume_delivery", "suspend_listener", "resume_listener")
    )
    with fake_service(console.state, **(usual | done | answers)) as service:
        yield service


def acted(service: FakeService) -> list[tuple[str, dict[str, Any]]]:
    """Return what was done, without what was only asked."""
    return [one for one in service.asked if not one[0].startswith(("status", "queue_", "hosts"))]


def test_the_queue_is_shown_to_everybody_and_moved_by_operators(visit: SignIn) -> None:
    for role, may in (("read-only", False), ("operator", True)):
        console = visit(role=role)  # type: ignore[arg-type]
        with serving(console):
            page = console.get("/delivery").text
            for piece in ("b.example", "connection refused", "InboundMail", "1 message"):
                assert piece in text(page)
            assert ("Suspend delivery" in page, "how=bounce" in page) == (may, may)
            assert ("how=delete" in console.get("/delivery/message/42").text) == may
            assert "451 later" in text(console.get("/delivery/messages?destination=b.example").text)


def test_without_a_service_the_page_says_so(visit: SignIn) -> None:
    page = visit().get("/delivery")
    assert page.status_code == 200
    assert "faults" in page.text


def test_an_empty_queue_is_said(visit: SignIn) -> None:
    console = visit()
    with serving(console, queue_list={"destinations": [], "messages": []}, queue_count={"recipients": 0}):
        assert "The queue is empty" in console.get("/delivery").text
        assert "Nothing waits" in console.get("/delivery/messages?destination=b.example").text
        assert "Nothing waits of MID 7" in console.get("/delivery/end?how=delete&mid=7").text
        assert console.get("/delivery/message/7").status_code == 404


@pytest.mark.parametrize("how", ["bounce", "delete"])
def test_mail_ends_only_after_a_question(visit: SignIn, how: str) -> None:
    console = visit(role="operator")
    with serving(console) as service:
        page = console.get(f"/delivery/end?how={how}&destination=b.example")
        assert "1 recipient of all mail for b.example" in text(page.text)
        assert acted(service) == []
        (form,) = (form for form in Parsed(page.text).forms if form.action == "/delivery/end")
        assert console.post(form.action, form.fields).headers["Location"] == "/delivery"
        assert acted(service) == [(how, {"destination": "b.example", "mid": 0})]
        assert "for 1 recipient." in text(console.get("/delivery").text)
    audit = (console.state / "log" / "audit_logs").read_text()
    assert "all mail for b.example, 1 recipients" in audit


def test_mail_is_redirected_to_a_host_that_is_one(visit: SignIn) -> None:
    console = visit(role="operator")
    with serving(console) as service:
        bad = console.post("/delivery/end", how="redirect", mid="42", host="no host!")
        assert bad.status_code == 422
        assert ('value="no host!"' in bad.text, 'id="fault-host"' in bad.text) == (True, True)
        assert acted(service) == []
        assert console.post("/delivery/end", how="redirect", mid="42", host="192.0.2.1").status_code == 303
        assert acted(service) == [("redirect", {"destination": "", "mid": 42, "host": "[192.0.2.1]"})]


def test_everything_is_meant_only_where_it_is_said(visit: SignIn) -> None:
    console = visit(role="operator")
    with serving(console) as service:
        for form in ({}, {"mid": "0"}, {"mid": "x"}, {"mid": "9" * 30}, {"destination": " "}):
            for path, more in (("/delivery/now", {}), ("/delivery/end", {"how": "delete"})):
                assert console.post(path, {**form, **more}).status_code in (400, 422), (path, form)
        assert console.post("/delivery/end", how="shred", mid="42").status_code == 400
        assert console.get("/delivery/end?how=shred&mid=42").status_code == 404
        assert acted(service) == []
        assert console.post("/delivery/now", everything="1").status_code == 303
        assert console.post("/delivery/now", mid="42").status_code == 303
        assert acted(service) == [
            ("deliver_now", {"destination": "", "mid": 0}),
            ("deliver_now", {"destination": "", "mid": 42}),
        ]


def test_delivery_and_listeners_are_suspended_and_resumed(visit: SignIn) -> None:
    console = visit(role="operator")
    with serving(console) as service:
        for verb in ("suspend", "resume"):
            assert console.post(f"/delivery/{verb}").status_code == 303
            assert console.post(f"/delivery/{verb}", listener="InboundMail").status_code == 303
        assert acted(service) == [
            ("suspend_delivery", {}),
            ("suspend_listener", {"names": ["InboundMail"]}),
            ("resume_delivery", {}),
            ("resume_listener", {"names": ["InboundMail"]}),
        ]
    with serving(console, status=STATUS | {"deliveries_suspended": True, "listeners": [LISTENER | {"suspended": True}]}):
        page = text(console.get("/delivery").text)
        assert "Resume delivery" in page
        assert "Suspended: answers 421" in page


def test_content_is_for_those_who_may_read_mail_and_is_never_html(visit: SignIn) -> None:
    console = visit(role="operator")
    octets = f"Subject: {FORGED}\r\n\r\n<b>body</b>\r\n".encode() + b"\xff\x00\xfe"
    with serving(console, queue_content={"size": 200_000, "octets": octets}):
        page = console.get("/delivery/message/42/content")
        assert page.status_code == 200
        assert "<b>body" not in page.text
        assert "&lt;b&gt;body&lt;/b&gt;" in page.text
        assert Parsed(page.text).faults == []
        assert "read the content of MID 42" in (console.state / "log" / "audit_logs").read_text()
    console = visit(role="read-only")
    with serving(console) as service:
        assert console.get("/delivery/message/42/content").status_code == 403
        assert "/content" not in console.get("/delivery/message/42").text
        for path in ("/delivery/now", "/delivery/end", "/delivery/suspend", "/delivery/resume"):
            assert console.post(path, mid="42", how="delete").status_code == 403
        assert console.get("/delivery/end?how=delete&mid=42").status_code == 403
        assert acted(service) == []


def test_hostile_names_stay_text_and_lead_to_their_mail(visit: SignIn) -> None:
    console = visit(role="operator")
    recipient = {"rid": 0, "address": FORGED, "status": "deferred", "destination": FORGED, "detail": FORGED}
    hostile = MESSAGE | {"reverse_path": FORGED, "subject": FORGED, "listener": FORGED, "recipients": [recipient]}
    queue = {"destinations": [DESTINATION | {"destination": FORGED}], "messages": [hostile], "out_of_reach": FORGED}
    with serving(console, queue_list=queue, queue_show=hostile, hosts={FORGED: {"down": FORGED}}) as service:
        page = console.get("/delivery")
        (there,) = (link for link in Parsed(page.text).links if link.startswith("/delivery/messages?"))
        pages = [
            page,
            console.get(there),
            console.get("/delivery/message/42"),
            console.get("/delivery/end?how=bounce&mid=42"),
        ]
        assert [Parsed(one.text).faults for one in pages] == [[]] * len(pages)
        assert ("queue_list", FORGED.lower()) in [
            (verb, str(asked.get("destination", "")).lower()) for verb, asked in service.asked
        ]


def test_a_refusal_of_the_service_is_told(visit: SignIn) -> None:
    console = visit(role="operator")
    with serving(console, bounce=ControlError("MID 42 is just being delivered")):
        page = console.post("/delivery/end", how="bounce", mid="42")
        assert page.status_code == 422
        assert "MID 42 is just being delivered" in text(page.text)
