"""The REST API as an ASGI application of its own, which the web console mounts: routes, faults, and its description.

Shares with the console who is watched (audit log, failed attempts), and nothing else: no cookie, no session, no page.
"""

from __future__ import annotations

from typing import Any

from litestar import Litestar, Request, get
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme, Server

from gatepost import __version__
from gatepost.admin.api import problems, routes
from gatepost.admin.api.caller import caller_of, guard
from gatepost.admin.api.jobs import Jobs
from gatepost.admin.operations.operator import Operator
from gatepost.admin.tokens import Tokens
from gatepost.admin.web.audit import Audit
from gatepost.admin.web.sessions import Throttle
from gatepost.errors import GatepostError

PREFIX = "/api/v1"
MAX_BODY = 64 << 20
"""Octets of one request: a Host Access Table of 1,000,000 rows has 25 MB."""


def application(operator: Operator, audit: Audit, throttle: Throttle) -> Litestar:
    """Return the API of one gateway."""
    return Litestar(
        route_handlers=[description, *(handler for module in routes.MODULES for handler in module.HANDLERS)],
        state=State(
            {
                "operator": operator,
                "audit": audit,
                "throttle": throttle,
                "tokens": Tokens(operator.users_db),
                "jobs": Jobs(),
                "streams": set(),
            }
        ),
        dependencies={"caller": Provide(caller_of, sync_to_thread=False)},
        guards=[guard],
        exception_handlers={
            problems.Refused: problems.on_refused,
            HTTPException: problems.on_http,
            GatepostError: problems.on_fault,
            RecursionError: problems.on_recursion,
            Exception: problems.on_bug,
        },
        request_max_body_size=MAX_BODY,
        openapi_config=_description(),
        debug=False,
    )


@get("/openapi.json", include_in_schema=False, sync_to_thread=False, opt={"public": True})
def description(request: Request[Any, Any, Any]) -> dict[str, Any]:
    """Return the OpenAPI document, for everybody; Litestar's own routes for it are closed by the guard."""
    return request.app.openapi_schema.to_schema()


def _description() -> OpenAPIConfig:
    return OpenAPIConfig(
        title="Gatepost",
        version=__version__,
        description="The operator's verbs of one gateway. docs/api.md has examples.",
        path="/openapi",
        render_plugins=[JsonRenderPlugin()],
        servers=[Server(url=PREFIX)],
        components=Components(
            security_schemes={
                "token": SecurityScheme(
                    type="http", scheme="bearer", description="gatepost user token add, or API Tokens in the web console"
                )
            }
        ),
        security=[{"token": []}],
        use_handler_docstrings=True,
    )
