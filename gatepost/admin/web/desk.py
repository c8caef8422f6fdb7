"""What every request of the web console works with: the gateway it is for, who is signed in, and the page around an answer.

The only place that knows cookies, CSRF tokens and roles. A page's handler asks for `Desk`, gets one whose user may do what
the handler is for, calls `admin.operations`, and answers with `page`, `form`, `back` or `drafted`.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from litestar import Request
from litestar.exceptions import HTTPException, NotAuthorizedException, PermissionDeniedException
from litestar.response import Redirect, Template
from litestar.status_codes import HTTP_303_SEE_OTHER, HTTP_422_UNPROCESSABLE_ENTITY

from gatepost.admin.operations import configuration
from gatepost.admin.operations.operator import Operator
from gatepost.admin.users import ROLES, Role, Users
from gatepost.admin.web.address import path_of
from gatepost.admin.web.audit import Audit
from gatepost.admin.web.sessions import Session, Sessions
from gatepost.admin.web.shown import Shown


class PasswordDue(HTTPException):
    """The user has to choose a password before anything else."""

    status_code = 403


COOKIE = "__Host-gatepost"
"""Browsers take a cookie of such a name over HTTPS only, for this host alone and for every path (RFC 6265bis 4.1.3.2)."""
ADMINISTRATOR, OPERATOR = {"role": "administrator"}, {"role": "operator"}
"""Options of a handler: what its user must be; where they say nothing, whoever is signed in may ask."""
CSRF_FIELD, CSRF_HEADER = "csrf", "X-CSRF-Token"


class Desk:
    """One request of somebody who is signed in."""

    def __init__(self, request: Request[Any, Any, Any], session: Session, state: Operator) -> None:
        self.request = request
        self.session = session
        self.operator = Operator(state.state, session.user.name)
        self.sent: Mapping[str, str] = {}
        """What a form brought, without its token and tag."""
        # Read before the page reads anything of the draft: a tag that is older than what is shown refuses too much, one
        # that is younger would let a change of somebody else be overwritten.
        shown: Shown = request.app.state.shown
        self._tag = shown.read(self.operator) if request.method == "GET" else ""

    # --- who ---------------------------------------------------------------------------------------------------------

    @property
    def path(self) -> str:
        """The page that was asked for."""
        return path_of(self.request)

    def may(self, role: Role) -> bool:
        """Whether the user's role is this one or a higher one."""
        return ROLES.index(self.session.user.role) <= ROLES.index(role)

    def require(self, role: Role) -> None:
        """Refuse a user whose role is lower."""
        if not self.may(role):
            raise PermissionDeniedException(f"your role, {self.session.user.role}, may not do this; it takes {role}")

    # --- answers -----------------------------------------------------------------------------------------------------

    def page(self, template: str, *, title: str, status_code: int = 200, **context: Any) -> Template:
        """Return a whole page; every template finds `desk`, `title`, `waiting` and `notices`."""
        notices, self.session.notices = self.session.notices, []
        told = {"desk": self, "title": title, "waiting": self.waiting(), "notices": notices, "csrf": self.session.csrf}
        return Template(template, context=told | context, status_code=status_code)

    def form(self, template: str, *, title: str, faults: Mapping[str, str], **context: Any) -> Template:
        """Return the page of a form: as it is asked for, or with `faults` once more, what was typed and what is wrong."""
        if faults:
            return self.invalid(template, title=title, faults=faults, **context)
        return self.page(template, title=title, faults={}, **context)

    def invalid(self, template: str, *, title: str, faults: Mapping[str, str], **context: Any) -> Template:
        """Return the page of a form once more, with what was typed and each fault by its field (`""`: the whole form)."""
        return self.page(template, title=title, status_code=HTTP_422_UNPROCESSABLE_ENTITY, faults=faults, **context)

    def back(self, path: str, notice: str = "") -> Redirect:
        """Return to a page after something was done, and say what on it."""
        if notice:
            self.session.notices.append(notice)
        return Redirect(path, status_code=HTTP_303_SEE_OTHER)

    def drafted(self, path: str, what: str) -> Redirect:
        """Return to a page after something went into the draft, and say that it is not live yet."""
        return self.back(path, f"{what}. It takes effect with Commit Changes.")

    def tag(self) -> str:
        """Return the tag of the draft that this page shows, for a form to send back."""
        return self.operator.tag or self._tag or configuration.tag(self.operator)

    def tell(self, what: str) -> None:
        """Note in the audit log what was done."""
        audit: Audit = self.request.app.state.audit
        audit.tell(self.session.user.name, self.session.address, what)

    def waiting(self) -> int:
        """Return how many changes wait to be committed."""
        return len(configuration.changes(self.operator))


def desk_of(request: Request[Any, Any, Any], role: Role, state: Operator, sessions: Sessions, users: Users) -> Desk:
    """Return the desk of a request; raises when nobody is signed in, or somebody who may not."""
    key = request.cookies.get(COOKIE, "")
    session = sessions.find(key)
    user = users.find(session.user.name) if session is not None else None
    if session is None or user is None or user.changed != session.user.changed:
        sessions.end(key)  # somebody at a command line has removed the user, or given another password
        raise NotAuthorizedException("sign in first")
    session.user = user
    desk = Desk(request, session, state)
    desk.require(role)
    return desk


def check_csrf(session: Session, form: Mapping[str, Any], header: str) -> None:
    """Refuse a change that does not come from a page of this session."""
    given = header or str(form.get(CSRF_FIELD, ""))
    if not secrets.compare_digest(given.encode(), session.csrf.encode()):
        raise PermissionDeniedException("this form is out of date or was not made here: open the page again")
