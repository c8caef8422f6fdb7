"""The web console in this process, for pages' forms, faults and roles."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gatepost.admin.users import Role
from gatepost.config.model import Config
from tests.support.web import Visitor, client

SignIn = Callable[..., Visitor]


@pytest.fixture
def visit(tmp_path: Path) -> Iterator[SignIn]:
    """Return what signs somebody in: `visit(config, role)`; several in one test have states of their own."""
    with contextlib.ExitStack() as stack:
        count = 0

        def made(config: Config | str = "", role: Role = "administrator") -> Visitor:
            nonlocal count
            count += 1
            directory = tmp_path / f"visit{count}"
            directory.mkdir()
            return stack.enter_context(client(directory, config, role))

        yield made
