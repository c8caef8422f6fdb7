"""From plain tables and lists, as TOML or JSON reads them, to a `Config`; every fault is found, not only the first.

Decoding is strict: no text becomes a number, no unknown field is passed over. It goes table by table and field by field,
so that one fault does not hide the next; a field at fault holds its default (or an empty value) in the result, which then
serves only to check the rest. What needs more than one field to judge is not judged here but in `config.check`.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal, Union, cast, get_args, get_origin, get_type_hints

import msgspec

from gatepost.config.model import ROW_NAMES, Config
from gatepost.config.paths import Part, did_you_mean, nearest, row_parts
from gatepost.config.problems import Problem, Report, shown

_EMPTY = {str: "", int: 1}


def decode(tree: object) -> tuple[Config, list[Problem]]:
    """Read a document; the Config is whole only where there are no problems."""
    report = Report()
    config = cast(Config, _table(Config, tree, (), report))
    return config, report.problems


@cache
def field_types(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """Return the types of a table's fields by name, in the document's order, `| None` taken off."""
    hints = get_type_hints(kind)
    return {field.name: _without_none(hints[field.name]) for field in msgspec.structs.fields(kind)}


def is_table(kind: Any) -> bool:
    """Whether a type is one table of the document."""
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def element(kind: Any) -> Any:
    """Return the type of a list's elements or a mapping's values."""
    return get_args(kind)[-1]


def _without_none(hint: Any) -> Any:
    if get_origin(hint) not in (Union, types.UnionType):
        return hint
    rest = [option for option in get_args(hint) if option is not type(None)]
    return rest[0] if len(rest) == 1 else Union[tuple(rest)]  # noqa: UP007 - built at run time


def _value(kind: Any, value: object, path: tuple[Part, ...], report: Report) -> Any:
    if is_table(kind):
        return _table(kind, value, path, report)
    if get_origin(kind) is dict:
        return _mapping(kind, value, path, report)
    if get_origin(kind) is list and is_table(element(kind)):
        return _rows(kind, value, path, report)
    return _leaf(kind, value, path, report)


def _table(kind: type[msgspec.Struct], tree: object, path: tuple[Part, ...], report: Report) -> msgspec.Struct:
    known = field_types(kind)
    if not isinstance(tree, Mapping):
        report.error(path, tree, f"is {_words(tree)}, and a table is wanted here", f"it may hold {', '.join(known)}")
        tree, missing_is_told = {}, True
    else:
        missing_is_told = False
    values: dict[str, Any] = {}
    for name, value in tree.items():
        if name in known:
            decoded = _value(known[name], value, (*path, name), report)
            if decoded is not msgspec.UNSET:
                values[name] = decoded
        else:
            report.error((*path, name), value, "is not a field of the document", did_you_mean(name, known))
    for field in msgspec.structs.fields(kind):
        if field.required and field.name not in values:
            values[field.name] = _EMPTY[known[field.name]]
            if field.name not in tree and not missing_is_told:
                report.error((*path, field.name), None, "is missing", f"add a line {field.name} = ...")
    return kind(**values)


def _mapping(kind: Any, tree: object, path: tuple[Part, ...], report: Report) -> Any:
    if not isinstance(tree, Mapping):
        report.error(path, tree, f"is {_words(tree)}, and a table of names is wanted here", "write one entry for each name")
        return msgspec.UNSET
    decoded = {name: _value(element(kind), value, (*path, name), report) for name, value in tree.items()}
    return {name: value for name, value in decoded.items() if value is not msgspec.UNSET}


def _rows(kind: Any, rows: object, path: tuple[Part, ...], report: Report) -> Any:
    if not isinstance(rows, list):
        report.error(path, rows, f"is {_words(rows)}, and a list of tables is wanted here", f"write [[{path[-1]}]] above it")
        return msgspec.UNSET
    row = element(kind)
    names = [entry.get(ROW_NAMES[row]) if isinstance(entry, Mapping) else None for entry in rows]
    parts = row_parts(names)
    return [_table(row, entry, (*path, part), report) for part, entry in zip(parts, rows, strict=True)]


def _leaf(kind: Any, value: object, path: tuple[Part, ...], report: Report) -> Any:
    try:
        return msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError:
        pass
    if get_origin(kind) is list and isinstance(value, list):
        for place, item in enumerate(value):
            _leaf(element(kind), item, (*path, place), report)
    else:
        report.error(path, value, *_explain(kind, value))
    return msgspec.UNSET


def _explain(kind: Any, value: object) -> tuple[str, str]:
    """Say what is wrong with a value, and how to mend it."""
    found = _words(value)
    if get_origin(kind) is Literal:
        allowed = [str(choice) for choice in get_args(kind)]
        wrong = "is not one of the values allowed" if isinstance(value, str) else f"is {found}, and a text is wanted here"
        close = nearest(value, allowed) if isinstance(value, str) else []
        meant = f" (did you mean {close[0]}?)" if close else ""
        return wrong, f"write one of {', '.join(allowed)}{meant}"
    if get_origin(kind) is list:
        return f"is {found}, and a list is wanted here", f"put it in brackets: [{shown((), value)}]"
    if kind is int:
        return f"is {found}, and a whole number is wanted here", "write a number without quotes"
    if kind is bool:
        return f"is {found}, and a yes or no is wanted here", "write true or false, without quotes"
    if kind is str:
        return f"is {found}, and a text is wanted here", "put it in quotes"
    return f"is {found}, and a size is wanted here", 'write octets, or a number with k, M or G, such as "10M"'


def _words(value: object) -> str:
    if isinstance(value, bool):
        return "true or false"
    words = {str: "a text", int: "a whole number", float: "a fraction", list: "a list", dict: "a table"}
    words[type(None)] = "null"
    return words.get(type(value), "a date or time")
