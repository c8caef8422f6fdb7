"""The administrators of the gateway: who they are, adding and removing them, their passwords."""

from __future__ import annotations

from gatepost.admin.operations.operator import Operator
from gatepost.admin.users import Role, User, Users


def listing(operator: Operator) -> list[User]:
    """Return all administrators by name."""
    operator.require()
    return Users(operator.users_db).list() if operator.users_db.exists() else []


def add(operator: Operator, name: str, password: str, role: Role = "administrator") -> None:
    """Add an administrator."""
    operator.prepare()
    Users(operator.users_db).add(name, password, role=role)


def set_role(operator: Operator, name: str, role: Role) -> None:
    """Give an administrator another role."""
    operator.require()
    Users(operator.users_db).set_role(name, role)


def set_password(operator: Operator, name: str, password: str) -> None:
    """Replace an administrator's password."""
    operator.require()
    Users(operator.users_db).set_password(name, password)


def delete(operator: Operator, name: str) -> None:
    """Remove an administrator."""
    operator.require()
    Users(operator.users_db).delete(name)
