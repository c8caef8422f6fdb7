"""The tokens of the REST API: making one, listing and revoking them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gatepost.admin.operations.operator import Operator
from gatepost.admin.tokens import DAYS, MAX_DAYS, Token, Tokens, check_days
from gatepost.admin.users import Role
from gatepost.errors import GatepostError


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A token that was made now."""

    token: Token
    secret: str
    """Shown this once: only its hash is kept."""


def listing(operator: Operator) -> Sequence[Token]:
    """Return all tokens by name, those that have ended too."""
    operator.require()
    return Tokens(operator.users_db).list() if operator.users_db.exists() else []


def get(operator: Operator, name: str) -> Token:
    """Return one token, also one that has ended."""
    operator.require()
    return Tokens(operator.users_db).get(name)


def days_typed(text: str) -> int:
    """Read for how many days a token is to last, as a person types it."""
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(MAX_DAYS))):
        raise GatepostError(f"{text!r} is not a number of days: write 1 to {MAX_DAYS}")
    check_days(int(text))
    return int(text)


def add(operator: Operator, name: str, role: Role = "read-only", days: int = DAYS) -> Made:
    """Make a token that lasts some days."""
    operator.prepare()
    tokens = Tokens(operator.users_db)
    secret = tokens.add(name, role, days, operator.author)
    made = tokens.find(secret)
    assert made is not None
    return Made(token=made, secret=secret)


def revoke(operator: Operator, name: str) -> None:
    """Take a token away at once."""
    operator.require()
    Tokens(operator.users_db).revoke(name)
