"""What a person typed into a form, kept as it was typed until it is right."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import anyio.to_thread
from litestar import Request
from litestar.datastructures import UploadFile
from litestar.exceptions import ClientException
from litestar.exceptions.http_exceptions import RequestEntityTooLarge

from gatepost.admin.operations.operator import Operator
from gatepost.admin.web.desk import CSRF_FIELD, CSRF_HEADER, Desk, check_csrf

T = TypeVar("T")
TAG_FIELD = "tag"
_URLENCODED = "application/x-www-form-urlencoded"


class Form(dict[str, str]):
    """Values by field; a field that was not sent is empty, as a box without a tick is."""

    files: dict[str, bytes]
    """What was in the files that were chosen."""

    def __init__(self, values: Mapping[str, str] | Iterable[tuple[str, str]] = (), /, **fields: str) -> None:
        super().__init__(values, **fields)
        self.files = {}

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
    form = await read_form(desk.request)
    check_csrf(desk.session, form, desk.request.headers.get(CSRF_HEADER, ""))
    form.pop(CSRF_FIELD, None)
    desk.operator = Operator(desk.operator.state, desk.operator.author, form.pop(TAG_FIELD, ""))
    desk.sent = form
    return form


async def read_form(request: Request[Any, Any, Any]) -> Form:
    """Return a form as it was sent, of a field that was sent twice the last.

    Not by Litestar's `request.form()` where there is no file: that keeps the last 1,024 forms, passwords among them, in a
    cache of the process.
    """
    kind, _ = request.content_type
    try:
        if kind == _URLENCODED:
            return Form(parse_qsl((await request.body()).decode("latin-1"), keep_blank_values=True))
        data = await request.form()
    except RequestEntityTooLarge:
        raise RequestEntityTooLarge(
            "this is larger than what the web console takes in one piece; nothing was changed"
        ) from None
    except (UnicodeDecodeError, LookupError):
        raise ClientException("the form is not UTF-8 text") from None
    form = Form({name: value for name, value in data.items() if isinstance(value, str)})
    form.files = {name: await value.read() for name, value in data.items() if isinstance(value, UploadFile)}
    return form


def filled(handler: Callable[..., T]) -> Callable[..., Awaitable[T]]:
    """Make a POST handler of a plain function of `desk`, `form` and what its path names; it may block."""

    @functools.wraps(handler)
    async def wrapped(desk: Desk, **path: Any) -> T:
        form = await posted(desk)
        return await anyio.to_thread.run_sync(functools.partial(handler, desk, form, **path))

    asked = inspect.signature(handler)
    told = [parameter for name, parameter in asked.parameters.items() if name != "form"]  # Litestar fills in the others
    wrapped.__signature__ = asked.replace(parameters=told)  # type: ignore[attr-defined]
    return wrapped
