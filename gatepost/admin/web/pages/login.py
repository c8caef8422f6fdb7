"""Signing in and out, and choosing a password. The only pages for people who are not signed in."""

from __future__ import annotations

import math
from typing import Any

import anyio.to_thread
from litestar import Request, Response, get, post
from litestar.datastructures import Cookie
from litestar.response import Redirect, Template
from litestar.status_codes import HTTP_303_SEE_OTHER, HTTP_401_UNAUTHORIZED, HTTP_429_TOO_MANY_REQUESTS

from gatepost.admin.users import Users
from gatepost.admin.web import proof
from gatepost.admin.web.desk import COOKIE, Desk
from gatepost.admin.web.forms import posted, read_form
from gatepost.admin.web.sessions import Sessions, Throttle, network_of
from gatepost.admin.web.threads import in_thread
from gatepost.errors import GatepostError

WRONG = "the name or the password is wrong"
MAX_BODY = 16 << 10
"""Octets of a form from somebody who is not signed in."""
MAX_NAME = 64
MAX_SHOWN = 200
"""Characters of a name that are shown and logged, whatever was sent."""


@get("/login", sync_to_thread=False)
def login_page() -> Template:
    """Show the form."""
    return _form("", "")


@post("/login", request_max_body_size=MAX_BODY)
async def login(request: Request[Any, Any, Any]) -> Response[Any]:
    """Sign somebody in."""
    form = await read_form(request)
    name, password = form["name"].strip()[:MAX_SHOWN], form["password"]
    state, address = request.app.state, _address(request)
    throttle: Throttle = state.throttle
    keys = f"user {name[:MAX_NAME].lower()}", f"address {network_of(address)}"
    if wait := throttle.wait(*keys):
        state.audit.tell(name, address, "login refused: too many failures")
        minutes = math.ceil(wait / 60)
        text = f"too many failed logins: try again in {minutes} minute{'s' * (minutes > 1)}"
        return _form(name, text, HTTP_429_TOO_MANY_REQUESTS)
    throttle.attempt(*keys)
    users: Users = state.users
    right = await anyio.to_thread.run_sync(users.verify, name, password, limiter=state.hashing)
    user = users.find(name) if right else None
    if user is None:
        state.audit.tell(name, address, "login failed")
        return _form(name, WRONG, HTTP_401_UNAUTHORIZED)
    throttle.succeeded(*keys)
    state.audit.tell(name, address, "signed in")
    sessions: Sessions = state.sessions
    sessions.end(request.cookies.get(COOKIE, ""))
    key = sessions.begin(user, address)
    cookie = Cookie(key=COOKIE, value=key, path="/", secure=True, httponly=True, samesite="strict")
    return Redirect("/password" if user.must_change else "/", status_code=HTTP_303_SEE_OTHER, cookies=[cookie])


@post("/logout")
async def logout(desk: Desk) -> Response[Any]:
    """Sign out."""
    await posted(desk)
    desk.request.app.state.sessions.end(desk.request.cookies.get(COOKIE, ""))
    desk.tell("signed out")
    response: Response[Any] = Redirect("/login", status_code=HTTP_303_SEE_OTHER)
    response.delete_cookie(COOKIE, path="/")
    return response


@get("/password")
@in_thread
def password_page(desk: Desk) -> Template:
    """Show the form for a new password."""
    return desk.page("password.html", title="Your password", faults={})


@post("/password")
async def change_password(desk: Desk) -> Response[Any] | Template:
    """Replace the password of whoever is signed in, and sign all other sessions of theirs out."""
    form = await posted(desk)
    state, user = desk.request.app.state, desk.session.user
    users = Users(desk.operator.users_db)
    faults = {}
    if doubt := await anyio.to_thread.run_sync(proof.doubt, desk, form["old"], limiter=state.hashing):
        faults["old"] = doubt
    elif form["new"] != form["again"]:
        faults["again"] = "this is not the same as the new password above"
    elif form["new"] == form["old"]:
        faults["new"] = "this is the password that you have: choose another"
    else:
        try:
            await anyio.to_thread.run_sync(users.set_password, user.name, form["new"])
        except GatepostError as error:
            faults["new"] = str(error)
    if faults:
        return desk.invalid("password.html", title="Your password", faults=faults)
    desk.tell("changed their password")
    state.sessions.end_all_of(user.name)
    changed = users.find(user.name)
    assert changed is not None
    key = state.sessions.begin(changed, desk.session.address)
    state.sessions.find(key).notices.append("Your password is changed.")
    cookie = Cookie(key=COOKIE, value=key, path="/", secure=True, httponly=True, samesite="strict")
    return Redirect("/", status_code=HTTP_303_SEE_OTHER, cookies=[cookie])


def _form(name: str, fault: str, status: int = 200) -> Template:
    return Template("login.html", context={"title": "Sign in", "name": name, "fault": fault}, status_code=status)


def _address(request: Request[Any, Any, Any]) -> str:
    return request.client.host if request.client else ""


HANDLERS = (login_page, login, logout, password_page, change_password)
