"""The web console for tests: a real gateway that serves it, a real browser, and a client in this process.

The browser is the system's Chromium: without it a test fails and says what to install. A page opened here is watched: a
script error, a violation of the Content-Security-Policy or a request to another host fails the test that caused it.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from litestar.testing import TestClient
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

from gatepost.admin.operations import configuration
from gatepost.admin.operations.operator import Operator
from gatepost.admin.users import Role, Users
from gatepost.admin.web.app import application
from gatepost.admin.web.desk import COOKIE
from gatepost.config.exchange import examine
from gatepost.config.model import Config
from tests.support.gateway import Gateway, gateway
from tests.support.process import free_port, listening, wait_for

NAMES: dict[Role, str] = {"administrator": "alice", "operator": "oscar", "read-only": "rita"}
"""Who has which role, in a served gateway as in a client."""
PASSWORD = "correct horse battery"
"""Of each of them."""
WIDE, NARROW = 1600, 360
"""Widths of a window, in CSS pixels."""
NEED_CHROMIUM = "the walks through the web console need Chromium, which is not on PATH: run `make system-deps`"


# --- the real thing --------------------------------------------------------------------------------------------------


@dataclass
class Served:
    """A gateway with its web console."""

    gateway: Gateway
    port: int

    @property
    def url(self) -> str:
        """Where the console answers, without a slash at the end."""
        return f"https://127.0.0.1:{self.port}"

    @property
    def operator(self) -> Operator:
        """Somebody at the command line of the same gateway."""
        return Operator(self.gateway.state, "test")

    def http(self, source: str = "127.0.0.1") -> httpx.Client:
        """Return an HTTP client that takes the console's own certificate and follows no redirect."""
        transport = httpx.HTTPTransport(verify=False, local_address=source)
        return httpx.Client(base_url=self.url, transport=transport, timeout=20)

    def audit(self) -> str:
        """Return the audit log so far."""
        file = self.gateway.state / "log" / "audit_logs"
        return file.read_text() if file.exists() else ""


@contextlib.contextmanager
def served(directory: Path, document: str, *, users: bool = True, workers: int = 1) -> Iterator[Served]:
    """A gateway with `document` in force and its web console on a free port; `users`: one of each role, see NAMES."""
    port = free_port()
    with gateway(directory, f"{document}\n[web]\nenabled = true\nport = {port}\n", start=False) as one:
        if users:
            add_users(one.state)
        one.start(workers)
        wait_for(lambda: listening(port), "the web console listens")
        yield Served(one, port)


def add_users(state: Path, *roles: Role) -> None:
    """Add a user of each role named, of all when none is."""
    held = Users(Operator(state).users_db)
    for role in roles or NAMES:
        held.add(NAMES[role], PASSWORD, role=role)


# --- the browser -----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """A Chromium for the length of a with block; share one in a module, it takes seconds to start.

    While it runs, `asyncio.run` is not possible in this thread: give a load its own.
    """
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.fail(NEED_CHROMIUM, pytrace=False)
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        one = playwright.chromium.launch(
            executable_path=program, args=[*arguments, "--disable-gpu", "--disable-dev-shm-usage"]
        )
        try:
            yield one
        finally:
            one.close()


@contextlib.contextmanager
def window(
    browser: Browser,
    url: str,
    *,
    width: int = WIDE,
    dark: bool = False,
    javascript: bool = True,
    expect: tuple[str, ...] = (),
    bypass_csp: bool = False,
) -> Iterator[Page]:
    """A window of its own, with cookies of its own, on the console at `url`; its paths need no host.

    `expect`: pieces of messages on the browser's console that a test wants to cause, as `status of 403`.
    """
    context = browser.new_context(
        base_url=url,
        ignore_https_errors=True,
        viewport={"width": width, "height": 900},
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",
        java_script_enabled=javascript,
        bypass_csp=bypass_csp,
        locale="en-GB",
        timezone_id="UTC",
    )
    context.set_default_timeout(15_000)
    page = context.new_page()
    found: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not any(piece in message.text for piece in expect):
            found.append(f"console: {message.text} ({message.location.get('url', '')})")

    def asked(request: Request) -> None:
        where = urlsplit(request.url)
        if where.scheme != "data" and f"{where.scheme}://{where.netloc}" != url:
            found.append(f"a request to another host: {request.url}")

    page.on("console", heard)
    page.on("pageerror", lambda error: found.append(f"script: {error}"))
    page.on("request", asked)
    try:
        yield page
    finally:
        context.close()
    assert not found, "\n".join(found)


def sign_in(page: Page, name: str = NAMES["administrator"], password: str = PASSWORD) -> None:
    """Sign in by the form, as a person does; ends on whatever page follows."""
    page.goto("/login")
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: not url.endswith("/login"))


# --- in this process -------------------------------------------------------------------------------------------------


@dataclass
class Visitor:
    """Somebody who is signed in, without a gateway behind it: forms, faults and roles."""

    http: TestClient[Any]
    state: Path
    csrf: str = field(repr=False)

    @property
    def operator(self) -> Operator:
        """Somebody else at the command line: their changes make a page stale."""
        return Operator(self.state, "somebody-else")

    @property
    def draft(self) -> Config:
        """Return the draft as it stands."""
        from gatepost.admin.operations.drafts import current

        return current(self.operator)

    def tag(self) -> str:
        """Return the tag of the draft, as a page opened now would carry it."""
        return configuration.tag(self.operator)

    def get(self, path: str, **options: Any) -> httpx.Response:
        """Ask for a page; a redirect is not followed."""
        return self.http.get(path, follow_redirects=False, **options)

    def post(self, path: str, form: Mapping[str, Any] = {}, /, **fields: Any) -> httpx.Response:
        """Send a form as a page opened now would: with the token and the draft's tag, unless the form says otherwise.

        A redirect is not followed; fields may be given as a mapping or by name.
        """
        data = {"csrf": self.csrf, "tag": self.tag(), **form, **fields}
        return self.http.post(path, data=data, follow_redirects=False)


@functools.cache
def _users(role: Role) -> bytes:
    """Return a table with one user; it costs a password hash, which is slow by design, once for all tests."""
    with tempfile.TemporaryDirectory() as directory:
        add_users(Path(directory), role)
        return Operator(Path(directory)).users_db.read_bytes()


@contextlib.contextmanager
def client(directory: Path, config: Config | str = "", role: Role = "administrator") -> Iterator[Visitor]:
    """A console in this process on a state directory with `config` (or a document) committed, and somebody signed in."""
    state = directory / "state"
    operator = Operator(state, "test")
    operator.prepare()
    if isinstance(config, str):
        config = examine(config.encode(), Config()).accepted()
    if config != Config():
        configuration.replace(operator, config, force=True)
        configuration.commit(operator, "Begin")
    operator.users_db.write_bytes(_users(role))
    app = application(Operator(state))
    user = Users(operator.users_db).find(NAMES[role])
    assert user is not None
    key = app.state.sessions.begin(user, "testclient")
    with TestClient(app, base_url="https://testserver.local", raise_server_exceptions=False) as http:
        http.cookies.set(COOKIE, key)
        yield Visitor(http, state, app.state.sessions.find(key).csrf)
