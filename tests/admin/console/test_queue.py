"""The dialogues on mail that waits: what is asked of the service, and nothing before it was confirmed."""

from __future__ import annotations

from typing import Any

import pytest

from gatepost.admin.console import queue
from gatepost.admin.operations.operator import Operator
from gatepost.errors import ControlError, GatepostError
from tests.admin.console.dialogues import run
from tests.admin.fake_service import fake_service

COUNT = {"recipients": 3, "out_of_reach": ""}
DELETE = """
Please select how you would like to delete messages:
1. By recipient host.
2. By Envelope From address.
3. All.
[1]>_

Please enter the hostname for the messages you wish to delete.
[]>_

This concerns 3 recipients.

Are you sure you want to delete all messages being delivered to "example.com"?
[N]>_

Deleting messages, please wait.
3 recipients deleted.
""".replace("_\n", " \n")


def message(mid: int, *recipients: dict[str, Any]) -> dict[str, Any]:
    return {"mid": mid, "received": 1.0, "reverse_path": "a@b.example", "size": 9, "recipients": list(recipients)}


async def test_mail_for_a_host_is_deleted(operator: Operator) -> None:
    with fake_service(operator.state, queue_count=COUNT, delete={"recipients": 3}) as service:
        screen = await run(queue.deleterecipients, operator, "1", "Example.COM.", "y")
    assert screen == DELETE
    asked = {"destination": "example.com", "mid": 0}
    assert service.asked == [("queue_count", asked), ("delete", asked)]


@pytest.mark.parametrize(
    ("rest", "lines", "asked"),
    [
        ("", ("2", "", "<>"), {"sender": ""}),
        ("", ("2", "<Ann@b.example>"), {"sender": "Ann@b.example"}),
        ("from ann@b.example", (), {"sender": "ann@b.example"}),
        ("", ("3",), {"everything": True}),
        ("ALL", (), {"everything": True}),
        ("host joe@example.com", (), {"destination": "example.com", "mid": 0}),
        ("host [192.0.2.1]", (), {"destination": "[192.0.2.1]", "mid": 0}),
    ],
)
async def test_what_is_meant_is_asked_or_said(
    operator: Operator, rest: str, lines: tuple[str, ...], asked: dict[str, Any]
) -> None:
    with fake_service(operator.state, queue_count=COUNT, bounce={"recipients": 3}) as service:
        screen = await run(queue.bouncerecipients, operator, *lines, "y", rest=rest)
    assert screen.endswith("Bouncing messages, please wait.\n3 recipients bounced.\n")
    assert service.asked == [("queue_count", asked), ("bounce", asked)]


@pytest.mark.parametrize("answer", ["", "n"])
async def test_nothing_is_done_unless_it_is_confirmed(operator: Operator, answer: str) -> None:
    with fake_service(operator.state, queue_count=COUNT) as service:
        await run(queue.deleterecipients, operator, answer, rest="all")
        await run(queue.bouncerecipients, operator, answer, rest="all")
        await run(queue.redirectrecipients, operator, "relay.example", answer)
    assert {verb for verb, _ in service.asked} == {"queue_count"}


async def test_nothing_is_asked_where_nothing_waits(operator: Operator) -> None:
    none = {"recipients": 0, "out_of_reach": "worker 1: disk gone"}
    with fake_service(operator.state, queue_count=none):
        screen = await run(queue.deleterecipients, operator, rest="all")
    assert "A part of the queue is out of reach and not counted: worker 1: disk gone\n" in screen
    assert screen.endswith("There are no such messages in the queue.\n")


@pytest.mark.parametrize("rest", ["host", "example.com", "from", "all of it"])
async def test_what_cannot_be_meant_is_a_sentence(operator: Operator, rest: str) -> None:
    with pytest.raises(GatepostError, match="say `host NAME`"):
        await run(queue.showrecipients, operator, rest=rest)


async def test_recipients_are_shown_page_by_page(operator: Operator) -> None:
    held = {"rid": 1, "address": "eve@example.com", "status": "held", "destination": "example.com", "detail": "odd\x1b[2J"}
    done = {"rid": 0, "address": "joe@example.com", "status": "delivered"}
    gone = {"rid": 2, "address": "dan@example.com", "status": "deferred", "destination": "[192.0.2.1]", "attempts": 4}

    def page(asked: dict[str, Any]) -> dict[str, Any]:
        mids = range(1500)[asked["offset"] : asked["offset"] + asked["limit"]]
        return {"destinations": [], "messages": [message(mid + 1, done, held, gone) for mid in mids]}

    with fake_service(operator.state, queue_list=page) as service:
        screen = await run(queue.showrecipients, operator, rest="all")
    assert [arguments["offset"] for _, arguments in service.asked] == [0, 1000]
    assert screen.count("eve@example.com (held: odd") == 1500
    assert "\x1b" not in screen
    assert "joe@" not in screen
    assert "\n[2]         [4]         dan@example.com (to [192.0.2.1])\n" in screen


async def test_a_message_is_shown_with_its_beginning(operator: Operator) -> None:
    content = {"size": 100, "octets": b"Subject: x\r\n\r\nb\xf6se\r\n"}
    answers = {
        "queue_show": message(7, {"rid": 0, "address": "joe@example.com", "status": "queued"}),
        "queue_content": content,
    }
    with fake_service(operator.state, **answers):
        screen = await run(queue.showmessage, operator, "x", "0", "7")
    assert screen.count("A MID is a whole number.") == 2
    assert "TO: <joe@example.com> queued\n\nSubject: x\n\nb\ufffdse\n" in screen
    assert screen.endswith("The first 20 of 100 octets are shown.\n")


async def test_all_is_redirected_with_a_warning(operator: Operator) -> None:
    with fake_service(operator.state, queue_count=COUNT, redirect={"recipients": 3}) as service:
        screen = await run(queue.redirectrecipients, operator, "", "192.0.2.7", "y")
        with pytest.raises(GatepostError, match="say `host NAME`"):
            await run(queue.redirectrecipients, operator, rest="host")
        await run(queue.redirectrecipients, operator, "y", rest="host Relay.example")
    assert "WARNING: redirecting recipients" in screen
    assert screen.endswith("Redirecting messages, please wait.\n3 recipients redirected.\n")
    hosts = [arguments["host"] for verb, arguments in service.asked if verb == "redirect"]
    assert hosts == ["[192.0.2.7]", "relay.example"]


async def test_delivery_now(operator: Operator) -> None:
    with fake_service(operator.state, deliver_now={"recipients": 1}) as service:
        await run(queue.delivernow, operator, "", "example.com")
        await run(queue.delivernow, operator, "2")
        await run(queue.delivernow, operator, rest="ALL")
        await run(queue.delivernow, operator, rest="example.net")
    assert [arguments["destination"] for _, arguments in service.asked] == ["example.com", "", "", "example.net"]


async def test_the_work_queue_is_the_delivery_queue(operator: Operator) -> None:
    totals = {
        name: [0, 0, 0]
        for name in ("recipients_in{accepted}", *(f"recipients{{{one}}}" for one in ("delivered", "bounced", "deleted")))
    }
    status = {"version": "1", "revision": 1, "pid": 1, "started": 1.0, "workers": [], "listeners": []}
    status |= {"queue": {"messages": 4, "recipients": 5}, "totals": totals}
    with fake_service(operator.state, status=status, suspend_delivery=None, resume_delivery=None) as service:
        screen = await run(queue.workqueue, operator, "pause", "n", "pause", "y", "resume", "rate", "1", "")
    verbs = [verb for verb, _ in service.asked if verb != "status"]
    assert verbs == ["suspend_delivery", "resume_delivery"]
    assert "Status:   Operational\nMessages: 4\n" in screen
    assert "         5         0         0\n" in screen


async def test_without_a_service_a_sentence_says_so(operator: Operator) -> None:
    operator.state.mkdir()
    with pytest.raises(ControlError, match="no gateway runs on"):
        await run(queue.deleterecipients, operator, rest="all")
