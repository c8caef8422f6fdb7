"""Recipient Access Table in this process: rows, order, text, faults, roles."""

from __future__ import annotations

import html
import re

from gatepost.admin.web.paging import PAGE
from gatepost.config.model import Config, Listener, Recipient
from tests.admin.web.conftest import SignIn
from tests.support.web import Visitor

ROWS = ("postmaster@", "example.com", "ALL")


def config(*rows: str) -> Config:
    """Return a public listener with these recipients."""
    recipients = [Recipient(match=row, action="reject" if row == "ALL" else "accept") for row in rows or ROWS]
    return Config(listeners={"InboundMail": Listener(address="127.0.0.1", port=2525, recipients=recipients)})


def table(console: Visitor) -> list[str]:
    """Return the recipients of the draft in their order, those that are refused with a minus."""
    rows = console.draft.listeners["InboundMail"].recipients
    return [f"{'-' * (row.action == 'reject')}{row.match}" for row in rows]


def test_a_recipient_is_added_above_all_or_where_it_is_wanted(visit: SignIn) -> None:
    console = visit(config())
    assert (
        console.post("/rat/InboundMail/row", match=".example.org", action="ACCEPT").headers["Location"] == "/rat/InboundMail"
    )
    console.post("/rat/InboundMail/row", match='"odd name"@example.com', action="REJECT", before="example.com")
    assert table(console) == ["postmaster@", '-"odd name"@example.com', "example.com", ".example.org", "-ALL"]


def test_a_recipient_is_edited_in_its_place(visit: SignIn) -> None:
    console = visit(config())
    assert 'value="example.com"' in console.get("/rat/InboundMail/row?match=example.com").text
    console.post("/rat/InboundMail/row", instead="example.com", match="example.net", action="REJECT")
    assert table(console) == ["postmaster@", "-example.net", "-ALL"]


def test_faults_stand_by_their_fields_and_what_was_typed_stays(visit: SignIn) -> None:
    console = visit(config())
    answer = console.post("/rat/InboundMail/row", match="<i>@exa mple", action="ACCEPT")
    assert answer.status_code == 422
    assert 'id="fault-match"' in answer.text
    assert 'value="&lt;i&gt;@exa mple"' in answer.text
    assert (
        "there is a recipient example.com already"
        in console.post("/rat/InboundMail/row", match="example.com", action="ACCEPT").text
    )
    assert 'id="fault-action"' in console.post("/rat/InboundMail/row", match="example.net", action="PERHAPS").text
    assert table(console) == ["postmaster@", "example.com", "-ALL"]


def test_buttons_move_rows(visit: SignIn) -> None:
    console = visit(config())
    page = console.get("/rat").text
    values = [html.unescape(value) for value in re.findall(r'name="move" id="[^"]*"[^>]*value="([^"]*)"', page)]
    assert values == ["postmaster@\tALL", "example.com\tpostmaster@", "example.com\t", "ALL\texample.com"]
    console.post("/rat/InboundMail/move", move=values[1])
    assert table(console) == ["example.com", "postmaster@", "-ALL"]


def test_a_row_is_deleted_and_the_rest_is_refused_by_itself(visit: SignIn) -> None:
    console = visit(config())
    assert "All Other Recipients" not in console.get("/rat").text
    console.post("/rat/InboundMail/delete", match="ALL")
    assert table(console) == ["postmaster@", "example.com"]
    assert "All Other Recipients" in console.get("/rat").text


def test_the_table_goes_out_and_comes_in_as_text(visit: SignIn) -> None:
    console = visit(config())
    text = console.get("/rat/InboundMail/export").text
    assert text == "postmaster@ ACCEPT\nexample.com ACCEPT\nALL REJECT\n"
    bad = console.post("/rat/InboundMail/import", text="example.com ACCEPT\r\nexample.com REJECT\r\n@@ ACCEPT\r\nshort")
    assert bad.status_code == 422
    assert [line for line in (1, 2, 3, 4) if f"line {line}: " in bad.text] == [2, 3, 4]
    assert "@@ ACCEPT" in bad.text
    console.post("/rat/InboundMail/import", text=text.replace("ACCEPT", "REJECT", 1))
    assert table(console) == ["-postmaster@", "example.com", "-ALL"]


def test_a_long_table_is_paged_and_searched(visit: SignIn) -> None:
    console = visit(config(*(f"d{place}.example" for place in range(PAGE + 1))))
    first = console.get("/rat").text
    assert (first.count("data-name="), "page 1 of 2" in first) == (PAGE, True)
    assert 'data-name="d200.example"' in console.get("/rat?page=2").text
    assert console.get("/rat?find=D20").text.count("data-name=") == 2
    assert console.get("/rat?page=x").status_code == 400


def test_only_an_administrator_may_change_it(visit: SignIn) -> None:
    console = visit(config(), "read-only")
    assert "<button>" not in console.get("/rat").text.split("<main")[1]
    for path in ("row", "move", "delete", "import"):
        assert console.post(f"/rat/InboundMail/{path}", match="example.com", action="REJECT").status_code == 403
    assert table(console) == ["postmaster@", "example.com", "-ALL"]


def test_without_a_public_listener_the_page_says_so(visit: SignIn) -> None:
    assert "There is no public listener" in visit().get("/rat").text
    console = visit(config())
    assert console.get("/rat/Nowhere").status_code == 404
    assert console.get("/rat/InboundMail/row?match=nobody@").status_code == 404
