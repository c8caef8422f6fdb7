"""Users in this process: add, role, password, keys, delete; who is changed is signed out, and one administrator stays."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from gatepost.admin.users import User, Users
from gatepost.admin.web.desk import COOKIE
from tests.admin.web.conftest import SignIn
from tests.support.web import NAMES, Visitor

ONCE = "good for one use only"
KEY = Ed25519PrivateKey.generate()
PUBLIC = KEY.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
PRIVATE = KEY.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
ADMIN = NAMES["administrator"]


def users(console: Visitor) -> Users:
    return Users(console.operator.users_db)


def find(console: Visitor, name: str) -> User:
    found = users(console).find(name)
    assert found is not None
    return found


@pytest.fixture
def console(visit: SignIn) -> Visitor:
    """An administrator, and somebody else whose session is in `other`."""
    one = visit()
    users(one).add("rita", "their own password", role="read-only")
    return one


def session_of(console: Visitor, name: str) -> str:
    """Sign somebody in elsewhere; returns the secret of their session."""
    return str(console.http.app.state.sessions.begin(find(console, name), "elsewhere"))  # type: ignore[attr-defined]


def is_signed_in(console: Visitor, key: str) -> bool:
    mine = console.http.cookies[COOKIE]
    console.http.cookies.clear()
    try:
        return console.get("/users", headers={"Cookie": f"{COOKIE}={key}"}).status_code == 200
    finally:
        console.http.cookies.set(COOKIE, mine)


def test_somebody_is_added_with_a_password_for_one_use(console: Visitor) -> None:
    answer = console.post("/users/new", name="oscar", role="operator", new=ONCE, again=ONCE)
    assert answer.headers["Location"] == "/users"
    made = find(console, "oscar")
    assert (made.role, made.must_change) == ("operator", True)
    assert users(console).verify("oscar", ONCE)
    assert "good for one use" in console.get("/users").text
    audit = (console.state / "log" / "audit_logs").read_text()
    assert "added user oscar, operator" in audit
    assert ONCE not in audit


@pytest.mark.parametrize(
    ("form", "field", "said"),
    [
        ({"name": "rita"}, "name", "there is a user rita already"),
        ({"name": "<b>"}, "name", "is not a user name"),
        ({"again": "another"}, "again", "this is not the same as the password above"),
        ({"new": "short", "again": "short"}, "new", "the password is too short"),
        ({"role": "king"}, "role", "choose one of the roles"),
    ],
)
def test_faults_stand_by_their_fields_and_no_password_comes_back(
    console: Visitor, form: dict[str, str], field: str, said: str
) -> None:
    sent = {"name": "oscar", "role": "operator", "new": ONCE, "again": ONCE, **form}
    answer = console.post("/users/new", sent)
    assert answer.status_code == 422
    assert said in answer.text.partition(f'id="fault-{field}"')[2].partition("</p>")[0]
    assert ONCE not in answer.text
    assert [one.name for one in users(console).list()] == [ADMIN, "rita"]


def test_all_faults_are_told_at_once(console: Visitor) -> None:
    answer = console.post("/users/new", name="a b", role="king", new="short", again="other")
    for field in ("name", "role", "new", "again"):
        assert f'id="fault-{field}"' in answer.text, field


def test_another_role_holds_at_once_and_signs_out(console: Visitor) -> None:
    key = session_of(console, "rita")
    assert is_signed_in(console, key)
    console.post("/users/user/rita/role", role="operator")
    assert find(console, "rita").role == "operator"
    assert not is_signed_in(console, key)
    assert 'id="fault-role"' in console.post("/users/user/rita/role", role="king").text


def test_a_password_that_is_given_is_for_one_use_and_signs_out(console: Visitor) -> None:
    key = session_of(console, "rita")
    console.post("/users/user/rita/password", new=ONCE, again=ONCE)
    assert find(console, "rita").must_change
    assert users(console).verify("rita", ONCE)
    assert not is_signed_in(console, key)


def test_ones_own_password_is_changed_where_the_present_one_is_asked(console: Visitor) -> None:
    assert '<a href="/password">choose another</a>' in console.get(f"/users/user/{ADMIN}").text
    answer = console.post(f"/users/user/{ADMIN}/password", new=ONCE, again=ONCE)
    assert answer.status_code == 422
    assert not users(console).verify(ADMIN, ONCE)


def test_the_last_administrator_stays(console: Visitor) -> None:
    for action, form in (("delete", {}), ("role", {"role": "read-only"})):
        answer = console.post(f"/users/user/{ADMIN}/{action}", form)
        assert answer.status_code == 422
        assert "is the only administrator: make somebody else one first" in answer.text
    assert find(console, ADMIN).role == "administrator"
    console.post("/users/user/rita/role", role="administrator")
    assert console.post(f"/users/user/{ADMIN}/delete").status_code == 303
    assert console.get("/users").headers["Location"] == "/login"  # who was deleted is out


def test_somebody_is_deleted_and_signed_out(console: Visitor) -> None:
    key = session_of(console, "rita")
    console.post("/users/user/rita/delete")
    assert users(console).find("rita") is None
    assert not is_signed_in(console, key)
    assert console.get("/users/user/rita").status_code == 404


def test_keys_come_and_go_and_a_private_one_never_comes_back(console: Visitor) -> None:
    assert "None: only a password opens the console" in console.get("/users/user/rita").text
    answer = console.post("/users/user/rita/keys", keys=f"{PUBLIC} <b>rita</b>@laptop\r\n")
    assert answer.headers["Location"] == "/users/user/rita"
    [key] = users(console).keys("rita")
    page = console.get("/users/user/rita").text
    assert key.fingerprint in page
    assert "&lt;b&gt;rita&lt;/b&gt;@laptop" in page
    for text, said in ((PRIVATE, "this is a private key"), ("ssh-rsa nonsense", "cannot be read"), ("", "no public key")):
        refused = console.post("/users/user/rita/keys", keys=text)
        assert said in refused.text.partition('id="fault-keys"')[2].partition("</p>")[0]
        assert "PRIVATE KEY" not in refused.text
    console.post("/users/user/rita/keys/delete", fingerprint=key.fingerprint)
    assert not users(console).keys("rita")
    assert "has no key" in console.post("/users/user/rita/keys/delete", fingerprint=key.fingerprint).text


def test_whoever_is_no_administrator_sees_the_list_and_changes_nothing(visit: SignIn) -> None:
    console = visit("", "operator")
    assert NAMES["operator"] in console.get("/users").text
    assert "Add User" not in console.get("/users").text
    assert console.get("/users/new").status_code == 403
    page = console.get(f"/users/user/{NAMES['operator']}").text
    assert "Delete this user" not in page
    assert "Set password" not in page
