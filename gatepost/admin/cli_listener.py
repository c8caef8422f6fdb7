"""`gatepost listener`: suspend and resume listeners, their Host Access Tables as text. Only translates."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from gatepost.admin.cli_base import Cli, Group
from gatepost.admin.cli_config import staged
from gatepost.admin.operations import hat, service

group = Group("listener", "Suspend and resume listeners; their Host Access Tables.")
table = Group("hat", "A Host Access Table as a text file, in the appliance's format.")
group.app.add_typer(table.app)
Name = Annotated[str, typer.Argument(help="Listener.", metavar="NAME")]
Names = Annotated[list[str] | None, typer.Argument(help="Listeners; none given: all of them.", metavar="NAME")]


@group.command("suspend")
def suspend(cli: Cli, names: Names = None) -> None:
    """Answer 421 to new connections, over restarts too. `gatepost listener resume` ends it; without NAME, all listeners."""
    service.suspend_listeners(cli.operator, names or [])
    cli.show({"suspended": names or "all"}, [f"Suspended: {', '.join(names or ['all listeners'])}."])


@group.command("resume")
def resume(cli: Cli, names: Names = None) -> None:
    """Take connections again."""
    service.resume_listeners(cli.operator, names or [])
    cli.show({"resumed": names or "all"}, [f"Resumed: {', '.join(names or ['all listeners'])}."])


@table.command("export")
def export(
    cli: Cli,
    name: Name,
    draft: Annotated[bool, typer.Option("--draft", help="The draft instead of what is committed.")] = False,
) -> None:
    """Print a listener's policies and sender groups."""
    text = hat.export_text(cli.operator, name, draft=draft)
    if cli.json:
        cli.show({"listener": name, "text": text}, [])
    else:
        sys.stdout.write(text)


@table.command("import")
def import_(
    cli: Cli, name: Name, file: Annotated[str, typer.Argument(metavar="FILE", help="Text file; - for standard input.")]
) -> None:
    """Replace a listener's policies and sender groups in the draft. Refused with every bad line."""
    with cli.progress(f"Importing {file}") as told:
        made = hat.import_file(cli.operator, name, file, told)
    cli.show(made, staged(made, whole=True))
