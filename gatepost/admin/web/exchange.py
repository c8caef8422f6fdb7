"""Tables that come in and go out as text: the page to import one, and the download.

What was sent stays on the page while any line of it is bad. Knows no table: the verbs that read and write one are handed in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import msgspec
from litestar import Response
from litestar.response import Template

from gatepost.admin.operations.configuration import Pending
from gatepost.admin.web import faults
from gatepost.admin.web.desk import Desk
from gatepost.admin.web.forms import Form
from gatepost.errors import GatepostError

MAX_KEPT = 1 << 20
"""Characters of a bad text that are sent back for mending; who has more chooses the file again."""


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """One table as the page to import it shows it."""

    title: str
    back: str
    """Page of the table."""
    export: str
    """Where the text of today is."""
    hint: str
    example: str


def page(desk: Desk, table: Exchange, text: str = "", bad: list[str] | None = None) -> Template:
    """Show the form, with what was sent and its bad lines."""
    context: dict[str, Any] = {"table": table, "form": Form({"text": text}), "bad": bad or [], "tag": desk.tag()}
    if bad:
        return desk.invalid("import.html", title=table.title, faults={}, **context)
    return desk.page("import.html", title=table.title, faults={}, **context)


def imported(desk: Desk, table: Exchange, form: Form, take: Callable[[str], Pending]) -> Response[Any] | Template:
    """Take a text into the draft, or show every line of it that will not do."""
    text = form["text"]
    try:
        if form.files.get("file"):
            text = decoded(form.files["file"])
        if not text.strip():
            raise GatepostError("there is no text: choose a file, or paste what it holds")
        made = take(text)
    except GatepostError as fault:
        return page(desk, table, text if len(text) <= MAX_KEPT else "", faults.lines(fault))
    desk.tell(f"{table.title}: imported")
    for note in made.notes:
        desk.session.notices.append(note)
    return desk.drafted(table.back, f"{table.title}: the table is replaced")


def decoded(octets: bytes) -> str:
    """Return the text of a file; GatepostError where it is none."""
    try:
        return octets.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = octets.count(b"\n", 0, error.start) + 1
        raise GatepostError(f"the file is not UTF-8 text (line {line}): save it as UTF-8") from None


def download(content: str, name: str, media_type: str = "text/plain") -> Response[str]:
    """Hand a text out as a file (RFC 6266)."""
    disposition = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
    return Response(content, media_type=media_type, headers={"Content-Disposition": disposition})
