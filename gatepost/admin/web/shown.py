"""The drafts that pages were made from, by their tags: so that somebody whose page is stale can be told what changed.

In memory, the latest few. What is not here any more costs nothing but that answer; the tag alone keeps two administrators
from overwriting each other.
"""

from __future__ import annotations

import threading

from gatepost.admin.operations import stores
from gatepost.admin.operations.operator import Operator
from gatepost.config.model import Config

KEPT = 32


class Shown:
    """Drafts by tag, the one that was read last at the end."""

    def __init__(self) -> None:
        self._drafts: dict[str, Config] = {}
        self._lock = threading.Lock()

    def read(self, operator: Operator) -> str:
        """Read the draft as it stands, keep it, and return its tag; empty where nothing is configured."""
        if not operator.config_db.exists():
            return ""
        with stores.opened(operator) as store:
            draft = store.draft()
        with self._lock:
            self._drafts.pop(draft.tag, None)
            self._drafts[draft.tag] = draft.config
            while len(self._drafts) > KEPT:
                del self._drafts[next(iter(self._drafts))]
        return draft.tag

    def find(self, tag: str) -> Config | None:
        """Return the draft of a tag while it is kept."""
        return self._drafts.get(tag)
