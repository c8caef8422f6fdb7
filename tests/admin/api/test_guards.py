"""What holds for every operation of the API, also for those still to come: a token, a role, a problem document."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gatepost.admin.api.problems import MEDIA_TYPE
from gatepost.admin.operations import tokens
from gatepost.admin.tokens import DAY, Tokens
from gatepost.admin.users import ROLES
from gatepost.admin.web.headers import HEADERS
from gatepost.admin.web.sessions import ATTEMPTS
from tests.admin.api.conftest import DOCUMENT
from tests.support.api import ANY, PREFIX, Api, api

ENDLESS = "/events"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with api(tmp_path_factory.mktemp("guards"), DOCUMENT) as one:
        yield one


def operations(one: Api) -> list[tuple[str, str, dict[str, object]]]:
    paths = one("GET", "/openapi.json").json()["paths"]
    found = [(method.upper(), path, told) for path, methods in paths.items() for method, told in methods.items()]
    assert len(found) > 70
    return found


def filled(path: str) -> str:
    return re.sub(r"\{(\w+)\}", lambda found: "1" if found[1] in ("mid", "icid", "dcid", "number") else "gateway", path)


def test_nobody_gets_anything_without_a_good_token(shared: Api) -> None:
    before = shared("GET", "/config/draft").headers["ETag"]
    for method, path, _ in operations(shared):
        answer = shared.http.request(method, f"{PREFIX}{filled(path)}", json={}, headers=ANY)
        assert answer.status_code == 401, f"{method} {path}"
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert answer.headers["Content-Type"] == MEDIA_TYPE
    assert shared("GET", "/config/draft").headers["ETag"] == before


def test_no_cookie_stands_for_a_token(shared: Api) -> None:
    answer = shared.http.get(f"{PREFIX}/status", headers={"Cookie": f"__Host-gatepost={shared.secrets['administrator']}"})
    assert answer.status_code == 401


def test_who_only_reads_changes_nothing(shared: Api) -> None:
    looks = {"/queue/count", "/trace", "/tls/judge", "/config/check", "/partner/look", "/partner/preview"}
    before = shared("GET", "/config/draft").headers["ETag"]
    for method, path, _ in operations(shared):
        if method == "GET" or path in looks:
            continue
        answer = shared(method, filled(path), "read-only", headers=ANY, json={})
        assert answer.status_code == 403, f"{method} {path}: {answer.text}"
        assert "the role of this token, read-only, may not do this" in answer.json()["detail"]
    assert shared("GET", "/config/draft").headers["ETag"] == before


def test_an_operator_acts_on_mail_and_not_on_the_configuration(shared: Api) -> None:
    for method, path, told in operations(shared):
        names = {one.get("name") for one in told.get("parameters", ())}  # type: ignore[attr-defined]
        if "If-Match" in names or path.startswith(("/users", "/tokens")):
            answer = shared(method, filled(path), "operator", headers=ANY, json={})
            assert answer.status_code == 403, f"{method} {path}: {answer.text}"
    answer = shared("POST", "/queue/suspend", "operator")
    assert answer.status_code == 503  # allowed; but no gateway runs here
    assert shared("GET", "/queue/1/content", "read-only").status_code == 403


def test_whatever_changes_the_draft_says_which_draft(shared: Api) -> None:
    count = 0
    for method, path, told in operations(shared):
        names = {one.get("name") for one in told.get("parameters", ())}  # type: ignore[attr-defined]
        if "If-Match" not in names:
            continue
        count += 1
        body = {"domain": "a.example", "listener": "x", "method": "hosts", "members": [], "group": "A"}
        sent = {"json": body if path == "/partner/apply" else {}} if "text" not in path else {"content": b""}
        assert shared(method, filled(path), **sent).status_code == 428, f"{method} {path}"
        answer = shared(method, filled(path), headers={"If-Match": '"0123"'}, **sent)
        assert answer.status_code == 412, f"{method} {path}: {answer.text}"
        assert answer.headers["ETag"] == shared("GET", "/config/draft").headers["ETag"]
    assert count >= 12


def test_what_does_not_work_is_a_problem_document_with_our_headers(shared: Api) -> None:
    for method, path, status in (
        ("GET", "/nowhere", 404),
        ("PUT", "/status", 405),
        ("GET", "/messages?limit=0", 400),
        ("GET", "/queue/abc", 404),
        ("GET", f"/messages/{2**63}", 400),
        ("GET", "/messages?days=nan", 400),
        ("GET", "/certificates/nobody", 404),
        ("GET", "/config/draft/listeners.Nowhere", 404),
        ("GET", "/config/draft/%22", 404),
        ("GET", "/jobs/0", 404),
        ("GET", "/explain/in?host=192.0.2.1&offer=/etc/passwd", 422),
        ("GET", "/status", 503),
    ):
        answer = shared(method, path)
        assert answer.status_code == status, f"{path}: {answer.text}"
        assert answer.headers["Content-Type"] == MEDIA_TYPE
        told = answer.json()
        assert (told["status"], bool(told["title"]), bool(told["detail"])) == (status, True, True)
        for name, value in HEADERS.items():
            assert answer.headers.get(name) == value, f"{path}: {name}"
        assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff", b"[" * 100_000, b'{"a":' * 900 + b"1" + b"}" * 900, b"[]", b'"x"', b"1" + b"0" * 400, b'{"":0}'],
)
def test_a_body_that_is_none_is_no_fault_of_ours(shared: Api, body: bytes) -> None:
    for method, path, _ in operations(shared):
        if method in ("POST", "PUT", "PATCH") and path not in ("/tls/costs", "/config/clear"):
            answer = shared(method, filled(path), headers=ANY, content=body)
            assert answer.status_code != 500, f"{method} {path}: {answer.text}"


def test_a_token_at_its_end_or_revoked_is_refused_at_once(ask: Api) -> None:
    past = Tokens(ask.operator.users_db, lambda: time.time() - 10 * DAY)
    ask.secrets["operator"] = past.add("old", "operator", 9)
    assert ask("GET", "/jobs", "operator").status_code == 401
    tokens.revoke(ask.operator, "read-only")
    assert ask("GET", "/jobs", "read-only").status_code == 401
    assert ask("GET", "/jobs").status_code == 200


def test_wrong_tokens_are_slowed_down_and_lock_nobody_else_out(ask: Api) -> None:
    for _ in range(ATTEMPTS):
        answer = ask("GET", "/jobs", headers={"Authorization": "Bearer guessed"})
        assert answer.status_code == 401
        assert "invalid_token" in answer.headers["WWW-Authenticate"]
    answer = ask("GET", "/jobs", headers={"Authorization": "Bearer guessed"})
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 900
    assert ask("GET", "/jobs").status_code == 200
    assert ask.audit().count("sent the API a token that is unknown") == ATTEMPTS
    assert "guessed" not in ask.audit()


def test_every_role_is_tried_here() -> None:
    assert set(ROLES) == {"administrator", "operator", "read-only"}


def test_a_state_directory_without_anything_is_no_fault(tmp_path: Path) -> None:
    with api(tmp_path) as one:
        for method, path, told in operations(one):
            if method == "GET" and path != ENDLESS:
                required = [found["name"] for found in told.get("parameters", ()) if found["in"] == "query"]  # type: ignore[attr-defined]
                query = "&".join(f"{name}=1.example" for name in required if name in ("host", "domain", "spec"))
                answer = one("GET", f"{filled(path)}?{query}")
                assert answer.status_code in (200, 404, 409, 422, 503), f"{path}: {answer.text}"
