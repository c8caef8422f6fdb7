"""Servers that are coroutines, in a thread of their own, for tests that are none."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any


@contextlib.contextmanager
def background(*servers: AbstractAsyncContextManager[Any]) -> Iterator[None]:
    """Run servers on an event loop aside; they are entered in order and left in reverse."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    stack = contextlib.AsyncExitStack()

    async def enter() -> None:
        for server in servers:
            await stack.enter_async_context(server)

    try:
        asyncio.run_coroutine_threadsafe(enter(), loop).result(30)
        yield
    finally:
        asyncio.run_coroutine_threadsafe(stack.aclose(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
