"""Queue, status, listeners and commit through the control socket of a running service."""

from __future__ import annotations

import asyncio
import threading

from gatepost.admin.operations import configuration
from gatepost.admin.operations.operator import Operator
from gatepost.config.store import ConfigStore
from gatepost.errors import ControlError

from .conftest import Terminal
from .fake_service import fake_service

MESSAGE = {
    "mid": 17,
    "received": 1795494845.0,
    "reverse_path": "ann@partner.example",
    "size": 2048,
    "subject": "Hello \x1b[31m",
    "listener": "InboundMail",
    "recipients": [
        {
            "rid": 0,
            "address": "joe@example.com",
            "status": "deferred",
            "due": 1795494900.0,
            "attempts": 2,
            "detail": "451 later",
        },
        {"rid": 1, "address": "eve@example.com", "status": "queued", "due": 0, "attempts": 0, "detail": ""},
    ],
}
QUEUE = {"destinations": [{"destination": "example.com", "recipients": 2, "next_due": 0.0}], "messages": [MESSAGE]}
REDIRECTED = {
    "mid": 17,
    "received": 1.0,
    "reverse_path": "",
    "size": 9,
    "recipients": [
        {"rid": 0, "address": "joe@example.com", "status": "deferred", "destination": "relay.example"},
        {"rid": 1, "address": "eve@Example.com", "status": "deferred", "destination": "example.com"},
        {"rid": 2, "address": "dan@example.com", "status": "queued"},
    ],
}
STATUS = {
    "version": "0.1.0",
    "revision": 3,
    "pid": 4711,
    "started": 1795494845.0,
    "workers": [{"index": 0, "pid": 4712, "sessions": 2, "up": True, "more": 1}],
    "listeners": [{"name": "InboundMail", "address": "127.0.0.1", "port": 2525, "tls": "preferred", "suspended": True}],
    "queue": {"messages": 1, "recipients": 2},
    "counters": {},
    "deliveries_suspended": True,
}


def test_without_a_service_each_command_says_so(gatepost: Terminal) -> None:
    gatepost.state.mkdir()
    for command in (["status"], ["queue", "list"], ["queue", "suspend"], ["listener", "resume"]):
        done = gatepost(*command, status=1)
        assert done.err == f"gatepost: no gateway runs on {gatepost.state}; start it with `gatepost serve`\n"


def test_the_queue_is_listed(gatepost: Terminal) -> None:
    with fake_service(gatepost.state, queue_list=QUEUE) as service:
        told = gatepost("queue", "list", "--destination", "Example.com").out
        gatepost("queue", "list", "--destination", "bücher.example.")
        assert gatepost.json("queue", "list")["messages"][0]["mid"] == 17
    assert "joe@example.com and 1" in told
    assert max(map(len, told.splitlines())) <= 80
    asked = [arguments["destination"] for _, arguments in service.asked]
    assert asked == ["example.com", "xn--bcher-kva.example", ""]


def test_of_thousands_of_destinations_the_largest_are_shown(gatepost: Terminal) -> None:
    rows = [{"destination": f"d{number}.example", "recipients": 200 - number, "next_due": 0.0} for number in range(103)]
    with fake_service(gatepost.state, queue_list={"destinations": rows, "messages": [MESSAGE]}):
        told = gatepost("queue", "list").out
        assert len(gatepost.json("queue", "list")["destinations"]) == 103
    assert "d99.example" in told
    assert "d100.example" not in told
    assert "and 3 more destinations with 297 recipients; --json shows each." in told


def test_a_destination_that_waits_for_an_operator_is_shown_as_held(gatepost: Terminal) -> None:
    row = {"destination": "example.com", "recipients": 2, "held": 2}
    with fake_service(gatepost.state, queue_list={"destinations": [row], "messages": []}):
        assert "held" in gatepost("queue", "list").out
    with fake_service(gatepost.state, queue_list={"destinations": [row | {"held": 1}], "messages": []}):
        assert "now" in gatepost("queue", "list").out


def test_one_message_is_shown_with_its_recipients(gatepost: Terminal) -> None:
    with fake_service(gatepost.state, queue_show=lambda asked: MESSAGE if asked["mid"] == 17 else None):
        told = gatepost("queue", "show", "17").out
        assert "MID 18 is not in the queue" in gatepost("queue", "show", "18", status=1).err
    assert "451 later" in told
    assert "\x1b" not in told


def test_verbs_take_a_message_or_a_destination(gatepost: Terminal) -> None:
    answers = {verb: {"recipients": 2} for verb in ("deliver_now", "bounce", "delete")}
    with fake_service(gatepost.state, **answers) as service:
        assert gatepost("queue", "deliver-now").out == "Delivery is tried now for 2 recipients.\n"
        gatepost("queue", "bounce", "17")
        assert gatepost.json("queue", "delete", "example.com")["recipients"] == 2
    assert service.asked == [
        ("deliver_now", {"destination": "", "mid": 0}),
        ("bounce", {"destination": "", "mid": 17}),
        ("delete", {"destination": "example.com", "mid": 0}),
    ]


def test_mail_is_redirected_to_a_host(gatepost: Terminal) -> None:
    with fake_service(gatepost.state, redirect={"recipients": 2}, queue_show=REDIRECTED) as service:
        assert gatepost("queue", "redirect", "ALL", "Relay.example").out == "Redirected to Relay.example for 2 recipients.\n"
        gatepost("queue", "redirect", "17", "192.0.2.1")
        gatepost("queue", "redirect", "Example.com", "2001:db8::1")
        assert "holds white space" in gatepost("queue", "redirect", "17", "no host!", status=1).err
        told = gatepost("queue", "show", "17").out
    assert [arguments for verb, arguments in service.asked if verb == "redirect"] == [
        {"everything": True, "host": "relay.example"},
        {"destination": "", "mid": 17, "host": "[192.0.2.1]"},
        {"destination": "example.com", "mid": 0, "host": "[IPv6:2001:db8::1]"},
    ]
    assert "joe@example.com (to" in told
    assert told.count("(to") == 1


def test_nothing_found_is_a_refusal(gatepost: Terminal) -> None:
    with fake_service(gatepost.state, deliver_now={"recipients": 0}, bounce={"recipients": 0}):
        assert "nothing waits for example.com" in gatepost("queue", "bounce", "example.com", status=1).err
        assert "MID 9 is not in the queue" in gatepost("queue", "deliver-now", "9", status=1).err
        assert gatepost("queue", "deliver-now").out == "Delivery is tried now for 0 recipients.\n"
        assert "nothing waits for a retry to 0" in gatepost("queue", "deliver-now", "0", status=1).err


def test_status_is_one_page(gatepost: Terminal) -> None:
    with fake_service(gatepost.state, status=STATUS):
        told = gatepost("status").out
        assert gatepost.json("status")["workers"][0]["up"] is True
        aged = STATUS | {
            "alarms": ["certificates.mx.certificate: expired on 2026-05-31 and is used by listeners.A.certificates"]
        }
    with fake_service(gatepost.state, status=aged):
        assert "Alarm: certificates.mx.certificate: expired" in (alarmed := gatepost("status").out)
    assert "Alarm" not in told
    assert max(map(len, alarmed.splitlines())) <= 80
    assert "Configuration: revision 3" in told
    assert "suspended" in told
    assert max(map(len, told.splitlines())) <= 80


def test_listeners_and_delivery_are_suspended_and_resumed(gatepost: Terminal) -> None:
    verbs = ("suspend_listener", "resume_listener", "suspend_delivery", "resume_delivery")
    with fake_service(gatepost.state, **dict.fromkeys(verbs)) as service:
        gatepost("listener", "suspend", "InboundMail")
        gatepost("listener", "resume")
        gatepost("queue", "suspend")
        gatepost("queue", "resume")
    assert [verb for verb, _ in service.asked] == list(verbs)
    assert service.asked[0][1] == {"names": ["InboundMail"]}


def test_a_refusal_of_the_service_is_told(gatepost: Terminal) -> None:
    with fake_service(gatepost.state, suspend_listener=ControlError("there is no listener Nope")):
        assert gatepost("listener", "suspend", "Nope", status=1).err == "gatepost: there is no listener Nope\n"


def test_a_commit_goes_through_the_running_service(configured: Terminal) -> None:
    configured("config", "set", "gateway.hostname", "mx2.example.com")
    store = ConfigStore.open(configured.state)
    tag = store.draft().tag
    store.close()
    with fake_service(configured.state, commit={"revision": 2, "time": 1795494845.0}) as service:
        told = configured("config", "commit", "-m", "New name").out
        assert "No gateway runs" not in told
        assert "revision 2" in told
    (asked,) = service.asked
    assert asked[1] | {"author": ""} == {"tag": tag, "author": "", "comment": "New name"}


def test_how_far_a_commit_has_come_is_told(configured: Terminal) -> None:
    configured("config", "set", "gateway.hostname", "mx2.example.com")
    looked, told = threading.Event(), []

    def progress(_: object) -> dict[str, object]:
        looked.set()
        return {"doing": "building its tables", "done": 1, "of": 4}

    async def slow() -> dict[str, object]:
        assert await asyncio.to_thread(looked.wait, 10)
        return {"revision": 2, "time": 1795494845.0}

    with fake_service(configured.state, commit=lambda asked: slow(), commit_progress=progress):
        operator = Operator(configured.state, "me")
        assert configuration.commit(operator, "x", lambda *step: told.append(step)).revision == 2
    assert told[:2] == [("checking", 0, 1), ("building its tables", 2, 5)]


def test_a_socket_that_nobody_serves_does_not_stop_a_commit(configured: Terminal) -> None:
    with fake_service(configured.state):
        pass
    configured("config", "set", "gateway.hostname", "mx2.example.com")
    assert configuration.commit(Operator(configured.state, "me"), "x").live is False
