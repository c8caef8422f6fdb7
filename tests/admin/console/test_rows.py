"""`rcptaccess` and `domainmap`: ordered tables of a listener, row by row and as a text."""

from __future__ import annotations

import pytest

from gatepost.admin.console.domainmap import domainmap
from gatepost.admin.console.rcptaccess import rcptaccess
from gatepost.admin.operations import configuration, drafts, files
from gatepost.admin.operations.operator import Operator
from gatepost.config.model import Config, DomainMapping, Listener, Recipient
from tests.admin.console.dialogues import run


@pytest.fixture
def begun(operator: Operator) -> Operator:
    rows = [Recipient(match="example.com"), Recipient(match="ALL", action="reject")]
    configuration.replace(operator, Config(listeners={"In": Listener(recipients=rows)}))
    return operator


def recipients(operator: Operator) -> list[str]:
    rows = drafts.current(operator).listeners["In"].recipients
    return [f"{row.match} {row.action}" for row in rows]


def mappings(operator: Operator) -> list[DomainMapping]:
    return drafts.current(operator).listeners["In"].domain_map


async def access(operator: Operator, *lines: str) -> str:
    return await run(rcptaccess, operator, *lines, "", rest="In")


async def test_a_new_recipient_stands_above_all(begun: Operator) -> None:
    screen = await access(begun, "new", "*.example.net", ".example.net", "", "new", "user@example.org", "2")
    assert "holds a wildcard" in screen
    assert "Recipient Access Table of listener In: 2 entries." in screen
    assert "Recipient Access Table of listener In: 4 entries." in screen
    assert recipients(begun) == ["example.com accept", ".example.net accept", "user@example.org reject", "ALL reject"]


async def test_a_pattern_stands_once(begun: Operator) -> None:
    screen = await access(begun, "new", "example.com", "reject", "new", "all", "accept")
    assert "there is a recipient example.com already: edit that one" in screen
    assert "there is a recipient ALL already" in screen
    assert recipients(begun) == ["example.com accept", "ALL reject"]


async def test_rows_are_edited_moved_and_removed(begun: Operator) -> None:
    screen = await access(begun, "new", "user@example.com", "reject")
    assert "never matches: example.com stands above it" in " ".join(screen.split())
    screen = await access(begun, "move", "user@example.com", "1")
    assert "never matches" not in screen
    screen = await access(begun, "edit", "1", "", "")
    assert "1. user@example.com REJECT\n2. example.com ACCEPT\n3. ALL REJECT\n[]> " in screen
    assert "\n[user@example.com]> " in screen
    assert "\n1. Accept\n2. Reject\n[2]> " in screen
    assert recipients(begun) == ["user@example.com reject", "example.com accept", "ALL reject"]
    await access(begun, "edit", "example.com", "example.net", "", "delete", "ALL", "move", "1", "the end")
    assert recipients(begun) == ["example.net accept", "user@example.com reject"]


async def test_the_table_as_a_text(begun: Operator) -> None:
    screen = await access(begun, "print", "export", "rat.txt", "clear", "", "clear", "y", "print", "move")
    assert "\nexample.com ACCEPT\nALL REJECT\n" in screen
    assert screen.count("There is none yet.") == 2
    assert recipients(begun) == []
    assert (files.directory(begun) / "rat.txt").read_text() == "example.com ACCEPT\nALL REJECT\n"
    await access(begun, "import", "rat.txt")
    assert recipients(begun) == ["example.com accept", "ALL reject"]


async def test_an_import_is_refused_with_every_bad_line(begun: Operator) -> None:
    lines = "# ours", "", "example.net ACCEPT", "exa_mple ACCEPT", "example.net REJECT", "example.org", "a.example MAYBE"
    screen = await access(begun, "import", "1", *lines, ".")
    assert "line 4: 'exa_mple' is not a full domain name" in screen
    assert "line 5: example.net stands twice: take one of the two rows out\n" in screen
    assert "line 6: 'example.org' is not a row of two words: write `example.com ACCEPT`\n" in screen
    assert "line 7: 'MAYBE' is not an action: write ACCEPT or REJECT\n" in screen
    assert "Nothing was changed" in screen
    assert recipients(begun) == ["example.com accept", "ALL reject"]


async def test_the_domain_map(begun: Operator) -> None:
    screen = await run(
        domainmap, begun,
        "new", "old.example", "@.old.example", "@.example.com", "@example.com",
        "new", "joe@old.example", "jim@example.com", "move", "2", "1", "print",
        "edit", "2", "", "@new.example", "", rest="In",
    )  # fmt: skip
    assert "Domain map of listener In: 0 entries." in screen
    assert "'old.example' has no @" in screen
    assert "'@.example.com' does not say which domain" in screen
    assert "\njoe@old.example jim@example.com\n@.old.example @example.com\n" in screen
    assert mappings(begun) == [
        DomainMapping(match="joe@old.example", to="jim@example.com"),
        DomainMapping(match="@.old.example", to="@new.example"),
    ]


async def test_the_domain_map_is_imported_whole_or_not_at_all(begun: Operator) -> None:
    await run(domainmap, begun, "import", "1", "@old.example\t@new.example", ".", "", rest="In")
    expected = [DomainMapping(match="@old.example", to="@new.example")]
    assert mappings(begun) == expected
    screen = await run(domainmap, begun, "import", "1", "@a.example @b.example", "@c.example b", ".", "", rest="In")
    assert "line 2: 'b' has no @" in screen
    assert mappings(begun) == expected
