"""Running one dialogue to its end on known lines."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from gatepost.admin.console.talk import Left, Talk
from gatepost.admin.operations.operator import Operator
from tests.admin.console.conftest import talk

Dialogue = Callable[[Talk, str], Awaitable[None]]


async def run(dialogue: Dialogue, operator: Operator, *lines: str, rest: str = "", left: bool = False) -> str:
    """Run a dialogue, which must take every line and no more; `left`: the last one leaves it. Returns the screen."""
    one, script = talk(operator, *lines)
    if left:
        with pytest.raises(Left):
            await dialogue(one, rest)
    else:
        await dialogue(one, rest)
    assert not script.lines, f"not asked for: {script.lines}\n{script.screen}"
    return script.screen
