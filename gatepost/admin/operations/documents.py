"""Documents that come in and go out: check a file, import it, export one, read and set single fields."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec
import tomli_w

from gatepost.admin.operations import configuration
from gatepost.admin.operations.configuration import Pending
from gatepost.admin.operations.operator import Operator
from gatepost.admin.operations.stores import load
from gatepost.config.edit import delete_path, get_path, new_beside, set_path
from gatepost.config.exchange import Examined, examine
from gatepost.config.model import Config
from gatepost.config.problems import literal
from gatepost.config.store import ConfigStore
from gatepost.config.toml import dumps
from gatepost.errors import GatepostError

MAX_FILE = 64 << 20
"""Octets of a document; a Host Access Table of 1,000,000 rows has about 25 MB."""


def read_file(name: str, limit: int = MAX_FILE) -> bytes:
    """Read a file, `-` for standard input; GatepostError with one sentence."""
    try:
        if name == "-":
            octets = sys.stdin.buffer.read(limit + 1)
        else:
            with Path(name).open("rb") as file:
                octets = file.read(limit + 1)
    except OSError as error:
        raise GatepostError(f"{name} cannot be read: {error.strerror}") from None
    if len(octets) > limit:
        raise GatepostError(f"{name} is larger than {limit} octets")
    return octets


def check_file(operator: Operator, name: str) -> Examined:
    """Check a document as an import would; needs no state directory and changes nothing."""
    return examine(read_file(name), _draft(operator))


def import_file(operator: Operator, name: str, *, force: bool = False) -> Pending:
    """Replace the draft by a document; refused with every error in it."""
    return import_document(operator, read_file(name), force=force)


def import_document(operator: Operator, octets: str | bytes, *, force: bool = False) -> Pending:
    """Replace the draft by a document that was read already."""
    found = examine(octets, _draft(operator))
    made = configuration.replace(operator, found.accepted(), force=force, problems=found.problems)
    return msgspec.structs.replace(made, notes=found.notes)


def export(operator: Operator, *, with_keys: bool = False, draft: bool = False, revision: int = 0) -> str:
    """Return the committed document, the draft or an older revision, as TOML; private keys only when asked for."""
    config = configuration.revision(operator, revision).config if revision else load(operator, draft=draft).config
    return dumps(config, with_keys=with_keys)


def get_field(operator: Operator, path: str, *, committed: bool = False) -> Any:
    """Return one field or table of the draft; None for a field that inherits."""
    return get_path(load(operator, draft=not committed).config, path)


def set_field(operator: Operator, path: str, value: str) -> Pending:
    """Set one field of the draft; a note tells of a new entry whose name is nearly that of one there is."""
    notes: list[str] = []

    def change(config: Config) -> Config:
        edited = set_path(config, path, value)
        notes.append(new_beside(config, path))
        return edited

    made = configuration.edit(operator, change)
    return msgspec.structs.replace(made, notes=[*made.notes, *filter(None, notes)])


def unset_field(operator: Operator, path: str) -> Pending:
    """Take an entry or a row out of the draft, or give a field its default back."""
    return configuration.edit(operator, lambda config: delete_path(config, path))


def _draft(operator: Operator) -> Config | None:
    if not operator.config_db.exists():
        return None
    store = ConfigStore.open(operator.state)
    try:
        return store.draft().config
    finally:
        store.close()


def as_text(value: Any) -> str:
    """Write a field as `get` prints it: a text as it stands, a table as TOML, nothing for a field that inherits."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return tomli_w.dumps(value).rstrip()
    return literal(value)
