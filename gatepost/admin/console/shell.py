"""The host prompt: reads a command, runs its dialogue, and stays whatever happens to that.

Ctrl-C leaves the dialogue, not the console; Ctrl-D or the end of the input at the host prompt leaves the console. A fault
is one sentence. Nothing is live before `commit`, and whoever leaves with changes pending is told.
"""

from __future__ import annotations

import asyncio
import difflib
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from gatepost import __version__
from gatepost.admin.console.commands import commands, may
from gatepost.admin.console.talk import Ended, Left, Quit, Source, Talk
from gatepost.admin.operations.configuration import is_changed, log
from gatepost.admin.operations.consoles import present
from gatepost.admin.operations.operator import Operator
from gatepost.admin.operations.stores import load
from gatepost.admin.users import Role
from gatepost.errors import GatepostError

UNNAMED = "gatepost"


async def shell(
    operator: Operator,
    source: Source,
    *,
    origin: str = "local",
    role: Callable[[], Role] = lambda: "administrator",
    only: str = "",
) -> int:
    """Run the console until it is left; returns how many commands were refused or not known.

    `origin`: where the person is, for `who`. `role` says, for each command anew, what the person may do; it raises Ended for
    one who may nothing any more. `only`: one command to run, with no prompt.
    """
    talk = Talk(operator, source, role)
    with present(operator, origin):
        try:
            return int(not await _run(talk, only)) if only else await _prompt(talk)
        except Quit:
            return 0


async def _prompt(talk: Talk) -> int:
    host, refused = _Host(talk.operator), 0
    talk.say(f"Gatepost {__version__}; ? lists the commands.")
    while True:
        try:
            talk.say()
            line = await talk.command(host.name(), list(commands(talk.role())))
            if line.strip():
                refused += not await _run(talk, line)
        except Quit:
            return refused
        except Ended:
            if is_changed(talk.operator):
                talk.say("There are changes that are not committed; they stay in the draft.")
            return refused
        except (Left, KeyboardInterrupt):
            pass


async def _run(talk: Talk, line: str) -> bool:
    """Run one command; whether it was not refused. Raises Quit."""
    try:
        await _dialogue(talk, line)
    except Quit:
        raise
    except GatepostError as fault:
        talk.refuse(fault)
        return False
    except Ended:
        return False  # cut short
    except (Left, KeyboardInterrupt):
        talk.say()
    except asyncio.CancelledError:
        _uncancel()
        talk.say()
    except BrokenPipeError:
        raise
    except Exception as bug:
        if os.environ.get("GATEPOST_DEBUG"):
            raise
        talk.say(f"internal error: {type(bug).__name__}: {bug}; set GATEPOST_DEBUG=1 for the traceback")
        return False
    return True


def run_here(operator: Operator, source: Source) -> int:
    """Run the console of this process, where Ctrl-C is a signal; returns what `shell` does."""

    async def main() -> int:
        with _interruptible():
            return await shell(operator, source)

    return asyncio.run(main())


async def _dialogue(talk: Talk, line: str) -> None:
    name, _, rest = line.strip().partition(" ")
    name = "help" if name == "?" else name.lower()
    role, known = talk.role(), commands()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise GatepostError(f"There is no command {name}: {hint}`help` lists those there are.")
    if not may(role, name):
        raise GatepostError(f"Your role, {role}, may not use {name}; `help` lists what it may.")
    await known[name].run(talk, rest.strip())


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C end what is being done: a verb at work is interrupted, a dialogue that waits is cancelled."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        if asyncio.current_task(loop) is task:
            raise KeyboardInterrupt
        loop.call_soon_threadsafe(task.cancel)

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _uncancel() -> None:
    task = asyncio.current_task()
    if task is not None:
        task.uncancel()


class _Host:
    """The gateway's name for the prompt: as committed, or else as in the draft; read again after a commit."""

    def __init__(self, operator: Operator) -> None:
        self._operator = operator
        self._revision: int | None = None
        self._name = UNNAMED

    def name(self) -> str:
        """Return the name; a store that cannot be read has none."""
        try:
            latest = log(self._operator, 1)
            revision = latest[0].number if latest else 0
            if revision != self._revision or not revision:
                self._name = load(self._operator, draft=not revision).config.gateway.hostname
                self._revision = revision
        except GatepostError:
            self._name = UNNAMED
        return self._name
