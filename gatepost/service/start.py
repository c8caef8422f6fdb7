"""From `gatepost serve` to a running master: one owner of the state, sockets bound, root given up, then the event loop."""

from __future__ import annotations

import os
from pathlib import Path

import uvloop

from gatepost.errors import GatepostError
from gatepost.service import demo
from gatepost.service.configuration import Configuration
from gatepost.service.master import Master
from gatepost.service.process import drop_privileges, own_state, raise_file_limit, refuse_orphans
from gatepost.service.versions import refuse_newer


def serve(state: Path, *, workers: int = 0, user: str = "", demo_mode: bool = False) -> None:
    """Run the gateway in the foreground until SIGTERM or Ctrl-C. `workers` of 0: one per core."""
    state = state.resolve()
    own_state(state)
    refuse_orphans(state / "spool")
    refuse_newer(state)
    raise_file_limit()
    if demo_mode:
        demo.prepare(state)
    configuration = Configuration.load(state)
    configuration.bind()
    if user:
        drop_privileges(user, state)
    inside = demo.start_inside(state) if demo_mode else None
    try:
        uvloop.run(_run(state, workers or os.cpu_count() or 1, configuration))
    except* GatepostError as faults:
        raise faults.exceptions[0] from None
    finally:
        if inside is not None:
            inside.terminate()


async def _run(state: Path, workers: int, configuration: Configuration) -> None:
    await Master(state, workers, configuration).run()
