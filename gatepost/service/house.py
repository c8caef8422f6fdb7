"""What a worker does beside mail: reports to the master, word about a full disk, shards that nobody owns any more.

Never touches mail itself: it asks spool and scheduler.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gatepost.outbound.scheduler import Scheduler
from gatepost.records import maillog
from gatepost.records.journal import Journal
from gatepost.records.metrics import Metrics
from gatepost.spool.store import Spool, leftover_shards

HEARTBEAT = 1.0
"""Seconds between two reports to the master."""
ADOPT_AGAIN = 60.0
"""Seconds until a shard that could not be adopted is tried again."""


class House:
    """The housekeeping of one worker."""

    def __init__(self, spool: Spool, journal: Journal, metrics: Metrics, report: Callable[[dict[str, Any]], None]) -> None:
        self._spool, self._journal, self._metrics, self._report = spool, journal, metrics, report
        self._lack = ""

    async def keep(self, stop: asyncio.Event) -> bool:
        """Report every second until told to stop; False when the shard is sick, which is the end of this process."""
        while not stop.is_set():
            self.report()
            self._tell_lack()
            if self._spool.sick:
                self._journal.critical(maillog.shard_sick(self._spool.shard, self._spool.sick))
                return False
            try:
                async with asyncio.timeout(HEARTBEAT):
                    await stop.wait()
            except TimeoutError:
                pass
        return True

    def report(self) -> None:
        """Tell the master how the worker stands."""
        counts, spool = self._metrics, self._spool
        counts.queue_messages, counts.queue_recipients = spool.messages, spool.recipients
        counts.log_lines_lost, counts.records_lost = self._journal.lines_lost, self._journal.records_lost
        status = {"messages": spool.messages, "recipients": spool.recipients, "lack": spool.lack, "sick": spool.sick}
        self._report({"metrics": counts.snapshot(), "status": status})

    def _tell_lack(self) -> None:
        """Say once that the disk is too full for new mail, and once that it is not any more."""
        before, self._lack = self._lack, self._spool.lack
        if self._lack and not before:
            self._journal.critical(maillog.spool_full(self._spool.shard, self._lack))
        elif before and not self._lack:
            self._journal.info(maillog.spool_recovered(self._spool.shard))

    async def adopt_leftovers(self, scheduler: Scheduler, directory: Path, count: int) -> None:
        """Take over this worker's share of the shards that more workers left; what cannot be had now is tried again."""
        index = self._spool.shard
        left = [shard for shard in leftover_shards(directory, count) if shard % count == index]
        told: set[int] = set()
        while True:
            left = [shard for shard in left if not await self._adopt(scheduler, directory, shard, told)]
            if not left:
                return
            await asyncio.sleep(ADOPT_AGAIN)

    async def _adopt(self, scheduler: Scheduler, directory: Path, shard: int, told: set[int]) -> bool:
        try:
            moved = await scheduler.adopt(directory, shard)
        except Exception as fault:  # whatever is wrong with that shard must not end the mail of this one
            if shard not in told:
                self._journal.critical(maillog.shard_not_adopted(shard, str(fault), ADOPT_AGAIN))
            told.add(shard)
            return False
        if moved:
            self._journal.info(maillog.shard_adopted(shard, self._spool.shard, moved))
        return True
