"""System Administration > Explain: why a connection gets what it gets, in either direction. Changes nothing."""

from __future__ import annotations

from functools import partial
from typing import Any

from litestar import get
from litestar.response import Template

from gatepost.admin.operations import explain_in, explain_out, fields
from gatepost.admin.operations.drafts import current
from gatepost.admin.operations.explanation import Explanation
from gatepost.admin.operations.hosts import read_host, read_name
from gatepost.admin.operations.offers import Given, on_record
from gatepost.admin.operations.tables import read_path
from gatepost.admin.web.asked import query, read
from gatepost.admin.web.desk import Desk
from gatepost.admin.web.forms import Form
from gatepost.admin.web.threads import in_thread
from gatepost.errors import GatepostError

UNDER = {"committed": "What is committed, and what the draft would change", "draft": "The draft"}


@get("/explain")
@in_thread
def inbound(desk: Desk) -> Template:
    """Explain what a connecting host gets."""
    form, told = query(desk), dict[str, str]()
    if "host" not in form:
        return _inbound(desk, form, None, {})
    read(told, "host", read_host, form["host"])
    icid = read(told, "icid", partial(fields.identifier, "ICID"), form["icid"]) if form["icid"].strip() else None
    read(told, "name", lambda text: text and read_name(text), form["name"])
    read(told, "sender", partial(read_path, what="sender"), form["sender"])
    read(told, "recipient", partial(read_path, what="recipient"), form["recipient"])
    if form["offer"] not in {"", *(one.client for one in on_record())}:
        told["offer"] = "choose one of the clients on record"  # the verb takes files too, which are none of a browser's
    elif form["offer"] and icid is not None:
        told["offer"] = "the offer is one of a client, or that of a session: not both"
    answer = None
    if not told:
        try:
            answer = explain_in.inbound(
                desk.operator,
                form["host"].strip(),
                name=form["name"].strip(),
                sender=form["sender"] if form["sender"].strip() else None,
                recipient=form["recipient"].strip(),
                listener=form["listener"],
                offer=form["offer"],
                icid=icid,
                draft=form["under"] == "draft",
            )
        except GatepostError as fault:
            told = {"host" if form["host"].strip() in str(fault) else "": str(fault)}
    return _inbound(desk, form, answer, told)


@get("/explain/out")
@in_thread
def outbound(desk: Desk) -> Template:
    """Explain how mail to a domain is delivered."""
    form, told = query(desk), dict[str, str]()
    answer = None
    if "domain" in form:
        try:
            answer = explain_out.outbound(desk.operator, form["domain"].strip(), draft=form["under"] == "draft")
        except GatepostError as fault:
            told = {"domain" if form["domain"].strip() in str(fault) else "": str(fault)}
    return _page(desk, "explain_out.html", "Explain: mail to a domain", form, answer, told)


def _inbound(desk: Desk, form: Form, answer: Explanation | None, told: dict[str, str]) -> Template:
    clients: list[Given] = on_record()
    listeners = list(current(desk.operator).listeners)
    title = "Explain: a connecting host"
    return _page(desk, "explain_in.html", title, form, answer, told, clients=clients, listeners=listeners)


def _page(
    desk: Desk, template: str, title: str, form: Form, answer: Explanation | None, told: dict[str, str], **more: Any
) -> Template:
    context: dict[str, Any] = {"form": form, "answer": answer, "under": UNDER, **more}
    return desk.form(template, title=title, faults=told, **context)


HANDLERS = (inbound, outbound)
