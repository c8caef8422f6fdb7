"""`gatepost listener`: suspend and resume listeners. Only translates."""

from __future__ import annotations

from typing import Annotated

import typer

from gatepost.admin.cli_base import Cli, Group
from gatepost.admin.operations import service

group = Group("listener", "Suspend and resume listeners.")
Names = Annotated[list[str] | None, typer.Argument(help="Listeners; none given: all of them.", metavar="NAME")]


@group.command("suspend")
def suspend(cli: Cli, names: Names = None) -> None:
    """Answer 421 to new connections until `gatepost listener resume`."""
    service.suspend_listeners(cli.operator, names or [])
    cli.show({"suspended": names or "all"}, [f"Suspended: {', '.join(names or ['all listeners'])}."])


@group.command("resume")
def resume(cli: Cli, names: Names = None) -> None:
    """Take connections again."""
    service.resume_listeners(cli.operator, names or [])
    cli.show({"resumed": names or "all"}, [f"Resumed: {', '.join(names or ['all listeners'])}."])
