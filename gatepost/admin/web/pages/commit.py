"""Commit Changes: what waits, what is wrong with it, and the two buttons."""

from __future__ import annotations

from typing import Any

import anyio.to_thread
from litestar import Response, get, post
from litestar.response import Template

from gatepost.admin.operations import configuration
from gatepost.admin.web.desk import ADMINISTRATOR, Desk
from gatepost.admin.web.forms import Form, posted
from gatepost.admin.web.threads import in_thread
from gatepost.config.problems import ConfigErrors
from gatepost.errors import Conflict, GatepostError

TITLE = "Commit Changes"


@get("/commit")
@in_thread
def show(desk: Desk) -> Template:
    """Show what waits to be committed."""
    return desk.page("commit.html", title=TITLE, faults={}, form=Form(), **_draft(desk))


@post("/commit", opt=ADMINISTRATOR)
async def commit(desk: Desk) -> Response[Any] | Template:
    """Commit the draft, with the comment that was typed."""
    form = await posted(desk)
    comment = form["comment"].strip()
    try:
        await anyio.to_thread.run_sync(_same_draft, desk)
        done = await anyio.to_thread.run_sync(configuration.commit, desk.operator, comment)
    except Conflict:
        raise
    except ConfigErrors as error:
        count = len(error.problems)
        faults = {"": f"nothing was committed: {count} fault{'s' * (count > 1)} must be mended first"}
    except GatepostError as error:
        faults = {"": str(error)}
    else:
        desk.tell(f"committed revision {done.revision}: {comment}")
        return desk.back("/commit", f"Changes committed: revision {done.revision} is in force.")
    draft = await anyio.to_thread.run_sync(_draft, desk)
    return desk.invalid("commit.html", title=TITLE, faults=faults, form=form, **draft)


@post("/commit/abandon", opt=ADMINISTRATOR)
async def abandon(desk: Desk) -> Response[Any]:
    """Give the draft up."""
    await posted(desk)
    await anyio.to_thread.run_sync(_same_draft, desk)
    lost = await anyio.to_thread.run_sync(configuration.clear, desk.operator)
    desk.tell(f"abandoned {len(lost)} changes")
    return desk.back("/commit", "The changes are abandoned.")


def _draft(desk: Desk) -> dict[str, Any]:
    pending = configuration.pending(desk.operator)
    return {"pending": pending, "text": configuration.difference_text(desk.operator)}


def _same_draft(desk: Desk) -> None:
    """Refuse to commit or abandon what was not on the page."""
    if configuration.pending(desk.operator).tag != desk.operator.tag:
        raise Conflict("the draft was changed by somebody else since this page was opened; look at it again")


HANDLERS = (show, commit, abandon)
