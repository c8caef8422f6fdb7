"""System Administration > SSL Configuration: the TLS profiles, and what a cipher string comes to while one types it."""

from __future__ import annotations

from typing import Any

from litestar import Response, get, post
from litestar.exceptions import NotFoundException
from litestar.response import Template

from gatepost.admin.operations import cipher_list, ciphers, costs, tls_settings
from gatepost.admin.operations.drafts import Unfit, current
from gatepost.admin.operations.operator import Operator
from gatepost.admin.web import faults
from gatepost.admin.web.desk import ADMINISTRATOR, Desk
from gatepost.admin.web.forms import Form, filled
from gatepost.admin.web.measuring import Measuring
from gatepost.admin.web.submitted import submitted
from gatepost.admin.web.threads import in_thread
from gatepost.config.model import BUILTIN_PROFILES, TlsProfile, tls_profile
from gatepost.config.problems import errors
from gatepost.errors import GatepostError

TITLE = "SSL Configuration"
ORDERS = {"server": "The server's (ours)", "client": "The client's"}
FIELDS = frozenset(TlsProfile.__struct_fields__)
BUILTIN = {side.profile: side.title for side in tls_settings.SIDES}


@get("/ssl")
@in_thread
def overview(desk: Desk) -> Template:
    """Show the profiles."""
    config = current(desk.operator)
    names = tls_settings.profile_names(desk.operator)
    context: dict[str, Any] = {
        "profiles": {name: ciphers.profile(desk.operator, name) for name in names},
        "used": {name: tls_settings.used_by(config, name) for name in names},
        "builtin": BUILTIN,
        "orders": ORDERS,
    }
    return desk.page("ssl.html", title=TITLE, **context)


@get("/ssl/new")
@in_thread
def new_page(desk: Desk) -> Template:
    """Show the form for a profile with a name of its own, which begins as the inbound one."""
    return _page(desk, "", _values(ciphers.profile(desk.operator, cipher_list.PROFILE)), {})


@get("/ssl/profile/{name:str}")
@in_thread
def edit_page(desk: Desk, name: str) -> Template:
    """Show the form for a profile."""
    return _page(desk, name, _values(_known(desk, name)), {})


@post(["/ssl/new", "/ssl/profile/{name:str}"], opt=ADMINISTRATOR)
@filled
def submit(desk: Desk, form: Form, name: str = "") -> Response[Any] | Template:
    """Put what was typed into the draft; or, by the other button, only show what it comes to."""
    if name:
        _known(desk, name)
    made = _read(form)
    if "preview" in form:
        return _page(desk, name, form, {})
    new = name or form["name"].strip()
    told = faults.by_field(Unfit(errors(ciphers.consider(desk.operator, new, made))), FIELDS)
    if not told:
        try:
            pending = (tls_settings.put if name else tls_settings.create)(desk.operator, new, made)
        except GatepostError as fault:
            told = faults.by_field(fault, FIELDS, other="name")
    if told:
        return _page(desk, name, form, told)
    desk.tell(f"submitted TLS profile {new}")
    return submitted(desk, pending, "/ssl", new, ("tls_profiles", new))


@post("/ssl/preview", opt=ADMINISTRATOR)
@filled
def preview(desk: Desk, form: Form) -> Template:
    """Return the part of the page that says what a profile comes to, while somebody types it."""
    return Template("ssl_preview.html", context=_preview(desk, form["profile"], _read(form)))


@post("/ssl/profile/{name:str}/delete", opt=ADMINISTRATOR)
@filled
def delete(desk: Desk, form: Form, name: str) -> Response[Any] | Template:
    """Take a profile out of the draft; a built-in one gets its defaults back."""
    present = _known(desk, name)
    try:
        tls_settings.delete(desk.operator, name)
    except GatepostError as fault:
        return _page(desk, name, _values(present), faults.by_field(fault, ()))
    done = "has its defaults" if name in BUILTIN_PROFILES else "deleted"
    desk.tell(f"TLS profile {name}: {done}")
    return desk.drafted("/ssl", f"{name}: {done}")


@post("/ssl/measure", opt=ADMINISTRATOR)
@filled
def measure(desk: Desk, form: Form) -> Response[Any]:
    """Begin to measure what TLS costs here."""
    if _measuring(desk).start(Operator(desk.operator.state, desk.operator.author)):
        desk.tell("measures what TLS costs")
    return desk.back("/ssl/measure")


@get("/ssl/measure")
@in_thread
def measure_page(desk: Desk) -> Template:
    """Show how far the measurement is."""
    context: dict[str, Any] = {"progress": _measuring(desk).progress, "costs": costs.costs(desk.operator)}
    if "HX-Request" in desk.request.headers:
        return Template("ssl_measure_part.html", context=context)
    return desk.page("ssl_measure.html", title="What TLS costs here", **context)


def _measuring(desk: Desk) -> Measuring:
    held: Measuring = desk.request.app.state.measuring
    return held


def _known(desk: Desk, name: str) -> TlsProfile:
    found = tls_profile(current(desk.operator), name)
    if found is None:
        raise NotFoundException(f"there is no TLS profile {name}")
    return found


def _values(profile: TlsProfile) -> Form:
    """Return the fields as a form has them."""
    form = Form({f"method {method}": "on" for method in profile.methods})
    lists = {field: "\n".join(getattr(profile, field)) for field in ("suites", "groups")}
    return Form({**form, **lists, "ciphers": profile.ciphers, "cipher_order": profile.cipher_order})


def _read(form: Form) -> TlsProfile:
    """Return the profile of a form; what is wrong in it, its check says."""
    return TlsProfile(
        methods=[method for method in tls_settings.METHODS if form.ticked(f"method {method}")],
        ciphers=form["ciphers"].strip(),
        suites=form.lines("suites"),
        groups=form.lines("groups"),
        cipher_order="client" if form["cipher_order"] == "client" else "server",
    )


def _preview(desk: Desk, name: str, profile: TlsProfile) -> dict[str, Any]:
    return {
        "desk": desk,
        "listed": cipher_list.listed(desk.operator, name, profile),
        "problems": ciphers.consider(desk.operator, name or "new", profile),
        "profile": profile,
        "offers": name == "outbound",
    }


def _page(desk: Desk, name: str, form: Form, told: dict[str, str]) -> Template:
    made = _read(form)
    context: dict[str, Any] = {
        "name": name,
        "form": form,
        "is_builtin": name in BUILTIN_PROFILES,
        "is_stored": name in current(desk.operator).tls_profiles,
        "used": tls_settings.used_by(current(desk.operator), name),
        "methods": tls_settings.METHODS,
        "orders": ORDERS,
        "tag": desk.tag(),
        **_preview(desk, name, made),
    }
    title = f"{BUILTIN.get(name, name) or 'New'} TLS profile"
    return desk.form("ssl_profile.html", title=title, faults=told, **context)


HANDLERS = (overview, new_page, edit_page, submit, preview, delete, measure, measure_page)
