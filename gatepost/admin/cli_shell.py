"""`gatepost shell`: the console, at a terminal or from a pipe. Only translates."""

from __future__ import annotations

import typer

from gatepost.admin.cli_base import Cli, Group

group = Group("console", "The console.")


@group.command("shell")
def shell(cli: Cli) -> None:
    """Open the console. Lines from a pipe do what typed ones do; status 1 then says that one was refused."""
    from gatepost.admin.console.lines import Pipe, local_source
    from gatepost.admin.console.shell import run_here

    source = local_source(cli.operator.state)
    if run_here(cli.operator, source) and isinstance(source, Pipe):
        raise typer.Exit(1)
