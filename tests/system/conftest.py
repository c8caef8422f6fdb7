"""System tests start the real service against real peers; every test here carries the marker."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.support.process import free_port

if TYPE_CHECKING:
    from playwright.sync_api import Browser

HERE = pathlib.Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.system)


@pytest.fixture(scope="module")
def mail_port() -> int:
    """Where the listener of a module's gateway is to be."""
    return free_port()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser for the walks of a module."""
    from tests.support.web import browser  # most system tests need no browser

    with browser() as one:
        yield one
