"""The password of whoever is signed in, asked once more before what a session alone may not do.

Failures are counted as those of logins are, by account: who has got hold of a session cannot guess through it.
"""

from __future__ import annotations

import math

from gatepost.admin.users import Users
from gatepost.admin.web.desk import Desk
from gatepost.admin.web.sessions import Throttle


def doubt(desk: Desk, password: str) -> str:
    """Return why a password proves nothing; empty: it is the user's. Blocks while it is hashed."""
    throttle: Throttle = desk.request.app.state.throttle
    users: Users = desk.request.app.state.users
    name = desk.session.user.name
    account, address = f"proof of {name.lower()}", f"proof at {desk.session.address}"
    if wait := throttle.wait(account, address):
        return f"too many wrong passwords: try again in {math.ceil(wait / 60)} min"
    throttle.attempt(account, address)
    if not users.verify(name, password):
        desk.tell("gave a wrong password for a proof")
        return "this is not your password"
    throttle.succeeded(account, address)
    return ""
