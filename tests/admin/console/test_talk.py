"""What a question shows, takes and refuses."""

from __future__ import annotations

import pytest

from gatepost.admin.cli_base import table
from gatepost.admin.console.talk import Ended, Left, harmless
from gatepost.admin.operations.operator import Operator
from gatepost.config.problems import ConfigErrors, Problem
from gatepost.errors import GatepostError
from tests.admin.console.conftest import INTERRUPT, talk

OPERATIONS = [("NEW", "Create a new entry."), ("EDIT", "Modify an entry."), ("EXPORT", "Export all.")]


async def test_an_empty_line_takes_the_default(operator: Operator) -> None:
    one, script = talk(operator, "", "  mail.example  ")
    assert await one.text("Name?", "mx") == "mx"
    assert await one.text("Name?", "mx") == "mail.example"
    assert script.screen == "\nName?\n[mx]> \n\nName?\n[mx]> \n"
    assert script.kinds == ["answer", "answer"]


async def test_a_refused_answer_is_asked_again(operator: Operator) -> None:
    def check(text: str) -> int:
        if text == "odd":
            raise GatepostError("odd will not do")
        return len(text)

    one, script = talk(operator, "odd", "even")
    assert await one.text("Which?", check=check) == 4
    assert script.screen == "\nWhich?\n[]> \nodd will not do\n[]> \n"


async def test_each_problem_of_a_document_is_shown(operator: Operator) -> None:
    one, script = talk(operator)
    one.refuse(ConfigErrors([Problem(path="gateway.hostname", value="x y", wrong="is no host name", mend="write one")]))
    for part in ("gateway.hostname", "is no host name", "write one", "1 error"):
        assert part in script.screen


async def test_a_number_is_held_to_its_bounds(operator: Operator) -> None:
    one, script = talk(operator, "0", "101", "ten", "1_0", "٣", "100", "-1")
    assert await one.number("How many?", 5, 1, 100) == 100
    assert script.screen.count("must be a whole number from 1 to 100.") == 5
    assert await one.number("How many?", 5, -1, 100) == -1


async def test_a_choice_is_taken_by_number_or_text(operator: Operator) -> None:
    options = ["No", "Preferred", "Preferred - Verify"]
    one, script = talk(operator, "", "2", "preferred", "n", "p", "4", "0", "3")
    assert await one.choose("TLS?", options, 0) == 0
    assert script.screen == "\nTLS?\n1. No\n2. Preferred\n3. Preferred - Verify\n[1]> \n"
    assert [await one.choose("TLS?", options, 0) for _ in range(3)] == [1, 1, 0]
    assert await one.choose("TLS?", options, 0) == 2
    assert script.screen.count("must be a number from 1 to 3.") == 3


async def test_yes_and_no(operator: Operator) -> None:
    one, script = talk(operator, "", "", "y", "NO", "maybe", "Yes")
    assert [await one.yes("Sure?", True), await one.yes("Sure?", False)] == [True, False]
    assert [await one.yes("Sure?", False), await one.yes("Sure?", True), await one.yes("Sure?", False)] == [
        True,
        False,
        True,
    ]
    assert "[Y]> " in script.screen
    assert "[N]> " in script.screen
    assert script.screen.count("must be Y or N") == 1


async def test_a_menu_takes_beginnings_and_an_empty_line_leaves(operator: Operator) -> None:
    one, script = talk(operator, "n", "EDIT", "ex", "")
    assert [await one.menu(OPERATIONS) for _ in range(4)] == ["new", "edit", "export", ""]
    assert script.screen.startswith(
        "\nChoose the operation you want to perform:\n- NEW - Create a new entry.\n- EDIT - Modify an entry.\n"
        "- EXPORT - Export all.\n[]> \n"
    )
    assert script.words[0] == ["new", "edit", "export"]


async def test_a_menu_says_what_it_does_not_know(operator: Operator) -> None:
    one, script = talk(operator, "e", "move", "?", "new")
    assert await one.menu(OPERATIONS) == "new"
    assert "e may mean EDIT or EXPORT.\n[]> " in script.screen
    assert "There is no operation move; an empty line leaves.\n[]> " in script.screen
    assert script.screen.count("- NEW - Create a new entry.") == 2


async def test_a_secret_is_read_as_one_and_kept_as_typed(operator: Operator) -> None:
    one, script = talk(operator, " s p ")
    assert await one.secret("Passphrase?") == " s p "
    assert script.kinds == ["secret"]


async def test_a_paste_ends_with_a_dot(operator: Operator) -> None:
    one, script = talk(operator, "one", "", "two\nthree", ".", "rest")
    assert await one.paste("Paste.") == "one\n\ntwo\nthree\n"
    assert script.lines == ["rest"]


@pytest.mark.parametrize(("line", "fault"), [(INTERRUPT, Left), (None, Ended)])
async def test_leaving_passes_through_every_question(operator: Operator, line: str | None, fault: type[Exception]) -> None:
    lines = [line] if line else []
    for ask in (
        lambda one: one.text("?"),
        lambda one: one.number("?", 1, 1, 2),
        lambda one: one.choose("?", ["a"], 0),
        lambda one: one.yes("?", True),
        lambda one: one.menu(OPERATIONS),
        lambda one: one.secret("?"),
        lambda one: one.paste("?"),
    ):
        with pytest.raises(fault):
            await ask(talk(operator, *lines)[0])


async def test_nothing_printed_steers_the_terminal(operator: Operator) -> None:
    one, script = talk(operator, "")
    one.say("\x1b[2Jgone", table("Name", rows=[["\x1b]0;title\x07"]]))
    await one.text("Q", "\x1b[31mred")
    assert "\x1b" not in script.screen
    assert "\x07" not in script.screen
    assert harmless("a\tb") == "a       b"


async def test_a_default_of_several_lines_is_one_prompt(operator: Operator) -> None:
    one, script = talk(operator, "a\nb")
    assert await one.text("Q", "x\ny") == "a b"
    assert script.screen.count("\n") == 3
