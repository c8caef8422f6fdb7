"""The stream of events, without a network: log lines with their places, jobs, a gap, and its ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gatepost.admin.api import events
from gatepost.admin.api.caller import Caller
from gatepost.admin.api.jobs import Jobs
from gatepost.admin.operations import tokens
from gatepost.admin.operations.operator import Operator
from gatepost.admin.tokens import Tokens


@pytest.fixture
def caller(tmp_path: Path) -> Caller:
    operator = Operator(tmp_path, "test")
    (tmp_path / "log").mkdir()
    made = tokens.add(operator, "watcher", "read-only")
    state = SimpleNamespace(operator=operator, tokens=Tokens(operator.users_db), jobs=Jobs())
    request: Any = SimpleNamespace(app=SimpleNamespace(state=state), client=None, headers={})
    return Caller(request, made.token, made.secret)


async def following(stream: AsyncIterator[Any], count: int) -> list[Any]:
    """Return the next events, comments left out."""
    found = []
    async with asyncio.timeout(20):
        async for event in stream:
            if event.comment is None:
                found.append(event)
            if len(found) == count:
                break
    return found


async def test_lines_and_jobs_come_as_they_happen_and_a_place_is_gone_on_from(caller: Caller) -> None:
    log = caller.operator.state / "log" / "mail_logs"
    log.write_text("before\n")
    streams: set[object] = set()
    stream = events.stream(caller, streams, ("log", "job"), "")
    assert (await anext(stream)).comment
    assert len(streams) == 1
    with log.open("a") as file:
        file.write("one\ntwo\n")
    one, two = await following(stream, 2)
    assert [(found.event, found.data) for found in (one, two)] == [("log", "one"), ("log", "two")]
    job = caller.request.app.state.jobs.start("test", caller.operator, lambda told: told("half", 1, 2))
    assert job.wait(10)
    (told,) = await following(stream, 1)
    assert (told.event, told.id, json.loads(told.data)["state"]) == ("job", None, "done")
    await stream.aclose()
    assert not streams
    again = events.stream(caller, streams, ("log",), one.id)
    assert [found.data for found in await following(again, 1)] == ["two"]
    await again.aclose()


async def test_a_place_that_is_gone_is_told(caller: Caller) -> None:
    (caller.operator.state / "log" / "mail_logs").write_text("before\n")
    stream = events.stream(caller, set(), ("log",), "1-1-00000000")
    assert (await anext(stream)).event == "gap"
    await stream.aclose()


async def test_a_stream_ends_when_its_token_is_revoked(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "BEAT", 0.05)
    stream = events.stream(caller, set(), ("log",), "")
    assert (await anext(stream)).comment
    tokens.revoke(caller.operator, "watcher")
    async with asyncio.timeout(20):
        assert all([event.comment async for event in stream])
