"""System Administration > API Tokens: which programs may use the REST API, as what, and until when.

Not part of the configuration: a change holds at once. A secret is in the answer to the form that made it and nowhere else:
no address, notice, session or log has it, and to send that form again is refused. No address has a token's name either.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

from litestar import Response, get, post
from litestar.response import Template

from gatepost.admin.api.app import PREFIX
from gatepost.admin.operations import tokens
from gatepost.admin.tokens import DAY, DAYS, MAX_DAYS, Token, check_name
from gatepost.admin.users import role_named
from gatepost.admin.web.address import host_of
from gatepost.admin.web.asked import read
from gatepost.admin.web.desk import ADMINISTRATOR, Desk
from gatepost.admin.web.forms import Form, filled
from gatepost.admin.web.threads import in_thread
from gatepost.admin.web.wording import DUTIES
from gatepost.errors import GatepostError

TITLE = "API Tokens"
HOME = "/tokens"


@get(HOME)
@in_thread
def overview(desk: Desk) -> Template:
    """Show all tokens, those that have ended too; never a secret."""
    return _overview(desk, {})


@get(f"{HOME}/new", opt=ADMINISTRATOR)
@in_thread
def new_page(desk: Desk) -> Template:
    """Show the form for a new token."""
    return _new(desk, Form(role="read-only", days=str(DAYS)), {})


@post(f"{HOME}/new", opt=ADMINISTRATOR)
@filled
def add(desk: Desk, form: Form) -> Template:
    """Make a token, and answer with its secret: a page to go to could be opened twice."""
    name, told = form["name"].strip(), dict[str, str]()
    read(told, "name", check_name, name)
    role = read(told, "role", role_named, form["role"])
    days = read(told, "days", tokens.days_typed, form["days"])
    if told or role is None or days is None:
        return _new(desk, form, told)
    try:
        made = tokens.add(desk.operator, name, role, days)
    except GatepostError as fault:
        return _new(desk, form, {"name": str(fault)})
    desk.tell(f"made token {name}, {role}, for {days} days")
    root = f"https://{host_of(desk.request)}{PREFIX}"
    return desk.page(
        "token_made.html", title=f"Token {name}", token=made.token, secret=made.secret, root=root, duties=DUTIES
    )


@post(f"{HOME}/revoke", opt=ADMINISTRATOR)
@filled
def revoke(desk: Desk, form: Form) -> Response[Any] | Template:
    """Ask before a token is taken away, and take it away once that is confirmed."""
    name = form["name"]
    try:
        if not form.ticked("confirmed"):
            token = tokens.get(desk.operator, name)
            return desk.page("token_revoke.html", title=f"Revoke {name}", token=token, left=_days_left(token), duties=DUTIES)
        tokens.revoke(desk.operator, name)
    except GatepostError as fault:
        return _overview(desk, {"": str(fault)})
    desk.tell(f"revoked token {name}")
    return desk.back(HOME, f"{name}: revoked. Whatever is asked with it from now on is refused.")


def _days_left(token: Token) -> int:
    return math.floor((token.expires - time.time()) / DAY)


def _overview(desk: Desk, told: Mapping[str, str]) -> Template:
    every = tokens.listing(desk.operator)
    left = {one.name: _days_left(one) for one in every}
    return desk.form("tokens.html", title=TITLE, faults=told, tokens=every, left=left, duties=DUTIES)


def _new(desk: Desk, form: Form, told: Mapping[str, str]) -> Template:
    return desk.form("token_new.html", title="New API Token", faults=told, form=form, duties=DUTIES, most=MAX_DAYS)


HANDLERS = (overview, new_page, add, revoke)
