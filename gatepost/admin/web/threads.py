"""Handlers that ask the stores or the gateway do it beside the event loop, so that one slow page holds up no other."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

import anyio.to_thread

P = ParamSpec("P")
T = TypeVar("T")


def in_thread(handler: Callable[P, T]) -> Callable[P, Awaitable[T]]:
    """Make an asynchronous handler of a plain function.

    In place of Litestar's `sync_to_thread`, which wraps a handler once more for each method that its path has and then
    answers with a coroutine.
    """

    @functools.wraps(handler)
    async def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
        return await anyio.to_thread.run_sync(functools.partial(handler, *args, **kwargs))

    return wrapped
