"""What a program is told when something does not work: problem documents (RFC 9457) with the place of each fault.

A 4xx says that the request has to be mended, whatever it holds; 503 that no gateway runs; 500 that we have a bug, of which
only the log has more.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, NotFoundException

from gatepost.admin.operations.drafts import Unfit
from gatepost.admin.operations.operator import Operator
from gatepost.config.problems import ConfigErrors, errors
from gatepost.errors import Conflict, ControlError, GatepostError, StateError
from gatepost.records.backlog import note

MEDIA_TYPE = "application/problem+json"
BUG = "This is a fault of the program, not of the request; the log has it."


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One fault, and where it is."""

    path: str
    """Of the configuration, as `config set` takes it; or the field of the request; empty: the whole."""
    value: str = ""
    """What stands there, shortened; keys are masked."""
    wrong: str
    mend: str = ""


class ProblemDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A problem document (RFC 9457 section 3); its type is about:blank, so that the title is that of the status."""

    title: str
    status: int
    detail: str
    errors: list[Fault] = []


class Refused(Exception):
    """A request that is answered by a problem document."""

    def __init__(
        self, status: int, detail: str, faults: Sequence[Fault] = (), headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.faults, self.headers = status, detail, list(faults), headers or {}


@contextmanager
def absent() -> Iterator[None]:
    """Answer 404 when what a request names is not there; for verbs that refuse nothing else."""
    try:
        yield
    except (StateError, ControlError):
        raise
    except ConfigErrors as fault:
        raise Refused(404, str(fault), _faults(fault)) from None
    except GatepostError as fault:
        raise NotFoundException(str(fault)) from None


def problem_of(fault: GatepostError, operator: Operator, *, conditional: bool = False) -> ProblemDocument:
    """Return what a fault of a verb is for a program; `conditional`: its request named the draft that it was meant for."""
    return problem(_status(fault, operator, conditional), str(fault), _faults(fault))


def problem(status: int, detail: str, faults: Sequence[Fault] = ()) -> ProblemDocument:
    """Return a problem document."""
    return ProblemDocument(title=HTTPStatus(status).phrase, status=status, detail=detail, errors=list(faults))


def answer(told: ProblemDocument, headers: dict[str, str] | None = None) -> Response[ProblemDocument]:
    """Return the response of a problem document."""
    return Response(told, status_code=told.status, media_type=MEDIA_TYPE, headers=headers)


# --- what an exception becomes ---------------------------------------------------------------------------------------


def on_refused(request: Request[Any, Any, Any], fault: Refused) -> Response[ProblemDocument]:
    """Answer what the API itself refuses."""
    return answer(problem(fault.status, fault.detail, fault.faults), fault.headers)


def on_fault(request: Request[Any, Any, Any], fault: GatepostError) -> Response[ProblemDocument]:
    """Answer what a verb refuses."""
    conditional = request.headers.get("If-Match", "*").strip() != "*"
    return answer(problem_of(fault, request.app.state.operator, conditional=conditional))


def on_http(request: Request[Any, Any, Any], fault: HTTPException) -> Response[ProblemDocument]:
    """Answer what is wrong with the request as such: path, method, parameters, body."""
    if fault.status_code >= 500:
        return on_bug(request, fault)
    extra = fault.extra if isinstance(fault.extra, list) else []
    faults = [_field_fault(one) for one in extra if isinstance(one, dict)]
    headers = {name: value for name, value in (fault.headers or {}).items() if name.lower() in ("allow", "retry-after")}
    return answer(problem(fault.status_code, fault.detail, faults), headers)


def on_recursion(request: Request[Any, Any, Any], bug: RecursionError) -> Response[ProblemDocument]:
    """Answer a body that is nested beyond reason, at which the decoder gives up in this way."""
    if "deserializing" in str(bug):
        return answer(problem(400, "the body is nested too deeply"))
    return on_bug(request, bug)


def on_bug(request: Request[Any, Any, Any], bug: Exception) -> Response[ProblemDocument]:
    """Answer a bug, and leave the rest to the log."""
    note(f"api: bug at {request.method} {request.scope['path']}\n{''.join(traceback.format_exception(bug))}")
    return answer(problem(500, BUG))


def _field_fault(told: dict[str, Any]) -> Fault:
    """Return what Litestar says of a field; of a body that is not there it only says the name that it has in a handler."""
    field, wrong = str(told.get("key", "")), str(told.get("message", ""))
    body = field == "data"
    return Fault(
        path="" if body else field.removeprefix("data."), wrong="the body is missing" if wrong == "'data'" else wrong
    )


def _status(fault: GatepostError, operator: Operator, conditional: bool) -> int:
    if isinstance(fault, Conflict):
        return 412 if conditional else 409
    if isinstance(fault, ControlError):
        return 422 if operator.is_served else 503
    return 409 if isinstance(fault, StateError) else 422


def _faults(fault: GatepostError) -> list[Fault]:
    if not isinstance(fault, ConfigErrors | Unfit):
        return []
    return [Fault(path=one.path, value=one.value, wrong=one.wrong, mend=one.mend) for one in errors(fault.problems)]
