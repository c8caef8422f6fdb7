"""The document as TOML: reading it, and writing it in one stable, readable order.

What is written reads back as the same `Config`. Fields that hold their default are left out where the document reads
better so; a stored revision has them all, so that another default in a later version does not change what was committed.
Private keys are masked unless they are asked for. Nothing is judged here: `loads` refuses only what is no document at
all, `config.check` says what is wrong with a document.
"""

from __future__ import annotations

import tomllib
from functools import cache
from typing import Any

import msgspec

from gatepost.config.decode import decode
from gatepost.config.model import (
    Certificate,
    Config,
    DefaultPolicy,
    Gateway,
    Listener,
    MailFlowPolicy,
    Recipient,
    RecipientRate,
)
from gatepost.config.paths import key
from gatepost.config.problems import MASK, ConfigErrors, Problem, literal

_WIDTH = 100
# A listener without its address, or a row without its action, would have to be looked up.
_ALWAYS: dict[type, frozenset[str]] = {
    Gateway: frozenset({"hostname"}),
    Config: frozenset({"gateway"}),
    Listener: frozenset({"type", "address", "port", "default_policy"}),
    DefaultPolicy: frozenset({"tls"}),
    MailFlowPolicy: frozenset({"behavior"}),
    Recipient: frozenset({"action"}),
    RecipientRate: frozenset({"minutes"}),
}


def loads(text: str | bytes) -> Config:
    """Read a document; raises ConfigErrors with every unknown field and wrong type, or with the one error of syntax."""
    config, problems = decode(parse(text))
    if problems:
        raise ConfigErrors(problems)
    return config


def parse(text: str | bytes) -> dict[str, Any]:
    """Read TOML into plain tables; raises ConfigErrors with one sentence that has line and column."""
    try:
        decoded = text.decode("utf-8") if isinstance(text, bytes) else text
        return tomllib.loads(decoded.removeprefix("\ufeff"))
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise _unreadable(f"is not UTF-8 text (line {line})", "save the file as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        # The message has line and column; the line itself is not shown, it may be part of a key.
        raise _unreadable(f"is not TOML: {error}", "mend that line; texts stand in quotes, names before =") from None
    except RecursionError:
        raise _unreadable("is nested too deeply", "no field of the document holds more than a few levels") from None


def _unreadable(wrong: str, mend: str) -> ConfigErrors:
    return ConfigErrors([Problem(path="", wrong=wrong, mend=mend)])


def dumps(config: Config, *, with_keys: bool = False, every_field: bool = False) -> str:
    """Write a document; without `with_keys` the private keys are masked."""
    lines: list[str] = []
    _write_table(to_tree(config, with_keys=with_keys, every_field=every_field), "", lines)
    return "\n".join(lines).lstrip("\n") + "\n"


def to_tree(value: Any, *, with_keys: bool = False, every_field: bool = False) -> Any:
    """Return a value of the document as plain tables and lists; fields that say None, or their default, are left out."""
    if isinstance(value, msgspec.Struct):
        tree = {}
        for name, stays, default in _fields(type(value)):
            item = getattr(value, name)
            if item is not None and (every_field or stays or item != default):
                tree[name] = to_tree(item, with_keys=with_keys, every_field=every_field)
        if isinstance(value, Certificate) and value.private_key and not with_keys:
            tree["private_key"] = MASK
        return tree
    if isinstance(value, dict):
        return {name: to_tree(item, with_keys=with_keys, every_field=every_field) for name, item in value.items()}
    if isinstance(value, list):
        return [to_tree(item, with_keys=with_keys, every_field=every_field) for item in value]
    return value


@cache
def _fields(kind: type[msgspec.Struct]) -> list[tuple[str, bool, object]]:
    """Return the fields of a table as they are written: name, whether it stands there with its default too, the default."""
    fields = sorted(msgspec.structs.fields(kind), key=lambda field: field.name != "behavior")
    always = _ALWAYS.get(kind, frozenset())
    return [(field.name, field.required or field.name in always, _default(field)) for field in fields]


def _default(field: msgspec.structs.FieldInfo) -> object:
    return field.default_factory() if field.default_factory is not msgspec.NODEFAULT else field.default


def _write_table(table: dict[str, Any], path: str, lines: list[str]) -> None:
    plain = {name: value for name, value in table.items() if _stands_inline(name, value)}
    below = {name: value for name, value in table.items() if name not in plain}
    if path and (plain or not below):
        lines += ["", f"[{path}]"]
    lines += [f"{key(name)} = {_inline(value, len(name))}" for name, value in plain.items()]
    for name, value in below.items():
        deeper = f"{path}.{key(name)}" if path else key(name)
        if isinstance(value, dict):
            _write_table(value, deeper, lines)
        else:
            _write_rows(value, deeper, lines)


def _write_rows(rows: list[dict[str, Any]], path: str, lines: list[str]) -> None:
    for row in rows:
        lines += ["", f"[[{path}]]"]
        lines += [f"{key(name)} = {_inline(value, len(name))}" for name, value in row.items()]


def _stands_inline(name: str, value: object) -> bool:
    if isinstance(value, dict):
        return name == "recipients_per_minutes"
    return not (isinstance(value, list) and value and isinstance(value[0], dict))


def _inline(value: Any, indent: int) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key(name)} = {_inline(item, 0)}" for name, item in value.items()) + " }"
    if isinstance(value, list):
        items = [literal(item) for item in value]
        if sum(len(item) + 2 for item in items) + indent + 3 <= _WIDTH:
            return f"[{', '.join(items)}]"
        return "[\n" + "".join(f"    {item},\n" for item in items) + "]"
    # Over several lines TOML reads CR LF as LF, so a text with CR stays on one.
    return literal(value, multiline=isinstance(value, str) and "\r" not in value)
