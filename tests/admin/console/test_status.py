"""The pages of `status`, `tophosts`, `hoststatus` and `topin`, from what a service may answer."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest

from gatepost.admin.console import status, tophosts
from gatepost.admin.operations import configuration
from gatepost.admin.operations.operator import Operator
from gatepost.config.model import Config, Listener
from tests.admin.console.dialogues import run
from tests.admin.fake_service import fake_service

WORKERS = [
    {"index": 0, "pid": 11, "sessions": 2, "deliveries": 3, "last": {"mid": 1200, "icid": 40, "dcid": 9}},
    {"index": 1, "pid": 12, "sessions": 1, "deliveries": 1, "last": {"mid": 700, "icid": 50, "dcid": 3}},
]
TOTALS = {
    "messages_accepted": [1, 1234, 1234567],
    "recipients_in{accepted}": [2, 3, 4],
    "recipients{delivered}": [1, 10, 100],
    "recipients{bounced}": [2, 20, 200],
    "recipients{deleted}": [3, 30, 300],
}
STATUS: dict[str, Any] = {
    "version": "1",
    "revision": 7,
    "pid": 1,
    "workers": WORKERS,
    "listeners": [{"name": "In", "address": "::", "port": 25}, {"name": "Out", "address": "::", "port": 26}],
    "queue": {"messages": 5, "recipients": 6000},
    "totals": TOTALS,
    "rates": {"messages_accepted": [60.4, 12.0, 4.0]},
    "alarms": ["certificates.mx: expired\x1b"],
}
ERROR = {"time": 1.0, "text": "550 5.1.1 nobody\x1b[2J", "peer": "192.0.2.7"}


def host(**counts: Any) -> dict[str, Any]:
    return {"delivered": 0, "hard_bounced": {}, **counts}


async def show(operator: Operator, rest: str = "", oldest: float = 0.0, **changed: Any) -> str:
    started = time.time() - 7290  # of now, and not of when this file was read
    with fake_service(operator.state, status=STATUS | {"started": started} | changed, queue_oldest=oldest):
        return await run(status.status, operator, rest=rest)


async def test_counters_have_three_columns(operator: Operator) -> None:
    screen = await show(operator, oldest=time.time() - 3700)
    assert "\x1b" not in screen
    assert re.search(r"^Up since: .* \(2h 1m\)$", screen, re.M)
    assert re.search(r"^Oldest Message: +1h 1m$", screen, re.M)
    assert re.search(r"^Last counter reset: +Never$", screen, re.M)
    assert re.search(r"^Counters: +Reset +Uptime +Lifetime$", screen, re.M)
    assert re.search(r"^    Messages Received +1 +1,234 +1,234,567$", screen, re.M)
    assert re.search(r"^    Completed Recipients +6 +60 +600$", screen, re.M)
    assert re.search(r"^    Message ID \(MID\) +1,200$", screen, re.M)
    assert re.search(r"^    Injection Conn. ID \(ICID\) +50$", screen, re.M)
    assert re.search(r"^    Current Outbound Conn\. +4$", screen, re.M)
    assert re.search(r"^    Active Recipients +6,000$", screen, re.M)
    assert "Alarm: certificates.mx: expired" in screen
    assert "Rates" not in screen
    assert max(map(len, screen.splitlines())) <= 80


async def test_detail_has_rates_and_workers(operator: Operator) -> None:
    down = {"index": 1, "pid": 12, "up": False, "reason": "disk gone"}
    screen = await show(operator, "DETAIL", workers=[WORKERS[0], down], reset_at=1.0)
    assert "Last counter reset:   Thu Jan 01" in screen
    assert re.search(r"^    Messages Received +60 +12 +4$", screen, re.M)
    assert re.search(r"^      Hard Bounced Recipients +2 +20 +200$", screen, re.M)
    assert "    Worker 0 (PID 11): up\n    Worker 1 (PID 12): down disk gone\n" in screen
    assert "System status:        1 of 2 workers down" in screen
    assert "status detail" not in screen


@pytest.mark.parametrize(
    ("suspended", "deliveries", "state"),
    [
        ((), False, "Online"),
        (("In",), False, "Online, some listeners suspended"),
        (("In", "Out"), False, "Receiving suspended"),
        ((), True, "Delivery suspended"),
        (("In", "Out"), True, "Offline"),
    ],
)
async def test_what_is_suspended_is_the_systems_state(
    operator: Operator, suspended: tuple[str, ...], deliveries: bool, state: str
) -> None:
    listeners = [{**one, "suspended": one["name"] in suspended} for one in STATUS["listeners"]]
    screen = await show(operator, listeners=listeners, deliveries_suspended=deliveries)
    assert f"System status:        {state}\n" in screen


async def test_counters_are_reset(operator: Operator) -> None:
    with fake_service(operator.state, reset_counters=None) as service:
        assert "Counters reset: " in await run(status.resetcounters, operator)
    assert service.asked == [("reset_counters", {})]


@pytest.mark.parametrize(
    ("sort", "first"),
    [
        ("", "a.example"),
        ("conn_out", "b.example*"),
        ("deliv_recip", "c.example"),
        ("hard_bounced", "d.example"),
        ("5", "e.example"),
    ],
)
async def test_hosts_are_sorted(operator: Operator, sort: str, first: str) -> None:
    page = {"destinations": [{"destination": "a.example", "recipients": 9}], "messages": []}
    hosts = {
        "b.example": host(connections=3, down="no answer"),
        "c.example": host(delivered=1234),
        "d.example": host(hard_bounced={"5xx": 2, "dns": 3}),
        "e.example": host(soft_bounced=8),
    }
    lines = (sort,) if sort in ("", "5") else ()
    with fake_service(operator.state, queue_list=page, hosts=hosts):
        screen = await run(tophosts.tophosts, operator, *lines, rest=sort if not lines else "")
    assert re.search(rf"^1   {re.escape(first)} ", screen, re.M)
    assert "\n\n#   Recipient Host " not in screen
    assert re.search(r"^\d   c\.example +0 +0 +1,234 +0 +0$", screen, re.M)
    assert re.search(r"^\d   d\.example +0 +0 +0 +0 +5$", screen, re.M)
    assert re.search(r"^\d   b\.example\* +0 +3 ", screen, re.M)


async def test_twenty_hosts_are_shown(operator: Operator) -> None:
    hosts = {f"h{number:02}.example": host(delivered=number) for number in range(23)}
    with fake_service(operator.state, queue_list={"destinations": [], "messages": []}, hosts=hosts):
        screen = await run(tophosts.tophosts, operator, rest="deliv_recip")
    assert "h03.example" in screen
    assert "h02.example" not in screen
    assert "3 more hosts are not shown." in screen


async def test_a_host_is_shown_with_its_way_and_its_errors(operator: Operator) -> None:
    config = Config(listeners={"In": Listener()}, routes={"example.com": ["192.0.2.7", "192.0.2.8:2525/pri=10"]})
    configuration.replace(operator, config, force=True)
    configuration.commit(operator, "begin")
    message = {"mid": 1, "received": time.time() - 90, "reverse_path": "", "size": 1, "recipients": []}
    page = {"destinations": [{"destination": "example.com", "recipients": 9, "untried": 4}], "messages": [message]}
    told = host(
        delivered=5, deleted=1, hard_bounced={"5xx": 2, "expired": 1}, last_activity=2.0, last_error=ERROR, down="no answer"
    )
    with fake_service(operator.state, queue_list=page, hosts=lambda asked: {asked["domain"]: told}) as service:
        screen = await run(tophosts.hoststatus, operator, "not a domain", "joe@Example.com")
        assert "up\n" not in screen
        await run(tophosts.hoststatus, operator, rest="EXAMPLE.com")
    assert [arguments["domain"] for verb, arguments in service.asked if verb == "hosts"] == ["example.com"] * 2
    assert "Host mail status for: 'example.com'\n" in screen
    assert "Host up/down:         down: no answer\n" in screen
    for label, number in {
        "Completed Recipients": 9, "  Hard Bounced Recipients": 3, "    5XX Hard Bounces": 2, "    DNS Hard Bounces": 0,
        "  Delivered Recipients": 5, "  Deleted Recipients": 1, "Active Recipients": 9, "  Unattempted Recipients": 4,
        "  Attempted Recipients": 5,
    }.items():  # fmt: skip
        assert re.search(rf"^    {re.escape(label)} +{number}$", screen, re.M), label
    assert "Oldest Message        1m 30s\n" in screen
    assert re.search(r"^    0 +192\.0\.2\.7 +192\.0\.2\.7\n    10 +192\.0\.2\.8 +192\.0\.2\.8:2525$", screen, re.M)
    assert "no fall-back to MX" in screen
    assert "550 5.1.1 nobody" in screen
    assert "\x1b" not in screen
    assert ") IP: 192.0.2.7\n----------\n" in screen
    assert "Last TLS Error:\n----------\nNone\n" in screen


async def test_who_is_connected(operator: Operator) -> None:
    rows = [["192.0.2.1", "a.example", "In", 1], ["192.0.2.2", "", "In", 2], ["192.0.2.1", "a.example", "In", 4]]
    with fake_service(operator.state, connections=rows):
        screen = await run(tophosts.topin, operator)
    assert re.search(r"^1   a\.example +192\.0\.2\.1 +In +5\n2   unknown +192\.0\.2\.2 +In +2$", screen, re.M)
