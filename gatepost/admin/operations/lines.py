"""Tables that stand in a text, an entry a line: read whole, or refused with every line that cannot be read."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from gatepost.errors import GatepostError

T = TypeVar("T")
MAX_TOLD = 50
"""Bad lines that are told of; whoever gave the wrong file need not see each of its lines."""


def each_line(text: str, read: Callable[[str], T]) -> list[T]:
    """Read every line but empty ones and comments (#); GatepostError with a line for each that cannot be read."""
    made: list[T] = []
    faults: list[str] = []
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        content = " ".join(line.split())
        if not content or content.startswith("#"):
            continue
        try:
            made.append(read(content))
        except GatepostError as fault:
            faults.append(f"line {number}: {fault}")
    if len(faults) > MAX_TOLD:
        faults[MAX_TOLD:] = [f"and {len(faults) - MAX_TOLD} more"]
    if faults:
        raise GatepostError("\n".join([*faults, "Nothing was changed: mend the text and import it again."]))
    return made
