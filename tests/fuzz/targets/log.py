"""The lines of mail_logs (records/maillog.py, records/printable.py, smtp/grammar.py).

Whatever a stranger's text holds, a line that tells of it stays one printable line of bounded length, does nothing to a
terminal, and goes into the file as UTF-8. What was printable and short stands in it unchanged.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable

from gatepost.records import maillog
from gatepost.records.printable import LIMIT, printable
from gatepost.smtp import grammar

WORDS = (
    b"\r\n",
    b"\n",
    b"\x1b[31m",
    b"\xe2\x80\xa8",
    b"\xe2\x80\xae",
    b"\xc2\x85",
    b"\xc2\x9b",
    b"\0",
    b"\x7f",
    b"\xf0\x9f\x98\x80",
    b"\xed\xa0\x80",
    b"\xff",
    b"\\",
    b"'",
    b"a" * 300,
    b"+0D+0A",
    b"\t",
)
OURS = frozenset(
    {
        "interface",
        "local",
        "peer",
        "address",
        "behavior",
        "group",
        "entry",
        "protocol",
        "cipher",
        "profile",
        "status",
        "code",
    }
    | {"version", "how", "path", "aside"}
)
"""Parameters whose text comes from us, from the TLS library or from a configuration that was checked."""


def check(octets: bytes) -> None:
    """See above."""
    text = octets.decode("utf-8", "surrogateescape")
    for line in (printable(text), grammar.printable(octets, 80), grammar.decode_xtext(text)):
        assert line.isprintable()
        line.encode()
    assert len(printable(text)) <= LIMIT
    assert len(grammar.printable(octets, 80)) <= 80
    if len(text) <= LIMIT and text.isprintable():
        assert printable(text) == text
    for function in _FUNCTIONS:
        line = function(text)
        assert line.isprintable(), line
        assert len(line.encode()) <= 30 * LIMIT


_OURS = "ours"


def _functions() -> list[Callable[[str], str]]:
    """Return every function that words a line, with the stranger's text wherever one may stand."""
    found: list[Callable[[str], str]] = []
    for name, function in inspect.getmembers(maillog, inspect.isfunction):
        if function.__module__ == maillog.__name__ and not name.startswith("_"):
            parameters = inspect.signature(function, eval_str=True).parameters
            if any(kind.annotation is str and each not in OURS for each, kind in parameters.items()):
                found.append(_bound(function, parameters.items()))
    assert len(found) > 20
    return found


def _bound(function: Callable[..., str], parameters: object) -> Callable[[str], str]:
    kinds = [(name, parameter.annotation) for name, parameter in parameters]  # type: ignore[attr-defined]

    def call(text: str) -> str:
        return function(**{name: _value(name, kind, text) for name, kind in kinds})

    return call


def _value(name: str, kind: object, text: str) -> object:
    if kind is str:
        return _OURS if name in OURS else text
    if kind is bool or kind is int or kind is float:
        return 1
    return [text] if name == "places" else [0, 1]


_FUNCTIONS = _functions()
