"""Network > SMTP Routes: where mail for a domain goes without asking its MX; the most specific route decides."""

from __future__ import annotations

from typing import Any

from litestar import Response, get, post
from litestar.exceptions import NotFoundException
from litestar.response import Template

from gatepost.admin.operations import fields, routes
from gatepost.admin.operations.drafts import current
from gatepost.admin.web import exchange, faults
from gatepost.admin.web.desk import ADMINISTRATOR, Desk
from gatepost.admin.web.exchange import Exchange
from gatepost.admin.web.forms import Form, filled
from gatepost.admin.web.paging import paged
from gatepost.admin.web.threads import in_thread
from gatepost.errors import GatepostError

TITLE = "SMTP Routes"
IMPORT = Exchange(
    title="Import SMTP Routes",
    back="/routes",
    export="/routes/export",
    hint="A route a line: the domain, .domain or ALL, then its destinations with commas between them; # begins a comment.",
    example="example.com 10.0.0.5, 10.0.0.6:2525/pri=10\n.example.net inside.example.net\nALL USEDNS",
)


@get("/routes")
@in_thread
def overview(desk: Desk, find: str = "", page: int = 1) -> Template:
    """Show the routes."""
    table = list(current(desk.operator).routes.items())
    shown = paged(table, find, page, lambda row: f"{row[0]} {' '.join(row[1])}")
    return desk.page("routes.html", title=TITLE, paged=shown, tag=desk.tag())


@get("/routes/route")
@in_thread
def route_page(desk: Desk, domain: str = "") -> Template:
    """Show the form for a route, or for a new one."""
    table = current(desk.operator).routes
    if domain and domain not in table:
        raise NotFoundException(f"there is no route for {domain}")
    form = Form(domain=domain, destinations="\n".join(table[domain])) if domain else Form()
    return _page(desk, domain, form, {})


@post("/routes/route", opt=ADMINISTRATOR)
@filled
def submit(desk: Desk, form: Form) -> Response[Any] | Template:
    """Put a route into the draft, in the place of the one that was edited or as a new one."""
    present, told = form["present"], dict[str, str]()
    domain, destinations = form["domain"].strip(), fields.words(form["destinations"])
    for field, read in (("domain", routes.read_domain), ("destinations", routes.read_destinations)):
        try:
            read(form[field].strip())
        except GatepostError as fault:
            told[field] = str(fault)
    if not told:
        try:
            if present:
                routes.change(desk.operator, present, destinations, new_domain=domain)
            else:
                routes.add(desk.operator, domain, destinations)
        except GatepostError as fault:
            told = faults.by_field(fault, frozenset(), other="domain")
    if told:
        return _page(desk, present, form, told)
    desk.tell(f"submitted the route for {domain}")
    return desk.drafted("/routes", f"{domain}: submitted")


@post("/routes/delete", opt=ADMINISTRATOR)
@filled
def delete(desk: Desk, form: Form) -> Response[Any]:
    """Take a route out of the draft."""
    routes.delete(desk.operator, form["domain"])
    desk.tell(f"deleted the route for {form['domain']}")
    return desk.drafted("/routes", f"{form['domain']}: deleted")


@get("/routes/export")
@in_thread
def export(desk: Desk) -> Response[str]:
    """Hand out the routes of the draft as a text file."""
    return exchange.download(routes.export_text(desk.operator), "routes.txt")


@get("/routes/import")
@in_thread
def import_page(desk: Desk) -> Template:
    """Show the form to import the table."""
    return exchange.page(desk, IMPORT)


@post("/routes/import", opt=ADMINISTRATOR)
@filled
def import_table(desk: Desk, form: Form) -> Response[Any] | Template:
    """Replace the table by a text."""
    return exchange.imported(desk, IMPORT, form, lambda text: routes.import_text(desk.operator, text))


def _page(desk: Desk, present: str, form: Form, told: dict[str, str]) -> Template:
    title = f"Route for {present}" if present else "New SMTP Route"
    context: dict[str, Any] = {"present": present, "form": form, "tag": desk.tag()}
    return desk.form("route.html", title=title, faults=told, **context)


HANDLERS = (overview, route_page, submit, delete, export, import_page, import_table)
