"""How values look on a terminal: times, spans, sizes, sections of sentences. Shared by the commands; decides nothing.

What strangers wrote (addresses, subjects, replies) goes through `shown`, so that it cannot steer the terminal.
"""

from __future__ import annotations

import textwrap
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # most commands explain nothing, and need not pay for what can
    from gatepost.admin.operations.explanation import Section


WIDTH = 80


def shown(text: str) -> str:
    """Make what a stranger wrote fit for a terminal."""
    from gatepost.records.printable import printable

    return printable(text)


def moment(seconds: float) -> str:
    """Write a wall-clock time in local time."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds)) if seconds else ""


def brief(seconds: float) -> str:
    """Write a time without its year, for tables."""
    return moment(seconds)[5:]


def commit_moment(seconds: float) -> str:
    """Write a time as the model's `commit` does: `Tue Nov 24 09:00:00 2026 UTC`."""
    return f"{time.asctime(time.gmtime(seconds))} UTC"


def size(octets: float) -> str:
    """Write a number of octets shortly."""
    for unit in ("", "k", "M"):
        if octets < 1024:
            return f"{octets:.0f}{unit}" if octets >= 10 or not unit else f"{octets:.1f}{unit}"
        octets /= 1024
    return f"{octets:.1f}G"


def span(seconds: float) -> str:
    """Write a span of time in its two largest units."""
    total = int(seconds)
    for larger, smaller, names in ((86400, 3600, "dh"), (3600, 60, "hm"), (60, 1, "ms")):
        if total >= larger:
            return f"{total // larger}{names[0]} {total % larger // smaller}{names[1]}"
    return f"{total}s"


def wrapped(text: str, indent: str = "  ") -> str:
    """Wrap a sentence to 80 columns; long words such as cipher names are kept whole."""
    return textwrap.fill(
        text, WIDTH, initial_indent=indent, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def sections(parts: Iterable[Section]) -> Iterator[str]:
    """Write sections: the title, and each sentence below it."""
    for place, part in enumerate(parts):
        if place:
            yield ""
        yield part.title
        for sentence in part.sentences:
            yield wrapped(sentence)


def pairs(items: Iterable[tuple[str, object]]) -> Iterator[str]:
    """Write names and values below each other, aligned; empty values are left out."""
    kept = [(name, str(value)) for name, value in items if str(value)]
    width = max((len(name) for name, _ in kept), default=0)
    for name, value in kept:
        yield f"{name + ':':<{width + 1}} {value}"


def count(number: int, one: str, many: str = "") -> str:
    """Write a number with its noun."""
    return f"{number} {one if number == 1 else many or one + 's'}"
