"""Who is signed in, for how long, and who tries too often; on a clock of the test's own."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from gatepost.admin.users import Users
from gatepost.admin.web import sessions
from gatepost.admin.web.desk import COOKIE
from gatepost.admin.web.sessions import ATTEMPTS, Sessions, Throttle
from tests.admin.web.conftest import SignIn
from tests.support.web import NAMES, PASSWORD

DOCUMENT = """
[listeners.InboundMail]
address = "127.0.0.1"
port = 2525
"""
NEW = "/policies/InboundMail/new"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(("step", "times"), [(sessions.IDLE_SECONDS + 1, 1), (sessions.IDLE_SECONDS - 1, 25)])
def test_a_session_ends_when_it_is_idle_or_old(visit: SignIn, step: float, times: int) -> None:
    console = visit(DOCUMENT)
    clock = Clock()
    held: Sessions = console.http.app.state.sessions
    held._now = clock
    session = held._sessions[console.http.cookies[COOKIE]]
    session.began = session.seen = clock.now
    assert console.get("/policies").status_code == 200
    for _ in range(times):
        clock.now += step
        answer = console.get("/policies")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/login")
    answer = console.post(NEW, name="LATE", behavior="accept")
    assert answer.status_code == 401
    assert "your session has ended; nothing was changed" in answer.text
    assert "LATE" not in console.draft.listeners["InboundMail"].policies


def test_a_token_of_another_session_or_none_is_refused(visit: SignIn) -> None:
    console = visit(DOCUMENT)
    app = console.http.app
    other = app.state.sessions.find(app.state.sessions.begin(app.state.users.find(NAMES["administrator"]), "else"))
    for token in (other.csrf, "", "x" * len(console.csrf)):
        answer = console.post(NEW, name="FORGED", behavior="accept", csrf=token)
        assert answer.status_code == 403, token
    assert "FORGED" not in console.draft.listeners["InboundMail"].policies
    assert console.post(NEW, name="MINE", behavior="accept").status_code == 303


def test_a_form_from_a_page_of_another_site_is_refused(visit: SignIn) -> None:
    console = visit(DOCUMENT)
    form = {"csrf": console.csrf, "tag": console.tag(), "name": "FORGED", "behavior": "accept"}
    for origin in ("https://evil.example", "null", "https://testserver.local.evil.example"):
        assert console.http.post(NEW, data=form, headers={"Origin": origin}).status_code == 403
    answer = console.http.post(NEW, data=form, headers={"Origin": "https://testserver.local"}, follow_redirects=False)
    assert answer.status_code == 303


@pytest.mark.parametrize("change", ["removed", "demoted", "new password"])
def test_a_change_of_the_user_at_a_command_line_holds_at_once(visit: SignIn, change: str) -> None:
    console = visit(DOCUMENT)
    users = Users(console.operator.users_db)
    users.add("second", PASSWORD)
    name = NAMES["administrator"]
    if change == "removed":
        users.delete(name)
    elif change == "demoted":
        users.set_role(name, "read-only")
    else:
        users.set_password(name, "another password of theirs")
    answer = console.post(NEW, name="LATE", behavior="accept")
    assert answer.status_code == (403 if change == "demoted" else 401)
    assert console.get("/policies").status_code == (200 if change == "demoted" else 303)
    assert "LATE" not in console.draft.listeners["InboundMail"].policies


async def test_many_guesses_at_once_are_no_more_than_one_after_another(visit: SignIn) -> None:
    console = visit(DOCUMENT)
    transport = httpx.ASGITransport(app=console.http.app)
    async with httpx.AsyncClient(transport=transport, base_url="https://testserver.local") as http:
        form = {"name": NAMES["administrator"], "password": "a wrong guess"}
        answers = await asyncio.gather(*(http.post("/login", data=form) for _ in range(40)))
    assert sorted(answer.status_code for answer in answers) == [401] * ATTEMPTS + [429] * (40 - ATTEMPTS)


def test_failures_are_counted_and_forgotten() -> None:
    clock = Clock()
    throttle = Throttle(clock)
    for _ in range(ATTEMPTS):
        assert throttle.wait("user a", "address b") == 0
        throttle.attempt("user a", "address b")
        clock.now += 10
    assert throttle.wait("user a") == sessions.WINDOW - 10 * ATTEMPTS
    assert throttle.wait("user x", "address b") > 0
    assert throttle.wait("user x", "address y") == 0
    clock.now += sessions.WINDOW
    assert throttle.wait("user a", "address b") == 0


def test_getting_in_forgives_the_account_and_not_its_address() -> None:
    throttle = Throttle(Clock())
    for account in ("a", "b", "c", "d"):
        throttle.attempt(account, "there")
    throttle.attempt("mine", "there")
    throttle.succeeded("mine", "there")
    assert throttle.wait("mine") == 0
    throttle.attempt("e", "there")
    assert throttle.wait("there") > 0


def test_sessions_are_no_more_than_a_number(monkeypatch: pytest.MonkeyPatch, visit: SignIn) -> None:
    monkeypatch.setattr(sessions, "MAX_SESSIONS", 3)
    user = visit(DOCUMENT).http.app.state.users.find(NAMES["administrator"])
    held = Sessions()
    keys = [held.begin(user, "") for _ in range(5)]
    assert [held.find(key) is not None for key in keys] == [False, False, True, True, True]
