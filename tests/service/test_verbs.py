"""One answer from many workers, some of which may be down."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gatepost.errors import ControlError
from gatepost.service.status import flat
from gatepost.service.suspension import Suspension
from gatepost.service.verbs import Verbs, by_destination


class Worker:
    """A child that answers from a table and remembers what it was told."""

    def __init__(self, index: int, up: bool = True, reason: str = "", **answers: Any) -> None:
        self.index, self.up, self.reason = index, up, reason
        self._answers = answers
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.told: list[tuple[str, dict[str, Any]]] = []

    async def ask(self, verb: str, **arguments: Any) -> Any:
        self.asked.append((verb, arguments))
        return self._answers.get(verb)

    def order(self, verb: str, **arguments: Any) -> None:
        if self.up:
            self.told.append((verb, arguments))


@pytest.fixture
def verbs(tmp_path: Path) -> Callable[..., Verbs]:
    return lambda *workers: Verbs(workers, lambda: ["In", "Out"], Suspension(tmp_path))


def serve(one: Verbs, verb: str, **arguments: Any) -> Any:
    return asyncio.run(one.serve(verb, arguments))


def message(mid: int) -> dict[str, Any]:
    return {"mid": mid}


def waiting(destination: str, recipients: int, next_due: float | None, held: int = 0, untried: int = 0) -> dict[str, Any]:
    row = {"destination": destination, "recipients": recipients, "held": held, "untried": untried}
    return {**row, "next_due": next_due}


def test_pages_of_the_queue_run_over_all_shards_in_mid_order(verbs: Callable[..., Verbs]) -> None:
    shards = [[1, 4, 7], [2, 5, 8], [3, 6, 9]]
    workers = [
        Worker(index, queue_list={"messages": [message(mid) for mid in mids], "destinations": []})
        for index, mids in enumerate(shards)
    ]
    page = serve(verbs(*workers), "queue_list", limit=4, offset=3)
    assert [item["mid"] for item in page["messages"]] == [4, 5, 6, 7]
    assert page["out_of_reach"] == ""
    assert workers[0].asked == [("queue_list", {"destination": "", "sender": None, "limit": 7, "offset": 0})]


def test_destinations_add_up_with_the_earliest_attempt() -> None:
    rows = [
        waiting("a.example", 1, 90.0),
        waiting("b.example", 5, None, held=2),
        waiting("a.example", 3, 70.0, untried=3),
        waiting("c", 4, 0.0),
    ]
    assert by_destination(rows) == [
        waiting("b.example", 5, 0.0, held=2),
        waiting("a.example", 4, 70.0, untried=3),
        waiting("c", 4, 0.0),
    ]


def test_a_message_is_found_wherever_it_is(verbs: Callable[..., Verbs]) -> None:
    one = verbs(Worker(0, queue_show=None), Worker(1, queue_show=message(7)))
    assert serve(one, "queue_show", mid=7) == message(7)
    assert serve(verbs(Worker(0), Worker(1)), "queue_show", mid=7) is None
    with pytest.raises(ControlError, match="MID 7 is not in the part of the queue that is in reach; worker 1: disk gone"):
        serve(verbs(Worker(0), Worker(1, up=False, reason="disk gone")), "queue_show", mid=7)


def test_counts_add_up(verbs: Callable[..., Verbs]) -> None:
    assert serve(verbs(Worker(0, bounce=2), Worker(1, bounce=3)), "bounce", mid=0, destination="x") == {"recipients": 5}


def test_what_could_be_done_is_done_and_the_rest_is_told(verbs: Callable[..., Verbs]) -> None:
    reachable = Worker(0, delete=2)
    one = verbs(reachable, Worker(1, up=False))
    with pytest.raises(ControlError, match=r"done for 2 recipients, but .* \(worker 1: it is just being started\)"):
        serve(one, "delete", mid=0, destination="x.example")
    assert reachable.asked == [("delete", {"mid": 0, "destination": "x.example"})]
    assert serve(one, "delete", mid=5, destination="") == {"recipients": 2}, "a message is in one shard only"


def test_a_part_of_the_queue_is_shown_as_a_part(verbs: Callable[..., Verbs]) -> None:
    here = Worker(0, queue_list={"messages": [message(1)], "destinations": []})
    page = serve(verbs(here, Worker(1, up=False, reason="shard-1.db is damaged")), "queue_list")
    assert page["out_of_reach"] == "worker 1: shard-1.db is damaged"
    assert page["messages"] == [message(1)]


def test_without_any_worker_it_is_said_why(verbs: Callable[..., Verbs]) -> None:
    with pytest.raises(ControlError, match="no worker serves at the moment: worker 0: no disk; worker 1: it is just"):
        serve(verbs(Worker(0, up=False, reason="no disk"), Worker(1, up=False)), "queue_list")


def test_suspensions_are_remembered_for_workers_that_start_later(verbs: Callable[..., Verbs]) -> None:
    here, later = Worker(0), Worker(1, up=False)
    one = verbs(here, later)
    serve(one, "suspend_listener", names=["In"])
    serve(one, "suspend_delivery")
    assert here.told[-1] == ("suspension", {"listeners": ["In"], "deliveries": True})
    assert later.told == []
    assert one.suspension() == {"listeners": ["In"], "deliveries": True}
    serve(one, "suspend_listener", names=[])
    assert one.suspended == {"In", "Out"}
    serve(one, "resume_listener", names=[])
    serve(one, "resume_delivery")
    assert one.suspension() == {"listeners": [], "deliveries": False}
    with pytest.raises(ControlError, match="there is no listener Nope: there is In, Out"):
        serve(one, "suspend_listener", names=["Nope"])


def test_an_unknown_verb_is_refused(verbs: Callable[..., Verbs]) -> None:
    with pytest.raises(ControlError, match="unknown verb 'dance'"):
        verbs(Worker(0)).serve("dance", {})


def test_counters_are_flat_and_histograms_left_out() -> None:
    counts = {"accepted": [([], 3)], "replies": [(["in", "250"], 7), (["in", "421"], 1)], "seconds": [([], [1.0, 2.0])]}
    assert flat(counts) == {"accepted": 3, "replies{in,250}": 7, "replies{in,421}": 1}  # type: ignore[arg-type]


def test_what_is_meant_is_counted_and_what_is_out_of_reach_is_said(verbs: Callable[..., Verbs]) -> None:
    down = Worker(1, up=False, reason="disk gone")
    found = serve(verbs(Worker(0, queue_count=4), down), "queue_count", everything=True)
    assert found == {"recipients": 4, "out_of_reach": "worker 1: disk gone"}
    with pytest.raises(ControlError, match="it was done for 3 recipients, but a part of the queue is out of reach"):
        serve(verbs(Worker(0, redirect=3), down), "redirect", everything=True, host="relay.example")


def seen(**counts: Any) -> dict[str, Any]:
    zeros = {"delivered": 0, "soft_bounced": 0, "deleted": 0, "connections": 0, "pending": 0, "down": ""}
    never = {"hard_bounced": {}, "last_activity": 0.0, "last_error": {"time": 0.0, "text": "", "peer": ""}}
    return {**zeros, **never, **counts}


def test_what_workers_say_of_a_destination_adds_up(verbs: Callable[..., Verbs]) -> None:
    error = {"time": 9.0, "text": "550 no", "peer": "192.0.2.1"}
    one = {"a.example": seen(delivered=2, hard_bounced={"5xx": 1}, last_activity=5.0), "b.example": seen(pending=1)}
    other = {"a.example": seen(delivered=3, hard_bounced={"5xx": 2, "dns": 1}, last_error=error, down="no answer")}
    found = serve(verbs(Worker(0, hosts=one), Worker(1, hosts=other)), "hosts")
    assert found["a.example"] == seen(
        delivered=5, hard_bounced={"5xx": 3, "dns": 1}, last_activity=5.0, last_error=error, down="no answer"
    )
    assert found["b.example"] == seen(pending=1)


def test_open_connections_and_what_is_left_of_them_are_told(verbs: Callable[..., Verbs]) -> None:
    workers = [
        Worker(number, connections=[["192.0.2.1", "a", "In", 1]], drain={"inbound": 1, "outbound": 2}) for number in (0, 1)
    ]
    assert serve(verbs(*workers), "connections") == [["192.0.2.1", "a", "In", 1]] * 2
    assert serve(verbs(*workers), "drain", listeners=["In"]) == {"inbound": 2, "outbound": 4}
