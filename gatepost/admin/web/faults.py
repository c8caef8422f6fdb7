"""What a verb refused, put beside the fields that it is about."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable

from gatepost.admin.operations import fields
from gatepost.admin.operations.drafts import Several, Unfit
from gatepost.config.problems import ConfigErrors, Problem
from gatepost.errors import Conflict, GatepostError

_PART = re.compile(r"""[A-Za-z_][A-Za-z0-9_]*|"(?:[^"\\]|\\.)*"|\[\d+\]""")
MAX_TOLD = 100
"""Bad lines of an imported text that a page shows."""


MAX_BESIDE = 5
"""Sentences beside one field, a line each."""


def by_field(fault: GatepostError, names: Container[str], *, other: str = "") -> dict[str, str]:
    """Return a sentence for each field that a problem's path ends in or passes through; what has none goes to `other`.

    A Conflict goes through: it is about the page, not about what was typed.
    """
    if isinstance(fault, Conflict):
        raise fault
    if isinstance(fault, Several):
        found = [by_field(one, names, other=other) for one in fault.faults]
        return {name: "\n".join(one[name] for one in found if name in one) for part in found for name in part}
    told: dict[str, list[str]] = {}
    if not isinstance(fault, Unfit | ConfigErrors):
        return {other: str(fault)}
    for problem in fault.problems:
        parts = [part for part in _PART.findall(problem.path) if part in names]
        told.setdefault(parts[-1] if parts else other, []).append(_sentence(problem))
    return {name: "\n".join(_some(sentences, MAX_BESIDE)) for name, sentences in told.items()}


def of_name(text: str, taken: Iterable[str], what: str) -> dict[str, str]:
    """Return what is wrong with the name of a new entry, for a form whose other fields cannot be judged yet."""
    try:
        fields.new_name(text, taken, what)
    except GatepostError as fault:
        return {"name": str(fault)}
    return {}


def lines(fault: GatepostError) -> list[str]:
    """Return what is wrong with a text, a sentence for each line of it that will not do."""
    if isinstance(fault, Conflict):
        raise fault
    found = [str(problem) for problem in fault.problems] if isinstance(fault, ConfigErrors) else str(fault).splitlines()
    return _some(found, MAX_TOLD)


def _some(sentences: list[str], most: int) -> list[str]:
    return sentences if len(sentences) <= most else [*sentences[:most], f"and {len(sentences) - most:,} more"]


def _sentence(problem: Problem) -> str:
    return f"{f'{problem.value} ' if problem.value else ''}{problem.wrong}; {problem.mend}"
