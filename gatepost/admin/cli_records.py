"""`gatepost track`: what became of messages, and which TLS connections got. Only translates."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from gatepost.admin.cli_base import Cli, Group
from gatepost.admin.cli_tracks import connection_lines, connections_table, gaps_table, message_lines, messages_table
from gatepost.admin.operations import records

group = Group("track", "Message tracking and TLS records; `track MID` shows one message.", default="search")
Days = Annotated[float, typer.Option(min=0, metavar="N", help="Look back this many days; 0: as far as there are records.")]
Limit = Annotated[int, typer.Option(min=1, max=10_000, metavar="N", help="Records to show at most, newest first.")]
Peer = Annotated[str | None, typer.Option(metavar="HOST", help="Address or name of the peer.")]


@group.command("search")
def search(
    cli: Cli,
    mid: Annotated[int | None, typer.Argument(metavar="MID", help="One message, in full.")] = None,
    sender: Annotated[str | None, typer.Option("--from", metavar="ADDRESS", help="Sender, or a part of it.")] = None,
    recipient: Annotated[str | None, typer.Option("--to", metavar="ADDRESS", help="Recipient, or a part of it.")] = None,
    subject: Annotated[str | None, typer.Option(metavar="TEXT", help="A part of the subject.")] = None,
    message_id: Annotated[str | None, typer.Option(metavar="TEXT", help="A part of the Message-ID.")] = None,
    peer: Peer = None,
    days: Days = 0,
    limit: Limit = 50,
) -> None:
    """Show one message, its outcomes and its TLS, or search. `track MID` does the same."""
    if mid is not None:
        one = records.message(cli.operator, mid)
        cli.show(one, message_lines(one))
        return
    with cli.waiting("Searching the records"):
        found = records.search(
            cli.operator,
            sender=sender,
            recipient=recipient,
            subject=subject,
            message_id=message_id,
            peer=peer,
            days=days,
            limit=limit,
        )
    cli.show(found, [messages_table(found)] if found else ["No message on record matches."])


@group.command("tls")
def tls(
    cli: Cli,
    failed: Annotated[bool, typer.Option("--failed", help="Only where TLS failed or was not enough.")] = False,
    domain: Annotated[str | None, typer.Option(metavar="DOMAIN", help="Destination or peer in this domain.")] = None,
    peer: Peer = None,
    direction: Annotated[Literal["in", "out"] | None, typer.Option(metavar="in|out", help="Received or delivered.")] = None,
    icid: Annotated[int | None, typer.Option(metavar="ICID", help="One inbound connection, in full.")] = None,
    dcid: Annotated[int | None, typer.Option(metavar="DCID", help="One delivery connection, in full.")] = None,
    days: Days = 0,
    limit: Limit = 50,
) -> None:
    """Show which TLS connections got, and why."""
    if icid is not None or dcid is not None:
        way: Literal["in", "out"] = "in" if icid is not None else "out"
        one = records.connection(cli.operator, way, icid if icid is not None else dcid or 0)
        cli.show(one, connection_lines(one))
        return
    with cli.waiting("Searching the records"):
        found = records.tls(
            cli.operator, direction=direction, domain=domain, peer=peer, failed=failed, days=days, limit=limit
        )
    cli.show(found, [connections_table(found)] if found else ["No connection on record matches."])


@group.command("gaps")
def gaps(cli: Cli, days: Days = 0) -> None:
    """Show the times of which records are incomplete, and why."""
    found = records.gaps(cli.operator, days=days)
    cli.show(found, [gaps_table(found)] if found else ["No gap is known: the records are complete."])
