"""`gatepost explain`: why a connection gets what it gets. Only translates."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from gatepost.admin.cli_base import Cli, Group, table
from gatepost.admin.cli_text import sections
from gatepost.admin.operations import explain_in, explain_out
from gatepost.admin.operations.explanation import Explanation, Inbound

group = Group("explain", "Why a connection gets what it gets, in either direction.")
Address = Annotated[str, typer.Argument(metavar="ADDRESS", help="IP address of the connecting host.")]
HostName = Annotated[
    str, typer.Option("--name", metavar="HOST", help="Verified name of the host; otherwise it is looked up.")
]
ListenerName = Annotated[str, typer.Option("--listener", metavar="NAME", help="Listener; otherwise the first public one.")]
Draft = Annotated[bool, typer.Option("--draft", help="By the draft instead of the committed configuration.")]


@group.command("in")
def inbound(
    cli: Cli,
    address: Address,
    name: HostName = "",
    sender: Annotated[str | None, typer.Option("--from", metavar="ADDRESS", help="Envelope sender.")] = None,
    recipient: Annotated[str, typer.Option("--to", metavar="ADDRESS", help="Envelope recipient.")] = "",
    listener: ListenerName = "",
    draft: Draft = False,
) -> None:
    """Explain what a connecting host gets: sender group, policy, TLS, ciphers."""
    with cli.waiting("Asking the DNS"):
        told = explain_in.inbound(
            cli.operator, address, name=name, sender=sender, recipient=recipient, listener=listener, draft=draft
        )
    cli.show(told, _inbound_lines(told))


@group.command("out")
def outbound(
    cli: Cli,
    domain: Annotated[str, typer.Argument(metavar="DOMAIN", help="Destination, or an address in it.")],
    draft: Draft = False,
) -> None:
    """Explain how mail to a domain is delivered: destination control, route, TLS, ciphers, retries."""
    told = explain_out.outbound(cli.operator, domain, draft=draft)
    cli.show(told, _lines(told, "default destination"))


def _inbound_lines(told: Inbound) -> Iterator[Any]:
    yield from _lines(told, "Default Policy Parameters")
    if len(told.matches) > 1:
        yield ""
        yield "Rows of the Host Access Table that speak of this host"
        rows = [(one.group or "ALL", one.entry, one.policy, one.remark or "decides") for one in told.matches]
        yield table("Group", "Entry", "Policy", "", rows=rows)


def _lines(told: Explanation, default: str) -> Iterator[Any]:
    yield from sections(told.sections)
    yield ""
    yield f"Settings (* inherited from the {default})"
    rows = [(f"{one.name}{' *' if one.inherited else ''}", one.value) for one in told.settings]
    yield table("Name", "Value", rows=rows)
