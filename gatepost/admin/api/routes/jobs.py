"""/jobs: how far long work has come, and what it came to."""

from __future__ import annotations

from litestar.exceptions import NotFoundException

from gatepost.admin.api.caller import Caller
from gatepost.admin.api.jobs import Job, Jobs
from gatepost.admin.api.routing import reads

TAGS = ["Jobs"]


@reads("/jobs", tags=TAGS)
def listing(caller: Caller) -> list[Job]:
    """Jobs under way and the latest that are over, the latest first."""
    jobs: Jobs = caller.request.app.state.jobs
    return [one.job for one in jobs.listing()]


@reads("/jobs/{job:str}", tags=TAGS)
def show(caller: Caller, job: str) -> Job:
    """One job: its progress, and at its end the result or the problem."""
    jobs: Jobs = caller.request.app.state.jobs
    found = jobs.find(job)
    if found is None:
        raise NotFoundException("there is no such job: it is too long ago, or the web console was restarted since")
    return found.job


HANDLERS = (listing, show)
