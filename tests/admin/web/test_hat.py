"""HAT Overview and sender groups in this process: order, members, find senders, the table as text, faults, roles."""

from __future__ import annotations

import html
import re
from typing import Any

from gatepost.admin.operations import groups
from gatepost.admin.web.faults import MAX_BESIDE
from gatepost.admin.web.pages.sender_groups import MAX_TYPED
from gatepost.admin.web.paging import PAGE
from gatepost.config.model import Config, Listener, MailFlowPolicy, SenderGroup
from tests.admin.web.conftest import SignIn
from tests.support.web import Visitor

GROUPS = ("ALPHA", "BETA", "GAMMA")
LARGE = MAX_TYPED + PAGE


def config(*more: SenderGroup) -> Config:
    """Return a table of three groups, each with a host of its own."""
    rows = [
        SenderGroup(name=name, senders=[f"192.0.2.{place}"], policy="PARTNER_TLS", comment=f"contract {place}")
        for place, name in enumerate(GROUPS, 1)
    ]
    listener = Listener(
        address="127.0.0.1", port=2525, policies={"PARTNER_TLS": MailFlowPolicy()}, sender_groups=[*rows, *more]
    )
    return Config(listeners={"InboundMail": listener})


def order(console: Visitor) -> str:
    """Return the first letters of the groups as they stand in the draft."""
    return "".join(group.name[0] for group in console.draft.listeners["InboundMail"].sender_groups)


def group(console: Visitor, name: str) -> SenderGroup:
    """Return a group of the draft."""
    return next(row for row in console.draft.listeners["InboundMail"].sender_groups if row.name == name)


def text(page: str) -> str:
    """Return what a page says, without its tags."""
    return html.unescape(" ".join(re.sub(r"<[^>]*>", " ", page).split()))


def test_buttons_move_a_group_up_and_down(visit: SignIn) -> None:
    console = visit(config())
    page = console.get("/hat").text
    values = [html.unescape(value) for value in re.findall(r'name="move" id="[^"]*"[^>]*value="([^"]*)"', page)]
    assert values == ["ALPHA\tGAMMA", "BETA\tALPHA", "BETA\tALL", "GAMMA\tBETA"]
    for value, made in zip(values, ("BAG", "BAG", "AGB", "AGB"), strict=True):
        assert console.post("/hat/InboundMail/move", move=value).status_code == 303
        assert order(console) == made


def test_a_group_is_moved_above_another_or_last(visit: SignIn) -> None:
    console = visit(config())
    assert console.post("/hat/InboundMail/move", group="GAMMA", before="ALPHA").status_code == 303
    assert order(console) == "GAB"
    console.post("/hat/InboundMail/move", group="GAMMA", before="ALL")
    assert order(console) == "ABG"
    assert "GAMMA stands last now." in console.get("/hat/InboundMail").text


def test_a_group_that_is_gone_cannot_be_moved(visit: SignIn) -> None:
    console = visit(config())
    answer = console.post("/hat/InboundMail/move", move="DELTA\tALPHA")
    assert answer.status_code == 422
    assert "there is no sender group" in text(answer.text)
    assert order(console) == "ABG"


def test_a_page_that_somebody_overtook_changes_nothing(visit: SignIn) -> None:
    console = visit(config())
    tag = console.tag()
    groups.move(console.operator, "InboundMail", "GAMMA", "ALPHA")
    assert console.post("/hat/InboundMail/move", tag=tag, move="BETA\tGAMMA").status_code == 409
    assert order(console) == "GAB"


def test_find_senders_names_group_entry_and_reason(visit: SignIn) -> None:
    console = visit(config(SenderGroup(name="NET", senders=["192.0.2.0/24"], policy="REJECT")))
    said = text(console.get("/hat/InboundMail?host=192.0.2.2&host_name=mx.partner.example").text)
    assert "192.0.2.2 (mx.partner.example) falls into BETA : 192.0.2.2, policy PARTNER_TLS, accept." in said
    assert "192.0.2.0/24 of sender group NET (policy REJECT) would match too: stands below the row that decides." in said


def test_find_senders_falls_to_the_all_row_of_the_draft(visit: SignIn) -> None:
    console = visit(config())
    console.post("/hat/InboundMail/all", all_hosts="REJECT")
    assert "falls into the ALL row: ALL, policy REJECT" in text(console.get("/hat?host=203.0.113.9").text)


def test_what_is_no_host_is_said_beside_the_field(visit: SignIn) -> None:
    answer = visit(config()).get("/hat/InboundMail?host=<b>300.1.1.1</b>")
    assert answer.status_code == 422
    assert 'id="fault-host"' in answer.text
    assert "<b>300" not in answer.text


def test_the_all_row_takes_no_continue(visit: SignIn) -> None:
    console = visit(config())
    answer = console.post("/hat/InboundMail/all", all_hosts="CONTINUE")
    assert (answer.status_code, 'id="fault-all_hosts"' in answer.text) == (422, True)
    assert console.draft.listeners["InboundMail"].all_hosts == ""


def test_a_group_is_added_and_edited(visit: SignIn) -> None:
    console = visit(config())
    new: dict[str, Any] = {
        "name": "DELTA",
        "policy": "TCPREFUSE",
        "comment": "spam",
        "senders": "203.0.113.0/24\r\n.spam.example",
    }
    assert console.post("/hat/InboundMail/new", new).headers["Location"] == "/hat/InboundMail"
    made = SenderGroup(name="DELTA", policy="TCPREFUSE", comment="spam", senders=["203.0.113.0/24", ".spam.example"])
    assert group(console, "DELTA") == made
    console.post("/hat/InboundMail/group/DELTA", {**new, "name": "EPSILON", "senders": "203.0.113.7"})
    assert order(console) == "ABGE"
    assert group(console, "EPSILON").senders == ["203.0.113.7"]


def test_every_bad_member_is_told_and_what_was_typed_stays(visit: SignIn) -> None:
    console = visit(config())
    new = {
        "name": "BAD NAME",
        "policy": "NOSUCH",
        "senders": "192.0.2.300\n198.51.100.1\nbad_<i>.example",
        "comment": "kept",
    }
    answer = console.post("/hat/InboundMail/new", new)
    assert answer.status_code == 422
    for field in ("name", "policy", "senders"):
        assert f'id="fault-{field}"' in answer.text
    said = text(answer.text)
    assert "192.0.2.300" in said
    assert "bad_" in said
    assert 'value="kept"' in answer.text
    assert "198.51.100.1\nbad_&lt;i&gt;.example</textarea>" in answer.text
    assert order(console) == "ABG"


def test_of_many_bad_members_a_few_are_told(visit: SignIn) -> None:
    senders = "\n".join(f"192.0.2.{place}" for place in range(300, 1300))
    answer = visit(config()).post("/hat/InboundMail/new", name="MANY", policy="ACCEPT", senders=senders)
    assert answer.status_code == 422
    assert answer.text.count("is not an IPv4 address") == MAX_BESIDE
    assert "and 995 more" in answer.text
    assert "192.0.2.1299</textarea>" in answer.text


def test_a_member_that_stands_twice_is_refused(visit: SignIn) -> None:
    console = visit(config())
    new = {"name": "TWICE", "policy": "ACCEPT", "senders": "192.0.2.7 192.0.2.7"}
    answer = console.post("/hat/InboundMail/new", new)
    assert "holds 192.0.2.7 twice" in text(answer.text)
    assert 'id="fault-senders"' in answer.text


def test_a_large_group_is_paged_searched_and_edited_in_pieces(visit: SignIn) -> None:
    members = [f"10.0.{place >> 8}.{place & 255}" for place in range(LARGE)]
    console = visit(config(SenderGroup(name="LARGE", senders=members, policy="ACCEPT", comment="old")))
    path = "/hat/InboundMail/group/LARGE"
    assert console.get(path).text.count('type="checkbox"') == PAGE
    assert 'name="member 10.0.4.175"' not in console.get(path).text
    found = console.get(f"{path}?find=10.0.4.17&page=99").text
    assert re.findall(r'name="member ([^"]*)"', found) == ["10.0.4.17", *(f"10.0.4.{last}" for last in range(170, 176))]
    assert "No member holds nosuch" in console.get(f"{path}?find=nosuch").text

    console.post(f"{path}/remove", {"member 10.0.4.17": "on", "member 10.0.0.0": "on"})
    assert len(group(console, "LARGE").senders) == LARGE - 2
    console.post(f"{path}/add", more="172.16.0.1\n172.16.0.2")
    assert group(console, "LARGE").senders[-2:] == ["172.16.0.1", "172.16.0.2"]
    refused = console.post(f"{path}/add", more="172.16.0.1\n172.16.0.3")
    assert (refused.status_code, 'id="fault-more"' in refused.text) == (422, True)
    assert "172.16.0.1\n172.16.0.3</textarea>" in refused.text
    console.post(path, name="LARGE", policy="REJECT", comment="new")
    assert (group(console, "LARGE").comment, len(group(console, "LARGE").senders)) == ("new", LARGE)


def test_a_group_is_deleted(visit: SignIn) -> None:
    console = visit(config())
    assert console.post("/hat/InboundMail/group/BETA/delete").headers["Location"] == "/hat/InboundMail"
    assert order(console) == "AG"


def test_the_table_goes_out_and_comes_in_as_text(visit: SignIn) -> None:
    console = visit(config())
    out = console.get("/hat/InboundMail/export")
    assert out.headers["Content-Disposition"] == "attachment; filename*=UTF-8''hat-InboundMail.txt"
    changed = out.text.replace("BETA:", "DELTA:").replace("\n", "\r\n")
    assert console.post("/hat/InboundMail/import", text=changed).headers["Location"] == "/hat/InboundMail"
    assert order(console) == "ADG"
    assert console.draft.listeners["InboundMail"].policies == config().listeners["InboundMail"].policies


def test_a_file_with_bad_lines_is_shown_again_with_each_of_them(visit: SignIn) -> None:
    console = visit(config())
    bad = "BETA:\n    192.0.2.300\n        $NOSUCH\n<script>\nALL\n    ACCEPT\n"
    token = {"csrf": console.csrf, "tag": console.tag()}
    answer = console.http.post("/hat/InboundMail/import", data=token, files={"file": ("hat.txt", bad.encode())})
    assert answer.status_code == 422
    said = text(answer.text)
    assert "Nothing was changed." in said
    for line in (2, 3, 4):
        assert f"line {line}" in said
    assert "192.0.2.300\n        $NOSUCH\n&lt;script&gt;" in answer.text
    assert order(console) == "ABG"


def test_a_file_that_is_no_text_and_no_file_at_all_are_one_sentence(visit: SignIn) -> None:
    console = visit(config())
    token = {"csrf": console.csrf, "tag": console.tag()}
    binary = console.http.post("/hat/InboundMail/import", data=token, files={"file": ("hat.txt", b"ALL\n\xff\xfe")})
    assert "the file is not UTF-8 text (line 2): save it as UTF-8" in binary.text
    assert "there is no text: choose a file" in console.post("/hat/InboundMail/import", text=" ").text


def test_only_an_administrator_may_change_the_table(visit: SignIn) -> None:
    console = visit(config(), "operator")
    page = console.get("/hat").text
    assert 'name="move"' not in page
    assert "Add Sender Group" not in page
    assert "<textarea" in console.get("/hat/InboundMail/group/ALPHA").text
    for path in (
        "move",
        "all",
        "new",
        "import",
        "group/ALPHA",
        "group/ALPHA/delete",
        "group/ALPHA/add",
        "group/ALPHA/remove",
    ):
        assert console.post(f"/hat/InboundMail/{path}", move="BETA\tALPHA", name="X").status_code == 403
    assert order(console) == "ABG"


def test_what_does_not_exist_is_404_and_nothing_configured_is_said(visit: SignIn) -> None:
    console = visit(config())
    for path in ("/hat/Nowhere", "/hat/Nowhere/new", "/hat/Nowhere/export", "/hat/InboundMail/group/NOBODY"):
        assert console.get(path).status_code == 404
    assert "There is no listener yet" in visit().get("/hat").text


def test_a_comment_is_never_markup(visit: SignIn) -> None:
    console = visit(
        config(SenderGroup(name="X", senders=["192.0.2.9"], policy="ACCEPT", comment="<img src=x onerror=alert(1)>"))
    )
    for path in ("/hat", "/hat/InboundMail/group/X"):
        page = console.get(path).text
        assert "&lt;img src=x" in page
        assert "<img" not in page


def test_a_member_that_another_group_hides_is_told_at_once(visit: SignIn) -> None:
    console = visit(config(SenderGroup(name="NET", senders=["198.51.100.0/24"], policy="REJECT")))
    console.post("/hat/InboundMail/new", name="INSIDE", policy="ACCEPT", senders="198.51.100.9")
    said = text(console.get("/hat/InboundMail").text)
    assert "INSIDE: submitted. It takes effect with Commit Changes." in said
    assert "never matches: 198.51.100.0/24 of NET, which stands above, takes it first" in said
