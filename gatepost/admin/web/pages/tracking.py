"""Monitor > Message Tracking: find a message, and read its whole story."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from litestar import Response, get
from litestar.exceptions import NotFoundException
from litestar.response import Redirect, Template

from gatepost.admin.operations import logs, queue, records
from gatepost.admin.operations.log_tail import MAIL_LOG
from gatepost.admin.web.desk import Desk
from gatepost.admin.web.forms import Form
from gatepost.admin.web.threads import in_thread
from gatepost.errors import GatepostError

TITLE = "Message Tracking"
ROWS, MAX_PAGE, MAX_LINES = 50, 200, 2000
DAYS = {"1": "24 hours", "7": "7 days", "30": "30 days", "0": "As far as there are records"}
SOUGHT = ("sender", "recipient", "subject", "message_id", "host")


@get("/tracking")
@in_thread
def search(
    desk: Desk,
    mid: str = "",
    sender: str = "",
    recipient: str = "",
    subject: str = "",
    message_id: str = "",
    host: str = "",
    days: str = "1",
    page: int = 1,
) -> Response[Any] | Template:
    """Show the form, and the messages that it finds."""
    form = Form(mid=mid.strip(), sender=sender, recipient=recipient, subject=subject, message_id=message_id, host=host)
    form = Form({name: value.strip() for name, value in form.items()}, days=days if days in DAYS else "1")
    if form["mid"]:
        number = form["mid"].upper().removeprefix("MID").strip()
        if number.isascii() and number.isdigit():
            return Redirect(f"/tracking/{number[:20]}")
        return desk.invalid(
            "tracking.html", title=TITLE, form=form, days=DAYS, rows=[], faults={"mid": "a MID is a number"}, paths=("", "")
        )
    page = min(max(page, 1), MAX_PAGE)
    found = records.search(
        desk.operator,
        sender=form["sender"] or None,
        recipient=form["recipient"] or None,
        subject=form["subject"] or None,
        message_id=form["message_id"] or None,
        peer=form["host"] or None,
        days=float(form["days"]),
        limit=ROWS + 1,
        offset=(page - 1) * ROWS,
    )
    more = len(found) > ROWS and page < MAX_PAGE
    paths = (_path(form, page - 1) if page > 1 else "", _path(form, page + 1) if more else "")
    return desk.page("tracking.html", title=TITLE, form=form, days=DAYS, rows=found[:ROWS], faults={}, paths=paths)


@get("/tracking/{mid:int}")
@in_thread
def message(desk: Desk, mid: int) -> Template:
    """Show everything on record about one message."""
    if mid >= 1 << 63:
        raise NotFoundException(f"MID {mid} is not on record")
    try:
        found = records.message(desk.operator, mid)
    except GatepostError as fault:
        raise NotFoundException(str(fault)) from None
    queued = None
    try:
        queued = queue.show(desk.operator, mid)
    except GatepostError:
        pass  # it has left, or nothing runs that could be asked
    return desk.page("tracked.html", title=f"MID {mid}", mid=mid, found=found, queued=queued)


@get("/tracking/{mid:int}/log")
async def log(desk: Desk, mid: int) -> Template:
    """Show what the mail log says about one message and the connections that it came and went by."""
    try:
        lines = await logs.of_message(desk.operator, MAIL_LOG, mid)
    except GatepostError as fault:
        raise NotFoundException(str(fault)) from None
    return desk.page(
        "tracked_log.html", title=f"MID {mid} in the mail log", mid=mid, lines=lines[:MAX_LINES], all=len(lines)
    )


def _path(form: Form, page: int) -> str:
    asked = {name: form[name] for name in (*SOUGHT, "days") if form[name]}
    return "/tracking?" + urlencode({**asked, "page": str(page)}, errors="backslashreplace")


HANDLERS = (search, message, log)
