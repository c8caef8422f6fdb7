"""System Administration > Trace: one message followed from the connection to the next hop, and nothing sent.

By GET, for it changes nothing, so that whoever only looks may ask too; with a message, which no address can hold, by POST.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from litestar import get, post
from litestar.response import Template

from gatepost.admin.operations import fields
from gatepost.admin.operations.drafts import current
from gatepost.admin.operations.hosts import read_address, read_name
from gatepost.admin.operations.tables import read_path
from gatepost.admin.operations.trace import Message, Trace
from gatepost.admin.operations.trace import trace as follow
from gatepost.admin.web.asked import query, read
from gatepost.admin.web.desk import OPERATOR, Desk
from gatepost.admin.web.forms import Form, filled
from gatepost.admin.web.threads import in_thread
from gatepost.errors import GatepostError

TITLE = "Trace"
UNDER = {"draft": "The draft, as it would be committed", "committed": "The committed configuration"}


@get("/trace")
@in_thread
def show(desk: Desk) -> Template:
    """Show the form; with its fields in the address, the answer too."""
    form = query(desk)
    return _answer(desk, form) if "address" in form else _page(desk, form, None, {})


@post("/trace", opt=OPERATOR)
@filled
def ask(desk: Desk, form: Form) -> Template:
    """Follow a message with what is in it."""
    return _answer(desk, form)


def _answer(desk: Desk, form: Form) -> Template:
    told: dict[str, str] = {}
    recipients = fields.words(form["recipients"])
    read(told, "address", read_address, form["address"])
    read(told, "name", lambda text: text and read_name(text), form["name"])
    read(told, "sender", partial(read_path, what="sender"), form["sender"])
    for recipient in recipients:
        read(told, "recipients", partial(read_path, what="recipient"), recipient)
    if not recipients:
        told["recipients"] = "name at least one recipient"
    if told:
        return _page(desk, form, None, told)
    try:
        way = follow(
            desk.operator,
            form["address"].strip(),
            sender=form["sender"],
            recipients=recipients,
            name=form["name"].strip(),
            listener=form["listener"],
            message=Message(hello=form["hello"].strip() or "unknown", text=form["message"]),
            draft=form["under"] != "committed",
        )
    except GatepostError as fault:
        return _page(desk, form, None, {"": str(fault)})
    return _page(desk, form, way, {})


def _page(desk: Desk, form: Form, way: Trace | None, told: dict[str, str]) -> Template:
    context: dict[str, Any] = {
        "form": form,
        "way": way,
        "listeners": list(current(desk.operator).listeners),
        "under": UNDER,
    }
    return desk.form("trace.html", title=TITLE, faults=told, **context)


HANDLERS = (show, ask)
