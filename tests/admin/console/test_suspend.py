"""Suspending waits for what is open, and says what it closed; what may not be cut short is left alone."""

from __future__ import annotations

from typing import Any

import pytest

from gatepost.admin.console import suspend
from gatepost.admin.operations.operator import Operator
from gatepost.errors import GatepostError
from tests.admin.console.dialogues import run
from tests.admin.fake_service import FakeService, fake_service

STATUS = {
    "version": "1", "revision": 1, "pid": 1, "started": 1.0, "workers": [], "queue": {},
    "listeners": [{"name": name, "address": "::", "port": 25} for name in ("InboundMail", "OutboundMail")],
}  # fmt: skip
VERBS = ("suspend_listener", "resume_listener", "suspend_delivery", "resume_delivery")
CHOOSE = """
Choose the listener(s) you wish to suspend.
Separate multiple entries with commas.
1. All
2. InboundMail
3. OutboundMail
[1]>_

Enter the number of seconds to wait before abruptly closing connections.
[30]>_

Waiting for listeners to exit...
InboundMail listener suspended
OutboundMail listener suspended
""".replace("_\n", " \n")


def answers(**drain: int) -> dict[str, Any]:
    return {"status": STATUS, "drain": {"inbound": 0, "outbound": 0, **drain}, **dict.fromkeys(VERBS)}


def told(service: FakeService) -> list[tuple[str, Any]]:
    return [(verb, arguments.get("names")) for verb, arguments in service.asked if verb in VERBS]


async def test_all_listeners_are_suspended_by_default(operator: Operator) -> None:
    with fake_service(operator.state, **answers()) as service:
        assert await run(suspend.suspendlistener, operator, "", "") == CHOOSE
    assert told(service) == [("suspend_listener", ["InboundMail", "OutboundMail"])]


@pytest.mark.parametrize("answer", ["3", "outboundmail", "OutboundMail, 3"])
async def test_one_listener_is_chosen_by_number_or_name(operator: Operator, answer: str) -> None:
    with fake_service(operator.state, **answers()) as service:
        await run(suspend.suspendlistener, operator, "4", answer, "0")
        await run(suspend.resumelistener, operator, rest=answer)
    assert told(service) == [("suspend_listener", ["OutboundMail"]), ("resume_listener", ["OutboundMail"])]


async def test_what_is_open_at_the_end_of_the_time_is_closed(operator: Operator) -> None:
    left = [2, 2, 2, 1, 1, 1, 1, 1]

    def drain(asked: dict[str, Any]) -> dict[str, int]:
        return {"inbound": left.pop(0), "outbound": 3}

    with fake_service(operator.state, **{**answers(), "drain": drain}) as service:
        screen = await run(suspend.suspendlistener, operator, "1", rest="InboundMail")
    assert "1 connection closed abruptly.\nInboundMail listener suspended\n" in screen
    drains = [arguments for verb, arguments in service.asked if verb == "drain"]
    assert [one["abruptly"] for one in drains] == [False] * (len(drains) - 1) + [True]
    assert len(drains) > 2
    assert all(one["listeners"] == ["InboundMail"] for one in drains)


async def test_deliveries_under_way_are_not_cut_short(operator: Operator) -> None:
    with fake_service(operator.state, **answers(outbound=2)) as service:
        screen = await run(suspend.suspenddel, operator, "0")
    assert "2 deliveries still under way may finish; nothing new begins.\nMail delivery suspended.\n" in screen
    assert [arguments["listeners"] for verb, arguments in service.asked if verb == "drain"] == [[]]


async def test_suspend_and_resume_are_both(operator: Operator) -> None:
    with fake_service(operator.state, **answers()) as service:
        screen = await run(suspend.suspend, operator, "0")
        assert await run(suspend.resume, operator) == "\nReceiving resumed.\nMail delivery resumed.\n"
        assert await run(suspend.resumedel, operator) == "\nMail delivery resumed.\n"
    assert "Receiving suspended.\n" in screen
    assert "Mail delivery suspended.\n" in screen
    assert [verb for verb, _ in told(service)] == [*(VERBS[0], VERBS[2], VERBS[1], VERBS[3]), "resume_delivery"]


async def test_without_listeners_there_is_nothing_to_suspend(operator: Operator) -> None:
    with fake_service(operator.state, status={**STATUS, "listeners": []}):
        with pytest.raises(GatepostError, match="There is no listener"):
            await run(suspend.suspendlistener, operator)
        with pytest.raises(GatepostError, match="There is no listener"):
            await run(suspend.resumelistener, operator, rest="InboundMail")
