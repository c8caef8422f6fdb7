"""The configuration's store opened for one verb, and the configuration that a question is answered by."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from gatepost.admin.operations.operator import Operator
from gatepost.config.model import Config
from gatepost.config.store import ConfigStore, Revision
from gatepost.errors import GatepostError, StateError


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """A configuration to answer questions by."""

    config: Config
    label: str
    """`revision 4`, `the draft on revision 4`"""


@contextmanager
def opened(operator: Operator, *, writes: bool = False) -> Iterator[ConfigStore]:
    """Open the store for one verb; only a verb that writes makes one where there is none."""
    if writes:
        operator.prepare()
    else:
        operator.require()
        if not operator.config_db.exists():
            raise StateError(f"nothing is configured in {operator.state} yet; import a configuration to begin")
    store = ConfigStore.open(operator.state)
    try:
        yield store
    finally:
        store.close()


def load(operator: Operator, *, draft: bool = False) -> Loaded:
    """Return the committed configuration, or the draft."""
    with opened(operator) as store:
        if draft:
            pending = store.draft()
            return Loaded(config=pending.config, label=f"the draft on revision {pending.base}")
        revision = _committed(store)
        return Loaded(config=revision.config, label=f"revision {revision.number}")


def base(store: ConfigStore) -> Config:
    latest = store.committed()
    return latest.config if latest else Config()


def _committed(store: ConfigStore) -> Revision:
    latest = store.committed()
    if latest is None:
        raise GatepostError("nothing is committed yet: commit the draft first, or ask what the draft would do")
    return latest
