"""Network > Bounce Profiles: how long and how often delivery is tried before mail goes back."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.exceptions import NotFoundException
from litestar.response import Template

from gatepost.admin.operations import bounces, fields
from gatepost.admin.operations.drafts import current
from gatepost.admin.web import faults
from gatepost.admin.web.desk import ADMINISTRATOR, Desk
from gatepost.admin.web.forms import Form, filled
from gatepost.admin.web.threads import in_thread
from gatepost.config.model import BounceProfile, Config
from gatepost.errors import GatepostError

TITLE = "Bounce Profiles"
NUMBERS = {
    "max_retries": ("Maximum number of retries", "Attempts after the first; then a soft bounce becomes hard."),
    "max_age": ("Maximum seconds in queue", "Whichever of the two limits is reached first decides."),
    "initial_wait": ("Initial seconds to wait before retry", "Each further wait is twice as long."),
    "max_wait": ("Maximum seconds to wait before retry", "The longest that a wait grows to."),
}
"""Fields, labelled as the appliance labels them, and what is said below each."""


@get("/bounces")
@in_thread
def overview(desk: Desk) -> Template:
    """Show the profiles and who uses each."""
    config = current(desk.operator)
    profiles = bounces.profiles(config)
    used = {name: bounces.used_by(config, name) for name in profiles}
    return desk.page("bounces.html", title=TITLE, profiles=profiles, used=used)


@get(["/bounces/new", "/bounces/profile/{name:str}"])
@in_thread
def profile_page(desk: Desk, name: str = "") -> Template:
    """Show the form for a profile, or for a new one."""
    config = current(desk.operator)
    present = _profile(config, name) if name else BounceProfile()
    form = Form({field: str(value) for field, value in msgspec.structs.asdict(present).items()})
    return _page(desk, config, name, form, {})


@post(["/bounces/new", "/bounces/profile/{name:str}"], opt=ADMINISTRATOR)
@filled
def submit(desk: Desk, form: Form, name: str = "") -> Response[Any] | Template:
    """Put what was typed into the draft."""
    config = current(desk.operator)
    if name:
        _profile(config, name)
    values, told = dict[str, int](), dict[str, str]()
    for field in NUMBERS:
        try:
            values[field] = fields.whole(BounceProfile, field, form[field].strip())
        except GatepostError as fault:
            told[field] = str(fault)
    if told and not name:
        told |= faults.of_name(form["name"].strip(), bounces.profiles(config), "bounce profile")
    if not told:
        try:
            put = bounces.replace if name else bounces.create
            put(desk.operator, name or form["name"].strip(), BounceProfile(**values))
        except GatepostError as fault:
            told = faults.by_field(fault, NUMBERS, other="" if name else "name")
    if told:
        return _page(desk, config, name, form, told)
    desk.tell(f"submitted bounce profile {name or form['name']}")
    return desk.drafted("/bounces", f"{name or form['name']}: submitted")


@post("/bounces/profile/{name:str}/delete", opt=ADMINISTRATOR)
@filled
def delete(desk: Desk, form: Form, name: str) -> Response[Any] | Template:
    """Take a profile out of the draft."""
    config = current(desk.operator)
    present = _profile(config, name)
    try:
        bounces.delete(desk.operator, name)
    except GatepostError as fault:
        told = faults.by_field(fault, ())
        values = Form({field: str(value) for field, value in msgspec.structs.asdict(present).items()})
        return _page(desk, config, name, values, told)
    desk.tell(f"deleted bounce profile {name}")
    return desk.drafted("/bounces", f"{name}: deleted")


def _profile(config: Config, name: str) -> BounceProfile:
    found = bounces.profiles(config).get(name)
    if found is None:
        raise NotFoundException(f"there is no bounce profile {name}")
    return found


def _page(desk: Desk, config: Config, name: str, form: Form, told: dict[str, str]) -> Template:
    title = name or "New Bounce Profile"
    context: dict[str, Any] = {
        "name": name,
        "used": bounces.used_by(config, name) if name else [],
        "named": name in config.bounce_profiles,
        "form": form,
        "numbers": NUMBERS,
        "tag": desk.tag(),
    }
    return desk.form("bounce.html", title=title, faults=told, **context)


HANDLERS = (overview, profile_page, submit, delete)
