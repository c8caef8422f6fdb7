"""Who asks: the token of a request, what its role allows, and the draft that a change is meant for.

A right token is let in whatever came before, so that nobody is locked out by others; after some wrong ones an address gets
429 for the next, and no more lines in the audit log. No cookie is looked at, so no page of another site can ask in
somebody's name.
"""

from __future__ import annotations

import math
import re
from typing import Annotated, Any

from anyio import to_thread
from litestar import Request
from litestar.connection import ASGIConnection
from litestar.exceptions import NotFoundException, PermissionDeniedException
from litestar.handlers import BaseRouteHandler
from litestar.params import HeaderParameter

from gatepost.admin.api.problems import Refused
from gatepost.admin.operations import configuration
from gatepost.admin.operations.operator import Operator
from gatepost.admin.tokens import Token, Tokens
from gatepost.admin.users import ROLES, Role
from gatepost.admin.web.audit import Audit
from gatepost.admin.web.sessions import Throttle, network_of

IfMatch = Annotated[
    str | None,
    HeaderParameter(
        name="If-Match",
        description="The ETag of the draft that the change is meant for, or * for the draft as it is. 428 without it; "
        "412 when somebody has changed the draft since: then nothing is done.",
    ),
]
_BEARER = re.compile(r"bearer +([^ ]+) *", re.IGNORECASE)
_ETAG = re.compile(r'(?:^|,)\s*"([^"]*)"\s*(?=,|$)')


class Caller:
    """One request of a program that may do what it asks for."""

    def __init__(self, request: Request[Any, Any, Any], token: Token, secret: str) -> None:
        self.request, self.token, self._secret = request, token, secret
        state: Operator = request.app.state.operator
        self.operator = Operator(state.state, f"token {token.name}")
        self.address = _address(request)

    def may(self, role: Role) -> bool:
        """Whether the token's role is this one or a higher one."""
        return ROLES.index(self.token.role) <= ROLES.index(role)

    def is_good(self) -> bool:
        """Whether the token still lasts and nobody has revoked it; for answers that take long."""
        tokens: Tokens = self.request.app.state.tokens
        return tokens.find(self._secret) == self.token

    def editing(self, if_match: str | None) -> Operator:
        """Return who changes the draft that `If-Match` names (RFC 9110 section 13.1.1); Refused for none, or another one."""
        if if_match is None:
            raise Refused(
                428, 'a change says which draft it is meant for: send If-Match with its ETag, or "*" for the draft as it is'
            )
        tag = configuration.tag(self.operator)
        if if_match.strip() != "*" and tag not in _ETAG.findall(if_match):
            raise Refused(
                412,
                "the draft was changed since this was read: read it again and repeat the change; nothing was changed",
                headers={"ETag": etag(tag)},
            )
        return Operator(self.operator.state, self.operator.author, tag)

    def tell(self, what: str) -> None:
        """Note in the audit log what was done."""
        audit: Audit = self.request.app.state.audit
        audit.tell(self.operator.author, self.address, what)


def etag(tag: str) -> str:
    """Write the tag of a draft as an entity tag."""
    return f'"{tag}"'


async def guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Let nobody in without a token of the role that a handler takes; before a body is read."""
    role: Role | None = handler.opt.get("role")
    if handler.opt.get("public"):
        return
    if role is None:
        raise NotFoundException("Not Found")  # what a library has put here unasked
    request: Request[Any, Any, Any] = Request(connection.scope, connection.receive)
    caller = Caller(request, *await to_thread.run_sync(_token, request))
    if not caller.may(role):
        raise PermissionDeniedException(f"the role of this token, {caller.token.role}, may not do this; it takes {role}")
    request.scope["state"]["caller"] = caller


def caller_of(request: Request[Any, Any, Any]) -> Caller:
    """Return who was let in."""
    caller: Caller = request.scope["state"]["caller"]
    return caller


def _token(request: Request[Any, Any, Any]) -> tuple[Token, str]:
    given = request.headers.get("Authorization", "")
    if not given:
        raise Refused(401, "send a token: Authorization: Bearer TOKEN", headers={"WWW-Authenticate": "Bearer"})
    tokens: Tokens = request.app.state.tokens
    sent = _BEARER.fullmatch(given)
    token = tokens.find(sent[1]) if sent else None
    if sent and token is not None:
        return token, sent[1]
    throttle: Throttle = request.app.state.throttle
    address = _address(request)
    key = f"api {network_of(address)}"
    if wait := throttle.wait(key):
        raise Refused(429, "too many wrong tokens came from this address", headers={"Retry-After": str(math.ceil(wait))})
    throttle.attempt(key)
    audit: Audit = request.app.state.audit
    audit.tell("somebody", address, "sent the API a token that is unknown, revoked or at its end")
    header = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
    raise Refused(401, "the token is unknown, was revoked, or is at its end", headers=header)


def _address(request: Request[Any, Any, Any]) -> str:
    return request.client.host if request.client else ""
