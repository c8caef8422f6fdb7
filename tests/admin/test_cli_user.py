"""Administrators on the command line, and what is kept of their passwords."""

from __future__ import annotations

import sqlite3
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gatepost.admin.users import Users
from gatepost.errors import StateError

from .conftest import Terminal

PASSWORD = "correct horse battery"


def test_users_are_added_changed_listed_and_deleted(gatepost: Terminal) -> None:
    gatepost("user", "add", "anna", "--password-stdin", stdin=f"{PASSWORD}\n")
    assert stat.S_IMODE((gatepost.state / "users.db").stat().st_mode) == 0o600
    users = Users(gatepost.state / "users.db")
    assert users.verify("anna", PASSWORD)
    assert not users.verify("anna", PASSWORD + "x")
    assert not users.verify("nobody", PASSWORD)
    assert PASSWORD.encode() not in (gatepost.state / "users.db").read_bytes()
    gatepost("user", "passwd", "anna", "--password-stdin", stdin="another long word\n")
    assert not users.verify("anna", PASSWORD)
    assert [one["name"] for one in gatepost.json("user", "list")] == ["anna"]
    assert "password" not in gatepost.json("user", "list")[0]
    gatepost("user", "delete", "anna")
    assert gatepost.json("user", "list") == []


@pytest.mark.parametrize(
    ("name", "stdin", "said"),
    [
        ("anna", "short\n", "the password is too short: it needs at least 12 characters"),
        ("anna", "", "standard input holds no password"),
        ("a b", f"{PASSWORD}\n", "'a b' is not a user name"),
    ],
)
def test_bad_names_and_passwords_are_refused(gatepost: Terminal, name: str, stdin: str, said: str) -> None:
    assert said in gatepost("user", "add", name, "--password-stdin", stdin=stdin, status=1).err


def test_unknown_and_known_names_are_told(gatepost: Terminal) -> None:
    gatepost("user", "add", "anna", "--password-stdin", stdin=PASSWORD)
    assert (
        "there is a user anna already" in gatepost("user", "add", "anna", "--password-stdin", stdin=PASSWORD, status=1).err
    )
    assert "there is no user otto" in gatepost("user", "delete", "otto", status=1).err
    assert "there is no user otto" in gatepost("user", "passwd", "otto", "--password-stdin", stdin=PASSWORD, status=1).err


def test_without_a_terminal_the_password_comes_by_option(gatepost: Terminal) -> None:
    assert "--password-stdin" in gatepost("user", "add", "anna", status=1).err


def test_a_damaged_file_is_named_and_left(gatepost: Terminal) -> None:
    gatepost.state.mkdir()
    (gatepost.state / "users.db").write_bytes(b"not a database, but something else\n" * 50)
    assert "users.db is damaged" in gatepost("user", "list", status=1).err
    with pytest.raises(StateError, match="left as it is"):
        Users(gatepost.state / "users.db")


def test_roles_and_the_last_administrator(gatepost: Terminal) -> None:
    gatepost("user", "add", "anna", "--password-stdin", stdin=PASSWORD)
    gatepost("user", "add", "otto", "--role", "read-only", "--password-stdin", stdin=PASSWORD)
    assert [(one["name"], one["role"]) for one in gatepost.json("user", "list")] == [
        ("anna", "administrator"),
        ("otto", "read-only"),
    ]
    assert "anna is the only administrator" in gatepost("user", "role", "anna", "operator", status=1).err
    gatepost("user", "role", "otto", "administrator")
    gatepost("user", "role", "anna", "operator")
    assert Users(gatepost.state / "users.db").find("anna").role == "operator"  # type: ignore[union-attr]


def test_a_file_of_an_earlier_version_is_brought_up_to_date(gatepost: Terminal) -> None:
    gatepost.state.mkdir()
    with sqlite3.connect(gatepost.state / "users.db") as old:
        old.execute("CREATE TABLE users (name VARCHAR(64) PRIMARY KEY, password VARCHAR(255), created FLOAT, changed FLOAT)")
        old.execute("INSERT INTO users VALUES ('anna', 'x', 1.0, 1.0)")
    [anna] = Users(gatepost.state / "users.db").list()
    assert (anna.role, anna.must_change) == ("administrator", False)


def test_the_first_administrator_must_change_the_password(gatepost: Terminal) -> None:
    gatepost.state.mkdir()
    users = Users(gatepost.state / "users.db")
    password = users.make_first()
    assert users.verify("admin", password)
    assert users.find("admin").must_change  # type: ignore[union-attr]
    users.set_password("admin", "another long word")
    assert not users.find("admin").must_change  # type: ignore[union-attr]
    assert users.make_first() == ""


def test_several_may_open_it_for_the_first_time_at_once(tmp_path: Path) -> None:
    path = tmp_path / "users.db"
    for _ in range(10):
        path.unlink(missing_ok=True)
        with ThreadPoolExecutor(8) as pool:
            assert [users.list() for users in pool.map(lambda _: Users(path), range(8))] == [[]] * 8
