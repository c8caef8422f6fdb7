"""`smtproutes`: routes typed one by one, and the whole table as a text."""

from __future__ import annotations

from gatepost.admin.console.smtproutes import smtproutes
from gatepost.admin.operations import drafts, files
from gatepost.admin.operations.operator import Operator
from tests.admin.console.dialogues import run


def routes(operator: Operator) -> dict[str, list[str]]:
    return drafts.current(operator).routes


async def test_routes_one_by_one(operator: Operator) -> None:
    screen = await run(
        smtproutes, operator,
        "new", "*.example.com", "Example.com", "", "10.0.0.5/pri=70000", "10.0.0.5, 10.0.0.6:2525/pri=10",
        "new", "all", "USEDNS, 10.0.0.1", "usedns",
        "new", "example.com", "10.0.0.9",
        "",
    )  # fmt: skip
    assert "'*.example.com' holds a wildcard: write .example.com for the domains below a domain" in screen
    assert "a route needs a destination" in screen
    assert "has an option that is not a priority: write /pri=N with N from 0 to 65535" in screen
    assert "USEDNS stands alone" in screen
    assert "there is a route for 'example.com' already: choose another name, or edit that one" in screen
    assert "There are currently 2 routes configured." in screen
    assert routes(operator) == {"example.com": ["10.0.0.5", "10.0.0.6:2525/pri=10"], "ALL": ["usedns"]}
    screen = await run(smtproutes, operator, "edit", "1", "/dev/null", "delete", "ALL", "delete", "nobody.example", "", "")
    assert "1. example.com 10.0.0.5, 10.0.0.6:2525/pri=10\n2. ALL usedns\n[]> " in screen
    assert "\n[10.0.0.5, 10.0.0.6:2525/pri=10]> " in screen
    assert routes(operator) == {"example.com": ["/dev/null"]}


async def test_the_table_as_a_text(operator: Operator) -> None:
    text = ["# routes", "example.com 10.0.0.5, 10.0.0.6:2525/pri=10", ".example.net\tinside.example.net", "ALL USEDNS"]
    screen = await run(smtproutes, operator, "import", "1", *text, ".", "print", "export", "", "export", "routes.txt", "")
    table = "example.com 10.0.0.5, 10.0.0.6:2525/pri=10\n.example.net inside.example.net\nALL USEDNS\n"
    assert "3 routes imported." in screen
    assert screen.count(f"\n\n{table}\n") == 2
    assert (files.directory(operator) / "routes.txt").read_text() == table
    before = routes(operator)
    await run(smtproutes, operator, "clear", "", "clear", "y", "")
    assert routes(operator) == {}
    await run(smtproutes, operator, "import", "routes.txt", "")
    assert routes(operator) == before


async def test_an_import_is_refused_with_every_bad_line(operator: Operator) -> None:
    await run(smtproutes, operator, "new", "example.com", "10.0.0.5", "")
    text = "a.example", "b.example 10.0.0.300", "", "c.example 10.0.0.1", "C.example 10.0.0.2"
    screen = await run(smtproutes, operator, "import", "1", *text, ".", "")
    assert "line 1: a route needs a destination" in screen
    assert "line 2: '10.0.0.300' is not an IPv4 address" in screen
    assert "line 5: there is a route for 'c.example' already" in screen
    assert routes(operator) == {"example.com": ["10.0.0.5"]}
    screen = await run(smtproutes, operator, "import", "1", *["x y z/"] * 60, ".", "")
    assert "line 50: " in screen
    assert "line 51: " not in screen
    assert "and 10 more\n" in screen
