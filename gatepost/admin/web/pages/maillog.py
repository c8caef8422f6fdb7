"""Monitor > Mail Log: its last lines as they are written, those that hold what is looked for."""

from __future__ import annotations

from typing import Any, cast
from urllib.parse import urlencode

from litestar import get
from litestar.response import Template

from gatepost.admin.operations import log_tail
from gatepost.admin.operations.log_tail import LEVELS, Level
from gatepost.admin.web.desk import Desk
from gatepost.admin.web.threads import in_thread

ROUNDS = 300
"""How often a page asks for new lines by itself before it wants to be told to go on: ten minutes. A window that somebody has
forgotten must not keep a session alive for ever."""
LEVEL_NAMES = {"Debug": "All", "Info": "Info and above", "Warning": "Warnings and above", "Critical": "Critical"}


@get("/log")
@in_thread
def show(desk: Desk, find: str = "", level: str = "Debug", still: bool = False) -> Template:
    """Show the page; `still`: as it is now, and no more."""
    return desk.page(
        "maillog.html", title="Mail Log", levels=LEVEL_NAMES, **_lines(desk, find, level, 0 if still else ROUNDS)
    )


@get("/log/lines")
@in_thread
def lines(desk: Desk, find: str = "", level: str = "Debug", left: int = 0) -> Template:
    """Return the piece of the page that changes, which asks for itself again while rounds are left."""
    return desk.page("maillog_lines.html", title="Mail Log", **_lines(desk, find, level, min(max(left, 0), ROUNDS)))


def _lines(desk: Desk, find: str, level: str, left: int) -> dict[str, Any]:
    level = level if level in LEVELS else "Debug"
    asked = {"find": find.strip(), "level": level}
    told = log_tail.tail(desk.operator, find=find, level=cast("Level", level))
    query = urlencode(asked, errors="backslashreplace")
    again = f"/log/lines?{query}&left={left - 1}" if left else ""
    return {"tail": told, "asked": asked, "again": again, "query": query}


HANDLERS = (show, lines)
