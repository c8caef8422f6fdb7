"""How the findings of `tls verify` are written, on the command line and in the console."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gatepost.admin.cli_base import table
from gatepost.admin.cli_text import wrapped
from gatepost.admin.operations.tls_verify import Verified

if TYPE_CHECKING:
    from rich.console import RenderableType


def found_lines(found: Verified) -> Iterator[str | RenderableType]:
    """Write for each host what was done and what every destination setting makes of it, then what becomes of mail now."""
    for checked in found.hosts:
        yield from (wrapped(step, "") for step in checked.steps)
        yield ""
        if checked.judged:
            rows = [
                (f"{one.setting}{' *' if one.setting == found.setting else ''}", one.mail, one.reason)
                for one in checked.judged
            ]
            yield table("Setting", "Mail", "Why", rows=rows)
            yield ""
    yield f"* in force: {found.source}, by {found.configuration}."
    yield wrapped(found.verdict, "")
