"""Mail Policies > Mail Flow Policies: what the hosts of a sender group get, and the Default Policy Parameters."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
from litestar import Response, get, post
from litestar.exceptions import NotFoundException
from litestar.response import Template

from gatepost.admin.operations import fields, policies
from gatepost.admin.operations.configuration import Pending
from gatepost.admin.operations.drafts import current
from gatepost.admin.web import faults
from gatepost.admin.web.desk import ADMINISTRATOR, Desk
from gatepost.admin.web.forms import Form, filled
from gatepost.admin.web.submitted import submitted
from gatepost.admin.web.threads import in_thread
from gatepost.config.checks.profiles import profile_names
from gatepost.config.model import Behavior, DefaultPolicy, InboundTls, Listener, MailFlowPolicy, PolicyFields
from gatepost.errors import GatepostError

DEFAULT = "Default Policy Parameters"
NOBODY = "-"
"""Stands in the form for no address list, where an empty choice is left to the default; no list can have this name."""
LIMITS = {
    "max_messages_per_connection": "Max. Messages Per Connection",
    "max_recipients_per_message": "Max. Recipients Per Message",
    "max_message_size": "Max. Message Size",
    "max_connections_per_host": "Max. Concurrent Connections From a Single IP",
    "max_recipients_per_hour": "Max. Recipients Per Hour",
}
"""Number fields by name, labelled as the appliance labels them."""
FIELDS = frozenset({"name", "behavior", *DefaultPolicy.__struct_fields__})
USE_TLS = {
    "no": "Off",
    "preferred": "Preferred",
    "required": "Required",
    "preferred-verify": "Preferred - Verify",
    "required-verify": "Required - Verify",
}


@get("/policies")
@in_thread
def overview(desk: Desk) -> Template:
    """Show the policies of every listener."""
    config = current(desk.operator)
    used = {
        (listener, name): policies.used_by(entry, name)
        for listener, entry in config.listeners.items()
        for name in entry.policies
    }
    return desk.page("policies.html", title="Mail Flow Policies", listeners=config.listeners, used=used, use_tls=USE_TLS)


@get("/policies/{listener:str}/new")
@in_thread
def new_page(desk: Desk, listener: str) -> Template:
    """Show the form for a new policy."""
    entry = _listener(desk, listener)
    return _page(desk, listener, entry, "", _values(MailFlowPolicy()), {})


@get(["/policies/{listener:str}/default", "/policies/{listener:str}/policy/{name:str}"])
@in_thread
def edit_page(desk: Desk, listener: str, name: str = DEFAULT) -> Template:
    """Show the form for a policy, or for the Default Policy Parameters."""
    entry = _listener(desk, listener)
    return _page(desk, listener, entry, name, _values(_policy(entry, name)), {})


@post(
    [
        "/policies/{listener:str}/new",
        "/policies/{listener:str}/default",
        "/policies/{listener:str}/policy/{name:str}",
    ],
    opt=ADMINISTRATOR,
)
@filled
def submit(desk: Desk, form: Form, listener: str, name: str = "") -> Response[Any] | Template:
    """Put what was typed into the draft."""
    if desk.path.endswith("/default") and not name:
        name = DEFAULT
    entry = _listener(desk, listener)
    if name:
        _policy(entry, name)
    values, told = _read(form, is_default=name == DEFAULT)
    if told and not name:
        told |= faults.of_name(form["name"].strip(), entry.policies, "policy")
    if not told:
        try:
            made = _store(desk, listener, name, form["name"].strip(), values)
        except GatepostError as fault:
            told = faults.by_field(fault, FIELDS, other="" if name == DEFAULT else "name")
    if told:
        return _page(desk, listener, entry, name, form, told)
    shown = name if name == DEFAULT else form["name"].strip() or name
    desk.tell(f"submitted policy {name or shown} of listener {listener}")
    place = ("default_policy",) if name == DEFAULT else ("policies", shown)
    return submitted(desk, made, "/policies", shown, ("listeners", listener, *place))


@post("/policies/{listener:str}/policy/{name:str}/delete", opt=ADMINISTRATOR)
@filled
def delete(desk: Desk, form: Form, listener: str, name: str) -> Response[Any] | Template:
    """Take a policy out of the draft."""
    entry = _listener(desk, listener)
    present = _policy(entry, name)
    try:
        policies.delete(desk.operator, listener, name)
    except GatepostError as fault:
        return _page(desk, listener, entry, name, _values(present), faults.by_field(fault, ()))
    desk.tell(f"deleted policy {name} of listener {listener}")
    return desk.drafted("/policies", f"{name}: deleted")


def _store(desk: Desk, listener: str, name: str, new_name: str, values: dict[str, Any]) -> Pending:
    if name == DEFAULT:
        return policies.change_default(desk.operator, listener, **values)
    if name:
        return policies.replace(desk.operator, listener, name, MailFlowPolicy(**values), new_name)
    return policies.create(desk.operator, listener, new_name, MailFlowPolicy(**values))


def _listener(desk: Desk, name: str) -> Listener:
    found = current(desk.operator).listeners.get(name)
    if found is None:
        raise NotFoundException(f"there is no listener {name}")
    return found


def _policy(listener: Listener, name: str) -> PolicyFields | DefaultPolicy:
    if name == DEFAULT:
        return listener.default_policy
    if name not in listener.policies:
        raise NotFoundException(f"there is no policy {name}")
    return listener.policies[name]


def _values(policy: PolicyFields | DefaultPolicy) -> Form:
    """Return the fields as a form has them; a field that is left to the default is empty."""
    form = Form()
    for field, value in msgspec.structs.asdict(policy).items():
        form[field] = "\n".join(value) if isinstance(value, list) else "" if value is None else str(value)
    if isinstance(policy, PolicyFields):
        if policy.tls_mandatory_senders == "":
            form["tls_mandatory_senders"] = NOBODY
        if policy.tls_peer_names is not None:
            form["own_peer_names"] = "on"
    return form


def _read(form: Form, *, is_default: bool) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the values of a form, and a sentence for each field that will not do."""
    values: dict[str, Any] = {} if is_default else {"behavior": form["behavior"]}
    told: dict[str, str] = {}
    if not is_default and form["behavior"] not in get_args(Behavior):
        told["behavior"] = "choose one of the behaviours"
    if form["tls"] in get_args(InboundTls):
        values["tls"] = form["tls"]
    elif is_default or form["tls"]:
        told["tls"] = "choose one of the settings"
    for field in LIMITS:
        typed = form[field].strip()
        if not typed and not is_default:
            continue
        try:
            values[field] = fields.number(DefaultPolicy, field, typed)
        except GatepostError as error:
            told[field] = str(error)
    if form["tls_profile"]:
        values["tls_profile"] = form["tls_profile"]
    if form["tls_mandatory_senders"] or is_default:
        values["tls_mandatory_senders"] = "" if form["tls_mandatory_senders"] == NOBODY else form["tls_mandatory_senders"]
    names = form.lines("tls_peer_names")
    if names or is_default or form.ticked("own_peer_names"):
        values["tls_peer_names"] = names
    return values, told


def _page(desk: Desk, listener: str, entry: Listener, name: str, form: Form, told: dict[str, str]) -> Template:
    config = current(desk.operator)
    if name and name != DEFAULT:
        form.setdefault("name", name)
    context: dict[str, Any] = {
        "listener": listener,
        "entry": entry,
        "name": name,
        "form": form,
        "is_default": name == DEFAULT,
        "is_new": not name,
        "limits": LIMITS,
        "use_tls": USE_TLS,
        "behaviors": get_args(Behavior),
        "nobody": NOBODY,
        "default": _values(entry.default_policy),
        "used": policies.used_by(entry, name) if name and name != DEFAULT else [],
        "tls_profiles": profile_names(config),
        "address_lists": list(config.address_lists),
        "tag": desk.tag(),
    }
    title = f"{name or 'New Policy'} - {listener}"
    return desk.form("policy.html", title=title, faults=told, **context)


HANDLERS = (overview, new_page, edit_page, submit, delete)
