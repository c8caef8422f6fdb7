"""/users and /tokens: the administrators, and the programs that use this API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import litestar
import msgspec
from litestar.params import JSONBody

from gatepost.admin.api.caller import Caller
from gatepost.admin.api.problems import absent
from gatepost.admin.api.routes.service import Done
from gatepost.admin.api.routing import Body, acts, reads
from gatepost.admin.operations import tokens, users
from gatepost.admin.operations.tokens import Made
from gatepost.admin.tokens import DAYS, MAX_DAYS, Token
from gatepost.admin.users import MAX_PASSWORD, MIN_PASSWORD, Role, User
from gatepost.config.paths import did_you_mean
from gatepost.errors import GatepostError

TAGS = ["Users"]
Password = Annotated[str, msgspec.Meta(min_length=MIN_PASSWORD, max_length=MAX_PASSWORD)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class NewUser(Body, frozen=True, kw_only=True):
    """A user to be added."""

    name: Name
    password: Password
    role: Role


class NewRole(Body, frozen=True, kw_only=True):
    """What a user may do from now on."""

    role: Role


class NewPassword(Body, frozen=True, kw_only=True):
    """Another password; it ends the user's sessions."""

    password: Password


class NewToken(Body, frozen=True, kw_only=True):
    """A token to be made."""

    name: Name
    role: Role = "read-only"
    days: Annotated[int, msgspec.Meta(ge=1, le=MAX_DAYS)] = DAYS


@reads("/users", "administrator", tags=TAGS)
def listing(caller: Caller) -> Sequence[User]:
    """All administrators by name."""
    return users.listing(caller.operator)


@acts("/users", role="administrator", tags=TAGS, status_code=201)
def add(caller: Caller, data: JSONBody[NewUser]) -> Done:
    """Add a user."""
    users.add(caller.operator, data.name, data.password, data.role)
    caller.tell(f"added user {data.name}, {data.role}")
    return Done(done="added")


@acts("/users/{name:str}/role", role="administrator", method=litestar.put, tags=TAGS)
def set_role(caller: Caller, name: str, data: JSONBody[NewRole]) -> Done:
    """Give a user another role."""
    _require(caller, name)
    users.set_role(caller.operator, name, data.role)
    caller.tell(f"gave {name} the role {data.role}")
    return Done(done="changed")


@acts("/users/{name:str}/password", role="administrator", method=litestar.put, tags=TAGS)
def set_password(caller: Caller, name: str, data: JSONBody[NewPassword]) -> Done:
    """Replace a user's password."""
    _require(caller, name)
    users.set_password(caller.operator, name, data.password)
    caller.tell(f"changed the password of {name}")
    return Done(done="changed")


@acts("/users/{name:str}", role="administrator", method=litestar.delete, tags=TAGS)
def delete(caller: Caller, name: str) -> Done:
    """Remove a user."""
    _require(caller, name)
    users.delete(caller.operator, name)
    caller.tell(f"deleted user {name}")
    return Done(done="deleted")


@reads("/tokens", "administrator", tags=TAGS)
def list_tokens(caller: Caller) -> Sequence[Token]:
    """All tokens by name, without their secrets."""
    return tokens.listing(caller.operator)


@acts("/tokens", role="administrator", tags=TAGS, status_code=201)
def add_token(caller: Caller, data: JSONBody[NewToken]) -> Made:
    """Make a token; its secret is in this answer and nowhere else."""
    made = tokens.add(caller.operator, data.name, data.role, data.days)
    caller.tell(f"made token {data.name}, {data.role}, for {data.days} days")
    return made


@acts("/tokens/{name:str}", role="administrator", method=litestar.delete, tags=TAGS)
def revoke_token(caller: Caller, name: str) -> Done:
    """Take a token away at once; it may be the one that asks."""
    with absent():
        tokens.revoke(caller.operator, name)
    caller.tell(f"revoked token {name}")
    return Done(done="revoked")


def _require(caller: Caller, name: str) -> None:
    known = [one.name for one in users.listing(caller.operator)]
    with absent():
        if name not in known:
            raise GatepostError(f"there is no user {name}: {did_you_mean(name, known)}")


HANDLERS = (listing, add, set_role, set_password, delete, list_tokens, add_token, revoke_token)
