"""Monitor > TLS Connections: which TLS connections got, with whom, and why; down to the single session."""

from __future__ import annotations

import time
from typing import Literal, cast
from urllib.parse import urlencode

from litestar import get
from litestar.exceptions import NotFoundException
from litestar.response import Template

from gatepost.admin.operations import records, reports
from gatepost.admin.operations.reports import MAX_PAGE, SPANS, Direction
from gatepost.admin.web.desk import Desk
from gatepost.admin.web.threads import in_thread
from gatepost.errors import GatepostError
from gatepost.records.reports import Order
from gatepost.records.search import Sessions

TITLE = "TLS Connections"
DIRECTIONS = {"in": "Incoming", "out": "Outgoing"}
ORDERS: dict[str, str] = {
    "connections": "Most connections",
    "failed": "Most failures",
    "plain": "Most unencrypted",
    "name": "Name",
}


@get(["/connections", "/connections/{direction:str}"])
@in_thread
def report(
    desk: Desk, direction: str = "in", span: str = "week", find: str = "", order: str = "connections", page: int = 1
) -> Template:
    """Show one half of the report."""
    way = _direction(direction)
    span, order = span if span in SPANS else "week", order if order in ORDERS else "connections"
    found = reports.tls_report(desk.operator, way, SPANS[span], find=find, order=cast("Order", order), page=page)
    asked = {"span": span, "find": find.strip(), "order": order}
    page = min(max(page, 1), MAX_PAGE)
    return desk.page(
        "tls_connections.html",
        title=f"{TITLE} - {DIRECTIONS[way]}",
        direction=way,
        directions=DIRECTIONS,
        found=found,
        asked=asked,
        spans=SPANS,
        orders=ORDERS,
        page=page,
        previous=report_path(way, **asked, page=str(page - 1)) if page > 1 else "",
        following=report_path(way, **asked, page=str(page + 1)) if found.more and page < MAX_PAGE else "",
        sessions_path=lambda **asked: sessions_path(way, span=span, **asked),
        report_path=report_path,
    )


@get("/connections/{direction:str}/sessions")
@in_thread
def sessions(
    desk: Desk,
    direction: str,
    span: str = "week",
    party: str | None = None,
    group: str | None = None,
    listener: str | None = None,
    failed: str = "",
    page: int = 1,
) -> Template:
    """Show the single connections behind a row of the report."""
    way = _direction(direction)
    span = span if span in SPANS else "week"
    since = reports.begin(SPANS[span], time.time())
    wanted = Sessions(direction=way, since=since, party=party, group=group, listener=listener, failed=bool(failed))
    found = reports.sessions(desk.operator, wanted, page=page)
    asked = {
        name: value for name, value in (("party", party), ("group", group), ("listener", listener)) if value is not None
    }
    asked |= {"span": span, **({"failed": "1"} if failed else {})}
    page = min(max(page, 1), MAX_PAGE)
    return desk.page(
        "tls_sessions.html",
        title=f"{TITLE} - {DIRECTIONS[way]}",
        direction=way,
        found=found,
        wanted=wanted,
        span=SPANS[span],
        back=report_path(way, span=span),
        previous=sessions_path(way, **asked, page=str(page - 1)) if page > 1 else "",
        following=sessions_path(way, **asked, page=str(page + 1)) if found.more and page < MAX_PAGE else "",
        switch=sessions_path(
            way, **{name: value for name, value in asked.items() if name != "failed"}, failed=switched(failed)
        ),
    )


@get("/connections/{direction:str}/session/{number:int}")
@in_thread
def session(desk: Desk, direction: str, number: int) -> Template:
    """Show everything on record about one connection."""
    way = _direction(direction)
    try:
        found = records.connection(desk.operator, way, number)
    except GatepostError as fault:
        raise NotFoundException(str(fault)) from None
    kind = "ICID" if way == "in" else "DCID"
    return desk.page("tls_session.html", title=f"{kind} {number}", one=found)


def report_path(direction: str, **asked: str) -> str:
    """Return where a half of the report is, as it is asked."""
    return f"/connections/{direction}?{urlencode(asked, errors='backslashreplace')}"


def sessions_path(direction: str, **asked: str) -> str:
    """Return where the connections behind a row are."""
    return f"/connections/{direction}/sessions?{urlencode(asked, errors='backslashreplace')}"


def switched(failed: str) -> Literal["", "1"]:
    """Return the other of the two: all connections, or those of which TLS failed."""
    return "" if failed else "1"


def _direction(text: str) -> Direction:
    if text not in DIRECTIONS:
        raise NotFoundException(f"connections go in or out, not {text}")
    return cast("Direction", text)


HANDLERS = (report, sessions, session)
