"""The records database, opened for one question and closed again.

So a reader never holds up a writer's checkpoint for long, and always asks the file that is there now. Never writes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from gatepost.errors import StateError
from gatepost.records import database
from gatepost.records.store import FILE_NAME, check_version


class Reader:
    """Whoever asks the records in `state`. No file yet: nothing is on record. StateError: of another version."""

    def __init__(self, state: Path) -> None:
        self._path = state / FILE_NAME

    def rows(self, statement: sa.Select[Any]) -> Sequence[sa.Row[Any]]:
        """Return the answer to one question."""
        if database.identity(self._path) == (0, 0):
            return []
        try:
            with database.connect(self._path, writing=False) as connection, connection.begin():
                names = sa.inspect(connection).get_table_names()
                if not names:  # a worker is just making it
                    return []
                check_version(connection, self._path, names)
                return connection.execute(statement).all()
        except sa.exc.DBAPIError as error:
            raise StateError(f"{self._path} cannot be read: {error.orig}") from error
