"""`gatepost queue`: what waits, and moving it along. Only translates."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import typer

from gatepost.admin.cli_base import Cli, Group, table
from gatepost.admin.cli_text import brief, count, moment, pairs, shown, size
from gatepost.admin.operations import queue

group = Group("queue", "Look at the queue, and move it along.")
Target = Annotated[str, typer.Argument(metavar="MID|DOMAIN", help="A message, or all mail for a destination.")]
DESTINATIONS = 100
"""Destinations that are shown, those with most recipients first: thousands would scroll the messages away."""
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]


@group.command("list")
def listing(
    cli: Cli,
    destination: Annotated[str, typer.Option(metavar="DOMAIN", help="Only mail for this domain.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, metavar="N", help="Messages to show at most.")] = 50,
    offset: Annotated[int, typer.Option(min=0, max=9000, metavar="N", help="Messages to skip, at most 9,000.")] = 0,
) -> None:
    """Show what waits, by destination and by message."""
    page = queue.listing(cli.operator, destination=destination, limit=limit, offset=offset)
    cli.show(page, _queue_lines(page))


@group.command("show")
def show(cli: Cli, mid: Annotated[int, typer.Argument(metavar="MID", help="Message.")]) -> None:
    """Show one message that waits, with each recipient."""
    message = queue.show(cli.operator, mid)
    cli.show(message, _message_lines(message))


@group.command("deliver-now")
def deliver_now(
    cli: Cli,
    target: Annotated[str, typer.Argument(metavar="MID|DOMAIN", help="A message or a destination; none: everything.")] = "",
) -> None:
    """Try delivery at once instead of at the next retry. Of a message named by its MID, also what is held."""
    number = queue.deliver_now(cli.operator, **_target(target))
    cli.show({"recipients": number}, [f"Delivery is tried now for {count(number, 'recipient')}."])


@group.command("bounce")
def bounce(cli: Cli, target: Target, yes: Yes = False) -> None:
    """Give up on mail that waits, and tell its senders."""
    number = _confirmed("Bounce", target, yes, lambda: queue.bounce(cli.operator, **_target(target)))
    cli.show({"recipients": number}, [f"Bounced for {count(number, 'recipient')}."])


@group.command("delete")
def delete(cli: Cli, target: Target, yes: Yes = False) -> None:
    """Delete mail that waits; nobody is told."""
    number = _confirmed("Delete", target, yes, lambda: queue.delete(cli.operator, **_target(target)))
    cli.show({"recipients": number}, [f"Deleted for {count(number, 'recipient')}."])


@group.command("redirect")
def redirect(
    cli: Cli,
    target: Annotated[str, typer.Argument(metavar="MID|DOMAIN|ALL", help="A message, all mail for a destination, or all.")],
    host: Annotated[str, typer.Argument(metavar="HOST", help="Name or IP address of the host that is to have it.")],
    yes: Yes = False,
) -> None:
    """Send mail that waits to another host. The destination control of that host then says with what TLS."""
    chosen = queue.Selected(everything=True) if target == "ALL" else queue.Selected(**_target(target))
    number = _confirmed("Redirect", target, yes, lambda: queue.redirect(cli.operator, host, chosen))
    cli.show({"recipients": number}, [f"Redirected to {host} for {count(number, 'recipient')}."])


@group.command("suspend")
def suspend(cli: Cli) -> None:
    """Hold all delivery, over restarts too; mail is still accepted. `gatepost queue resume` ends it."""
    queue.suspend(cli.operator)
    cli.show({"deliveries_suspended": True}, ["Delivery is suspended; `gatepost queue resume` goes on."])


@group.command("resume")
def resume(cli: Cli) -> None:
    """Deliver again."""
    queue.resume(cli.operator)
    cli.show({"deliveries_suspended": False}, ["Delivery goes on."])


def _target(text: str) -> dict[str, Any]:
    """Read a message's number, or a domain; 0 is no message, and must not come to mean everything."""
    return {"mid": int(text)} if text.isascii() and text.isdigit() and int(text) else {"destination": text}


def _confirmed(verb: str, target: str, yes: bool, act: Callable[[], int]) -> int:
    """Ask on a terminal before a whole destination goes; a message by its MID is meant."""
    if not yes and not target.isdigit() and sys.stdin.isatty():
        typer.confirm(f"{verb} all mail{'' if target == 'ALL' else f' for {target}'}?", abort=True)
    return act()


def _queue_lines(page: queue.Queue) -> Iterator[Any]:
    if page.out_of_reach:
        yield f"Not the whole queue, a part is out of reach: {shown(page.out_of_reach)}"
    if not page.destinations and not page.messages:
        yield "The queue is empty." if not page.out_of_reach else "The rest of it is empty."
        return
    rows = [(shown(one.destination), one.recipients, _next_attempt(one)) for one in page.destinations[:DESTINATIONS]]
    yield table("Destination", "Recipients", "Next attempt", rows=rows, right=(1,))
    if rest := page.destinations[DESTINATIONS:]:
        recipients = count(sum(one.recipients for one in rest), "recipient")
        yield f"and {count(len(rest), 'more destination')} with {recipients}; --json shows each."
    yield ""
    yield table("MID", "Received", "From", "To", "Size", rows=map(_message_row, page.messages), right=(0, 4))


def _next_attempt(one: queue.QueuedDestination) -> str:
    return moment(one.next_due) or ("held" if one.held == one.recipients else "now")


def _message_row(message: queue.QueuedMessage) -> tuple[object, ...]:
    waiting = [one.address for one in message.recipients if one.status not in ("delivered", "bounced", "deleted")]
    more = f" and {len(waiting) - 1} more" if len(waiting) > 1 else ""
    to = f"{shown(waiting[0])}{more}" if waiting else ""
    return message.mid, brief(message.received), shown(message.reverse_path) or "<>", to, size(message.size)


def _message_lines(message: queue.QueuedMessage) -> Iterator[Any]:
    yield from pairs(
        [
            ("MID", message.mid),
            ("Received", moment(message.received)),
            ("Listener", message.listener),
            ("From", shown(message.reverse_path) or "<>"),
            ("Size", f"{message.size} octets"),
            ("Subject", shown(message.subject)),
        ]
    )
    yield ""
    rows = [
        (one.rid, _where(one), one.status, one.attempts, brief(one.due), shown(one.detail)) for one in message.recipients
    ]
    yield table("RID", "Recipient", "Status", "Tries", "Next attempt", "Last answer", rows=rows, right=(0, 3))


def _where(one: queue.QueuedRecipient) -> str:
    """Show a recipient, and where it is sent when that is not its domain."""
    redirected = queue.redirected(one)
    return f"{shown(one.address)} (to {shown(redirected)})" if redirected else shown(one.address)
