"""What a page says can be done on a page: sentences that all surfaces share name what to do, and no command of a shell."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import gatepost

PACKAGE = Path(gatepost.__file__).parent
SHARED = ("admin/operations", "admin/web/pages", "config", "policy", "tls")
COMMAND = re.compile(r"`?\bgatepost [a-z]+ [a-z]|`gatepost |(?<![\w-])--[a-z]+[a-z-]*")
NEVER_ON_A_PAGE = {
    "admin/operations/operator.py": "the web console has its state directory",
    "admin/operations/configuration.py": "a page asks first whether the draft may be lost",
    "admin/operations/trial.py": "`gatepost try` has no page",
    "config/edit.py": "no page sets a place by its path",
    "admin/operations/users.py": "a page asks for users that there are",
}


def sentences(path: Path) -> Iterator[str]:
    """Return the texts of a module that are not docstrings."""
    tree = ast.parse(path.read_text())
    said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said:
            yield node.value


@pytest.mark.parametrize("package", SHARED)
def test_no_shared_sentence_names_a_command(package: str) -> None:
    modules = sorted((PACKAGE / package).rglob("*.py"))
    assert modules
    found = [
        f"{name}: {text}"
        for path in modules
        if (name := path.relative_to(PACKAGE).as_posix()) not in NEVER_ON_A_PAGE
        for text in sentences(path)
        if COMMAND.search(text)
    ]
    assert not found, "\n".join(found)


def test_what_is_exempt_is_still_there() -> None:
    for name in NEVER_ON_A_PAGE:
        assert any(COMMAND.search(text) for text in sentences(PACKAGE / name)), name
