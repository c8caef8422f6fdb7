"""Questions that a page asks in its address, so that they can be kept and sent to others: read field by field.

What will not do is told beside its field, by the parsers that the answer itself uses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from gatepost.admin.web.desk import Desk
from gatepost.admin.web.forms import Form
from gatepost.errors import GatepostError

T = TypeVar("T")


def query(desk: Desk) -> Form:
    """Return the fields of the address as a form."""
    return Form({name: value for name, value in desk.request.query_params.items() if isinstance(value, str)})


def read(told: dict[str, str], field: str, parse: Callable[[str], T], text: str) -> T | None:
    """Read one field; None, and a sentence in `told`, where it will not do."""
    try:
        return parse(text.strip())
    except GatepostError as fault:
        told[field] = str(fault)
        return None
