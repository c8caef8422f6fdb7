"""`gatepost tls`: what the TLS library makes of a cipher string. Only translates."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from gatepost.admin.cli_base import Cli, Group, table
from gatepost.admin.operations import ciphers

group = Group("tls", "Cipher strings and what they select.")


@group.command("ciphers")
def show(
    cli: Cli,
    spec: Annotated[str, typer.Argument(metavar="SPEC", help='OpenSSL cipher string, such as "ECDHE+AESGCM".')],
    old: Annotated[bool, typer.Option("--old", help="As a profile that has TLSv1.0 or TLSv1.1 reads it.")] = False,
) -> None:
    """Show the suites that a cipher string selects, in order of preference, and what in it selects nothing."""
    selection = ciphers.select(spec, old=old)
    cli.show(selection, _lines(selection))


def _lines(selection: ciphers.Selection) -> Iterator[Any]:
    rows = [(one.protocol, one.name, one.iana) for one in selection.suites]
    yield table("Since", "OpenSSL name", "IANA name", rows=rows)
    if selection.nothing:
        yield ""
        yield f"Matches nothing: {', '.join(selection.nothing)}"
