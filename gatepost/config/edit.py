"""One place of a document by its path: read it, set it, take it out (`gatepost config set PATH VALUE`).

Every edit makes a new Config or raises ConfigErrors; the one that was given stays as it is. A path that leads nowhere is
answered with the nearest names that there are. What the new value means is judged later, by `config.check`.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable, Sequence
from typing import Any, get_origin

from gatepost.config.decode import decode, element, field_types, is_table
from gatepost.config.model import ROW_NAMES, Config
from gatepost.config.paths import Part, did_you_mean, join, row_parts, split
from gatepost.config.problems import ConfigErrors, Problem
from gatepost.config.toml import to_tree

_NAMED = ("listeners", "policies", "sender_groups", "tls_profiles", "address_lists", "bounce_profiles")
"""Tables whose entries have names that an operator chose; those of destinations and routes are like each other anyway."""


def get_path(config: Config, path: str) -> Any:
    """Return the value at a path as plain data: None for a field that inherits, keys masked."""
    node, place = _walk(to_tree(config, every_field=True), _split(path), make=False)
    return node[place] if isinstance(node, list) else node.get(place)


def set_path(config: Config, path: str, value: str) -> Config:
    """Set a place from a TOML literal or a bare text; entries and rows on the way are made where there are none."""
    parts = _split(path)
    told: list[Problem] = []
    for reading in _readings(value):
        tree = to_tree(config, with_keys=True)
        node, place = _walk(tree, parts, make=True)
        node[place] = reading
        edited, problems = decode(tree)
        if not problems:
            return edited
        told = told or problems
    raise ConfigErrors(told)


def new_beside(config: Config, path: str) -> str:
    """Say which entry a `set_path` would make beside one of nearly the same name: a misspelt name makes one, too."""
    node: Any = to_tree(config)
    parts = _split(path)
    for depth, part in enumerate(parts):
        if depth and parts[depth - 1] in _NAMED:
            names = list(node) if isinstance(node, dict) else [row.get("name", "") for row in node]
            close = difflib.get_close_matches(str(part), names, n=1, cutoff=0.8)
            if part not in names and not isinstance(part, int) and close:
                made = join(parts[: depth + 1])
                return f"{made} is new; if {close[0]} was meant, `gatepost config unset {made}` takes it out again."
        if isinstance(node, dict):
            node = node.get(part, {})
        else:
            node = next((row for at, row in enumerate(node) if part in (at, row.get("name"))), {})
        if not isinstance(node, (dict, list)):
            break
    return ""


def put_path(config: Config, path: str, value: Any) -> Config:
    """Put plain data at a path in place of all that is there; an empty path is the whole document."""
    return _changed(config, path, lambda present: value)


def merge_path(config: Config, path: str, patch: Any) -> Config:
    """Merge plain data into what is at a path (RFC 7396): null takes out, a list is replaced whole."""
    return _changed(config, path, lambda present: _merged(present, patch))


def delete_path(config: Config, path: str) -> Config:
    """Take out an entry or a row; a field goes back to its default."""
    tree = to_tree(config, with_keys=True)
    node, place = _walk(tree, _split(path), make=False)
    if isinstance(node, list):
        del node[place]
    else:
        node.pop(place, None)
    edited, problems = decode(tree)
    if problems:
        raise ConfigErrors(problems)
    return edited


def _changed(config: Config, path: str, change: Callable[[Any], Any]) -> Config:
    tree = to_tree(config, with_keys=True)
    if path:
        node, place = _walk(tree, _split(path), make=True)
        node[place] = change(node[place] if isinstance(node, list) else node.get(place))
    else:
        tree = change(tree)
    edited, problems = decode(tree)
    if problems:
        raise ConfigErrors(problems)
    return edited


def _merged(present: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    merged = dict(present) if isinstance(present, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = _merged(merged.get(name), value)
    return merged


def _readings(value: str) -> list[Any]:
    """Return what a value may mean, most likely first: `10` is a number before it is a text, `required` only a text."""
    try:
        parsed = tomllib.loads(f"v = {value}")
    except (tomllib.TOMLDecodeError, RecursionError):
        return [value]
    return [parsed["v"], value] if list(parsed) == ["v"] else [value]


def _walk(tree: Any, parts: Sequence[Part], *, make: bool) -> tuple[Any, Any]:
    """Return the table or list that holds the place, and the key or index of the place in it."""
    node, kind = tree, Config
    for depth, part in enumerate(parts):
        place, kind = _step(kind, node, part, parts[:depth], make=make)
        if depth < len(parts) - 1:
            empty: Any = [] if get_origin(kind) is list else {}
            node = node[place] if isinstance(node, list) else node.setdefault(place, empty)
    return node, place


def _step(kind: Any, node: Any, part: Part, here: Sequence[Part], *, make: bool) -> tuple[Any, Any]:
    """Go one part down: the key or index that leads there, and the type of what is there."""
    if is_table(kind):
        known = field_types(kind)
        if part not in known:
            raise _nowhere([*here, part], "is not a field of the document", str(part), known)
        return part, known[str(part)]
    if get_origin(kind) is dict:
        if isinstance(part, int) or (part not in node and not make):
            raise _nowhere([*here, part], "is not in the document", str(part), node)
        return part, element(kind)
    if get_origin(kind) is list:
        return _row(kind, node, part, here, make=make), element(kind)
    problem = Problem(path=join([*here, part]), wrong="leads nowhere", mend=f"{join(here)} is a single value")
    raise ConfigErrors([problem])


def _row(kind: Any, rows: list[Any], part: Part, here: Sequence[Part], *, make: bool) -> int:
    if isinstance(part, int):
        if part < len(rows):
            return part
        raise _nowhere([*here, part], f"is not in the document: the list has {len(rows)} entries", "", [])
    name_field = ROW_NAMES.get(element(kind))
    names = row_parts([row[name_field] for row in rows]) if name_field else []
    if part in names:
        return names.index(part)
    if not make or not name_field:
        raise _nowhere([*here, part], "is not in the document", part, [str(name) for name in names])
    rows.append({name_field: part})
    return len(rows) - 1


def _nowhere(parts: Sequence[Part], wrong: str, word: str, choices: Any) -> ConfigErrors:
    mend = did_you_mean(word, choices) if word else "count from 0"
    if parts[0] in ("destinations", "routes") and len(parts) > 2:
        mend += (
            f""" (a name that has dots stands in quotes, and a shell takes one pair off: '{parts[0]}."partner.example"')"""
        )
    return ConfigErrors([Problem(path=join(parts), wrong=wrong, mend=mend)])


def _split(path: str) -> list[Part]:
    try:
        return split(path)
    except ValueError as error:
        raise ConfigErrors([Problem(path=path, wrong="leads nowhere", mend=str(error))]) from None
