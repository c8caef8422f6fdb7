"""The administrators: names, roles, password hashes (argon2id) and public SSH keys in tables of their own.

The tables stand beside the configuration, not in it: they are not drafted, committed or rolled back, so that an old revision
never brings back an old password. Passwords are never stored, shown or logged.
"""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec
import sqlalchemy as sql
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from gatepost.admin.ssh_keys import PublicKey
from gatepost.errors import GatepostError, StateError

Role = Literal["administrator", "operator", "read-only"]
ROLES: tuple[Role, ...] = ("administrator", "operator", "read-only")
"""Most first: changes the configuration, users and tokens; acts on mail and reads messages; looks."""
FIRST_ADMINISTRATOR = "admin"
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
    sql.Column("role", sql.String(16), nullable=False, server_default="administrator"),
    sql.Column("must_change", sql.Boolean, nullable=False, server_default=sql.false()),
)

_KEYS = sql.Table(
    "ssh_keys",
    _METADATA,
    sql.Column("name", sql.String(64), primary_key=True),
    sql.Column("fingerprint", sql.String(64), primary_key=True),
    sql.Column("kind", sql.String(64), nullable=False),
    sql.Column("data", sql.Text, nullable=False),
    sql.Column("comment", sql.String(200), nullable=False),
)


class User(msgspec.Struct, frozen=True, kw_only=True):
    """An administrator, without the hash."""

    name: str
    created: float
    changed: float
    """When the password was set last."""
    role: Role = "administrator"
    must_change: bool = False
    """Whether the password was given by somebody else and is good for nothing but to choose another."""


class Users:
    """The table of administrators in one file, mode 0600."""

    def __init__(self, path: Path) -> None:
        """Open the file, which is made when it is not there."""
        make_file(path)
        self._path = path
        self._engine = sql.create_engine(f"sqlite:///{path}", poolclass=sql.NullPool)
        self._hasher = PasswordHasher()
        try:
            self._make_tables()
        except sql.exc.DatabaseError as error:
            raise StateError(f"{path} is damaged or cannot be used, it was left as it is: {error.orig}") from None

    def list(self) -> list[User]:
        """Return all administrators by name."""
        with self._engine.connect() as connection:
            rows = connection.execute(sql.select(_USERS).order_by(_USERS.c.name)).all()
        return [_user(row) for row in rows]

    def find(self, name: str) -> User | None:
        """Return one administrator; None when there is none of that name."""
        with self._engine.connect() as connection:
            row = connection.execute(sql.select(_USERS).where(_USERS.c.name == name)).first()
        return _user(row) if row is not None else None

    def make_first(self) -> str:
        """Add the first administrator where there is nobody; return the one-time password, empty when somebody is there."""
        if self.list():
            return ""
        password = secrets.token_urlsafe(15)
        self.add(FIRST_ADMINISTRATOR, password, must_change=True)
        return password

    def add(self, name: str, password: str, *, role: Role = "administrator", must_change: bool = False) -> None:
        """Add an administrator."""
        check_name(name)
        hashed, now = self._hash(password), time.time()
        with self._engine.begin() as connection:
            if connection.execute(sql.select(_USERS.c.name).where(_USERS.c.name == name)).first() is not None:
                raise GatepostError(f"there is a user {name} already; `gatepost user passwd {name}` changes the password")
            values = {"name": name, "password": hashed, "created": now, "changed": now}
            connection.execute(sql.insert(_USERS).values(**values, role=role, must_change=must_change))

    def set_role(self, name: str, role: Role) -> None:
        """Give an administrator another role; refused when it would leave nobody who may change anything."""
        with self._engine.begin() as connection:
            self._keep_one(connection, name, role)
            if not connection.execute(sql.update(_USERS).where(_USERS.c.name == name).values(role=role)).rowcount:
                raise _unknown(name)

    def set_password(self, name: str, password: str, *, must_change: bool = False) -> None:
        """Replace a password; `must_change`: somebody else chose it, and it is good for nothing but to choose another."""
        change = sql.update(_USERS).where(_USERS.c.name == name)
        with self._engine.begin() as connection:
            values = {"password": self._hash(password), "changed": time.time(), "must_change": must_change}
            if not connection.execute(change.values(**values)).rowcount:
                raise _unknown(name)

    def delete(self, name: str, *, keep_one: bool = False) -> None:
        """Remove an administrator; `keep_one`: refused when it would leave nobody who may change anything."""
        with self._engine.begin() as connection:
            if keep_one:
                self._keep_one(connection, name, "read-only")
            connection.execute(sql.delete(_KEYS).where(_KEYS.c.name == name))
            if not connection.execute(sql.delete(_USERS).where(_USERS.c.name == name)).rowcount:
                raise _unknown(name)

    def keys(self, name: str) -> Sequence[PublicKey]:
        """Return the public keys of an administrator; none for somebody unknown."""
        with self._engine.connect() as connection:
            rows = connection.execute(sql.select(_KEYS).where(_KEYS.c.name == name).order_by(_KEYS.c.fingerprint)).all()
        return [PublicKey(fingerprint=row.fingerprint, kind=row.kind, data=row.data, comment=row.comment) for row in rows]

    def add_keys(self, name: str, keys: Sequence[PublicKey]) -> None:
        """Let an administrator sign in with these keys too; one that is there already is replaced."""
        with self._engine.begin() as connection:
            if connection.execute(sql.select(_USERS.c.name).where(_USERS.c.name == name)).first() is None:
                raise _unknown(name)
            for key in keys:
                connection.execute(sql.delete(_KEYS).where(_KEYS.c.name == name, _KEYS.c.fingerprint == key.fingerprint))
                connection.execute(sql.insert(_KEYS).values(name=name, **msgspec.structs.asdict(key)))

    def delete_key(self, name: str, fingerprint: str) -> None:
        """Take a key from an administrator."""
        theirs = sql.delete(_KEYS).where(_KEYS.c.name == name, _KEYS.c.fingerprint == fingerprint)
        with self._engine.begin() as connection:
            if not connection.execute(theirs).rowcount:
                raise GatepostError(f"{name} has no key {fingerprint}; `gatepost user keys {name}` shows those there are")

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

    def _make_tables(self) -> None:
        """Make what is not there yet, and bring a table of an earlier version up to date; others may do so just now."""
        with self._engine.begin() as connection:
            for table in _METADATA.sorted_tables:
                connection.execute(sql.schema.CreateTable(table, if_not_exists=True))
            there = {column["name"] for column in sql.inspect(connection).get_columns("users")}
            for column in _USERS.columns:
                if column.name not in there:
                    made = sql.schema.CreateColumn(column).compile(self._engine)
                    try:
                        connection.execute(sql.text(f"ALTER TABLE users ADD COLUMN {made}"))
                    except sql.exc.OperationalError as error:
                        if "duplicate column" not in str(error.orig):
                            raise

    @staticmethod
    def _keep_one(connection: sql.Connection, name: str, role: Role) -> None:
        administrators = sql.select(_USERS.c.name).where(_USERS.c.role == "administrator")
        if role != "administrator" and connection.execute(administrators).scalars().all() == [name]:
            raise GatepostError(f"{name} is the only administrator: make somebody else one first")

    def _hash(self, password: str) -> str:
        check_password(password)
        return self._hasher.hash(password)


def check_name(name: str) -> None:
    """Refuse what cannot be the name of a user."""
    if not _NAME.fullmatch(name):
        raise GatepostError(f"{name!r} is not a user name: letters, digits and . _ @ - are allowed, at most 64")


def role_named(text: str) -> Role:
    """Read a role."""
    for role in ROLES:
        if role == text:
            return role
    raise GatepostError("choose one of the roles")


def check_password(password: str) -> None:
    """Refuse a password that nobody may have."""
    if len(password) < MIN_PASSWORD:
        raise GatepostError(f"the password is too short: it needs at least {MIN_PASSWORD} characters")
    if len(password) > MAX_PASSWORD:
        raise GatepostError(f"the password is too long: it may have at most {MAX_PASSWORD} characters")


def make_file(path: Path) -> None:
    """Make the file here and not in SQLite, so that no moment passes in which others may read it."""
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        if os.geteuid() == 0:  # root acts for the service's user, who must be able to read it
            owner = path.parent.stat()
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
    finally:
        os.close(descriptor)


def _user(row: sql.Row[tuple[object, ...]]) -> User:
    return msgspec.convert({name: getattr(row, name) for name in User.__struct_fields__}, User)


def _unknown(name: str) -> GatepostError:
    return GatepostError(f"there is no user {name}; `gatepost user list` shows those there are")
