"""Mail Policies > Add Partner: enter a domain, see what was found, put the proposal into the draft."""

from __future__ import annotations

from typing import Any, get_args

import anyio.to_thread
from litestar import Response, get, post
from litestar.response import Template

from gatepost.admin.operations import fields, partner
from gatepost.admin.operations.drafts import current
from gatepost.admin.operations.partner import Findings, Method, Proposal
from gatepost.admin.web.desk import ADMINISTRATOR, Desk
from gatepost.admin.web.forms import Form, posted
from gatepost.admin.web.threads import in_thread
from gatepost.config.model import InboundTls, OutboundTls
from gatepost.errors import Conflict, GatepostError

TITLE = "Add Partner"
METHODS = {
    "hosts": "By host: a sender group holds the hosts",
    "senders": "By sender: an address list holds the partner's addresses",
}
INBOUND = {"required": "Required", "required-verify": "Required - Verify", "preferred": "Preferred"}
OUTBOUND = {
    "no": "No",
    "preferred": "Preferred",
    "required": "Required",
    "preferred-verify": "Preferred - Verify",
    "required-verify": "Required - Verify",
    "required-verify-hosted": "Required - Verify (hosted domains)",
}


@get("/partner")
@in_thread
def show(desk: Desk, domain: str = "", listener: str = "") -> Template:
    """Show the question, and with a domain what was found."""
    asked = Form(domain=domain, listener=listener)
    if not domain.strip():
        return _page(desk, asked, None, Form(), {})
    try:
        found = partner.look(desk.operator, domain, listener=listener)
    except GatepostError as error:
        return _page(desk, asked, None, Form(), {"domain": str(error)})
    return _page(desk, asked, found, _form(found.proposal), {})


@post("/partner", opt=ADMINISTRATOR)
async def submit(desk: Desk) -> Response[Any] | Template:
    """Put the proposal, as it was changed, into the draft."""
    form = await posted(desk)
    asked = Form(domain=form["domain"], listener=form["listener"])
    proposal, faults = _read(form)
    if proposal is not None:
        try:
            pending = await anyio.to_thread.run_sync(partner.apply, desk.operator, proposal)
        except Conflict:
            raise
        except GatepostError as error:
            faults = {"": str(error)}
        else:
            desk.tell(f"added partner {proposal.domain}")
            count = len(pending.changes)
            return desk.back("/commit", f"{proposal.domain}: {count} change{'s' * (count != 1)} wait to be committed.")
    return await anyio.to_thread.run_sync(_again, desk, asked, form, faults)


def _again(desk: Desk, asked: Form, form: Form, faults: dict[str, str]) -> Template:
    try:
        found = partner.look(desk.operator, asked["domain"], listener=asked["listener"])
    except GatepostError as error:
        return _page(desk, asked, None, form, faults | {"domain": str(error)})
    return _page(desk, asked, found, form, faults)


def _form(proposal: Proposal) -> Form:
    return Form(
        method=proposal.method,
        members="\n".join(proposal.members),
        group=proposal.group,
        before=proposal.before,
        policy=proposal.policy,
        inbound_tls=proposal.inbound_tls,
        outbound_tls=proposal.outbound_tls,
    )


def _read(form: Form) -> tuple[Proposal | None, dict[str, str]]:
    faults: dict[str, str] = {}
    for name, allowed in (("method", get_args(Method)), ("inbound_tls", get_args(InboundTls))):
        if form[name] not in allowed:
            faults[name] = "choose one of these"
    if form["outbound_tls"] not in get_args(OutboundTls):
        faults["outbound_tls"] = "choose one of these"
    members: list[str] = []
    if form["method"] == "hosts":
        try:
            members = fields.members(form["members"])
        except GatepostError as error:
            faults["members"] = str(error)
        for name in ("group", "policy"):
            if not form[name].strip():
                faults[name] = "a name is wanted here"
    if faults:
        return None, faults
    made = Proposal(
        listener=form["listener"],
        method=form["method"],  # type: ignore[arg-type]
        members=members,
        group=form["group"].strip(),
        before=form["before"],
        policy=form["policy"].strip(),
        inbound_tls=form["inbound_tls"],  # type: ignore[arg-type]
        outbound_tls=form["outbound_tls"],  # type: ignore[arg-type]
        domain=form["domain"],
    )
    return made, {}


def _page(desk: Desk, asked: Form, found: Findings | None, form: Form, faults: dict[str, str]) -> Template:
    config = current(desk.operator)
    listener = config.listeners.get(found.listener) if found else None
    preview = []
    if found and not faults:
        try:
            preview = partner.preview(desk.operator, found.proposal)
        except GatepostError as error:
            faults = {"": str(error)}
    context: dict[str, Any] = {
        "asked": asked,
        "found": found,
        "form": form,
        "preview": preview,
        "listeners": list(config.listeners),
        "groups": [group.name for group in listener.sender_groups] if listener else [],
        "policies": list(listener.policies) if listener else [],
        "methods": METHODS,
        "inbound": INBOUND,
        "outbound": OUTBOUND,
        "tag": desk.tag(),
    }
    return desk.form("partner.html", title=TITLE, faults=faults, **context)


HANDLERS = (show, submit)
