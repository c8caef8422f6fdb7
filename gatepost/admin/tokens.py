"""The tokens by which programs use the REST API: name, role, end, and the hash of a secret, in a table beside the users.

A secret is 256 random bits, so a plain SHA-256 of it cannot be guessed back and needs no salt or slow hash (which a password
does). It is shown once, when it is made; it is never stored, listed or logged.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import sqlalchemy as sql

from gatepost.admin.users import Role, make_file
from gatepost.config.paths import did_you_mean
from gatepost.errors import GatepostError, StateError

PREFIX = "gatepost_"
"""Begins every secret, so that one that was left in a file or a repository is found by those who look for such."""
DAY = 86_400.0
DAYS = 90
MAX_DAYS = 3650
MAX_SECRET = 200
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_METADATA = sql.MetaData()
_TOKENS = sql.Table(
    "tokens",
    _METADATA,
    sql.Column("name", sql.String(64), primary_key=True),
    sql.Column("digest", sql.String(64), nullable=False, unique=True),
    sql.Column("role", sql.String(16), nullable=False),
    sql.Column("created", sql.Float, nullable=False),
    sql.Column("expires", sql.Float, nullable=False),
    sql.Column("author", sql.String(64), nullable=False),
)


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A token without its secret; times are wall clock, seconds since the epoch."""

    name: str
    role: Role
    created: float
    expires: float
    author: str
    """Who made it."""


class Tokens:
    """The table of tokens in the file of the administrators, mode 0600."""

    def __init__(self, path: Path, now: Callable[[], float] = time.time) -> None:
        """Open the file, which is made when it is not there."""
        make_file(path)
        self._now = now
        self._engine = sql.create_engine(f"sqlite:///{path}", poolclass=sql.NullPool)
        try:
            with self._engine.begin() as connection:
                connection.execute(sql.schema.CreateTable(_TOKENS, if_not_exists=True))
        except sql.exc.DatabaseError as error:
            raise StateError(f"{path} is damaged or cannot be used, it was left as it is: {error.orig}") from None

    def list(self) -> Sequence[Token]:
        """Return all tokens by name, those that have ended too."""
        with self._engine.connect() as connection:
            rows = connection.execute(sql.select(_TOKENS).order_by(_TOKENS.c.name)).all()
        return [_token(row) for row in rows]

    def add(self, name: str, role: Role, days: int = DAYS, author: str = "") -> str:
        """Make a token and return its secret, which nobody can ask for again."""
        check_name(name)
        check_days(days)
        secret, now = PREFIX + secrets.token_urlsafe(32), self._now()
        with self._engine.begin() as connection:
            if connection.execute(sql.select(_TOKENS.c.name).where(_TOKENS.c.name == name)).first() is not None:
                raise GatepostError(f"there is a token {name} already: revoke it first, or choose another name")
            values = {"name": name, "digest": _digest(secret), "role": role, "created": now, "expires": now + days * DAY}
            connection.execute(sql.insert(_TOKENS).values(**values, author=author[:64]))
        return secret

    def find(self, secret: str) -> Token | None:
        """Return the token of a secret while it lasts; None for any other text."""
        if len(secret) > MAX_SECRET:
            return None
        with self._engine.connect() as connection:
            row = connection.execute(sql.select(_TOKENS).where(_TOKENS.c.digest == _digest(secret))).first()
        return _token(row) if row is not None and self._now() < row.expires else None

    def get(self, name: str) -> Token:
        """Return the token of a name, also one that has ended."""
        with self._engine.connect() as connection:
            row = connection.execute(sql.select(_TOKENS).where(_TOKENS.c.name == name)).first()
            if row is None:
                raise _unknown(connection, name)
        return _token(row)

    def revoke(self, name: str) -> None:
        """Take a token away; its next request is refused."""
        with self._engine.begin() as connection:
            if not connection.execute(sql.delete(_TOKENS).where(_TOKENS.c.name == name)).rowcount:
                raise _unknown(connection, name)


def check_name(name: str) -> None:
    """Refuse what cannot be the name of a token."""
    if not _NAME.fullmatch(name):
        raise GatepostError(f"{name!r} is not a token's name: letters, digits and . _ - are allowed, at most 64")


def check_days(days: int) -> None:
    """Refuse a time that is none, or too long."""
    if not 1 <= days <= MAX_DAYS:
        raise GatepostError(f"a token lasts from 1 to {MAX_DAYS} days, not {days}")


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def _unknown(connection: sql.Connection, name: str) -> GatepostError:
    names = connection.execute(sql.select(_TOKENS.c.name)).scalars()
    return GatepostError(f"there is no token {name}: {did_you_mean(name, names)}")


def _token(row: sql.Row[tuple[object, ...]]) -> Token:
    return msgspec.convert({name: getattr(row, name) for name in Token.__struct_fields__}, Token)
