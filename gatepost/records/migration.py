"""What an older Gatepost wrote, brought up to `tables.VERSION`, in the transaction of whoever opens it first.

Takes half a minute of CPU for a million connections; records of all writers wait meanwhile, as in a locked database, and
readers are told the version. Mail goes on.
"""

from __future__ import annotations

import msgspec
import sqlalchemy as sa

from gatepost.records import summary, tables
from gatepost.records.tables import party
from gatepost.records.tls_record import TlsRecord

CHUNK = 5000


def version(connection: sa.Connection, names: list[str]) -> int | None:
    """Return the version of a file with tables of these names; None: it is not ours."""
    if tables.schema.name not in names:
        return None
    return connection.execute(sa.select(tables.schema.c.version)).scalar() or 0


def from_1(connection: sa.Connection) -> None:
    """Count the connections that are there; name the party of those that came in; index both."""
    report = next(index for index in tables.tls_connections.indexes if index.name == "ix_tls_connections_report")
    tables.metadata.create_all(connection, tables=[tables.tls_hours, tables.tls_groups, tables.tls_parties])
    connection.exec_driver_sql("DROP INDEX IF EXISTS ix_tls_connections_time")
    table, last = tables.tls_connections, -1
    named = sa.update(table).where(table.c.id == sa.bindparam("row")).values(domain=sa.bindparam("party"))
    while True:
        asked = sa.select(table.c.id, table.c.detail).where(table.c.id > last).order_by(table.c.id).limit(CHUNK)
        rows = connection.execute(asked).all()
        if not rows:
            break
        last = rows[-1].id
        records = [msgspec.json.decode(row.detail, type=TlsRecord) for row in rows]
        for counts, counted in summary.added(records):
            names = counts.columns.keys()
            connection.execute(summary.statement(counts), [dict(zip(names, row, strict=True)) for row in counted])
        inward = [
            {"row": row.id, "party": party(record)}
            for row, record in zip(rows, records, strict=True)
            if record.direction == "in"
        ]
        if inward:
            connection.execute(named, inward)
    report.create(connection)
    connection.execute(sa.update(tables.schema).values(version=2))
