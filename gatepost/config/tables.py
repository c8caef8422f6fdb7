"""The two tables of the configuration store, and how SQLite is made to keep what it acknowledges."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    Column,
    Connection,
    Engine,
    Float,
    Integer,
    MetaData,
    NullPool,
    Table,
    Text,
    create_engine,
    event,
    insert,
    select,
)

VERSION = 1
BUSY_SECONDS = 10

_METADATA = MetaData()
REVISIONS = Table(
    "config_revisions",
    _METADATA,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("time", Float, nullable=False),
    Column("author", Text, nullable=False),
    Column("comment", Text, nullable=False),
    Column("document", Text, nullable=False),
    Column("digest", Text, nullable=False),
)
# One row, always there: every change is an UPDATE on condition of the tag, which no two writers can both meet.
DRAFT = Table(
    "config_draft",
    _METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("tag", Text, nullable=False),
    Column("base", Integer, nullable=False),
    Column("document", Text),
    Column("digest", Text, nullable=False),
)
_SCHEMA = Table("config_schema", _METADATA, Column("version", Integer, primary_key=True, autoincrement=False))


def engine_for(database: Path) -> Engine:
    """Return an engine for an SQLite file that exists already (an empty one will do)."""
    url = URL.create("sqlite", database=str(database))
    engine = create_engine(url, poolclass=NullPool, connect_args={"timeout": BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def _set_up(connection: Any, _record: object) -> None:
        # The driver would begin a transaction only at the first INSERT, and leave CREATE TABLE out of it.
        connection.isolation_level = None
        # A rollback journal, SQLite's default, keeps it one file; EXTRA also syncs the directory when the journal is
        # unlinked: with FULL a power cut just then could take an acknowledged commit back.
        connection.execute("PRAGMA synchronous=EXTRA")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A writer takes its lock before it reads: two readers that both want to write would only wait for each other.
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def is_made(connection: Connection) -> bool:
    """Whether the tables are there."""
    return connection.dialect.has_table(connection, _SCHEMA.name)


def make(connection: Connection) -> None:
    """Make the tables and the draft's one row, unless another process was faster."""
    if is_made(connection):
        return
    _METADATA.create_all(connection)
    connection.execute(insert(_SCHEMA).values(version=VERSION))
    connection.execute(insert(DRAFT).values(id=1, tag=secrets.token_hex(8), base=0, document=None, digest=""))


def schema_version(connection: Connection) -> int:
    """Return the version that the tables were made with."""
    return int(connection.execute(select(_SCHEMA.c.version)).scalar_one())
