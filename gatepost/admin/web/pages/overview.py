"""Monitor > Overview: how the gateway stands, connections and their TLS over time, and what needs attention."""

from __future__ import annotations

from litestar import get
from litestar.response import Template

from gatepost.admin.operations import overview as verbs
from gatepost.admin.operations.overview import About, Attention
from gatepost.admin.operations.reports import SPANS
from gatepost.admin.web.desk import Desk
from gatepost.admin.web.pages.tls_connections import report_path, sessions_path
from gatepost.admin.web.threads import in_thread

PLACES: dict[About, tuple[str, str]] = {
    "certificate": ("/certificates", "Certificates"),
    "queue": ("/delivery", "Delivery Status"),
    "delivery": ("/delivery", "Delivery Status"),
    "listener": ("/delivery", "Delivery Status"),
    "service": ("/log", "Mail Log"),
    "records": ("/log", "Mail Log"),
}


@get("/")
@in_thread
def overview(desk: Desk, span: str = "day") -> Template:
    """Show the page."""
    span = span if span in SPANS else "day"
    found = verbs.overview(desk.operator, SPANS[span])
    attention = [(one, *place(one)) for one in found.attention]
    return desk.page(
        "overview.html", title="Overview", found=found, status=found.status, attention=attention, span=span, spans=SPANS
    )


def place(one: Attention) -> tuple[str, str]:
    """Return where something is looked into: a path, and what its page is called."""
    if one.about in PLACES:
        return PLACES[one.about]
    direction = "in" if one.about == "inbound" else "out"
    if one.subject:
        return sessions_path(direction, span="day", party=one.subject, failed="1"), "Its connections"
    return report_path(direction, span="day", order="failed"), "TLS Connections"


HANDLERS = (overview,)
