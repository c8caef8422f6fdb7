"""Asking a shard: a connection and a thread of its own, so that questions neither wait for commits nor hold them up.

A page that cannot be read makes the shard sick and the next start thorough; the answer is never a guess.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Concatenate, ParamSpec, TypeVar

from gatepost.errors import SpoolSick
from gatepost.spool import schema
from gatepost.spool.faults import Fault, classify
from gatepost.spool.layout import Layout
from gatepost.spool.message import Progress, RecipientState, Status
from gatepost.spool.queries import Damaged, states

P = ParamSpec("P")
T = TypeVar("T")


class Reader:
    """Runs the functions of `spool.queries`, one after another."""

    def __init__(self, layout: Layout, sicken: Callable[[str], None]) -> None:
        self._layout = layout
        self._sicken = sicken
        self._connection = schema.connect_reader(layout)
        self._executor = ThreadPoolExecutor(1, f"spool-{layout.shard}-read")

    async def ask(self, query: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what a query finds among all that was durable when it was asked."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._executor, lambda: query(self._connection, *args, **kwargs))
        except sqlite3.Error as error:
            if classify(error) is Fault.DAMAGED:
                self._layout.mark_suspect(str(error))
            reason = f"{self._layout.database} cannot be read: {error}"
            self._sicken(reason)
            raise SpoolSick(reason) from error

    async def quarantine(self, damaged: Damaged) -> Progress:
        """Return the progress that sets a damaged message aside: what is not final is HELD, with the reason."""
        known = {state.rid: state for state in await self.ask(states, damaged.mid)}
        held: list[RecipientState] = []
        for rid in range(damaged.recipients):
            state = known.get(rid, RecipientState(rid=rid, status=Status.QUEUED))
            if not state.status.is_final:
                held.append(
                    RecipientState(
                        rid=rid,
                        status=Status.HELD,
                        destination=state.destination,
                        attempts=state.attempts,
                        detail=f"set aside: {damaged.reason}",
                    )
                )
        return Progress(mid=damaged.mid, states=tuple(held), finished=False)

    def close(self) -> None:
        """Answer what was asked, and end."""
        self._executor.shutdown()
        self._connection.close()
