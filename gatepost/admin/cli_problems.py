"""How the problems of a document are written: each with its place, the value, what is wrong and how to mend it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gatepost.admin.cli_text import count, wrapped
from gatepost.config.problems import Problem, errors, warnings

INDENT = " " * 9


def problem_lines(problems: Sequence[Problem]) -> Iterator[str]:
    """Write all problems, errors first as they come."""
    for problem in problems:
        where = problem.path or "the document"
        yield f"{problem.severity + ':':<8} {where}{f' = {problem.value}' if problem.value else ''}"
        yield wrapped(problem.wrong, INDENT)
        yield wrapped(f"mend: {problem.mend}", INDENT)


def staged_lines(problems: Sequence[Problem]) -> Iterator[str]:
    """Write the errors, and how many warnings there are: an edit should not repeat what was there before it."""
    yield from problem_lines(errors(problems))
    odd = len(warnings(problems))
    if odd:
        yield f"{count(odd, 'warning')}; `gatepost config diff` shows {'it' if odd == 1 else 'them'}."


def verdict(name: str, problems: Sequence[Problem]) -> str:
    """Write the last line of a check."""
    wrong, odd = len(errors(problems)), len(warnings(problems))
    if wrong:
        return f"{name} cannot be taken: {count(wrong, 'error')}, {count(odd, 'warning')}."
    return f"{name} can be taken{', with ' + count(odd, 'warning') if odd else ''}."
