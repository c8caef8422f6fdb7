"""API Tokens in this process: made, shown once, good for the API beside the console, revoked; and who may do so."""

from __future__ import annotations

import re
import time

import httpx
import pytest

from gatepost.admin.operations import tokens
from gatepost.admin.tokens import DAY, MAX_DAYS, PREFIX, Token, Tokens
from gatepost.admin.users import ROLES, Role
from tests.admin.web.conftest import SignIn
from tests.support.api import PREFIX as API
from tests.support.pages import Parsed
from tests.support.web import NAMES, Visitor

ADMIN = NAMES["administrator"]
SECRET = re.compile(rf"{PREFIX}[\w-]{{43}}")


@pytest.fixture
def console(visit: SignIn) -> Visitor:
    return visit()


def made(console: Visitor, name: str = "deploy", role: Role = "administrator", days: str = "30") -> str:
    """Make a token on the page; returns its secret, which is there once."""
    answer = console.post("/tokens/new", name=name, role=role, days=days)
    assert answer.status_code == 200, answer.text
    [secret] = SECRET.findall(answer.text)
    return str(secret)


def kept(console: Visitor) -> list[Token]:
    return list(tokens.listing(console.operator))


def ask(console: Visitor, secret: str, method: str = "GET", path: str = "/config/draft") -> httpx.Response:
    """Ask the API beside the console, as a program that has no cookie."""
    cookies = dict(console.http.cookies)
    console.http.cookies.clear()
    try:
        return console.http.request(method, f"{API}{path}", headers={"Authorization": f"Bearer {secret}"})
    finally:
        console.http.cookies.update(cookies)


def audit(console: Visitor) -> str:
    file = console.state / "log" / "audit_logs"
    return file.read_text() if file.exists() else ""


def test_a_token_is_made_and_the_page_says_how_it_is_used(console: Visitor) -> None:
    assert "There are no tokens" in console.get("/tokens").text
    answer = console.post("/tokens/new", name="deploy", role="operator", days="30")
    [secret] = SECRET.findall(answer.text)
    assert "This is the only time that it is shown." in answer.text
    assert "Authorization: Bearer" in answer.text
    assert f"https://testserver.local{API}/status" in answer.text
    [token] = kept(console)
    assert (token.name, token.role, token.author) == ("deploy", "operator", ADMIN)
    assert token.expires - token.created == 30 * DAY
    assert f"{ADMIN} from testclient: made token deploy, operator, for 30 days" in audit(console)
    assert secret not in audit(console)


def test_the_secret_is_shown_once_and_kept_nowhere(console: Visitor) -> None:
    answer = console.post("/tokens/new", name="deploy", role="operator", days="30")
    [secret] = SECRET.findall(answer.text)
    assert answer.headers["Cache-Control"] == "no-store"
    again = console.post("/tokens/new", name="deploy", role="operator", days="30")  # as when the page is loaded once more
    assert again.status_code == 422
    assert "there is a token deploy already" in again.text
    for page in (again, console.get("/tokens"), console.get("/tokens/new"), console.post("/tokens/revoke", name="deploy")):
        assert not SECRET.search(page.text)
    assert all(secret.encode() not in file.read_bytes() for file in console.state.rglob("*") if file.is_file())


def test_the_list_says_what_each_token_is_and_how_long_it_lasts(console: Visitor) -> None:
    made(console, "soon", "read-only", days="3")
    long_ago = Tokens(console.operator.users_db, lambda: time.time() - 40 * DAY)
    long_ago.add("old", "operator", 10, "<b>root</b>")
    page = console.get("/tokens").text
    rows = {name: row for row in page.split("<tr>") for name in ("soon", "old") if f'<th scope="row">{name}</th>' in row}
    assert "2 days left" in rows["soon"]
    assert "looks" in rows["soon"]
    assert f"by {ADMIN}" in rows["soon"]
    assert "expired 30 days ago" in rows["old"]
    assert "&lt;b&gt;root&lt;/b&gt;" in rows["old"]


@pytest.mark.parametrize(
    ("form", "field", "said"),
    [
        ({"name": "taken"}, "name", "there is a token taken already: revoke it first"),
        ({"name": "<b> x"}, "name", "is not a token&#39;s name"),
        ({"name": ""}, "name", "is not a token&#39;s name"),
        ({"role": "king"}, "role", "choose one of the roles"),
        ({"role": ""}, "role", "choose one of the roles"),
        ({"days": ""}, "days", f"is not a number of days: write 1 to {MAX_DAYS}"),
        ({"days": "0"}, "days", f"a token lasts from 1 to {MAX_DAYS} days, not 0"),
        ({"days": "3651"}, "days", f"a token lasts from 1 to {MAX_DAYS} days, not 3651"),
        ({"days": "-1"}, "days", "is not a number of days"),
        ({"days": "9" * 5000}, "days", "is not a number of days"),
        ({"days": "٣"}, "days", "is not a number of days"),
    ],
)
def test_faults_stand_by_their_fields_and_what_was_typed_stays(
    console: Visitor, form: dict[str, str], field: str, said: str
) -> None:
    made(console, "taken")
    sent = {"name": "deploy", "role": "operator", "days": "77", **form}
    answer = console.post("/tokens/new", sent)
    assert answer.status_code == 422
    assert said in answer.text.partition(f'id="fault-{field}"')[2].partition("</p>")[0]
    assert answer.text.count('class="fault"') == 1
    [typed] = [one.fields for one in Parsed(answer.text).forms if one.action == "/tokens/new"]
    assert (typed["name"], typed["days"]) == (sent["name"], sent["days"])
    if sent["role"] == "operator":
        assert '<option value="operator" selected>' in answer.text
    assert [one.name for one in kept(console)] == ["taken"]
    assert audit(console).count("made token") == 1


def test_all_faults_are_told_at_once(console: Visitor) -> None:
    answer = console.post("/tokens/new", name="a b", role="king", days="ever")
    assert "3 fields want mending" in answer.text
    for field in ("name", "role", "days"):
        assert f'id="fault-{field}"' in answer.text, field


@pytest.mark.parametrize("role", ROLES)
def test_a_token_of_the_page_opens_the_api_until_it_is_revoked(console: Visitor, role: Role) -> None:
    secret = made(console, role=role)
    assert ask(console, secret).status_code == 200
    allowed = ask(console, secret, path="/tokens").status_code
    assert allowed == (200 if role == "administrator" else 403)
    answer = console.post("/tokens/revoke", name="deploy", confirmed="yes")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/tokens")
    refused = ask(console, secret)
    assert refused.status_code == 401
    assert "the token is unknown, was revoked, or is at its end" in refused.json()["detail"]
    assert "deploy: revoked." in console.get("/tokens").text
    assert f"{ADMIN} from testclient: revoked token deploy" in audit(console)


def test_nothing_is_revoked_before_it_is_confirmed(console: Visitor) -> None:
    secret = made(console)
    asked = console.post("/tokens/revoke", name="deploy")
    assert asked.status_code == 200
    assert "Whatever is asked with this token from now on is refused" in asked.text
    assert ask(console, secret).status_code == 200
    assert "revoked token" not in audit(console)
    [form] = [one for one in Parsed(asked.text).forms if one.action == "/tokens/revoke"]  # as its button sends it
    assert console.post("/tokens/revoke", form.fields).status_code == 303
    assert ask(console, secret).status_code == 401


@pytest.mark.parametrize("more", [{}, {"confirmed": "yes"}])
def test_a_token_that_is_gone_is_told(console: Visitor, more: dict[str, str]) -> None:
    made(console)
    answer = console.post("/tokens/revoke", name="deplyo", **more)
    assert answer.status_code == 422
    assert "there is no token deplyo: did you mean deploy?" in answer.text
    assert [one.name for one in kept(console)] == ["deploy"]
    assert "revoked token" not in audit(console)


@pytest.mark.parametrize("role", ["operator", "read-only"])
def test_whoever_is_no_administrator_sees_the_list_and_changes_nothing(visit: SignIn, role: Role) -> None:
    console = visit("", role)
    tokens.add(console.operator, "deploy", "administrator")
    page = console.get("/tokens").text
    assert '<th scope="row">deploy</th>' in page
    assert "Revoke" not in page
    assert "Make Token" not in page
    assert console.get("/tokens/new").status_code == 403
    for path, form in (
        ("new", {"name": "mine", "role": role, "days": "1"}),
        ("revoke", {"name": "deploy", "confirmed": "yes"}),
    ):
        assert console.post(f"/tokens/{path}", form).status_code == 403
    assert [one.name for one in kept(console)] == ["deploy"]


def test_no_address_of_a_token_page_names_a_token(console: Visitor) -> None:
    made(console, "deploy")
    pages = [console.get("/tokens"), console.post("/tokens/revoke", name="deploy")]
    for page in (*pages, console.post("/tokens/new", name="other", role="operator", days="1")):
        parsed = Parsed(page.text)
        addresses = [*parsed.links, *(form.action for form in parsed.forms)]
        assert "/tokens" in addresses
        assert not [one for one in addresses if "deploy" in one or "other" in one or PREFIX in one]
        assert {form.method for form in parsed.forms} == {"post"}
