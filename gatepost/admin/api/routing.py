"""How a handler is declared: with the role that it takes, the problems that it may answer, and beside the event loop.

`reads` for what only looks, `acts` and `edits` for what changes mail or the draft; a plain function runs in a thread.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any

import litestar
import msgspec
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import OpenAPIMediaType, Operation, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIType
from litestar.params import PathParameter, QueryParameter

from gatepost.admin.api.problems import MEDIA_TYPE, ProblemDocument
from gatepost.admin.users import Role
from gatepost.admin.web.threads import in_thread

MAX_NUMBER = 2**63 - 1
Number = Annotated[int, PathParameter(ge=1, le=MAX_NUMBER)]
"""A MID, ICID, DCID or revision."""
Limit = Annotated[int, QueryParameter(ge=1, le=1000, description="How many to return at most.")]
Offset = Annotated[int, QueryParameter(ge=0, le=MAX_NUMBER, description="How many to pass over first.")]
Days = Annotated[
    float, QueryParameter(ge=0, le=36_500, description="Look back no further than so many days; 0: as far as goes.")
]

_PROBLEMS = {
    400: "The request cannot be read; `errors` has the fields.",
    401: "There is no token, or none that is good.",
    403: "The role of the token is too low.",
    404: "What the request names is not there.",
    405: "There is no such method here.",
    409: "The gateway is not in the state for this: nothing is configured, or changes of others wait.",
    412: "The draft is another than the one that If-Match names; nothing was changed.",
    413: "The body is too large.",
    422: "The request was understood and is refused; `errors` has the place of each fault.",
    428: "If-Match is missing.",
    429: "Too many at a time: wrong tokens, jobs, or streams.",
    503: "No gateway runs on this state directory.",
}
_DOCUMENTS = {
    status: ResponseSpec(ProblemDocument, generate_examples=False, description=text, media_type=MEDIA_TYPE)
    for status, text in _PROBLEMS.items()
}
_NEEDS_BODY = {400, 413}
_CHANGES = {412, 428}


class Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a request's body is made of: an unknown field is a fault, not a wish that is passed over."""


@dataclass
class TextOperation(Operation):
    """An operation whose body is a text as it stands."""

    request_body: RequestBody | None = field(
        default_factory=lambda: RequestBody(
            content={"text/plain": OpenAPIMediaType(schema=Schema(type=OpenAPIType.STRING))}, required=True
        )
    )


Handler = Callable[..., Any]
Register = Callable[[Handler], HTTPRouteHandler]


def reads(path: str, role: Role = "read-only", **options: Any) -> Register:
    """Declare a GET handler."""
    return _declare(litestar.get, path, role, set(), options)


def acts(path: str, role: Role = "operator", method: Any = litestar.post, **options: Any) -> Register:
    """Declare a handler that changes something other than the draft, or costs something."""
    return _declare(method, path, role, _NEEDS_BODY, options)


def edits(path: str, method: Any = litestar.post, **options: Any) -> Register:
    """Declare a handler that changes the draft; it takes `if_match`."""
    return _declare(method, path, "administrator", _NEEDS_BODY | _CHANGES, options)


def _declare(method: Any, path: str, role: Role, more: set[int], options: dict[str, Any]) -> Register:
    left_out = (_NEEDS_BODY - {400} | _CHANGES) - more
    responses = {status: spec for status, spec in _DOCUMENTS.items() if status not in left_out}
    settings = {"status_code": 200, **options, "responses": {**responses, **options.get("responses", {})}}

    def register(handler: Handler) -> HTTPRouteHandler:
        function = handler if inspect.iscoroutinefunction(handler) else in_thread(handler)
        made: HTTPRouteHandler = method(path, opt={"role": role}, **settings)(function)
        return made

    return register
