"""`gatepost try`: one test message, its dialogue and what became of it. Only translates."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from gatepost.admin.cli_base import Cli, Group
from gatepost.admin.cli_text import pairs, shown
from gatepost.admin.cli_tracks import outcome_facts, way_text
from gatepost.admin.operations import trial
from gatepost.admin.operations.trial import Trial
from gatepost.errors import GatepostError
from gatepost.records.search import Tracked
from gatepost.records.tls_record import TlsRecord

group = Group("trying", "Send a test message.")


@group.command("try")
def try_(
    cli: Cli,
    sender: Annotated[str, typer.Option("--from", metavar="ADDRESS", help="Envelope sender.")] = "",
    recipient: Annotated[str, typer.Option("--to", metavar="ADDRESS", help="Envelope recipient.")] = "",
    listener: Annotated[str, typer.Option(metavar="NAME", help="Listener; otherwise the first public one.")] = "",
    clear: Annotated[bool, typer.Option("--clear", help="Do not start TLS.")] = False,
    source: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Address of this machine to come from, such as 127.0.0.2.")
    ] = "",
    size: Annotated[int, typer.Option(min=0, metavar="OCTETS", help="Size of the body; 0: one line.")] = 0,
) -> None:
    """Send one test message and explain what became of it. It goes through the running gateway, as a partner's would."""
    done = trial.attempt(
        cli.operator,
        (lambda line: None) if cli.json else print,
        sender=sender,
        recipient=recipient,
        listener=listener,
        size=size,
        clear=clear,
        source=source,
    )
    cli.show(done, _lines(done))
    if not done.ok:
        raise GatepostError(done.verdict)


def _lines(done: Trial) -> Iterator[str]:
    if done.tracked is not None:
        yield ""
        yield "What the records say"
        yield from (f"  {line}" for line in pairs(_facts(done.tracked, done.kept_in)))
    if done.ok:
        yield ""
        yield done.verdict


def _facts(tracked: Tracked, kept_in: str) -> Iterator[tuple[str, object]]:
    for one in tracked.connections:
        if one.direction == "in":
            yield from _inbound(one)
    if tracked.message is not None:
        yield "Message", f"MID {tracked.message.mid}, {tracked.message.size} octets"
    for outcome in tracked.outcomes:
        way = way_text(outcome)
        yield "Recipient", f"{shown(outcome.address)}: {outcome.outcome}{f' ({way})' if way else ''}, {shown(outcome.reply)}"
    yield "Kept in", kept_in


def _inbound(one: TlsRecord) -> Iterator[tuple[str, object]]:
    yield "Sender group", one.rule
    yield "Why", shown(one.reason)
    yield "Required", f"tls = {one.requirement}, {one.requirement_source}"
    if one.outcome is None:
        yield "Negotiated", shown(one.failure) or "nothing: clear text"
    else:
        yield from outcome_facts(one.outcome)
    yield "Verdict", shown(one.verdict)
