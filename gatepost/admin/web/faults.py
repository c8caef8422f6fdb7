"""What a verb refused, put beside the fields that it is about."""

from __future__ import annotations

import re
from collections.abc import Container

from gatepost.admin.operations.drafts import Several, Unfit
from gatepost.config.problems import ConfigErrors, Problem
from gatepost.errors import Conflict, GatepostError

_PART = re.compile(r"""[A-Za-z_][A-Za-z0-9_]*|"(?:[^"\\]|\\.)*"|\[\d+\]""")
MAX_TOLD = 100
"""Bad lines of an imported text that a page shows."""


def by_field(fault: GatepostError, names: Container[str], *, other: str = "") -> dict[str, str]:
    """Return a sentence for each field that a problem's path ends in or passes through; what has none goes to `other`.

    A Conflict goes through: it is about the page, not about what was typed.
    """
    if isinstance(fault, Conflict):
        raise fault
    if isinstance(fault, Several):
        found = [by_field(one, names, other=other) for one in fault.faults]
        return {name: "; ".join(one[name] for one in found if name in one) for part in found for name in part}
    told: dict[str, list[str]] = {}
    if not isinstance(fault, Unfit | ConfigErrors):
        return {other: str(fault)}
    for problem in fault.problems:
        parts = [part for part in _PART.findall(problem.path) if part in names]
        told.setdefault(parts[-1] if parts else other, []).append(_sentence(problem))
    return {name: "; ".join(sentences) for name, sentences in told.items()}


def lines(fault: GatepostError) -> list[str]:
    """Return what is wrong with a text, a sentence for each line of it that will not do."""
    if isinstance(fault, Conflict):
        raise fault
    found = [str(problem) for problem in fault.problems] if isinstance(fault, ConfigErrors) else str(fault).splitlines()
    return found if len(found) <= MAX_TOLD else [*found[:MAX_TOLD], f"and {len(found) - MAX_TOLD:,} more"]


def _sentence(problem: Problem) -> str:
    return f"{f'{problem.value} ' if problem.value else ''}{problem.wrong}; {problem.mend}"
