"""`gatepost tls verify`, and how its findings are written, in the console too. Only translates."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from gatepost.admin.cli_base import Cli, table
from gatepost.admin.cli_text import wrapped
from gatepost.admin.operations import tls_verify
from gatepost.admin.operations.tls_verify import Verified
from gatepost.errors import GatepostError

if TYPE_CHECKING:
    from rich.console import RenderableType


def verify(
    cli: Cli,
    domain: Annotated[str, typer.Argument(metavar="DOMAIN", help="Destination, or an address in it.")],
    host: Annotated[
        str, typer.Option(metavar="HOST[:PORT]", help="Host to connect to, instead of those that mail goes to.")
    ] = "",
    draft: Annotated[bool, typer.Option("--draft", help="By the draft instead of the committed configuration.")] = False,
) -> None:
    """Ask a domain's hosts for TLS, as a delivery would; sends no mail. Shows what each setting makes of it.

    Exit status 1 when mail would wait under the setting in force.
    """
    with cli.waiting("Connecting"):
        found = tls_verify.verify(cli.operator, domain, host, draft=draft)
    cli.show(found, found_lines(found))
    if not found.ok:
        raise GatepostError(found.verdict)


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
