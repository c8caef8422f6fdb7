"""The administrators: names and password hashes (argon2id) in a table of their own.

The table stands beside the configuration, not in it: it is not drafted, committed or rolled back, so that an old revision
never brings back an old password. Passwords are never stored, shown or logged.
"""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import msgspec
import sqlalchemy as sql
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from gatepost.errors import GatepostError, StateError

MIN_PASSWORD = 12
MAX_PASSWORD = 1024
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_METADATA = sql.MetaData()
_USERS = sql.Table(
    "users",
    _METADATA,
    sql.Column("name", sql.String(64), primary_key=True),
    sql.Column("password", sql.String(255), nullable=False),
    sql.Column("created", sql.Float, nullable=False),
    sql.Column("changed", sql.Float, nullable=False),
)


class User(msgspec.Struct, frozen=True, kw_only=True):
    """An administrator, without the hash."""

    name: str
    created: float
    changed: float
    """When the password was set last."""


class Users:
    """The table of administrators in one file, mode 0600."""

    def __init__(self, path: Path) -> None:
        """Open the file, which is made when it is not there."""
        _make(path)
        self._path = path
        self._engine = sql.create_engine(f"sqlite:///{path}", poolclass=sql.NullPool)
        self._hasher = PasswordHasher()
        try:
            _METADATA.create_all(self._engine)
        except sql.exc.DatabaseError as error:
            raise StateError(f"{path} is damaged or cannot be used, it was left as it is: {error.orig}") from None

    def list(self) -> list[User]:
        """Return all administrators by name."""
        with self._engine.connect() as connection:
            rows = connection.execute(sql.select(_USERS).order_by(_USERS.c.name)).all()
        return [User(name=row.name, created=row.created, changed=row.changed) for row in rows]

    def add(self, name: str, password: str) -> None:
        """Add an administrator."""
        if not _NAME.fullmatch(name):
            raise GatepostError(f"{name!r} is not a user name: letters, digits and . _ @ - are allowed, at most 64")
        hashed, now = self._hash(password), time.time()
        with self._engine.begin() as connection:
            if connection.execute(sql.select(_USERS.c.name).where(_USERS.c.name == name)).first() is not None:
                raise GatepostError(f"there is a user {name} already; `gatepost user passwd {name}` changes the password")
            connection.execute(sql.insert(_USERS).values(name=name, password=hashed, created=now, changed=now))

    def set_password(self, name: str, password: str) -> None:
        """Replace a password."""
        change = sql.update(_USERS).where(_USERS.c.name == name)
        with self._engine.begin() as connection:
            if not connection.execute(change.values(password=self._hash(password), changed=time.time())).rowcount:
                raise _unknown(name)

    def delete(self, name: str) -> None:
        """Remove an administrator."""
        with self._engine.begin() as connection:
            if not connection.execute(sql.delete(_USERS).where(_USERS.c.name == name)).rowcount:
                raise _unknown(name)

    def verify(self, name: str, password: str) -> bool:
        """Return whether the password is right; an unknown name costs as much time as a wrong password."""
        with self._engine.connect() as connection:
            held = connection.execute(sql.select(_USERS.c.password).where(_USERS.c.name == name)).scalar()
        if held is None:
            self._hasher.hash(password)
            return False
        try:
            return self._hasher.verify(held, password)
        except (VerificationError, InvalidHashError):
            return False

    def _hash(self, password: str) -> str:
        if len(password) < MIN_PASSWORD:
            raise GatepostError(f"the password is too short: it needs at least {MIN_PASSWORD} characters")
        if len(password) > MAX_PASSWORD:
            raise GatepostError(f"the password is too long: it may have at most {MAX_PASSWORD} characters")
        return self._hasher.hash(password)


def _make(path: Path) -> None:
    """Make the file here and not in SQLite, so that no moment passes in which others may read it."""
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        if os.geteuid() == 0:  # root acts for the service's user, who must be able to read it
            owner = path.parent.stat()
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
    finally:
        os.close(descriptor)


def _unknown(name: str) -> GatepostError:
    return GatepostError(f"there is no user {name}; `gatepost user list` shows those there are")
