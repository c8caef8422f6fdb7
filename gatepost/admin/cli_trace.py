"""`gatepost trace`: one message followed through the tables. Only translates."""

from __future__ import annotations

from typing import Annotated

import typer

from gatepost.admin.cli_base import Cli, Group
from gatepost.admin.cli_explain import Address, HostName, ListenerName
from gatepost.admin.cli_text import sections, shown
from gatepost.admin.operations.trace import Message
from gatepost.admin.operations.trace import trace as follow

group = Group("tracing", "Follow a message.")


@group.command("trace")
def trace(
    cli: Cli,
    address: Address,
    sender: Annotated[str, typer.Option("--from", metavar="ADDRESS", help="Envelope sender; empty: the null path.")],
    recipients: Annotated[list[str], typer.Option("--to", metavar="ADDRESS", help="Envelope recipient; may be repeated.")],
    name: HostName = "",
    listener: ListenerName = "",
    hello: Annotated[str, typer.Option("--helo", metavar="NAME", help="What the host calls itself in EHLO.")] = "unknown",
    message: Annotated[
        typer.FileText | None,
        typer.Option("--message", metavar="FILE", help="The message, header and body; - for standard input."),
    ] = None,
    committed: Annotated[bool, typer.Option("--committed", help="By the committed configuration, not the draft.")] = False,
) -> None:
    """Follow one message through the draft's tables, and send nothing."""
    with cli.waiting("Asking the DNS"):
        way = follow(
            cli.operator,
            address,
            sender=sender,
            recipients=[each.strip() for text in recipients for each in text.split(",") if each.strip()],
            name=name,
            listener=listener,
            message=Message(hello=hello, text=message.read() if message else ""),
            draft=not committed,
        )
    result = ["", "Final message", *map(shown, way.message.splitlines())] if way.message else []
    cli.show(way, [f"Under {way.configuration}, listener {way.listener}", "", *sections(way.sections), *result])
