"""The pages, a module for each family; each names its handlers in HANDLERS."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from litestar import Request
from litestar.handlers import BaseRouteHandler

from gatepost.admin.users import Role
from gatepost.admin.web.address import path_of
from gatepost.admin.web.desk import Desk, PasswordDue, desk_of
from gatepost.admin.web.pages import (
    address_lists,
    bounces,
    certificates,
    commit,
    configuration,
    delivery,
    destinations,
    explain,
    hat,
    listeners,
    login,
    maillog,
    overview,
    partner,
    policies,
    recipients,
    routes,
    sender_groups,
    ssl,
    tls_connections,
    tokens,
    trace,
    tracking,
    users,
)

MODULES: tuple[ModuleType, ...] = (
    login,
    overview,
    tls_connections,
    tracking,
    delivery,
    maillog,
    policies,
    partner,
    hat,
    sender_groups,
    recipients,
    routes,
    bounces,
    address_lists,
    destinations,
    listeners,
    certificates,
    ssl,
    users,
    tokens,
    configuration,
    trace,
    explain,
    commit,
)
NEW_PASSWORD = "/password"


def desk(request: Request[Any, Any, Any]) -> Desk:
    """Provide the desk to a handler; its option `role` says what the user must be, read-only where it says nothing.

    A handler that changes something is reached by POST and gets its form by `forms.posted`, which checks the CSRF token.
    """
    handler: BaseRouteHandler = request.route_handler
    role: Role = handler.opt.get("role", "read-only")
    state = request.app.state
    found = desk_of(request, role, state.operator, state.sessions, state.users)
    request.scope["state"]["desk"] = found  # for the answer to a fault
    if found.session.user.must_change and path_of(request) != NEW_PASSWORD:
        raise PasswordDue("choose your own password first")
    return found
