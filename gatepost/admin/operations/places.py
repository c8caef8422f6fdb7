"""Places of the configuration as plain data, by their paths: read with the draft's tag, put, merge into, take out.

Keys are masked in what is read. A mask that comes back stands for the key that the draft has, and is refused where it has
none: what was read can be sent again, and no key is ever lost to it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from gatepost.admin.operations import configuration
from gatepost.admin.operations.configuration import Pending
from gatepost.admin.operations.operator import Operator
from gatepost.admin.operations.stores import load, opened
from gatepost.config.edit import delete_path, get_path, merge_path, put_path
from gatepost.config.exchange import take_over
from gatepost.config.model import Config
from gatepost.config.paths import join
from gatepost.config.problems import MASK, ConfigErrors, Problem
from gatepost.config.toml import to_tree

MAX_LEVELS = 20


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """What stands at a path."""

    value: Any
    """Null: a field that inherits."""
    tag: str
    """Of the draft; the revision's number for what is committed."""


def draft(operator: Operator, path: str) -> Place:
    """Return what the draft has at a path; an empty path: all of it. ConfigErrors for a path that leads nowhere."""
    if not operator.config_db.exists():
        return Place(value=_at(Config(), path), tag="")
    with opened(operator) as store:
        held = store.draft()
    return Place(value=_at(held.config, path), tag=held.tag)


def committed(operator: Operator, path: str) -> Place:
    """Return what is in force at a path."""
    loaded = load(operator)
    return Place(value=_at(loaded.config, path), tag=loaded.label.removeprefix("revision "))


def put(operator: Operator, path: str, value: Any) -> Pending:
    """Put plain data at a path of the draft; null gives a field its default back, and at most places takes an entry out."""
    _refuse_depth(path, value)
    if value is None and path:
        return configuration.edit(operator, lambda config: delete_path(config, path))
    return _edit(operator, path, _without_nulls(value), merge=False)


def merge(operator: Operator, path: str, patch: Any) -> Pending:
    """Merge plain data into what the draft has at a path (RFC 7396)."""
    _refuse_depth(path, patch)
    if patch is None:
        return put(operator, path, None)
    return _edit(operator, path, patch, merge=True)


def remove(operator: Operator, path: str) -> Pending:
    """Take an entry or a row out, or give a field its default back."""
    return configuration.edit(operator, lambda config: delete_path(config, path))


def _edit(operator: Operator, path: str, value: Any, *, merge: bool) -> Pending:
    notes: list[str] = []

    def change(config: Config) -> Config:
        edited = merge_path(config, path, value) if merge else put_path(config, path, value)
        edited, told = take_over(edited, config)
        notes.extend(told)
        _refuse_masks(edited)
        return edited

    made = configuration.edit(operator, change)
    return msgspec.structs.replace(made, notes=notes)


def _refuse_depth(path: str, value: Any) -> None:
    """Refuse what has more levels than any document, before it is gone through level by level."""
    level = [value]
    for _ in range(MAX_LEVELS):
        level = [below for item in level for below in _below(item)]
    if level:
        wrong, mend = "is nested too deeply", "no field of the document holds more than a few levels"
        raise ConfigErrors([Problem(path=path, wrong=wrong, mend=mend)])


def _below(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _refuse_masks(config: Config) -> None:
    problems = [
        Problem(
            path=join(("certificates", name, "private_key")),
            value=f'"{MASK}"',
            wrong="is masked, and the draft has no key for this certificate",
            mend="send the key itself",
        )
        for name, entry in config.certificates.items()
        if entry.private_key == MASK
    ]
    if problems:
        raise ConfigErrors(problems)


def _at(config: Config, path: str) -> Any:
    return get_path(config, path) if path else to_tree(config, every_field=True)


def _without_nulls(value: Any) -> Any:
    """Leave out what says null: the same as what is not there."""
    if isinstance(value, dict):
        return {name: _without_nulls(item) for name, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value
