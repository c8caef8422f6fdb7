"""A stream of events: new lines of the mail log and the progress of jobs, for as long as its token is good.

The file is the buffer: a client that reads slowly is sent the lines later, and nothing is kept for it here. A log line's id
is its place in the log, so that a client that comes back is sent what it missed, or told (`gap`) that it is not there any
more. Jobs have no ids: whoever comes back is sent each that is under way as it stands.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import closing

import anyio
import anyio.to_thread
import msgspec
from litestar.response.sse import ServerSentEventMessage

from gatepost.admin.api.caller import Caller
from gatepost.admin.api.jobs import Jobs
from gatepost.admin.operations.log_places import PlacedLines

MAX_STREAMS = 20
LOOK = 0.3
"""Seconds between two looks at log and jobs."""
BEAT = 15.0
"""Seconds between two comments that keep the connection; as often the token is looked at."""
LIFE = 3600.0
"""Seconds after which a stream ends; the client comes back, as every client of such streams does."""
LINES = 500
"""Lines of one look."""
LOG = "mail_logs"
Wanted = tuple[str, ...]


async def stream(caller: Caller, streams: set[object], wanted: Wanted, after: str) -> AsyncIterator[ServerSentEventMessage]:
    """Yield events until the token is no longer good, or the time is up."""
    mark, jobs = object(), _Jobs(caller.request.app.state.jobs)
    streams.add(mark)
    try:
        with closing(PlacedLines(caller.operator, LOG, after)) as log:
            began, beat = time.monotonic(), float("-inf")
            if log.missed and "log" in wanted:
                yield ServerSentEventMessage(event="gap", data="the log does not reach back to that event")
            while time.monotonic() - began < LIFE:
                if time.monotonic() - beat >= BEAT:
                    if not await anyio.to_thread.run_sync(caller.is_good):
                        return
                    beat = time.monotonic()
                    yield ServerSentEventMessage(comment="still here", data=None)
                lines = await anyio.to_thread.run_sync(log.more, LINES) if "log" in wanted else []
                for place, line in lines:
                    yield ServerSentEventMessage(event="log", id=place, data=line)
                for text in jobs.news() if "job" in wanted else ():
                    yield ServerSentEventMessage(event="job", data=text)
                if len(lines) < LINES:
                    await anyio.sleep(LOOK)
    finally:
        streams.discard(mark)


class _Jobs:
    """What one stream has told of the jobs."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self._told = {one.job.id: one.version for one in jobs.listing() if one.job.state != "running"}

    def news(self) -> Iterator[str]:
        """Return each job that has come on since, as JSON without its result."""
        for one in reversed(self._jobs.listing()):
            job, version = one.job, one.version
            if self._told.get(job.id) != version:
                self._told[job.id] = version
                yield msgspec.json.encode(msgspec.structs.replace(job, result=None)).decode()
