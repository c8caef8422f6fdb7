"""The REST API for tests: in this process, on a state directory, with a token of each role."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from litestar.testing import TestClient

from gatepost.admin.operations import configuration, tokens
from gatepost.admin.operations.operator import Operator
from gatepost.admin.users import ROLES, Role
from gatepost.admin.web.app import application
from gatepost.config.exchange import examine
from gatepost.config.model import Config

PREFIX = "/api/v1"
ANY: dict[str, str] = {"If-Match": "*"}
"""For the draft as it is."""


@dataclass
class Api:
    """A program with a token, and the gateway's state that it works on."""

    http: TestClient[Any]
    state: Path
    secrets: dict[Role, str]

    @property
    def operator(self) -> Operator:
        """Somebody else at the command line."""
        return Operator(self.state, "somebody-else")

    def __call__(
        self, method: str, path: str, role: Role = "administrator", headers: dict[str, str] | None = None, **sent: Any
    ) -> httpx.Response:
        """Ask with the token of a role."""
        all_headers = {"Authorization": f"Bearer {self.secrets[role]}", **(headers or {})}
        return self.http.request(method, f"{PREFIX}{path}", headers=all_headers, **sent)

    def edit(self, method: str, path: str, **sent: Any) -> httpx.Response:
        """Change the draft, whatever it is."""
        return self(method, path, headers=ANY, **sent)

    def audit(self) -> str:
        """Return the audit log so far."""
        file = self.state / "log" / "audit_logs"
        return file.read_text() if file.exists() else ""


@contextlib.contextmanager
def api(directory: Path, document: str = "") -> Iterator[Api]:
    """An API on a state directory where `document` is committed."""
    state = directory / "state"
    operator = Operator(state, "test")
    operator.prepare()
    if document:
        configuration.replace(operator, examine(document.encode(), Config()).accepted(), force=True)
        configuration.commit(operator, "Begin")
    secrets = {role: tokens.add(operator, role, role).secret for role in ROLES}
    with TestClient(application(Operator(state)), base_url="https://testserver.local") as http:
        yield Api(http, state, secrets)
