"""What differs between two documents: place by place in words, or line by line. Private keys are never shown.

A table that is gone is one change; of a table that is new each field is one, and so is each field that both have and
that differs.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from gatepost.config.model import ROW_NAMES, Certificate, Config
from gatepost.config.paths import Part, join, row_parts
from gatepost.config.problems import MASK, SECRETS, literal
from gatepost.config.toml import dumps, to_tree

_MAX_LIST = 12
_PLAIN = re.compile(r"[\w.@:/+*-]+", re.ASCII)
_INHERITED = "(default)"


class Change(msgspec.Struct, frozen=True):
    """One place that differs; an empty text stands for nothing."""

    path: str
    old: str
    new: str

    def __str__(self) -> str:
        """Say it in one line."""
        if not self.old:
            return f"{self.path}: new, {self.new}"
        return f"{self.path}: {self.old} -> {self.new}" if self.new else f"{self.path}: removed, was {self.old}"


def differences(old: Config, new: Config) -> list[Change]:
    """Return every place that differs, in the order of the document."""
    return list(_compare(old, new, ()))


def unified(old: Config, new: Config, old_name: str = "committed", new_name: str = "draft") -> str:
    """Return a unified diff of the two documents, keys masked."""
    lines = difflib.unified_diff(_lines(old, new), _lines(new, old), old_name, new_name, lineterm="")
    return "".join(f"{line}\n" for line in lines)


def _lines(config: Config, other: Config) -> list[str]:
    """Write a document; a key that is not the other's gets another mask, or its change would not show."""
    masked = {}
    for name, certificate in config.certificates.items():
        known = other.certificates.get(name, certificate)
        mask = MASK if certificate.private_key == known.private_key else f"{MASK} {_digest(certificate.private_key)}"
        masked[name] = Certificate(certificate=certificate.certificate, private_key=mask)
    return dumps(msgspec.structs.replace(config, certificates=masked), with_keys=True).splitlines()


def _digest(text: str) -> str:
    """Tell two texts apart without showing either."""
    return "#" + hashlib.sha256(text.encode()).hexdigest()[:8]


def _compare(old: Any, new: Any, path: tuple[Part, ...]) -> Iterator[Change]:
    if old == new and not isinstance(old, dict):  # equal mappings may have another order, which means nothing
        return
    if isinstance(old, msgspec.Struct) and isinstance(new, msgspec.Struct):
        for field in msgspec.structs.fields(type(new)):
            yield from _compare(getattr(old, field.name), getattr(new, field.name), (*path, field.name))
    elif isinstance(old, dict) and isinstance(new, dict):
        yield from _compare_entries(old, new, path)
    elif _is_rows(old) or _is_rows(new):
        yield from _compare_rows(old, new, path)
    else:
        yield _changed(old, new, path)


def _compare_entries(old: dict[Any, Any], new: dict[Any, Any], path: tuple[Part, ...]) -> Iterator[Change]:
    for name, value in old.items():
        if name in new:
            yield from _compare(value, new[name], (*path, name))
        else:
            yield Change(join((*path, name)), _text(value, path), "")
    for name, value in new.items():
        if name not in old:
            yield from _added(to_tree(value), (*path, name))


def _compare_rows(old: list[Any], new: list[Any], path: tuple[Part, ...]) -> Iterator[Change]:
    before, after = _by_name(old), _by_name(new)
    yield from _compare_entries(before, after, path)
    stayed = [part for part in before if part in after]
    moved = [part for part in after if part in before]
    if stayed != moved:
        yield Change(f"order of {join(path)}", ", ".join(map(str, stayed)), ", ".join(map(str, moved)))


def _by_name(rows: list[Any]) -> dict[Part, Any]:
    return dict(zip(row_parts([getattr(row, ROW_NAMES[type(row)]) for row in rows]), rows, strict=True))


def _is_rows(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and type(value[0]) in ROW_NAMES


def _added(value: Any, path: tuple[Part, ...]) -> Iterator[Change]:
    if isinstance(value, dict) and value:
        for name, item in value.items():
            yield from _added(item, (*path, name))
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        names = [item.get("name", item.get("match")) for item in value]
        for part, item in zip(row_parts(names), value, strict=True):
            yield from _added(item, (*path, part))
    else:
        yield Change(join(path), "", _text(value, path))


def _changed(old: Any, new: Any, path: tuple[Part, ...]) -> Change:
    if path[-1] in SECRETS:
        return Change(join(path), MASK, f"{MASK} (another)")
    if isinstance(old, list) and isinstance(new, list) and max(len(old), len(new)) > _MAX_LIST:
        known, wanted = set(old), set(new)
        gone, come = [item for item in old if item not in wanted], [item for item in new if item not in known]
        words = [
            f"{len(new)} entries",
            *(["with " + _items(come)] if come else []),
            *(["without " + _items(gone)] if gone else []),
        ]
        return Change(join(path), f"{len(old)} entries", ", ".join(words))
    return Change(join(path), _text(old, path), _text(new, path))


def _items(items: list[Any]) -> str:
    more = f" and {len(items) - _MAX_LIST} more" if len(items) > _MAX_LIST else ""
    return ", ".join(map(str, items[:_MAX_LIST])) + more


def _text(value: Any, path: tuple[Part, ...]) -> str:
    """Write a value in one line."""
    if value is None:
        return _INHERITED
    if path[-1] in SECRETS:
        return MASK
    if isinstance(value, msgspec.Struct):
        return _text(to_tree(value), path)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {_text(item, (name,))}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(_text(item, path) for item in value[:_MAX_LIST])}{', ...' if len(value) > _MAX_LIST else ''}]"
    if isinstance(value, str):
        if "-----BEGIN" in value:
            return f"PEM text {_digest(value)}"
        return value if _PLAIN.fullmatch(value) else literal(value)
    return str(value)
