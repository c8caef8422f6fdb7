"""The host prompt stays, whatever happens to a dialogue."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from gatepost.admin.console import commands as registry
from gatepost.admin.console import shell as module
from gatepost.admin.console.commands import Command
from gatepost.admin.console.shell import shell
from gatepost.admin.console.talk import Ended, Talk
from gatepost.admin.operations.operator import Operator
from gatepost.admin.users import Role
from gatepost.errors import GatepostError
from tests.admin.console.conftest import INTERRUPT, Script

PROMPT = "\ngatepost> "


@pytest.fixture
def with_command(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Talk, str], Awaitable[None]]], None]:
    """Add a command `try`."""
    monkeypatch.delenv("GATEPOST_DEBUG", raising=False)

    def add(run: Callable[[Talk, str], Awaitable[None]]) -> None:
        made = {**registry.commands(), "try": Command("try", "Try it.", run)}
        monkeypatch.setattr(module, "commands", lambda role="administrator": made)

    return add


async def test_what_follows_the_name_is_handed_over(operator: Operator, with_command: Callable[..., None]) -> None:
    got: list[str] = []

    async def run(talk: Talk, rest: str) -> None:
        got.append(rest)

    with_command(run)
    script = Script("  TRY  some  more ", "try", "", INTERRUPT, "quit")
    assert await shell(operator, script) == 0
    assert got == ["some  more", ""]
    assert script.screen.count(PROMPT) == 5


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (GatepostError("it will not do"), "it will not do\n"),
        (ZeroDivisionError("division by zero"), "internal error: ZeroDivisionError: division by zero; set GATEPOST_DEBUG=1"),
    ],
)
async def test_a_fault_is_one_sentence(
    operator: Operator, with_command: Callable[..., None], fault: Exception, said: str
) -> None:
    async def run(talk: Talk, rest: str) -> None:
        raise fault

    with_command(run)
    script = Script("try", "quit")
    assert await shell(operator, script) == 1
    assert said in script.screen
    assert script.screen.endswith(f"{PROMPT}\n")
    assert await shell(operator, Script(), only="try") == 1


@pytest.mark.parametrize("fault", [KeyboardInterrupt(), asyncio.CancelledError()])
async def test_an_interrupt_leaves_a_verb_at_work(
    operator: Operator, with_command: Callable[..., None], fault: BaseException
) -> None:
    async def run(talk: Talk, rest: str) -> None:
        raise fault

    with_command(run)
    script = Script("try", "version", "quit")
    assert await shell(operator, script) == 0
    assert "Gatepost 0" in script.screen


async def test_one_command_has_no_prompt(operator: Operator) -> None:
    script = Script()
    assert await shell(operator, script, only="version") == 0
    assert script.screen.startswith("\nGatepost ")
    assert ">" not in script.screen
    assert await shell(operator, Script(), only="quit") == 0
    assert await shell(operator, Script(), only="vrsion") == 1


async def test_a_role_is_asked_for_each_command(operator: Operator) -> None:
    roles: list[Role] = ["read-only", "read-only", "read-only", "administrator"]

    def role() -> Role:
        if not roles:
            raise Ended
        return roles.pop(0)

    script = Script("commit", "commit", "version")
    assert await shell(operator, script, role=role) == 1
    assert "Your role, read-only, may not use commit; `help` lists what it may." in script.screen
    assert "There is no data to commit." in script.screen
    assert script.lines == ["version"], "it ended before"
    assert "commit" not in script.words[0]
    assert "showconfig" in script.words[0]
