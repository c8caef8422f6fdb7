"""What is wrong with a document: where, what stands there, why it will not do, and how to mend it.

Problems are collected, never raised one by one; private keys are never shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec
import tomli_w

from gatepost.config.paths import Part, join
from gatepost.errors import GatepostError

MASK = "*****"
SECRETS = frozenset({"private_key"})
_MAX_SHOWN = 60
_PLAIN = re.compile(r"[ !#-\[\]-~]*")


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong."""

    path: str
    """Empty: the document as a whole."""
    value: str = ""
    """What stands there, as TOML and shortened; empty when nothing does."""
    wrong: str
    mend: str
    severity: Literal["error", "warning"] = "error"
    related: tuple[str, ...] = ()
    """Other places that this judgement rests on."""

    def __str__(self) -> str:
        """Say it in one line."""
        where = self.path or "document"
        return f"{where}{f' = {self.value}' if self.value else ''}: {self.wrong}; {self.mend}"


class ConfigErrors(GatepostError):
    """A document that cannot be taken; `problems` has all of them, warnings too."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        """Keep the problems; the text has one line for each error."""
        self.problems = list(problems)
        super().__init__("\n".join(str(problem) for problem in errors(problems)))


class Report:
    """Collects problems while a document is read or checked."""

    def __init__(self) -> None:
        """Start without problems."""
        self.problems: list[Problem] = []

    def error(self, path: Sequence[Part], value: object, wrong: str, mend: str, *, related: Iterable[str] = ()) -> None:
        """Note what keeps the document from being committed."""
        self._add("error", path, value, wrong, mend, related)

    def warning(self, path: Sequence[Part], value: object, wrong: str, mend: str, *, related: Iterable[str] = ()) -> None:
        """Note what works, but probably not as meant."""
        self._add("warning", path, value, wrong, mend, related)

    def _add(
        self,
        severity: Literal["error", "warning"],
        path: Sequence[Part],
        value: object,
        wrong: str,
        mend: str,
        related: Iterable[str],
    ) -> None:
        text = shown(path, value)
        where = join(path)
        self.problems.append(
            Problem(path=where, value=text, wrong=wrong, mend=mend, severity=severity, related=tuple(related))
        )


def errors(problems: Iterable[Problem]) -> list[Problem]:
    """Return those that keep the document from being committed."""
    return [problem for problem in problems if problem.severity == "error"]


def warnings(problems: Iterable[Problem]) -> list[Problem]:
    """Return those that do not."""
    return [problem for problem in problems if problem.severity == "warning"]


def shown(path: Sequence[Part], value: object) -> str:
    """Write a value as TOML, in one line and short; a secret, or what may hold one, is masked."""
    if value is None:
        return ""
    if SECRETS.intersection(part for part in path if isinstance(part, str)):
        return f'"{MASK}"'
    if isinstance(value, str) and "PRIVATE KEY" in value:
        return f'"{MASK}"'  # a key that was put where it does not belong
    if isinstance(value, dict):
        return "{...}" if value else "{}"
    if isinstance(value, list | tuple):
        text = "[" + ", ".join(shown(path, item) for item in value[:8]) + (", ...]" if len(value) > 8 else "]")
    else:
        text = literal(value)
    return text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 3] + "..."


def literal(value: object, *, multiline: bool = False) -> str:
    """Write a plain value as TOML, in one line unless `multiline`."""
    if isinstance(value, str) and _PLAIN.fullmatch(value):  # nearly all texts, and a table may hold a million
        return f'"{value}"'
    return tomli_w.dumps({"v": value}, multiline_strings=multiline)[len("v = ") : -1]
