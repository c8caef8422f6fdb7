"""Mail Policies > HAT Overview: the sender groups of a listener in their order, and which of them a host falls into."""

from __future__ import annotations

from typing import Any

from litestar import Response, get, post
from litestar.exceptions import NotFoundException
from litestar.response import Template

from gatepost.admin.operations import explain_in, groups, hat
from gatepost.admin.operations.drafts import current
from gatepost.admin.operations.explanation import Inbound
from gatepost.admin.operations.tables import listener_of
from gatepost.admin.web import exchange, faults
from gatepost.admin.web.desk import ADMINISTRATOR, Desk
from gatepost.admin.web.exchange import Exchange
from gatepost.admin.web.forms import Form, filled
from gatepost.admin.web.paging import paged
from gatepost.admin.web.threads import in_thread
from gatepost.config.model import BARE_BEHAVIORS, Config, Listener
from gatepost.errors import GatepostError

TITLE = "HAT Overview"
ALL = "ALL"
EXAMPLE = """$PARTNER_TLS
    ACCEPT {
        tls = "require"
    }

PARTNERS:
    198.51.100.0/24
        $PARTNER_TLS

ALL
    ACCEPT"""


@get(["/hat", "/hat/{listener:str}"])
@in_thread
def overview(desk: Desk, listener: str = "", host: str = "", host_name: str = "", find: str = "", page: int = 1) -> Template:
    """Show the table, and where a host falls when one is asked for."""
    config = current(desk.operator)
    if not config.listeners:
        return desk.page("hat.html", title=TITLE, listener="", listeners={}, faults={})
    form = Form(host=host.strip(), host_name=host_name.strip())
    return _page(desk, config, listener, form, {}, find=find, page=page)


@post("/hat/{listener:str}/move", opt=ADMINISTRATOR)
@filled
def move(desk: Desk, form: Form, listener: str) -> Response[Any]:
    """Put a sender group above another one, or last."""
    if "move" in form:  # a button in the table, or a row that was dragged
        group, _, before = form["move"].partition("\t")
    else:
        group, before = form["group"], form["before"]
    groups.move(desk.operator, listener, group, before or ALL)
    desk.tell(f"moved sender group {group} of listener {listener} above {before or ALL}")
    return desk.back(_path(listener), f"{group} stands {f'above {before}' if before and before != ALL else 'last'} now.")


@post("/hat/{listener:str}/all", opt=ADMINISTRATOR)
@filled
def set_all_hosts(desk: Desk, form: Form, listener: str) -> Response[Any] | Template:
    """Set the policy of the ALL row."""
    try:
        groups.set_all_hosts(desk.operator, listener, form["all_hosts"])
    except GatepostError as fault:
        told = faults.by_field(fault, {"all_hosts"}, other="all_hosts")
        return _page(desk, current(desk.operator), listener, form, told)
    desk.tell(f"set the ALL row of listener {listener} to {form['all_hosts']}")
    return desk.drafted(_path(listener), "The ALL row: submitted")


@get("/hat/{listener:str}/export")
@in_thread
def export(desk: Desk, listener: str) -> Response[str]:
    """Hand out the table of the draft as a text file."""
    listener_named(current(desk.operator), listener)
    return exchange.download(hat.export_text(desk.operator, listener), f"hat-{listener}.txt")


@get("/hat/{listener:str}/import")
@in_thread
def import_page(desk: Desk, listener: str) -> Template:
    """Show the form to import a table."""
    listener_named(current(desk.operator), listener)
    return exchange.page(desk, _exchange(listener))


@post("/hat/{listener:str}/import", opt=ADMINISTRATOR)
@filled
def import_table(desk: Desk, form: Form, listener: str) -> Response[Any] | Template:
    """Replace the table by a text."""
    listener_named(current(desk.operator), listener)
    return exchange.imported(desk, _exchange(listener), form, lambda text: hat.import_text(desk.operator, listener, text))


def listener_named(config: Config, name: str) -> Listener:
    """Return a listener of the path; 404 where there is none."""
    found = config.listeners.get(name)
    if found is None:
        raise NotFoundException(f"there is no listener {name}")
    return found


def policy_names(listener: Listener) -> list[str]:
    """Return what a sender group may name: the policies of its listener, and the bare behaviours."""
    return [*listener.policies, *(bare for bare in BARE_BEHAVIORS if bare not in listener.policies)]


def _page(
    desk: Desk, config: Config, listener: str, form: Form, told: dict[str, str], *, find: str = "", page: int = 1
) -> Template:
    name = listener or listener_of(config, "")[0]
    entry = listener_named(config, name)
    found: Inbound | None = None
    if form["host"]:
        try:
            found = explain_in.inbound(desk.operator, form["host"], name=form["host_name"], listener=name, draft=True)
        except GatepostError as fault:
            told = {**told, "host": str(fault)}
    implied = "ACCEPT" if entry.type == "public" else "REJECT"
    form.setdefault("all_hosts", entry.all_hosts or implied)
    context: dict[str, Any] = {
        "listener": name,
        "listeners": config.listeners,
        "entry": entry,
        "paged": paged(entry.sender_groups, find, page, lambda group: group.name),
        "all_hosts": entry.all_hosts or implied,
        "all_policies": [policy for policy in policy_names(entry) if _may_end(entry, policy)],
        "form": form,
        "found": found,
        "tag": desk.tag(),
    }
    return desk.form("hat.html", title=f"{TITLE} - {name}", faults=told, **context)


def _may_end(listener: Listener, policy: str) -> bool:
    """Whether a policy may stand in the ALL row, below which nothing stands to continue with."""
    named = listener.policies.get(policy)
    return (named.behavior if named else policy.lower()) != "continue"


def _path(listener: str) -> str:
    return f"/hat/{listener}"


def _exchange(listener: str) -> Exchange:
    return Exchange(
        title=f"Import HAT - {listener}",
        back=_path(listener),
        export=f"{_path(listener)}/export",
        hint="A Host Access Table in the appliance's text form: policies, sender groups, the ALL row last.",
        example=EXAMPLE,
    )


HANDLERS = (overview, move, set_all_hosts, export, import_page, import_table)
