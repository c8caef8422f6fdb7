"""Overview: how the gateway stands, and what needs attention."""

from __future__ import annotations

from litestar import get
from litestar.response import Template

from gatepost.admin.operations import service
from gatepost.admin.web.desk import Desk
from gatepost.admin.web.threads import in_thread
from gatepost.errors import GatepostError


@get("/")
@in_thread
def overview(desk: Desk) -> Template:
    """Show the page."""
    fault, status = "", None
    try:
        status = service.status(desk.operator)
    except GatepostError as error:
        fault = str(error)
    return desk.page("overview.html", title="Overview", status=status, fault=fault)


HANDLERS = (overview,)
