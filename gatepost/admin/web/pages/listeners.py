"""Network > Listeners: where the gateway takes mail in, and what holds for all of these places."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.exceptions import NotFoundException
from litestar.response import Template

from gatepost.admin.operations import bounces, factory, fields, listeners
from gatepost.admin.operations.drafts import current
from gatepost.admin.operations.rows import DOMAIN_MAP
from gatepost.admin.web import faults
from gatepost.admin.web.desk import ADMINISTRATOR, Desk
from gatepost.admin.web.forms import Form, filled
from gatepost.admin.web.pages.policies import USE_TLS
from gatepost.admin.web.submitted import submitted
from gatepost.admin.web.threads import in_thread
from gatepost.config.model import Config, Gateway, Listener, Recipient, SenderGroup
from gatepost.errors import GatepostError

TITLE = "Listeners"
TYPES = {"public": "Public", "private": "Private"}
LINE_ENDINGS = {"refuse": "Refuse the message", "repair": "Repair: make it CR LF"}
NUMBERS = ("port", "max_concurrency", "tcp_queue")
TEXTS = ("interface", "address", "default_domain", "bounce_profile")
FIELDS = frozenset({*NUMBERS, *TEXTS, "type", "certificates", "domain_map", "bare_line_endings", "recipients", "senders"})
SECONDS = "seconds"
GLOBAL = {
    "unsuccessful_connection_timeout": (
        "Timeout for unsuccessful connections",
        "Seconds without one message; public ones.",
        SECONDS,
    ),
    "connection_time_limit": (
        "Total time limit for connections",
        "Seconds; from 80 % of it no new message is begun.",
        SECONDS,
    ),
    "command_timeout": ("Time to wait for a command", "Seconds (RFC 5321 4.5.3.2).", SECONDS),
    "tls_handshake_timeout": ("Time for a TLS handshake", "Seconds.", SECONDS),
    "max_header_size": ("Maximum message header size", "Octets, or a number with k, M or G.", "octets"),
    "max_header_lines": ("Maximum message header lines", "", ""),
    "max_line_length": ("Maximum length of a line", "Octets, or a number with k, M or G.", "octets"),
    "max_hops": ("Maximum number of hops", "Received fields in one message.", ""),
}
"""Fields of the gateway that hold for every listener, what is said below each, and its unit."""


@get("/listeners")
@in_thread
def overview(desk: Desk) -> Template:
    """Show the listeners."""
    config = current(desk.operator)
    return desk.page(
        "listeners.html", title=TITLE, listeners=config.listeners, gateway=config.gateway, settings=GLOBAL, use_tls=USE_TLS
    )


@get(["/listeners/new", "/listeners/listener/{name:str}"])
@in_thread
def listener_page(desk: Desk, name: str = "") -> Template:
    """Show the form for a listener, or for a new one."""
    config = current(desk.operator)
    return _page(desk, config, name, _values(name, _listener(config, name) if name else Listener()), {})


@post(["/listeners/new", "/listeners/listener/{name:str}"], opt=ADMINISTRATOR)
@filled
def submit(desk: Desk, form: Form, name: str = "") -> Response[Any] | Template:
    """Put what was typed into the draft."""
    config = current(desk.operator)
    if name:
        _listener(config, name)
    new = form["name"].strip()
    values, told = _read(form)
    if told:
        told |= faults.of_name(new, [other for other in config.listeners if other != name], "listener")
    else:
        try:
            if name:
                made = listeners.change(desk.operator, name, new, **values)
            else:
                made = listeners.create(desk.operator, new, _new(form, values))
        except GatepostError as fault:
            told = faults.by_field(fault, FIELDS, other="name")
    if told:
        return _page(desk, config, name, form, told)
    desk.tell(f"submitted listener {name or new}")
    return submitted(desk, made, "/listeners", new or name, ("listeners", new or name))


@post("/listeners/listener/{name:str}/delete", opt=ADMINISTRATOR)
@filled
def delete(desk: Desk, form: Form, name: str) -> Response[Any]:
    """Take a listener out of the draft."""
    listeners.delete(desk.operator, name)
    desk.tell(f"deleted listener {name}")
    return desk.drafted("/listeners", f"{name}: deleted")


@get("/listeners/global")
@in_thread
def global_page(desk: Desk) -> Template:
    """Show the form for what holds for all listeners."""
    held = msgspec.structs.asdict(current(desk.operator).gateway)
    return _global(desk, Form({field: str(held[field]) for field in GLOBAL}), {})


@post("/listeners/global", opt=ADMINISTRATOR)
@filled
def submit_global(desk: Desk, form: Form) -> Response[Any] | Template:
    """Put what holds for all listeners into the draft."""
    values, told = dict[str, Any](), dict[str, str]()
    for field in GLOBAL:
        _number(Gateway, field, form, values, told)
    if not told:
        try:
            listeners.change_all(desk.operator, **values)
        except GatepostError as fault:
            told = faults.by_field(fault, GLOBAL)
    if told:
        return _global(desk, form, told)
    desk.tell("submitted the global settings of listeners")
    return desk.back("/listeners", "Global settings: submitted. They take effect with Commit Changes.")


def _listener(config: Config, name: str) -> Listener:
    found = config.listeners.get(name)
    if found is None:
        raise NotFoundException(f"there is no listener {name}")
    return found


def _values(name: str, listener: Listener) -> Form:
    form = Form({field: str(getattr(listener, field)) for field in (*NUMBERS, *TEXTS, "type", "bare_line_endings")})
    form |= {"name": name, "domain_map": DOMAIN_MAP.write(listener.domain_map)}
    form |= {"certificate": listener.certificates[0] if listener.certificates else ""}
    return Form({**form, **{f"certificate {more}": "on" for more in listener.certificates[1:]}})


def _read(form: Form) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the values of a form, and a sentence for each field that will not do."""
    values: dict[str, Any] = {field: form[field].strip() for field in TEXTS}
    told: dict[str, str] = {}
    for field in NUMBERS:
        _number(Listener, field, form, values, told)
    for field, options in (("type", TYPES), ("bare_line_endings", LINE_ENDINGS)):
        values[field] = form[field]
        if form[field] not in options:
            told[field] = "choose one"
    first = form["certificate"]
    more = [field.removeprefix("certificate ") for field in form if field.startswith("certificate ")]
    values["certificates"] = [name for name in (first, *(one for one in more if one != first)) if name]
    try:
        values["domain_map"] = DOMAIN_MAP.parse(form["domain_map"])
    except GatepostError as fault:
        told["domain_map"] = "; ".join(str(fault).splitlines()[:-1])  # the last one is about importing
    return values, told


def _new(form: Form, values: dict[str, Any]) -> Listener:
    """Return a new listener with the policies that the appliance's administrators know, and the first rows of its tables."""
    made = Listener(**values, policies=factory.policies(values["type"]))
    first = fields.words(form["first"])
    if made.type == "public":
        return msgspec.structs.replace(made, recipients=[Recipient(match=match) for match in first])
    relay = [SenderGroup(name="RELAYLIST", senders=first, policy="RELAYED")] if first else []
    return msgspec.structs.replace(made, sender_groups=relay)


def _number(table: type, field: str, form: Form, values: dict[str, Any], told: dict[str, str]) -> None:
    try:
        values[field] = fields.number(table, field, form[field].strip())
    except GatepostError as fault:
        told[field] = str(fault)


def _page(desk: Desk, config: Config, name: str, form: Form, told: dict[str, str]) -> Template:
    title = name or "New Listener"
    for field in ("recipients", "sender_groups", "senders"):
        if field in told:
            told["first"] = told.pop(field)
    context: dict[str, Any] = {
        "name": name,
        "form": form,
        "types": TYPES,
        "line_endings": LINE_ENDINGS,
        "bounce_profiles": list(bounces.profiles(config)),
        "certificates": list(config.certificates),
        "tag": desk.tag(),
    }
    return desk.form("listener.html", title=title, faults=told, **context)


def _global(desk: Desk, form: Form, told: dict[str, str]) -> Template:
    title = "Global Settings of Listeners"
    context: dict[str, Any] = {"form": form, "settings": GLOBAL, "tag": desk.tag()}
    return desk.form("listeners_global.html", title=title, faults=told, **context)


HANDLERS = (overview, listener_page, submit, delete, global_page, submit_global)
