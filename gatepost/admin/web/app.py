"""The web console as an ASGI application: its routes, its headers, and what a fault looks like; the REST API beside it.

Serves pages to people who are signed in and nothing to anybody else but the page to do so. No page loads anything from
another host or runs a script that is not one of our files.
"""

from __future__ import annotations

import traceback
from http import HTTPStatus
from pathlib import Path
from typing import Any

import anyio
from jinja2 import Environment, PackageLoader, StrictUndefined
from litestar import Litestar, Request, Response, asgi
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import HTTPException, NotAuthorizedException, PermissionDeniedException
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.response import Redirect, Template
from litestar.static_files import create_static_files_router
from litestar.status_codes import HTTP_303_SEE_OTHER
from litestar.template import TemplateConfig
from litestar.types import ControllerRouterHandler

from gatepost.admin.api import app as api
from gatepost.admin.operations.operator import Operator
from gatepost.admin.users import Users
from gatepost.admin.web import pages, wording
from gatepost.admin.web.address import host_of, parted, path_of
from gatepost.admin.web.audit import Audit
from gatepost.admin.web.conflict import conflict_page
from gatepost.admin.web.desk import COOKIE, Desk, PasswordDue
from gatepost.admin.web.headers import put_headers
from gatepost.admin.web.measuring import Measuring
from gatepost.admin.web.sessions import Sessions, Throttle
from gatepost.admin.web.shown import Shown
from gatepost.errors import Conflict, GatepostError
from gatepost.records.backlog import note

HERE = Path(__file__).parent
MAX_BODY = 16 << 20
"""Octets of one request: a configuration file with a large Host Access Table."""
HASHES = 4
"""Passwords that are hashed at a time: each takes 64 MiB and a core for a moment, whoever sent it."""


def application(operator: Operator) -> Litestar:
    """Return the web console of one gateway, with the REST API."""
    audit, throttle = Audit(operator.state), Throttle()
    programs = asgi(api.PREFIX, is_mount=True, copy_scope=True)(api.application(operator, audit, throttle))
    static = create_static_files_router("/static", [HERE / "static"], opt={"public": True})
    return Litestar(
        route_handlers=[*_routes(), static, programs],
        state=State(
            {
                "operator": operator,
                "users": Users(operator.users_db),
                "sessions": Sessions(),
                "throttle": throttle,
                "hashing": anyio.CapacityLimiter(HASHES),
                "audit": audit,
                "shown": Shown(),
                "measuring": Measuring(),
            }
        ),
        dependencies={"desk": Provide(pages.desk, sync_to_thread=True)},
        template_config=TemplateConfig(instance=JinjaTemplateEngine.from_environment(environment())),
        exception_handlers={HTTPException: _http_fault, GatepostError: _fault, Exception: _bug},
        before_request=_same_origin,
        before_send=[put_headers],
        request_max_body_size=MAX_BODY,
        openapi_config=None,
        debug=False,
    )


def environment() -> Environment:
    """Return the templates' engine: everything is escaped, and a name that is not there is a fault, never empty."""
    made = Environment(
        loader=PackageLoader("gatepost.admin.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= wording.FILTERS
    made.globals |= wording.GLOBALS
    return made


def _routes() -> list[ControllerRouterHandler]:
    return [handler for module in pages.MODULES for handler in module.HANDLERS]


def _same_origin(request: Request[Any, Any, Any]) -> None:
    """Refuse a change that a page of another site sends; those who are no browser say no origin."""
    origin = request.headers.get("Origin")
    if request.method == "GET" or origin is None:
        return
    if parted(origin)[0] != host_of(request):
        raise PermissionDeniedException("this was sent by a page of another site; nothing was changed")


def _http_fault(request: Request[Any, Any, Any], fault: HTTPException) -> Response[Any]:
    if isinstance(fault, NotAuthorizedException):
        if request.method == "GET" and "HX-Request" not in request.headers:
            return Redirect("/login", status_code=HTTP_303_SEE_OTHER)
        return _fault_page(request, 401, "Sign in again", "your session has ended; nothing was changed")
    if isinstance(fault, PasswordDue):
        return Redirect("/password", status_code=HTTP_303_SEE_OTHER)
    said = _NO_PAGE if fault.detail == HTTPStatus.NOT_FOUND.phrase else fault.detail
    told = str(fault.extra) if fault.status_code < 500 and fault.extra else ""
    return _fault_page(request, fault.status_code, _TITLES.get(fault.status_code, "This did not work"), said, told)


def _fault(request: Request[Any, Any, Any], fault: GatepostError) -> Response[Any] | Template:
    """A fault in words that no form took for itself."""
    desk: Desk | None = request.scope["state"].get("desk")
    if isinstance(fault, Conflict) and desk is not None:
        return conflict_page(desk, fault)
    return _fault_page(request, 422, "This did not work", str(fault))


def _bug(request: Request[Any, Any, Any], bug: Exception) -> Response[Any]:
    note(f"web console: bug at {request.method} {path_of(request)}\n{''.join(traceback.format_exception(bug))}")
    return _fault_page(request, 500, _TITLES[500], "This is a fault of the program, not of yours; the log has it.")


_TITLES = {
    403: "Not allowed",
    404: "There is no such page",
    413: "Too large",
    429: "Wait a little",
    500: "A fault of ours",
}
_NO_PAGE = "The address may be mistyped, or what was here is deleted. The menu leads to every page there is."


def _fault_page(request: Request[Any, Any, Any], status: int, title: str, text: str, more: str = "") -> Response[Any]:
    sessions: Sessions = request.app.state.sessions
    signed_in = sessions.find(request.cookies.get(COOKIE, "")) is not None
    context = {"title": title, "text": text, "more": more, "signed_in": signed_in}
    page = Template("fault.html", context=context, status_code=status)
    return page
