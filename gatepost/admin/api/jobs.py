"""Work that takes long: started at once, followed by its number, kept for a while when it is done.

In memory of the admin process, as sessions are: after a restart a job's number is unknown, while a commit that was under way
is done or not done as the gateway says. What ends within a moment is answered at once.
"""

from __future__ import annotations

import re
import secrets
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any, Literal

import anyio.to_thread
import msgspec
from litestar import Response
from litestar.openapi.datastructures import ResponseSpec

from gatepost.admin.api.caller import Caller, etag
from gatepost.admin.api.problems import BUG, ProblemDocument, Refused, problem, problem_of
from gatepost.admin.operations.configuration import Pending
from gatepost.admin.operations.operator import Operator
from gatepost.errors import GatepostError
from gatepost.records.backlog import note

MAX_RUNNING = 8
KEPT = 200
PATIENCE = 2.0
"""Seconds for which an answer waits for the end of a job, unless the request prefers another time (RFC 7240)."""
MAX_PATIENCE = 60.0
_WAIT = re.compile(r"\bwait *= *(\d{1,6})")

Told = Callable[[str, int, int], None]
State = Literal["running", "done", "failed"]


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """Some work as far as it has come."""

    id: str
    kind: str
    author: str
    state: State
    doing: str = ""
    done: int = 0
    """Of its steps; how many there are is in `of`, and 0 there while nobody knows."""
    of: int = 0
    started: float
    ended: float = 0.0
    result: Any = None
    """What the same request would have answered at once; null while it runs."""
    problem: ProblemDocument | None = None
    """Why it failed."""


ACCEPTED = {202: ResponseSpec(Job, generate_examples=False, description="It goes on: Location has the job to follow.")}


class Running:
    """A job under way, or over."""

    def __init__(self, kind: str, operator: Operator) -> None:
        self.job = Job(id=secrets.token_hex(8), kind=kind, author=operator.author, state="running", started=time.time())
        self.version = 0
        """Grows with each step."""
        self.fault: Exception | None = None
        self._operator = operator
        self._over = threading.Event()

    def run(self, work: Callable[[Told], Any]) -> None:
        """Do the work; whatever becomes of it is in the job."""
        try:
            result = work(self._told)
        except GatepostError as fault:
            self._end(fault, problem_of(fault, self._operator, conditional=bool(self._operator.tag)))
        except Exception as bug:  # a bug: the one who waits and the one who looks later are both told
            note(f"api: bug in a job ({self.job.kind})\n{''.join(traceback.format_exception(bug))}")
            self._end(bug, problem(500, BUG))
        else:
            self._change(state="done", result=result, ended=time.time())
        self._over.set()

    def wait(self, seconds: float) -> bool:
        """Wait for the end; whether it has come."""
        return self._over.wait(seconds)

    def _end(self, fault: Exception, told: ProblemDocument) -> None:
        self.fault = fault
        self._change(state="failed", problem=told, ended=time.time())

    def _told(self, doing: str, done: int, of: int) -> None:
        self._change(doing=doing, done=done, of=of)

    def _change(self, **fields: Any) -> None:
        self.job = msgspec.structs.replace(self.job, **fields)
        self.version += 1


class Jobs:
    """All jobs, the latest last."""

    def __init__(self) -> None:
        self._jobs: dict[str, Running] = {}
        self._lock = threading.Lock()

    def start(self, kind: str, operator: Operator, work: Callable[[Told], Any]) -> Running | None:
        """Start some work in a thread of its own; None when too much is under way."""
        with self._lock:
            if sum(one.job.state == "running" for one in self._jobs.values()) >= MAX_RUNNING:
                return None
            made = Running(kind, operator)
            self._jobs[made.job.id] = made
            over = [number for number, one in self._jobs.items() if one.job.state != "running"]
            for number in over[: max(0, len(self._jobs) - KEPT)]:
                del self._jobs[number]
        threading.Thread(target=made.run, args=(work,), daemon=True, name=f"job {kind}").start()
        return made

    def listing(self) -> list[Running]:
        """Return all jobs, the latest first."""
        with self._lock:
            return list(reversed(self._jobs.values()))

    def find(self, number: str) -> Running | None:
        """Return one job."""
        return self._jobs.get(number)


async def answered(caller: Caller, kind: str, operator: Operator, work: Callable[[Told], Any]) -> Response[Any]:
    """Start a job; answer with its result when it is soon there, and otherwise with where it can be followed."""
    jobs: Jobs = caller.request.app.state.jobs
    job = jobs.start(kind, operator, work)
    if job is None:
        raise Refused(429, "too much is under way already: wait for a job to end", headers={"Retry-After": "5"})
    if await anyio.to_thread.run_sync(job.wait, _patience(caller)):
        if job.fault is not None:
            raise job.fault
        return result(job.job.result)
    return Response(job.job, status_code=202, headers={"Location": f"/api/v1/jobs/{job.job.id}"})


def result(value: Any) -> Response[Any]:
    """Return the answer of a change; of a new draft with its ETag."""
    return Response(value, headers={"ETag": etag(value.tag)} if isinstance(value, Pending) else None)


def _patience(caller: Caller) -> float:
    preferred = caller.request.headers.get("Prefer", "").lower()
    if "respond-async" in preferred:
        return 0.0
    wanted = _WAIT.search(preferred)
    return min(float(wanted[1]), MAX_PATIENCE) if wanted else PATIENCE
