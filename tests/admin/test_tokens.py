"""Tokens of the REST API: made once, kept as a hash, good for a time, taken away at once."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from gatepost.admin.tokens import DAY, PREFIX, Tokens
from gatepost.admin.users import Users
from gatepost.errors import GatepostError
from tests.admin.conftest import Terminal


def test_the_command_line_makes_lists_and_revokes(gatepost: Terminal) -> None:
    secret = gatepost("user", "token", "add", "backup", "--role", "operator", "--days", "3").out.strip()
    assert secret.startswith(PREFIX)
    assert len(secret) > len(PREFIX) + 42
    (told,) = gatepost.json("user", "token", "list")
    assert (told["name"], told["role"]) == ("backup", "operator")
    assert told["expires"] - told["created"] == 3 * DAY
    assert secret not in gatepost("user", "token", "list").out
    assert "did you mean backup?" in gatepost("user", "token", "revoke", "bakup", status=1).err
    gatepost("user", "token", "revoke", "backup")
    assert gatepost.json("user", "token", "list") == []
    assert Tokens(gatepost.state / "users.db").find(secret) is None


def test_what_nobody_asked_for_is_the_lowest_role(gatepost: Terminal) -> None:
    made = gatepost.json("user", "token", "add", "reader")
    assert made["token"]["role"] == "read-only"


@pytest.mark.parametrize("name", ["", " ", "a b", "../x", "x" * 65, "ä", "a\nb"])
def test_a_name_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(GatepostError, match="is not a token's name"):
        Tokens(tmp_path / "users.db").add(name, "operator")


def test_a_secret_is_good_until_its_end_and_no_other_text_is(tmp_path: Path) -> None:
    now = 1_000_000.0
    tokens = Tokens(tmp_path / "users.db", lambda: now)
    secret = tokens.add("one", "operator", 2)
    assert tokens.find(secret) is not None
    for other in ("", PREFIX, secret + "x", secret[:-1], secret.upper(), "x" * 100_000, "\udcff"):
        assert tokens.find(other) is None
    now += 2 * DAY - 1
    assert tokens.find(secret) is not None
    now += 1
    assert tokens.find(secret) is None
    assert [one.name for one in tokens.list()] == ["one"]


def test_one_name_has_one_token_and_a_time_that_is_a_time(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path / "users.db")
    tokens.add("one", "operator")
    with pytest.raises(GatepostError, match="already"):
        tokens.add("one", "administrator")
    for days in (0, -1, 4000):
        with pytest.raises(GatepostError, match="from 1 to 3650 days"):
            tokens.add("two", "operator", days)


def test_the_secret_itself_is_on_no_disk(tmp_path: Path) -> None:
    path = tmp_path / "users.db"
    Users(path)
    secret = Tokens(path).add("one", "operator")
    assert path.stat().st_mode & 0o077 == 0
    assert all(secret.encode() not in file.read_bytes() for file in tmp_path.iterdir())
    with sqlite3.connect(path) as connection:
        (digest,) = connection.execute("SELECT digest FROM tokens").fetchone()
    connection.close()
    assert len(digest) == 64
