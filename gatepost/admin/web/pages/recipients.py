"""Mail Policies > Recipient Access Table: which recipients a public listener takes mail for; the first match decides."""

from __future__ import annotations

from typing import Any

from litestar import Response, get, post
from litestar.exceptions import NotFoundException
from litestar.response import Template

from gatepost.admin.operations import rows
from gatepost.admin.operations.drafts import current
from gatepost.admin.operations.rows import RECIPIENTS
from gatepost.admin.operations.tables import listener_of
from gatepost.admin.web import exchange, faults
from gatepost.admin.web.desk import ADMINISTRATOR, Desk
from gatepost.admin.web.exchange import Exchange
from gatepost.admin.web.forms import Form, filled
from gatepost.admin.web.pages.hat import listener_named
from gatepost.admin.web.paging import PAGE, paged
from gatepost.admin.web.submitted import submitted
from gatepost.admin.web.threads import in_thread
from gatepost.config.model import Listener
from gatepost.errors import GatepostError

TITLE = "Recipient Access Table"
ACTIONS = {"ACCEPT": "Accept", "REJECT": "Reject"}
FIELDS = frozenset({"match", "action"})


@get(["/rat", "/rat/{listener:str}"])
@in_thread
def overview(desk: Desk, listener: str = "", find: str = "", page: int = 1) -> Template:
    """Show the table of a listener."""
    config = current(desk.operator)
    public = {name: entry for name, entry in config.listeners.items() if entry.type == "public"}
    if not public:
        return desk.page("rat.html", title=TITLE, listener="", listeners={}, faults={})
    name = listener or listener_of(config, "")[0]
    entry = listener_named(config, name)
    context: dict[str, Any] = {
        "listener": name,
        "listeners": public,
        "entry": entry,
        "paged": paged(entry.recipients, find, page, lambda row: row.match),
        "tag": desk.tag(),
    }
    return desk.page("rat.html", title=f"{TITLE} - {name}", faults={}, **context)


@get("/rat/{listener:str}/row")
@in_thread
def row_page(desk: Desk, listener: str, match: str = "") -> Template:
    """Show the form for a row, or for a new one."""
    entry = listener_named(current(desk.operator), listener)
    form = Form(action="ACCEPT")
    if match:
        found = next((row for row in entry.recipients if row.match == match), None)
        if found is None:
            raise NotFoundException(f"there is no recipient {match}")
        form = Form(match=found.match, action=found.action.upper())
    return _page(desk, listener, entry, match, form, {})


@post("/rat/{listener:str}/row", opt=ADMINISTRATOR)
@filled
def submit(desk: Desk, form: Form, listener: str) -> Response[Any] | Template:
    """Put a row into the draft, in the place of the one that was edited, above the one that was chosen, or last."""
    entry = listener_named(current(desk.operator), listener)
    instead = form["instead"]
    match = form["match"].strip()
    try:
        row = RECIPIENTS.read("ALL" if match.upper() == "ALL" else match, form["action"])
        before = "" if instead else form["before"]
        made = rows.put(desk.operator, listener, RECIPIENTS, row, instead=instead, before=before)
    except GatepostError as fault:
        field = "match" if form["action"] in ACTIONS else "action"
        return _page(desk, listener, entry, instead, form, faults.by_field(fault, FIELDS, other=field))
    desk.tell(f"submitted recipient {row.match} of listener {listener}")
    return submitted(desk, made, f"/rat/{listener}", row.match, ("listeners", listener, "recipients"))


@post("/rat/{listener:str}/move", opt=ADMINISTRATOR)
@filled
def move(desk: Desk, form: Form, listener: str) -> Response[Any]:
    """Put a row above another one, or last."""
    match, _, before = form["move"].partition("\t")
    rows.move(desk.operator, listener, RECIPIENTS, match, before)
    desk.tell(f"moved recipient {match} of listener {listener} above {before or 'the end'}")
    return desk.back(f"/rat/{listener}", f"{match} stands {f'above {before}' if before else 'last'} now.")


@post("/rat/{listener:str}/delete", opt=ADMINISTRATOR)
@filled
def delete(desk: Desk, form: Form, listener: str) -> Response[Any]:
    """Take a row out of the draft."""
    rows.remove(desk.operator, listener, RECIPIENTS, form["match"])
    desk.tell(f"deleted recipient {form['match']} of listener {listener}")
    return desk.drafted(f"/rat/{listener}", f"{form['match']}: deleted")


@get("/rat/{listener:str}/export")
@in_thread
def export(desk: Desk, listener: str) -> Response[str]:
    """Hand out the table of the draft as a text file."""
    listener_named(current(desk.operator), listener)
    return exchange.download(rows.export_text(desk.operator, listener, RECIPIENTS), f"rat-{listener}.txt")


@get("/rat/{listener:str}/import")
@in_thread
def import_page(desk: Desk, listener: str) -> Template:
    """Show the form to import a table."""
    listener_named(current(desk.operator), listener)
    return exchange.page(desk, _exchange(listener))


@post("/rat/{listener:str}/import", opt=ADMINISTRATOR)
@filled
def import_table(desk: Desk, form: Form, listener: str) -> Response[Any] | Template:
    """Replace the table by a text."""
    listener_named(current(desk.operator), listener)
    return exchange.imported(
        desk, _exchange(listener), form, lambda text: rows.import_text(desk.operator, listener, RECIPIENTS, text)
    )


def _page(desk: Desk, listener: str, entry: Listener, match: str, form: Form, told: dict[str, str]) -> Template:
    context: dict[str, Any] = {
        "listener": listener,
        "instead": match,
        "above": [row.match for row in entry.recipients] if not match and len(entry.recipients) <= PAGE else [],
        "form": form,
        "actions": ACTIONS,
        "tag": desk.tag(),
    }
    title = f"{match or 'New Recipient'} - {listener}"
    return desk.form("rat_row.html", title=title, faults=told, **context)


def _exchange(listener: str) -> Exchange:
    return Exchange(
        title=f"Import RAT - {listener}",
        back=f"/rat/{listener}",
        export=f"/rat/{listener}/export",
        hint="A recipient a line, then ACCEPT or REJECT; # begins a comment.",
        example=".example.com ACCEPT\npostmaster@ ACCEPT\nALL REJECT",
    )


HANDLERS = (overview, row_page, submit, move, delete, export, import_page, import_table)
