"""System Administration > Users: who may sign in, as what, with which keys.

Not part of the configuration: a change holds at once, and whoever it is about is signed out. A password that is given here
is good for nothing but to choose another.
"""

from __future__ import annotations

from typing import Any

from litestar import Response, get, post
from litestar.exceptions import NotFoundException
from litestar.response import Template

from gatepost.admin.operations import users
from gatepost.admin.users import User, check_name, check_password, role_named
from gatepost.admin.web.asked import read
from gatepost.admin.web.desk import ADMINISTRATOR, Desk
from gatepost.admin.web.forms import Form, filled
from gatepost.admin.web.sessions import Sessions
from gatepost.admin.web.threads import in_thread
from gatepost.admin.web.wording import DUTIES
from gatepost.errors import GatepostError

TITLE = "Users"


@get("/users")
@in_thread
def overview(desk: Desk) -> Template:
    """Show everybody."""
    everybody = users.listing(desk.operator)
    keys = {one.name: len(users.keys(desk.operator, one.name)) for one in everybody}
    return desk.page("users.html", title=TITLE, users=everybody, keys=keys, duties=DUTIES)


@get("/users/new", opt=ADMINISTRATOR)
@in_thread
def new_page(desk: Desk) -> Template:
    """Show the form for a new user."""
    return _new(desk, Form(role="read-only"), {})


@post("/users/new", opt=ADMINISTRATOR)
@filled
def add(desk: Desk, form: Form) -> Response[Any] | Template:
    """Add somebody, with a password for one use."""
    name, told = form["name"].strip(), _faults(form)
    role = read(told, "role", role_named, form["role"])
    read(told, "name", check_name, name)
    if role and not told:
        try:
            users.add(desk.operator, name, form["new"], role, must_change=True)
        except GatepostError as fault:
            told["name"] = str(fault)
    if told:
        return _new(desk, form, told)
    desk.tell(f"added user {name}, {role}")
    return desk.back("/users", f"{name}: added. The password is good for one use.")


@get("/users/user/{name:str}")
@in_thread
def user_page(desk: Desk, name: str) -> Template:
    """Show one."""
    return _page(desk, _known(desk, name), Form(), {})


@post("/users/user/{name:str}/role", opt=ADMINISTRATOR)
@filled
def set_role(desk: Desk, form: Form, name: str) -> Response[Any] | Template:
    """Give somebody another role."""
    user, told = _known(desk, name), dict[str, str]()
    role = read(told, "role", role_named, form["role"])
    if role:
        try:
            users.set_role(desk.operator, name, role)
        except GatepostError as fault:
            told["role"] = str(fault)
    if told:
        return _page(desk, user, form, told)
    _sign_out(desk, name)
    desk.tell(f"made user {name} {role}")
    return desk.back("/users", f"{name} is {role} now, and signed out.")


@post("/users/user/{name:str}/password", opt=ADMINISTRATOR)
@filled
def set_password(desk: Desk, form: Form, name: str) -> Response[Any] | Template:
    """Give somebody a password for one use."""
    user, told = _known(desk, name), _faults(form)
    if name == desk.session.user.name:
        told = {"new": "this is your own account: choose your password on the page for it, which asks for the present one"}
    if not told:
        try:
            users.set_password(desk.operator, name, form["new"], must_change=True)
        except GatepostError as fault:
            told["new"] = str(fault)
    if told:
        return _page(desk, user, form, told)
    _sign_out(desk, name)
    desk.tell(f"gave user {name} another password")
    return desk.back("/users", f"{name}: has another password, good for one use, and is signed out.")


@post("/users/user/{name:str}/keys", opt=ADMINISTRATOR)
@filled
def add_keys(desk: Desk, form: Form, name: str) -> Response[Any] | Template:
    """Let somebody sign in by SSH with public keys."""
    user = _known(desk, name)
    try:
        added = users.add_key_lines(desk.operator, name, form["keys"])
    except GatepostError as fault:
        if "PRIVATE KEY" in form["keys"]:
            form["keys"] = ""
        return _page(desk, user, form, {"keys": str(fault)})
    for key in added:
        desk.tell(f"gave user {name} the SSH key {key.fingerprint}")
    return desk.back(f"/users/user/{name}", f"{len(added)} SSH key{'s' * (len(added) > 1)} added.")


@post("/users/user/{name:str}/keys/delete", opt=ADMINISTRATOR)
@filled
def delete_key(desk: Desk, form: Form, name: str) -> Response[Any] | Template:
    """Take a public key from somebody."""
    user = _known(desk, name)
    try:
        users.delete_key(desk.operator, name, form["fingerprint"])
    except GatepostError as fault:
        return _page(desk, user, Form(), {"": str(fault)})
    desk.tell(f"took the SSH key {form['fingerprint']} from user {name}")
    return desk.back(f"/users/user/{name}", "The SSH key is deleted.")


@post("/users/user/{name:str}/delete", opt=ADMINISTRATOR)
@filled
def delete(desk: Desk, form: Form, name: str) -> Response[Any] | Template:
    """Remove somebody; not the last administrator."""
    user = _known(desk, name)
    try:
        users.delete(desk.operator, name, keep_one=True)
    except GatepostError as fault:
        return _page(desk, user, Form(), {"": str(fault)})
    _sign_out(desk, name)
    desk.tell(f"deleted user {name}")
    return desk.back("/users", f"{name}: deleted, and signed out.")


def _known(desk: Desk, name: str) -> User:
    found = next((one for one in users.listing(desk.operator) if one.name == name), None)
    if found is None:
        raise NotFoundException(f"there is no user {name}")
    return found


def _faults(form: Form) -> dict[str, str]:
    """Say what is wrong with the two passwords of a form."""
    told = {} if form["new"] == form["again"] else {"again": "this is not the same as the password above"}
    try:
        check_password(form["new"])
    except GatepostError as fault:
        told["new"] = str(fault)
    return told


def _sign_out(desk: Desk, name: str) -> None:
    sessions: Sessions = desk.request.app.state.sessions
    sessions.end_all_of(name)


def _new(desk: Desk, form: Form, told: dict[str, str]) -> Template:
    return desk.form("user_new.html", title="New User", faults=told, form=form, duties=DUTIES)


def _page(desk: Desk, user: User, form: Form, told: dict[str, str]) -> Template:
    if "role" not in form:
        form["role"] = user.role
    context: dict[str, Any] = {
        "user": user,
        "keys": users.keys(desk.operator, user.name),
        "form": form,
        "duties": DUTIES,
        "is_self": user.name == desk.session.user.name,
    }
    return desk.form("user.html", title=user.name, faults=told, **context)


HANDLERS = (overview, new_page, add, user_page, set_role, set_password, add_keys, delete_key, delete)
