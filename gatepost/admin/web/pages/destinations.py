"""Mail Policies > Destination Controls: how mail to a domain is delivered, and what every other domain gets."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
from litestar import Response, get, post
from litestar.exceptions import NotFoundException
from litestar.response import Template

from gatepost.admin.operations import bounces, destinations, fields
from gatepost.admin.operations.drafts import current
from gatepost.admin.web import exchange, faults
from gatepost.admin.web.desk import ADMINISTRATOR, Desk
from gatepost.admin.web.exchange import Exchange
from gatepost.admin.web.forms import Form, filled
from gatepost.admin.web.paging import paged
from gatepost.admin.web.submitted import submitted
from gatepost.admin.web.threads import in_thread
from gatepost.config.checks.profiles import profile_names
from gatepost.config.model import Config, DefaultDestination, DestinationControl, OutboundTls, RecipientRate
from gatepost.errors import GatepostError

TITLE = "Destination Controls"
DEFAULT = "Default"
USE_TLS = {
    "no": "None",
    "preferred": "Preferred",
    "required": "Required",
    "preferred-verify": "Preferred - Verify",
    "required-verify": "Required - Verify",
    "required-verify-hosted": "Required - Verify Hosted Domains",
}
LIMITS = {
    "max_connections": "Concurrent connections",
    "max_messages_per_connection": "Maximum messages per connection",
}
FIELDS = frozenset({*LIMITS, "domain", "tls", "tls_profile", "bounce_profile", "certificate", "recipients", "minutes"})
IMPORT = Exchange(
    title="Import Destination Controls",
    back="/destinations",
    export="/destinations/export",
    hint="The appliance's text form: [DEFAULT] with every setting, then a section for each domain with what it sets itself.",
    example="[DEFAULT]\nip_sort_pref = PREFER_V6\nmax_host_concurrency = 500\nmax_messages_per_connection = 50\n"
    "recipient_minutes = 60\nrecipient_limit = 0\ntable_tls = on\n\n[partner.example]\ntable_tls = require_verify",
)


@get("/destinations")
@in_thread
def overview(desk: Desk, find: str = "", page: int = 1) -> Template:
    """Show the table, the default row first."""
    config = current(desk.operator)
    context: dict[str, Any] = {
        "paged": paged(list(config.destinations.items()), find, page, lambda row: row[0]),
        "default": config.default_destination,
        "use_tls": USE_TLS,
        "limits": LIMITS,
    }
    return desk.page("destinations.html", title=TITLE, **context)


@get("/destinations/new")
@in_thread
def new_page(desk: Desk) -> Template:
    """Show the form for a new control."""
    return _page(desk, current(desk.operator), "", Form(), {})


@get(["/destinations/default", "/destinations/domain/{domain:str}"])
@in_thread
def edit_page(desk: Desk, domain: str = DEFAULT) -> Template:
    """Show the form for a control, or for the default."""
    config = current(desk.operator)
    return _page(desk, config, domain, _values(_control(config, domain)), {})


@post(["/destinations/new", "/destinations/default", "/destinations/domain/{domain:str}"], opt=ADMINISTRATOR)
@filled
def submit(desk: Desk, form: Form, domain: str = "") -> Response[Any] | Template:
    """Put what was typed into the draft."""
    config = current(desk.operator)
    if desk.path == "/destinations/default":
        domain = DEFAULT
    present = _control(config, domain) if domain else DestinationControl()
    values, told = _read(form, is_default=domain == DEFAULT)
    new = domain
    if not domain:
        try:
            new = destinations.new_domain(desk.operator, form["domain"])
        except GatepostError as fault:
            told["domain"] = str(fault)
    if not told:
        try:
            made = msgspec.structs.replace(present, **values)
            if isinstance(made, DefaultDestination):
                pending = destinations.put_default(desk.operator, made)
            else:
                pending = destinations.put(desk.operator, new, made)
        except GatepostError as fault:
            told = faults.by_field(fault, FIELDS)
    if told:
        return _page(desk, config, domain, form, told)
    desk.tell(f"submitted destination control {new}")
    place = ("default_destination",) if domain == DEFAULT else ("destinations", destinations.read_domain(new))
    return submitted(desk, pending, "/destinations", new, place)


@post("/destinations/domain/{domain:str}/delete", opt=ADMINISTRATOR)
@filled
def delete(desk: Desk, form: Form, domain: str) -> Response[Any]:
    """Take a control out of the draft."""
    destinations.delete(desk.operator, domain)
    desk.tell(f"deleted destination control {domain}")
    return desk.drafted("/destinations", f"{domain}: deleted, it gets the default")


@get("/destinations/export")
@in_thread
def export(desk: Desk) -> Response[str]:
    """Hand out the table of the draft as a text file."""
    return exchange.download(destinations.export_text(desk.operator), "destinations.txt")


@get("/destinations/import")
@in_thread
def import_page(desk: Desk) -> Template:
    """Show the form to import the table."""
    return exchange.page(desk, IMPORT)


@post("/destinations/import", opt=ADMINISTRATOR)
@filled
def import_table(desk: Desk, form: Form) -> Response[Any] | Template:
    """Replace the table and the default by a text."""
    return exchange.imported(desk, IMPORT, form, lambda text: destinations.import_text(desk.operator, text))


def _control(config: Config, domain: str) -> DestinationControl | DefaultDestination:
    if domain == DEFAULT:
        return config.default_destination
    if domain not in config.destinations:
        raise NotFoundException(f"there is no destination control for {domain}")
    return config.destinations[domain]


def _values(control: DestinationControl | DefaultDestination) -> Form:
    """Return the fields as a form has them; a field that is left to the default is empty."""
    form = Form({field: "" if value is None else str(value) for field, value in msgspec.structs.asdict(control).items()})
    if rate := control.recipients_per_minutes:
        form |= {"recipients": str(rate.recipients), "minutes": str(rate.minutes)}
    return form


def _read(form: Form, *, is_default: bool) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the values of a form, and a sentence for each field that will not do."""
    values: dict[str, Any] = {field: form[field] or None for field in ("tls_profile", "bounce_profile")}
    told = {field: "choose one" for field, value in values.items() if value is None and is_default}
    values["tls"] = form["tls"] or None
    if form["tls"] not in get_args(OutboundTls) and (form["tls"] or is_default):
        told["tls"] = "choose one of the settings"
    for field in LIMITS:
        typed = form[field].strip()
        values[field] = None
        if typed or is_default:
            _number(DestinationControl, field, typed, values, told)
    rate: dict[str, Any] = {}
    if form["recipients"].strip() or form["minutes"].strip():
        for field in ("recipients", "minutes"):
            _number(RecipientRate, field, form[field].strip() or ("60" if field == "minutes" else ""), rate, told)
    values["recipients_per_minutes"] = RecipientRate(**rate) if len(rate) == 2 else None
    if is_default:
        values["certificate"] = form["certificate"]
    return values, told


def _number(table: type, field: str, typed: str, values: dict[str, Any], told: dict[str, str]) -> None:
    try:
        values[field] = fields.whole(table, field, typed)
    except GatepostError as fault:
        told[field] = str(fault)


def _page(desk: Desk, config: Config, domain: str, form: Form, told: dict[str, str]) -> Template:
    title = {DEFAULT: "Default Destination Control", "": "New Destination Control"}.get(domain, domain)
    context: dict[str, Any] = {
        "domain": domain,
        "is_default": domain == DEFAULT,
        "form": form,
        "default": _values(config.default_destination),
        "use_tls": USE_TLS,
        "limits": LIMITS,
        "tls_profiles": profile_names(config),
        "bounce_profiles": list(bounces.profiles(config)),
        "certificates": list(config.certificates),
        "tag": desk.tag(),
    }
    return desk.form("destination.html", title=title, faults=told, **context)


HANDLERS = (overview, new_page, edit_page, submit, delete, export, import_page, import_table)
