"""Every command of the console is described, and docs/console.md says what they say."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from gatepost.admin.console import commands
from gatepost.admin.console.commands import ACTING, LOOKING, MODULES, Command

ROOT = Path(__file__).parents[3]
SENTENCE = re.compile(r"[A-Z][^\n]*[.?]")
EVERY = [one for module in MODULES for one in import_module(f"gatepost.admin.console.{module}").COMMANDS]


def test_the_page_is_current() -> None:
    made = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "console-reference")], capture_output=True, text=True, timeout=60, check=True
    )
    page = (ROOT / "docs" / "console.md").read_text()
    assert page == made.stdout, "run: .venv/bin/python scripts/console-reference > docs/console.md"


@pytest.mark.parametrize("command", EVERY, ids=lambda one: one.name)
def test_every_command_is_described(command: Command) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9]*", command.name)
    assert SENTENCE.fullmatch(command.help), command.help
    assert len(command.help) <= 80, command.help
    assert inspect.iscoroutinefunction(command.run)
    page = inspect.cleandoc(command.run.__doc__ or "")
    assert SENTENCE.fullmatch(page.replace("\n", " ")), page
    for path, operations in command.menus.items():
        assert operations, path
        for name, does in operations:
            assert name == name.upper()
            assert SENTENCE.fullmatch(does), f"{path} {name}: {does}"


def test_roles_name_commands_that_there_are() -> None:
    assert {one.name for one in EVERY} >= LOOKING | ACTING
    assert not LOOKING & ACTING
    assert set(commands.commands("read-only")) == LOOKING
    assert set(commands.commands("operator")) == LOOKING | ACTING
    assert {"commit", "listenerconfig", "saveconfig"} <= set(commands.commands()) - LOOKING - ACTING


def test_no_name_is_taken_twice() -> None:
    assert sorted(commands.commands()) == sorted(one.name for one in EVERY)
