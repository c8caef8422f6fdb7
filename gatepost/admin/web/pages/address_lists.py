"""Mail Policies > Address Lists: envelope addresses under a name, and the policies that use each list."""

from __future__ import annotations

from typing import Any

from litestar import Response, get, post
from litestar.exceptions import NotFoundException
from litestar.response import Template

from gatepost.admin.operations import fields, lists
from gatepost.admin.operations.drafts import current
from gatepost.admin.web import faults
from gatepost.admin.web.desk import ADMINISTRATOR, Desk
from gatepost.admin.web.forms import Form, filled
from gatepost.admin.web.threads import in_thread
from gatepost.config.model import AddressList, Config
from gatepost.errors import GatepostError

TITLE = "Address Lists"
FIELDS = frozenset({"description", "addresses"})
SHOWN = 5
"""Entries of a list that the overview shows."""


@get("/lists")
@in_thread
def overview(desk: Desk) -> Template:
    """Show the lists and who uses each."""
    config = current(desk.operator)
    used = {name: lists.used_by(config, name) for name in config.address_lists}
    return desk.page("lists.html", title=TITLE, lists=config.address_lists, used=used, shown=SHOWN)


@get(["/lists/new", "/lists/list/{name:str}"])
@in_thread
def list_page(desk: Desk, name: str = "") -> Template:
    """Show the form for a list, or for a new one."""
    config = current(desk.operator)
    return _page(desk, config, name, _values(_list(config, name)) if name else Form(), {})


@post(["/lists/new", "/lists/list/{name:str}"], opt=ADMINISTRATOR)
@filled
def submit(desk: Desk, form: Form, name: str = "") -> Response[Any] | Template:
    """Put what was typed into the draft."""
    config = current(desk.operator)
    if name:
        _list(config, name)
    made = AddressList(addresses=fields.words(form["addresses"]), description=form["description"].strip())
    try:
        put = lists.replace if name else lists.create
        put(desk.operator, name or form["name"].strip(), made)
    except GatepostError as fault:
        return _page(desk, config, name, form, faults.by_field(fault, FIELDS, other="" if name else "name"))
    desk.tell(f"submitted address list {name or form['name']}")
    return desk.drafted("/lists", f"{name or form['name']}: submitted")


@post("/lists/list/{name:str}/delete", opt=ADMINISTRATOR)
@filled
def delete(desk: Desk, form: Form, name: str) -> Response[Any] | Template:
    """Take a list out of the draft."""
    config = current(desk.operator)
    present = _list(config, name)
    try:
        lists.delete(desk.operator, name)
    except GatepostError as fault:
        return _page(desk, config, name, _values(present), faults.by_field(fault, ()))
    desk.tell(f"deleted address list {name}")
    return desk.drafted("/lists", f"{name}: deleted")


def _list(config: Config, name: str) -> AddressList:
    found = config.address_lists.get(name)
    if found is None:
        raise NotFoundException(f"there is no address list {name}")
    return found


def _values(present: AddressList) -> Form:
    return Form(description=present.description, addresses="\n".join(present.addresses))


def _page(desk: Desk, config: Config, name: str, form: Form, told: dict[str, str]) -> Template:
    title = name or "New Address List"
    used = lists.used_by(config, name) if name else []
    context: dict[str, Any] = {"name": name, "used": used, "form": form, "tag": desk.tag()}
    return desk.form("list.html", title=title, faults=told, **context)


HANDLERS = (overview, list_page, submit, delete)
