"""What holds for every page, also for those still to come: a session, a role and a token for each change, our headers."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from gatepost.admin.web.desk import COOKIE
from gatepost.admin.web.headers import HEADERS
from tests.support.pages import routes
from tests.support.web import Visitor, client

DOCUMENT = """
[listeners.InboundMail]
address = "127.0.0.1"
port = 2525
[listeners.InboundMail.policies.THIS]
max_messages_per_connection = 7
"""
NAMED = {"listener": "InboundMail", "name": "THIS", "number": "1"}
NEED_NO_ROLE = {"/login", "/logout", "/password"}
"""What whoever signs in may do with their own session."""
POSTS, GETS = sorted(routes("POST")), sorted(routes("GET"))


def filled(route: str) -> str:
    def named(found: re.Match[str]) -> str:
        return "1" if found[2] == "int" else NAMED.get(found[1], "THIS")

    return re.sub(r"\{(\w+):(\w+)\}", named, route)


@pytest.fixture(scope="module")
def administrator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visitor]:
    with client(tmp_path_factory.mktemp("administrator"), DOCUMENT) as one:
        yield one


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visitor]:
    with client(tmp_path_factory.mktemp("reader"), DOCUMENT, "read-only") as one:
        yield one


def test_every_change_says_which_role_it_takes() -> None:
    for path, handler in routes("POST").items():
        if path not in NEED_NO_ROLE:
            assert handler.opt.get("role") in ("administrator", "operator"), path


def test_nothing_but_get_and_post_is_there() -> None:
    for method in ("PUT", "PATCH", "DELETE"):
        assert not routes(method)


@pytest.mark.parametrize("route", [route for route in POSTS if route != "/login"])
def test_a_change_without_the_token_is_refused(administrator: Visitor, route: str) -> None:
    before = administrator.tag()
    answer = administrator.post(filled(route), csrf="")
    assert answer.status_code == 403
    assert "this form is out of date or was not made here" in answer.text
    assert administrator.tag() == before


@pytest.mark.parametrize("route", [route for route in POSTS if route not in NEED_NO_ROLE])
def test_a_change_by_a_role_that_may_not_is_refused(reader: Visitor, route: str) -> None:
    before = reader.tag()
    answer = reader.post(filled(route))
    assert answer.status_code == 403
    assert "your role, read-only, may not do this" in answer.text
    assert reader.tag() == before


def test_nobody_who_is_not_signed_in_gets_anything(administrator: Visitor) -> None:
    cookie = administrator.http.cookies.get(COOKIE)
    administrator.http.cookies.clear()
    try:
        for key in ("", "x" * 43):
            headers = {"Cookie": f"{COOKIE}={key}"} if key else {}
            for route in GETS:
                if route != "/login":
                    answer = administrator.get(filled(route), headers=headers)
                    if answer.status_code == 400:  # a query without what it needs is refused before anything is looked at
                        assert "InboundMail" not in answer.text, route
                        continue
                    assert (answer.status_code, answer.headers.get("Location")) == (303, "/login"), route
            for route in POSTS:
                if route != "/login":
                    answer = administrator.http.post(filled(route), data={}, headers=headers, follow_redirects=False)
                    assert answer.status_code == 401, route
    finally:
        administrator.http.cookies.set(COOKIE, cookie)


@pytest.mark.parametrize("host", ["a:b:c", "[::1]:99999", "[::1", "a:99999", "<x>", "a b", "\xe4".encode("latin-1")])
@pytest.mark.parametrize("path", ["/", "/users", "/login", "/nowhere", "/api/v1/status", "/api/v1/openapi.json"])
def test_a_host_that_is_none_is_no_fault_of_ours(administrator: Visitor, path: str, host: str) -> None:
    assert administrator.get(path, headers={"Host": host}).status_code < 500


@pytest.mark.parametrize("address", ["https://[::1", "https://a:b:c/", "nonsense", "https://a:99999"])
def test_an_origin_that_is_none_is_another_site(administrator: Visitor, address: str) -> None:
    answer = administrator.http.post("/commit", data={"csrf": administrator.csrf}, headers={"Origin": address})
    assert answer.status_code == 403
    answer = administrator.http.post("/commit", data={"csrf": administrator.csrf}, headers={"Referer": address})
    assert answer.status_code < 500


def test_our_headers_are_on_every_response(administrator: Visitor) -> None:
    paths = [filled(route) for route in GETS]
    for path in (*paths, "/nowhere", "/static/style.css", "/static/nothing.css", "/policies/Nowhere/new"):
        answer = administrator.get(path)
        assert answer.status_code < 500, f"{path}: {answer.text}"
        for name, value in HEADERS.items():
            assert answer.headers.get(name) == value, f"{path}: {name}"
        kept = path == "/static/style.css"
        assert answer.headers["Cache-Control"] == ("max-age=3600" if kept else "no-store"), path
    for method in ("PUT", "DELETE", "TRACE", "OPTIONS"):
        answer = administrator.http.request(method, "/policies")
        for name, value in HEADERS.items():
            assert answer.headers.get(name) == value, f"{method}: {name}"


def test_a_name_that_is_not_there_is_no_fault_of_ours(administrator: Visitor) -> None:
    for route in GETS:
        for name in ("nobody", "%ff", "a%2Fb", "%3Cb%3E", "%C3%BC", "x" * 3000, "..", "%2e%2e%2f%2e%2e%2fetc%2fpasswd"):
            if "{" in route:
                path = re.sub(r"\{\w+:\w+\}", name, route)
                answer = administrator.get(path)
                assert answer.status_code < 500, f"{path}: {answer.text}"
                assert "root:" not in answer.text


def test_a_form_that_is_none_is_no_fault_of_ours(administrator: Visitor) -> None:
    token = {"X-CSRF-Token": administrator.csrf}
    bodies = (
        ("application/x-www-form-urlencoded", b"name=%ff%fe&name=b&=&&&;tag"),
        ("application/x-www-form-urlencoded; charset=nonsense", b"name=a"),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="name"\r\n\r\n\xff\r\n--x--\r\n'),
        ("multipart/form-data", b"no boundary"),
        ("multipart/form-data; boundary=x", b"--x\r\nbroken"),
        ("application/json", b'{"name": ["a"]}'),
        ("application/json", b"[" * 100_000),
        ("text/plain", b"\0" * 100),
        ("", b""),
    )
    for route in POSTS:
        for kind, body in bodies if route == "/policies/{listener:str}/new" else bodies[:1]:
            if route in ("/login", "/logout"):
                continue
            headers = {**token, "Content-Type": kind} if kind else token
            answer = administrator.http.post(filled(route), content=body, headers=headers, follow_redirects=False)
            assert answer.status_code < 500, f"{route} {kind} {body[:40]!r}: {answer.text}"
