"""What goes on between us and other hosts: `tophosts`, `hoststatus`, `topin` (asyncos.md 9). Only asks and shows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

from gatepost.admin.cli_text import shown, span
from gatepost.admin.console.commands import Command
from gatepost.admin.console.status import clock, pair
from gatepost.admin.console.talk import Talk
from gatepost.admin.operations import hops, queue, records, service
from gatepost.admin.operations.queue import QueuedDestination
from gatepost.admin.operations.service import HostStatus
from gatepost.config.routes import SMTP_PORT

SORTS = {
    "active_rcpts": "Active Recipients",
    "conn_out": "Connections Out",
    "deliv_recip": "Delivered Recipients",
    "hard_bounced": "Hard Bounced Recipients",
    "soft_bounced": "Soft Bounced Events",
}
SHOWN = 20
"""Hosts that are listed; `gatepost queue list --json` has every destination."""
CAUSES = {
    "dns": "DNS Hard Bounces",
    "5xx": "5XX Hard Bounces",
    "expired": "Expired Hard Bounces",
    "other": "Other Hard Bounces",
}


async def tophosts(talk: Talk, rest: str) -> None:
    """Lists the destinations with most recipients waiting, or with most of what else can be sorted by.

    What was delivered and bounced is counted since the service's workers started.
    """
    sort = rest.split()[0].lower() if rest else ""
    if sort not in SORTS:
        sort = list(SORTS)[await talk.choose("Sort results by:", list(SORTS.values()), 0)]
    page = await asyncio.to_thread(queue.listing, talk.operator, limit=1)
    hosts = await asyncio.to_thread(service.hosts, talk.operator)
    active = {one.destination: one.recipients for one in page.destinations}
    rows = [(name, _numbers(active.get(name, 0), hosts.get(name, HostStatus()))) for name in {*active, *hosts}]
    rows.sort(key=lambda row: (-row[1][sort], row[0]))
    talk.say("", pair("Status as of:", clock(time.time())))
    talk.say("Hosts marked with '*' were down as of the last delivery attempt.", "")
    talk.say(f"{'':36}{'Active':>9}{'Conn.':>7}{'Deliv.':>10}{'Soft':>9}{'Hard':>9}")
    talk.say(f"{'#':<4}{'Recipient Host':<32}{'Recip.':>9}{'Out':>7}{'Recip.':>10}{'Bounced':>9}{'Bounced':>9}", "")
    for place, (name, numbers) in enumerate(rows[:SHOWN], 1):
        marked = f"{shown(name)}{'*' if name in hosts and hosts[name].down else ''}"
        talk.say(
            f"{place:<4}{marked:<32}{numbers['active_rcpts']:>9,}{numbers['conn_out']:>7,}{numbers['deliv_recip']:>10,}"
            f"{numbers['soft_bounced']:>9,}{numbers['hard_bounced']:>9,}"
        )
    if len(rows) > SHOWN:
        talk.say("", f"{len(rows) - SHOWN} more hosts are not shown.")


def _numbers(active: int, host: HostStatus) -> dict[str, int]:
    return {
        "active_rcpts": active,
        "conn_out": host.connections,
        "deliv_recip": host.delivered,
        "hard_bounced": sum(host.hard_bounced.values()),
        "soft_bounced": host.soft_bounced,
    }


async def hoststatus(talk: Talk, rest: str) -> None:
    """Shows one destination: what it got, what waits for it, where its mail goes, and what it said last.

    Counters run since the service's workers started. `down` means that the last attempt to reach it failed.
    """
    domain = queue.read_destination(rest) if rest else await talk.text("Recipient host:", check=queue.read_destination)
    host = (await asyncio.to_thread(service.hosts, talk.operator, domain)).popitem()[1]
    page = await asyncio.to_thread(queue.listing, talk.operator, destination=domain, limit=1)
    waiting = next((one for one in page.destinations if one.destination == domain), None)
    way = await asyncio.to_thread(hops.next_hops, talk.operator, domain)
    talk.say("", f"Host mail status for: '{domain}'", pair("Status as of:", clock(time.time())))
    talk.say(
        pair("Host up/down:", f"down: {shown(host.down)}" if host.down else "up" if host.last_activity else "unknown"), ""
    )
    talk.say(*_counters(host), "", *_gauges(host, waiting), "")
    oldest = page.messages[0].received if page.messages else 0.0
    talk.say(pair("Oldest Message", span(time.time() - oldest) if oldest else "No Messages"))
    talk.say(pair("Last Activity", clock(host.last_activity) if host.last_activity else "Never"), "", *_way(way), "")
    talk.say("Last 5XX Error:", "----------", *_error(host), "----------", "")
    found = await asyncio.to_thread(records.tls, talk.operator, direction="out", domain=domain, failed=True, limit=1)
    told = (
        [f"{shown(one.failure)}", f"(at {clock(one.time)}) IP: {one.peer}"] if (one := next(iter(found), None)) else ["None"]
    )
    talk.say("Last TLS Error:", "----------", *told, "----------")


def _counters(host: HostStatus) -> Iterator[str]:
    hard = sum(host.hard_bounced.values())
    yield "Counters:"
    yield "  Queue"
    yield _line("Soft Bounced Events", host.soft_bounced)
    yield "  Completion"
    yield _line("Completed Recipients", host.delivered + hard + host.deleted)
    yield _line("  Hard Bounced Recipients", hard)
    for cause, label in CAUSES.items():
        yield _line(f"    {label}", host.hard_bounced.get(cause, 0))
    yield _line("  Delivered Recipients", host.delivered)
    yield _line("  Deleted Recipients", host.deleted)


def _gauges(host: HostStatus, waiting: QueuedDestination | None) -> Iterator[str]:
    active, untried = (waiting.recipients, waiting.untried) if waiting else (0, 0)
    yield "Gauges:"
    yield "  Queue"
    yield _line("Active Recipients", active)
    yield _line("  Unattempted Recipients", untried)
    yield _line("  Attempted Recipients", active - untried)
    yield "  Connections"
    yield _line("Current Outbound Connections", host.connections)
    yield _line("Pending Outbound Connections", host.pending)


def _line(label: str, number: int) -> str:
    return f"    {label:<50}{number:>15,}"


def _way(way: hops.Way) -> Iterator[str]:
    yield "Ordered IP addresses:"
    yield f"    {'Preference':<13}{'IP':<41}Host"
    for hop in way.hops:
        port = "" if hop.port == SMTP_PORT else f":{hop.port}"
        yield f"    {hop.preference:<13}{hop.address:<41}{shown(hop.host)}{port}"
    if way.fault:
        yield f"    {shown(way.fault)}"
    yield shown(way.why)


def _error(host: HostStatus) -> list[str]:
    error = host.last_error
    return [shown(error.text), f"(at {clock(error.time)}) IP: {error.peer}"] if error.time else ["None"]


async def topin(talk: Talk, rest: str) -> None:
    """Lists the hosts with most open connections to us, a line for each address and listener."""
    rows = await asyncio.to_thread(service.connections, talk.operator)
    talk.say("", pair("Status as of:", clock(time.time())), "")
    talk.say(f"{'#':<4}{'Remote hostname':<28}{'Remote IP addr.':<18}{'listener':<20}{'Conn. In':>10}", "")
    for place, one in enumerate(rows[:SHOWN], 1):
        name = shown(one.name) or "unknown"
        talk.say(f"{place:<4}{name:<28}{one.address:<18}{one.listener:<20}{one.count:>10,}")
    if len(rows) > SHOWN:
        talk.say("", f"{len(rows) - SHOWN} more rows are not shown.")


COMMANDS = (
    Command(
        "hoststatus", "Show one destination: what it got, what waits for it and how it is reached.", hoststatus, "[HOST]"
    ),
    Command("tophosts", "List the destinations with most mail.", tophosts, "[" + "|".join(SORTS) + "]"),
    Command("topin", "List the hosts with most open connections to us.", topin),
)
