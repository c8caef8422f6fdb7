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
Host = Annotated[str, typer.Argument(metavar="HOST", help="IP address of the connecting host, or a name to resolve.")]
OfferName = Annotated[
    str,
    typer.Option(
        "--offer",
        metavar="CLIENT",
        help="What the client offers in TLS: one on record, or a file with its ClientHello, as it is or in hexadecimal.",
    ),
]
HostName = Annotated[
    str, typer.Option("--name", metavar="HOST", help="Verified name of the host; otherwise it is looked up.")
]
ListenerName = Annotated[str, typer.Option("--listener", metavar="NAME", help="Listener; otherwise the first public one.")]
Draft = Annotated[bool, typer.Option("--draft", help="By the draft instead of the committed configuration.")]


@group.command("in")
def inbound(
    cli: Cli,
    host: Host,
    name: HostName = "",
    sender: Annotated[str | None, typer.Option("--from", metavar="ADDRESS", help="Envelope sender.")] = None,
    recipient: Annotated[str, typer.Option("--to", metavar="ADDRESS", help="Envelope recipient.")] = "",
    listener: ListenerName = "",
    offer: OfferName = "",
    icid: Annotated[int | None, typer.Option("--icid", metavar="N", help="Take the offer from a recorded session.")] = None,
    draft: Draft = False,
) -> None:
    """Explain what a connecting host gets, which cipher, and why. Also what the draft would change of it."""
    with cli.waiting("Asking the DNS"):
        told = explain_in.inbound(
            cli.operator,
            host,
            name=name,
            sender=sender,
            recipient=recipient,
            listener=listener,
            offer=offer,
            icid=icid,
            draft=draft,
        )
    cli.show(told, _inbound_lines(told, given=bool(offer) or icid is not None))


@group.command("out")
def outbound(
    cli: Cli,
    domain: Annotated[str, typer.Argument(metavar="DOMAIN", help="Destination, or an address in it.")],
    draft: Draft = False,
) -> None:
    """Explain how mail to a domain is delivered, with what TLS, and why. Also what the draft would change of it."""
    told = explain_out.outbound(cli.operator, domain, draft=draft)
    cli.show(told, _lines(told, "default destination"))


def _inbound_lines(told: Inbound, given: bool) -> Iterator[Any]:
    yield from _lines(told, "Default Policy Parameters")
    if told.negotiations and not given:
        yield ""
        yield "What common clients would get (--offer NAME says why; gatepost/tls/offers.toml: their origin)"
        clients = [(one.client, one.version, one.cipher or one.reason, one.group) for one in told.negotiations]
        yield table("Client", "Version", "Cipher", "Group", rows=clients)
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
