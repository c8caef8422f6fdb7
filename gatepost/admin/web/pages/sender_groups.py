"""One sender group of a Host Access Table: its name, policy, comment and members, which may be 100,000.

A group of up to MAX_TYPED members is edited as a text, one a line. A larger one is searched and paged through, and members
are put in and taken out a few at a time: no browser would be handed a text of megabytes for the sake of one line.
"""

from __future__ import annotations

from typing import Any

from litestar import Response, get, post
from litestar.exceptions import NotFoundException
from litestar.response import Template

from gatepost.admin.operations import fields, groups
from gatepost.admin.operations.drafts import current
from gatepost.admin.web import faults
from gatepost.admin.web.desk import ADMINISTRATOR, Desk
from gatepost.admin.web.forms import Form, filled
from gatepost.admin.web.pages.hat import listener_named, policy_names
from gatepost.admin.web.paging import paged
from gatepost.admin.web.submitted import submitted
from gatepost.admin.web.threads import in_thread
from gatepost.config.model import Listener, SenderGroup
from gatepost.errors import GatepostError

FIELDS = frozenset({"name", "policy", "comment", "senders"})
MAX_TYPED = 1000
"""Members that a text area holds."""


@get("/hat/{listener:str}/new")
@in_thread
def new_page(desk: Desk, listener: str) -> Template:
    """Show the form for a new sender group."""
    entry = listener_named(current(desk.operator), listener)
    return _page(desk, listener, entry, None, Form(policy=next(iter(policy_names(entry)))), {})


@get("/hat/{listener:str}/group/{group:str}")
@in_thread
def edit_page(desk: Desk, listener: str, group: str, find: str = "", page: int = 1) -> Template:
    """Show the form for a sender group; of a large one the members that hold a text, a page of them."""
    entry = listener_named(current(desk.operator), listener)
    row = _row(entry, group)
    return _page(desk, listener, entry, row, _values(row), {}, find=find, page=page)


@post("/hat/{listener:str}/new", opt=ADMINISTRATOR)
@filled
def create(desk: Desk, form: Form, listener: str) -> Response[Any] | Template:
    """Put a new sender group into the draft."""
    entry = listener_named(current(desk.operator), listener)
    made = _read(form)
    try:
        pending = groups.create(desk.operator, listener, made)
    except GatepostError as fault:
        return _page(desk, listener, entry, None, form, faults.by_field(fault, FIELDS, other="name"))
    desk.tell(f"added sender group {made.name} to listener {listener}")
    return submitted(desk, pending, f"/hat/{listener}", made.name, _place(listener, made.name))


@post("/hat/{listener:str}/group/{group:str}", opt=ADMINISTRATOR)
@filled
def submit(desk: Desk, form: Form, listener: str, group: str) -> Response[Any] | Template:
    """Put what was typed into the draft; members only where the form has them."""
    entry = listener_named(current(desk.operator), listener)
    row = _row(entry, group)
    made = _read(form)
    try:
        if "senders" in form:
            pending = groups.replace(desk.operator, listener, group, made)
        else:
            changed = {"name": made.name, "policy": made.policy, "comment": made.comment}
            pending = groups.change(desk.operator, listener, group, **changed)
    except GatepostError as fault:
        return _page(desk, listener, entry, row, form, faults.by_field(fault, FIELDS, other="name"))
    desk.tell(f"submitted sender group {group} of listener {listener}")
    return submitted(desk, pending, f"/hat/{listener}", made.name, _place(listener, made.name))


@post("/hat/{listener:str}/group/{group:str}/add", opt=ADMINISTRATOR)
@filled
def add_members(desk: Desk, form: Form, listener: str, group: str) -> Response[Any] | Template:
    """Put members into a large group."""
    entry = listener_named(current(desk.operator), listener)
    row = _row(entry, group)
    new = fields.words(form["more"])
    try:
        if not new:
            raise GatepostError("there is nothing to add: write a member a line")
        groups.add_members(desk.operator, listener, group, new)
    except GatepostError as fault:
        told = faults.by_field(fault, frozenset({"more"}), other="more")
        return _page(desk, listener, entry, row, Form({**_values(row), "more": form["more"]}), told)
    desk.tell(f"added {len(new)} members to sender group {group} of listener {listener}")
    return desk.drafted(_path(listener, group), f"{len(new):,} added")


@post("/hat/{listener:str}/group/{group:str}/remove", opt=ADMINISTRATOR)
@filled
def remove_members(desk: Desk, form: Form, listener: str, group: str) -> Response[Any]:
    """Take the members that are ticked out of a large group."""
    gone = [field.removeprefix("member ") for field in form if field.startswith("member ")]
    if not gone:
        return desk.back(_path(listener, group), "No member was ticked.")
    groups.remove_members(desk.operator, listener, group, gone)
    desk.tell(f"removed {len(gone)} members from sender group {group} of listener {listener}")
    return desk.drafted(_path(listener, group), f"{len(gone):,} removed")


@post("/hat/{listener:str}/group/{group:str}/delete", opt=ADMINISTRATOR)
@filled
def delete(desk: Desk, form: Form, listener: str, group: str) -> Response[Any]:
    """Take a sender group out of the draft."""
    groups.delete(desk.operator, listener, group)
    desk.tell(f"deleted sender group {group} of listener {listener}")
    return desk.drafted(f"/hat/{listener}", f"{group}: deleted")


def _path(listener: str, group: str) -> str:
    return f"/hat/{listener}/group/{group}"


def _place(listener: str, group: str) -> tuple[str, ...]:
    return ("listeners", listener, "sender_groups", group)


def _row(listener: Listener, group: str) -> SenderGroup:
    for row in listener.sender_groups:
        if row.name == group:
            return row
    raise NotFoundException(f"there is no sender group {group}")


def _values(row: SenderGroup) -> Form:
    senders = "" if len(row.senders) > MAX_TYPED else "\n".join(row.senders)
    return Form(name=row.name, policy=row.policy, comment=row.comment, senders=senders)


def _read(form: Form) -> SenderGroup:
    return SenderGroup(
        name=form["name"].strip(),
        policy=form["policy"],
        comment=form["comment"].strip(),
        senders=fields.words(form["senders"]),
    )


def _page(
    desk: Desk,
    listener: str,
    entry: Listener,
    row: SenderGroup | None,
    form: Form,
    told: dict[str, str],
    *,
    find: str = "",
    page: int = 1,
) -> Template:
    large = row is not None and len(row.senders) > MAX_TYPED
    context: dict[str, Any] = {
        "listener": listener,
        "row": row,
        "form": form,
        "policies": policy_names(entry),
        "large": large,
        "paged": paged(row.senders, find, page) if row and large else None,
        "tag": desk.tag(),
    }
    title = f"{row.name if row else 'New Sender Group'} - {listener}"
    return desk.form("sender_group.html", title=title, faults=told, **context)


HANDLERS = (new_page, edit_page, create, submit, add_members, remove_members, delete)
