"""SMTP Routes in this process: the table, its text, faults, roles."""

from __future__ import annotations

from gatepost.config.model import Config
from tests.admin.web.conftest import SignIn

BEGIN = Config(routes={"example.com": ["10.0.0.5", "10.0.0.6:2525/pri=10"], "ALL": ["USEDNS"]})


def test_a_route_is_added_changed_and_deleted(visit: SignIn) -> None:
    console = visit(BEGIN)
    answer = console.post("/routes/route", domain=".Example.NET", destinations="inside.example.net\r\n10.0.0.7")
    assert answer.headers["Location"] == "/routes"
    assert console.draft.routes[".example.net"] == ["inside.example.net", "10.0.0.7"]
    assert "10.0.0.5\n10.0.0.6:2525/pri=10</textarea>" in console.get("/routes/route?domain=example.com").text
    console.post("/routes/route", present="example.com", domain="example.org", destinations="/dev/null")
    assert list(console.draft.routes) == ["example.org", "ALL", ".example.net"]
    console.post("/routes/delete", domain="ALL")
    assert list(console.draft.routes) == ["example.org", ".example.net"]
    assert "example.org" in console.get("/routes").text


def test_faults_stand_by_both_fields_at_once(visit: SignIn) -> None:
    console = visit(BEGIN)
    answer = console.post("/routes/route", domain="<b>", destinations="host:port:more")
    assert answer.status_code == 422
    for field in ("domain", "destinations"):
        assert f'id="fault-{field}"' in answer.text
    assert 'value="&lt;b&gt;"' in answer.text
    assert ">host:port:more</textarea>" in answer.text
    taken = console.post("/routes/route", domain="example.com", destinations="10.0.0.9")
    assert "already" in taken.text
    assert 'id="fault-domain"' in taken.text
    assert console.draft == BEGIN


def test_a_route_without_destination_is_refused(visit: SignIn) -> None:
    assert "a route needs a destination" in visit(BEGIN).post("/routes/route", domain="example.net").text


def test_the_table_goes_out_and_comes_in_as_text(visit: SignIn) -> None:
    console = visit(BEGIN)
    text = console.get("/routes/export").text
    assert text == "example.com 10.0.0.5, 10.0.0.6:2525/pri=10\nALL USEDNS\n"
    bad = console.post("/routes/import", text=f"{text}ALL 10.0.0.1\r\n# fine\r\nexample.org")
    assert [line for line in range(1, 6) if f"line {line}: " in bad.text] == [3, 5]
    console.post("/routes/import", text=text.replace("ALL", ".example.net"))
    assert list(console.draft.routes) == ["example.com", ".example.net"]


def test_only_an_administrator_may_change_routes(visit: SignIn) -> None:
    console = visit(BEGIN, "operator")
    assert "Add Route" not in console.get("/routes").text
    for path in ("route", "delete", "import"):
        assert console.post(f"/routes/{path}", domain="ALL", destinations="10.0.0.1").status_code == 403
    assert console.draft == BEGIN


def test_no_route_is_said_and_an_unknown_one_is_404(visit: SignIn) -> None:
    console = visit()
    assert "There is no route" in console.get("/routes").text
    assert console.get("/routes/route?domain=nobody.example").status_code == 404
