"""Where the configuration lives: numbered revisions that never change, and one draft that everybody edits.

Nothing is live before `commit`, and nothing is committed that cannot be built. Whoever changes the draft shows the tag
under which it was read: when somebody else was faster the change is refused, and nothing of either is lost. Every change
is one conditional UPDATE in one transaction, so this holds between threads, processes and, with a shared engine, machines;
a process that is killed leaves the old revision or the new one.

A document is stored as JSON, which is read fifty times faster than TOML: a Host Access Table of a million rows takes
seconds. Every field is written, so that another default in a later version does not change what was committed. Documents
that were stored as TOML are read, too.

The engine is SQLite in the state directory unless another is handed in; nothing of it shows in the interface. A damaged
store is named and left as it is: `last_good` is what the service can go on with.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, Row, func, insert, select, update
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from gatepost.config.model import Config
from gatepost.config.problems import ConfigErrors
from gatepost.config.state import StateFiles, last_good
from gatepost.config.tables import DRAFT, REVISIONS, VERSION, engine_for, is_made, make, schema_version
from gatepost.config.toml import dumps, loads
from gatepost.errors import Conflict, GatepostError, StateError

__all__ = ["ConfigStore", "Draft", "Revision", "RevisionInfo", "last_good"]

_DRAFT_ID = 1
_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB")


class RevisionInfo(msgspec.Struct, frozen=True, kw_only=True):
    """Who committed what, and when."""

    number: int
    time: float
    author: str
    comment: str


class Revision(RevisionInfo, frozen=True, kw_only=True):
    """A committed document."""

    config: Config


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """The document as it would be committed."""

    config: Config
    tag: str
    """Names this state of the draft; any change gives another."""
    base: int
    """Revision that the draft was made from; 0 when none is committed yet."""
    changed: bool
    """Whether it differs from that revision."""


class ConfigStore:
    """Revisions and draft. Blocking; every call is one transaction."""

    def __init__(self, engine: Engine, files: StateFiles | None = None) -> None:
        """Take any SQLAlchemy engine; `files` get the copy of each committed document that `last_good` reads."""
        self._engine = engine
        self._files = files
        self._name = str(files.database) if files else str(engine.url.render_as_string(hide_password=True))
        with self._transaction() as connection:
            made = is_made(connection)
        if not made:
            with self._transaction(writes=True) as connection:
                make(connection)
        with self._transaction() as connection:
            version = schema_version(connection)
            if version != VERSION:
                raise StateError(f"{self._name} has version {version}, and this program reads {VERSION}: use the newer one")

    @classmethod
    def open(cls, state: Path) -> ConfigStore:
        """Open the store of a state directory, made where there is none; raises StateError where it is damaged."""
        files = StateFiles(state)
        files.prepare()
        return cls(engine_for(files.database), files)

    def close(self) -> None:
        """Let the engine go."""
        self._engine.dispose()

    def committed(self) -> Revision | None:
        """Return the revision in force, or None before the first commit."""
        with self._transaction() as connection:
            number = _latest(connection)
            return self._read_revision(connection, number) if number else None

    def revision(self, number: int) -> Revision:
        """Return one revision; raises GatepostError where there is none of that number."""
        with self._transaction() as connection:
            return self._read_revision(connection, number)

    def log(self, limit: int | None = None) -> list[RevisionInfo]:
        """Return the latest revisions without their documents, the latest first."""
        columns = (REVISIONS.c.number, REVISIONS.c.time, REVISIONS.c.author, REVISIONS.c.comment)
        with self._transaction() as connection:
            rows = connection.execute(select(*columns).order_by(REVISIONS.c.number.desc()).limit(limit))
            return [RevisionInfo(number=row.number, time=row.time, author=row.author, comment=row.comment) for row in rows]

    def draft(self) -> Draft:
        """Return the draft; without changes it is the committed document."""
        with self._transaction() as connection:
            return self._read_draft(connection)

    def save_draft(self, config: Config, tag: str) -> Draft:
        """Replace the draft that was read under `tag`; raises Conflict when it is another by now."""
        with self._transaction(writes=True) as connection:
            self._put_draft(connection, config, tag)
            return self._read_draft(connection)

    def clear_draft(self, tag: str) -> Draft:
        """Give up the draft that was read under `tag`: it is the committed document again."""
        with self._transaction(writes=True) as connection:
            self._change_draft(connection, tag, document=None)
            return self._read_draft(connection)

    def rollback(self, number: int, *, force: bool = False) -> Draft:
        """Make an older revision's document the draft, ready to commit; Conflict with changes pending, unless forced."""
        with self._transaction(writes=True) as connection:
            draft = self._read_draft(connection)
            if draft.changed and not force:
                raise Conflict(
                    "the draft has changes that are not committed: commit or clear them first; nothing was changed"
                )
            self._put_draft(connection, self._read_revision(connection, number).config, draft.tag)
            return self._read_draft(connection)

    def commit(self, tag: str, *, author: str, comment: str, build: Callable[[Config, int], object]) -> Revision:
        """Make the draft that was read under `tag` the next revision, once `build(config, number)` has made it ready.

        Whatever `build` raises goes through, with nothing stored. Conflict when the draft is another by now.
        """
        draft = self.draft()
        if draft.tag != tag:
            raise _conflict()
        if not draft.changed:
            raise GatepostError("there is nothing to commit: the draft is the same as the committed configuration")
        number = draft.base + 1
        build(draft.config, number)
        document = _document(draft.config)
        made = Revision(number=number, time=time.time(), author=author, comment=comment, config=draft.config)
        with self._transaction(writes=True) as connection:
            latest = _latest(connection)
            self._change_draft(connection, tag, document=None, base=number)
            if latest != draft.base:
                raise Conflict(
                    f"the draft was made from revision {draft.base}, and revision {latest} is committed by now: "
                    "read the draft again and repeat the change; nothing was committed"
                )
            row = {"number": number, "time": made.time, "author": author, "comment": comment, "document": document}
            connection.execute(insert(REVISIONS).values(row | {"digest": _digest(document)}))
        if self._files is not None:
            self._files.keep_last_good(made.number, dumps(made.config, with_keys=True, every_field=True))
        return made

    def _read_draft(self, connection: Connection) -> Draft:
        row = connection.execute(select(DRAFT).where(DRAFT.c.id == _DRAFT_ID)).one()
        # By the number that the draft names, and not the latest: then both rows belong together without a lock.
        base = self._read_revision(connection, row.base).config if row.base else Config()
        config = base if row.document is None else self._decode(row, "the draft")
        return Draft(config=config, tag=row.tag, base=row.base, changed=config != base)

    def _read_revision(self, connection: Connection, number: int) -> Revision:
        row = connection.execute(select(REVISIONS).where(REVISIONS.c.number == number)).one_or_none()
        if row is None:
            raise GatepostError(f"there is no revision {number}: the latest one is {_latest(connection)}")
        config = self._decode(row, f"revision {number}")
        return Revision(number=row.number, time=row.time, author=row.author, comment=row.comment, config=config)

    def _decode(self, row: Row[Any], what: str) -> Config:
        if _digest(row.document) != row.digest:
            raise self._damaged(f"{what} does not have the checksum that it was stored with")
        try:
            return _read(row.document)
        except (ConfigErrors, msgspec.DecodeError) as error:
            raise StateError(f"{what} in {self._name} was written by another version of this program: {error}") from None

    def _put_draft(self, connection: Connection, config: Config, tag: str) -> None:
        self._change_draft(connection, tag, document=_document(config))

    def _change_draft(self, connection: Connection, tag: str, *, document: str | None, **more: int) -> None:
        values: dict[str, Any] = {"tag": secrets.token_hex(8), "document": document, **more}
        values["digest"] = "" if document is None else _digest(document)
        mine = (DRAFT.c.id == _DRAFT_ID) & (DRAFT.c.tag == tag)
        if connection.execute(update(DRAFT).where(mine).values(values)).rowcount != 1:
            raise _conflict()

    @contextmanager
    def _transaction(self, *, writes: bool = False) -> Iterator[Connection]:
        try:
            with self._engine.connect().execution_options(writes=writes) as connection, connection.begin():
                yield connection
        except DBAPIError as error:
            if getattr(error.orig, "sqlite_errorname", "").startswith(_DAMAGED):
                raise self._damaged(str(error.orig)) from None
            raise StateError(f"{self._name} cannot be used: {error.orig}; nothing was changed") from None
        except SQLAlchemyError as error:
            raise self._damaged(str(error)) from None

    def _damaged(self, reason: str) -> StateError:
        advice = f"; the last committed document is in {self._files.last_good}" if self._files else ""
        return StateError(f"{self._name} is damaged ({reason}); it was left as it is{advice}: put a copy back from a backup")


def _latest(connection: Connection) -> int:
    return int(connection.execute(select(func.max(REVISIONS.c.number))).scalar() or 0)


def _document(config: Config) -> str:
    return msgspec.json.encode(config).decode()


def _read(document: str) -> Config:
    if document.startswith("{"):  # which no TOML does
        return msgspec.json.decode(document, type=Config)
    return loads(document)


def _digest(document: str) -> str:
    return hashlib.sha256(document.encode()).hexdigest()


def _conflict() -> Conflict:
    return Conflict(
        "the draft was changed by somebody else since it was read: read it again and repeat the change; "
        "nothing was overwritten"
    )
