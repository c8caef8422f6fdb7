"""Monitor > Delivery Status: what waits and for whom, moving it along, and holding delivery or a listener."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, cast
from urllib.parse import urlencode

from litestar import Response, get, post
from litestar.exceptions import ClientException, NotFoundException
from litestar.response import Template

from gatepost.admin.operations import queue, service
from gatepost.admin.operations.queue import QueuedDestination, Selected
from gatepost.admin.web.desk import OPERATOR, Desk
from gatepost.admin.web.forms import Form, filled
from gatepost.admin.web.paging import paged
from gatepost.admin.web.threads import in_thread
from gatepost.errors import ControlError, GatepostError

TITLE = "Delivery Status"
HOME = "/delivery"
ROWS, MAX_PAGE = 50, 180
SHOWN_OCTETS = 100_000
HOWS = {
    "bounce": ("Bounce", "Gives up on it; the senders are told that it was not delivered."),
    "delete": ("Delete", "Drops it without a word to anybody. It cannot be had back."),
    "redirect": ("Redirect", "Sends it to another host from now on instead of where its recipients' domains lead."),
}


@get(HOME)
@in_thread
def overview(desk: Desk, find: str = "", page: int = 1) -> Template:
    """Show the queue by destination, and what is suspended."""
    try:
        status, queued = service.status(desk.operator), queue.listing(desk.operator, limit=1)
        hosts = service.hosts(desk.operator)
    except ControlError as fault:
        return desk.page("delivery.html", title=TITLE, fault=str(fault))
    rows = paged(queued.destinations, find, page, lambda one: one.destination)
    down = {row.destination: hosts[row.destination].down for _, row in rows.rows if row.destination in hosts}
    return desk.page(
        "delivery.html", title=TITLE, fault="", status=status, queued=queued, paged=rows, down=down, attempt=attempt
    )


@get(f"{HOME}/messages")
@in_thread
def messages(desk: Desk, destination: str = "", page: int = 1) -> Template:
    """Show the messages that wait, all or for one destination."""
    page = min(max(page, 1), MAX_PAGE)
    found = queue.listing(desk.operator, destination=destination, limit=ROWS + 1, offset=(page - 1) * ROWS)
    host = service.hosts(desk.operator, destination).get(destination) if destination else None

    def turned(to: int) -> str:
        return f"{HOME}/messages?" + urlencode({"destination": destination, "page": to}, errors="backslashreplace")

    more = len(found.messages) > ROWS and page < MAX_PAGE
    return desk.page(
        "delivery_messages.html",
        title=f"Mail for {destination}" if destination else "Messages that wait",
        destination=destination,
        host=host,
        rows=found.messages[:ROWS],
        out_of_reach=found.out_of_reach,
        paths=(turned(page - 1) if page > 1 else "", turned(page + 1) if more else ""),
    )


@get(f"{HOME}/message/{{mid:int}}")
@in_thread
def message(desk: Desk, mid: int) -> Template:
    """Show one message that waits, with each recipient."""
    try:
        found = queue.show(desk.operator, mid)
    except GatepostError as fault:
        raise NotFoundException(str(fault)) from None
    return desk.page("delivery_message.html", title=f"MID {mid}", one=found, redirected=queue.redirected)


@get(f"{HOME}/message/{{mid:int}}/content", opt=OPERATOR)
@in_thread
def content(desk: Desk, mid: int) -> Template:
    """Show the beginning of a message as text, to those who may read mail; that they did is in the audit log."""
    try:
        found = queue.content(desk.operator, mid, SHOWN_OCTETS)
    except GatepostError as fault:
        raise NotFoundException(str(fault)) from None
    desk.tell(f"read the content of MID {mid}")
    text = found.octets.decode("utf-8", "replace").replace("\r\n", "\n")
    return desk.page(
        "delivery_content.html", title=f"Content of MID {mid}", mid=mid, text=text, found=found, shown=len(found.octets)
    )


@get(f"{HOME}/end", opt=OPERATOR)
@in_thread
def ask(desk: Desk, how: str, mid: int = 0, destination: str = "", everything: bool = False) -> Template:
    """Ask before mail is bounced, deleted or redirected, and say how much it is."""
    form = Form(how=how, mid=str(mid or ""), destination=destination, **({"everything": "1"} if everything else {}))
    return _ask(desk, form)


@post(f"{HOME}/end", opt=OPERATOR)
@filled
def end(desk: Desk, form: Form) -> Response[Any] | Template:
    """Bounce, delete or redirect what was confirmed."""
    how, chosen = form["how"], _chosen(form)
    if how not in HOWS:
        raise ClientException(f"{how!r} is nothing that can be done to mail")
    try:
        if how == "redirect":
            number = queue.redirect(desk.operator, form["host"], chosen)
        else:
            number = queue.end(desk.operator, cast("Literal['bounce', 'delete']", how), chosen)
    except GatepostError as fault:
        return _ask(desk, form, {"host" if how == "redirect" else "": str(fault)})
    done = {"bounce": "Bounced", "delete": "Deleted", "redirect": f"Redirected to {form['host'].strip()}"}[how]
    desk.tell(f"{done.lower()}: {_what(chosen)}, {number} recipients")
    return desk.back(HOME, f"{done} for {number} {'recipient' if number == 1 else 'recipients'}.")


@post(f"{HOME}/now", opt=OPERATOR)
@filled
def deliver_now(desk: Desk, form: Form) -> Response[Any]:
    """Try delivery at once."""
    chosen = _chosen(form)
    if not (chosen.everything or chosen.mid or chosen.destination):
        raise ClientException("say which: a message, a destination or everything")
    number = queue.deliver_now(desk.operator, destination=chosen.destination, mid=chosen.mid)
    desk.tell(f"delivery now: {_what(chosen)}, {number} recipients")
    return desk.back(HOME, f"Delivery is tried now for {number} {'recipient' if number == 1 else 'recipients'}.")


@post(f"{HOME}/suspend", opt=OPERATOR)
@filled
def suspend(desk: Desk, form: Form) -> Response[Any]:
    """Hold delivery, or a listener."""
    listener = form["listener"]
    if listener:
        service.suspend_listeners(desk.operator, [listener])
    else:
        queue.suspend(desk.operator)
    desk.tell(f"suspended {_part(listener)}")
    return desk.back(HOME, f"{_part(listener, upper=True)} is suspended.")


@post(f"{HOME}/resume", opt=OPERATOR)
@filled
def resume(desk: Desk, form: Form) -> Response[Any]:
    """Go on with delivery, or with a listener."""
    listener = form["listener"]
    if listener:
        service.resume_listeners(desk.operator, [listener])
    else:
        queue.resume(desk.operator)
    desk.tell(f"resumed {_part(listener)}")
    return desk.back(HOME, f"{_part(listener, upper=True)} goes on.")


def _part(listener: str, *, upper: bool = False) -> str:
    """Name what is held, as the audit log has it, or as a sentence begins with it."""
    named = f"listener {listener}" if listener else "delivery"
    return named[0].upper() + named[1:] if upper else named


def attempt(one: QueuedDestination) -> str:
    """Say what a destination waits for where no time is known for it; empty: a time is."""
    if one.next_due:
        return ""
    return "held" if one.held == one.recipients else "now"


def _ask(desk: Desk, form: Form, faults: Mapping[str, str] = {}) -> Template:
    how = form["how"]
    if how not in HOWS:
        raise NotFoundException(f"{how!r} is nothing that can be done to mail")
    chosen = _chosen(form)
    count = queue.count(desk.operator, chosen)
    button, hint = HOWS[how]
    what = _what(chosen)
    context: dict[str, Any] = {"form": form, "how": how, "button": button, "hint": hint, "what": what, "count": count}
    return desk.form("delivery_end.html", title=f"{button} {what}?", faults=faults, **context)


def _chosen(form: Form) -> Selected:
    """Return what a form names: everything only where it says so."""
    mid = form["mid"].strip()
    if mid and not (mid.isascii() and mid.isdigit() and 0 < int(mid[:20]) < 1 << 63):
        raise ClientException(f"{mid!r} is no MID")
    if form["everything"]:
        return Selected(everything=True)
    return Selected(mid=int(mid or 0), destination=form["destination"].strip())


def _what(chosen: Selected) -> str:
    if chosen.everything:
        return "all mail that waits"
    return f"MID {chosen.mid}" if chosen.mid else f"all mail for {chosen.destination}"


HANDLERS = (overview, messages, message, content, ask, end, deliver_now, suspend, resume)
