"""The administrators of the gateway: who they are, adding and removing them, their passwords and keys."""

from __future__ import annotations

from collections.abc import Sequence

from gatepost.admin.operations.documents import read_file
from gatepost.admin.operations.operator import Operator
from gatepost.admin.ssh_keys import MAX_LINE, PublicKey, read_keys
from gatepost.admin.users import Role, User, Users
from gatepost.errors import GatepostError


def listing(operator: Operator) -> list[User]:
    """Return all administrators by name."""
    operator.require()
    return Users(operator.users_db).list() if operator.users_db.exists() else []


def add(operator: Operator, name: str, password: str, role: Role = "administrator", *, must_change: bool = False) -> None:
    """Add an administrator; `must_change`: the password is good for nothing but to choose another."""
    operator.prepare()
    Users(operator.users_db).add(name, password, role=role, must_change=must_change)


def set_role(operator: Operator, name: str, role: Role) -> None:
    """Give an administrator another role."""
    operator.require()
    Users(operator.users_db).set_role(name, role)


def set_password(operator: Operator, name: str, password: str, *, must_change: bool = False) -> None:
    """Replace an administrator's password."""
    operator.require()
    Users(operator.users_db).set_password(name, password, must_change=must_change)


def delete(operator: Operator, name: str, *, keep_one: bool = False) -> None:
    """Remove an administrator; with `keep_one` not the last.

    Who is on the machine itself may remove everybody and begin anew; who is not would lock everybody out.
    """
    operator.require()
    Users(operator.users_db).delete(name, keep_one=keep_one)


def keys(operator: Operator, name: str) -> Sequence[PublicKey]:
    """Return the public SSH keys of an administrator."""
    return _known(operator, name).keys(name)


def add_keys(operator: Operator, name: str, file: str) -> list[PublicKey]:
    """Let an administrator sign in by SSH with the public keys of a file; returns them."""
    return add_key_lines(operator, name, read_file(file, 64 * MAX_LINE).decode(errors="replace"))


def add_key_lines(operator: Operator, name: str, text: str) -> list[PublicKey]:
    """Let an administrator sign in by SSH with the public keys of a text; returns them."""
    added = read_keys(text)
    _known(operator, name).add_keys(name, added)
    return added


def delete_key(operator: Operator, name: str, fingerprint: str) -> None:
    """Take a public key from an administrator."""
    _known(operator, name).delete_key(name, fingerprint)


def _known(operator: Operator, name: str) -> Users:
    operator.require()
    users = Users(operator.users_db)
    if users.find(name) is None:
        raise GatepostError(f"there is no user {name}; `gatepost user list` shows those there are")
    return users
