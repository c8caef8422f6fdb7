"""What a person typed into a form, kept as it was typed until it is right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gatepost.admin.operations.operator import Operator
from gatepost.admin.web.desk import CSRF_FIELD, CSRF_HEADER, Desk, check_csrf

TAG_FIELD = "tag"


class Form(dict[str, str]):
    """Values by field; a field that was not sent is empty, as a box without a tick is."""

    def __missing__(self, name: str) -> str:
        return ""

    def ticked(self, name: str) -> bool:
        """Whether a box has its tick."""
        return name in self

    def lines(self, name: str) -> list[str]:
        """Return the lines of a text area that are not blank."""
        return [line.strip() for line in self[name].splitlines() if line.strip()]


async def posted(desk: Desk) -> Form:
    """Return the form of a POST that comes from a page of this session; its changes are for the draft that was shown."""
    data: Mapping[str, Any] = await desk.request.form()
    check_csrf(desk.session, data, desk.request.headers.get(CSRF_HEADER, ""))
    form = Form({name: str(value) for name, value in data.items() if name != CSRF_FIELD and isinstance(value, str)})
    desk.operator = Operator(desk.operator.state, desk.operator.author, form.pop(TAG_FIELD, ""))
    return form
