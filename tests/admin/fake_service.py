"""A stand-in for the running service: answers verbs on a control socket from a table, and keeps what it was asked."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gatepost.errors import ControlError
from gatepost.service.control import Channel


class FakeService:
    """Runs in a thread of its own."""

    def __init__(self, state: Path, answers: dict[str, Any]) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self._state, self._answers = state, answers
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            path = str(self._state / "control.sock")
            server = await self._loop.create_unix_server(lambda: Channel(self._answer, tasks), path)
            self._ready.set()
            await self._stop.wait()
            server.close()
        await asyncio.sleep(0)  # closed connections are let go in the next round

    def _answer(self, verb: str, arguments: dict[str, Any]) -> Any:
        self.asked.append((verb, arguments))
        answer = self._answers.get(verb, ControlError(f"unknown verb {verb!r}"))
        if isinstance(answer, Exception):
            raise answer
        return answer(arguments) if callable(answer) else answer

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(10)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)


@contextmanager
def fake_service(state: Path, **answers: Any) -> Iterator[FakeService]:
    """Serve `answers` by verb: a value, a function of the arguments, or an exception to refuse with."""
    state.mkdir(exist_ok=True)
    service = FakeService(state, answers)
    service.start()
    try:
        yield service
    finally:
        service.stop()
