"""`gatepost serve` and `gatepost status`: the service as a whole. Only translates."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from gatepost.admin.cli_base import Cli, Group, table
from gatepost.admin.cli_text import count, moment, pairs, shown, span, wrapped
from gatepost.admin.operations import service

group = Group("service", "The service as a whole.")


@group.command("serve")
def serve(
    cli: Cli,
    workers: Annotated[int, typer.Option(min=0, metavar="N", help="Worker processes; 0: one for each core.")] = 0,
    user: Annotated[
        str, typer.Option(metavar="NAME", help="Give up root and go on as this user once the ports are bound.")
    ] = "",
    demo: Annotated[bool, typer.Option("--demo", help="Serve a demo on 127.0.0.1:2525, without root.")] = False,
) -> None:
    """Run the gateway in the foreground until Ctrl-C or SIGTERM."""
    from gatepost.service import start

    cli.operator.prepare()
    start.serve(cli.operator.state, workers=workers, user=user, demo_mode=demo)


@group.command("status")
def status(cli: Cli) -> None:
    """Show the state of the running gateway."""
    now = service.status(cli.operator)
    cli.show(now, _status_lines(now))


def _status_lines(now: service.Status) -> Iterator[Any]:
    waiting = f"{count(now.queue.messages, 'message')} for {count(now.queue.recipients, 'recipient')}"
    yield from pairs(
        [
            ("Gatepost", now.version),
            ("Running since", f"{moment(now.started)} ({span(time.time() - now.started)}), PID {now.pid}"),
            ("Configuration", f"revision {now.revision}" if now.revision else "nothing is committed"),
            ("Queue", waiting),
            ("Delivery", "suspended" if now.deliveries_suspended else "running"),
        ]
    )
    for alarm in now.alarms:
        yield ""
        yield wrapped(f"Alarm: {alarm}", "")
    yield ""
    rows = [
        (one.name, f"{one.address} port {one.port}", one.tls, "suspended" if one.suspended else "open")
        for one in now.listeners
    ]
    yield table("Listener", "Address", "TLS", "State", rows=rows)
    yield ""
    up = [(one.index, one.pid, one.sessions, _worker_state(one)) for one in now.workers]
    yield table("Worker", "PID", "Sessions", "State", rows=up, right=(0, 1, 2))
    if now.counters:
        yield ""
        yield table("Counter", "Value", rows=[(name, f"{value:g}") for name, value in now.counters.items()], right=(1,))


def _worker_state(one: service.WorkerStatus) -> str:
    if not one.up:
        return f"down: {shown(one.reason)}" if one.reason else "restarting"
    return f"up, refuses new mail: {shown(one.lack)}" if one.lack else "up"
