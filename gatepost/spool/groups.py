"""Operations on their way from the loop to the writer's thread, and their answers on the way back.

The loop collects operations during one turn and hands them over in one piece; the thread takes all that waits, within
bounds; the answers of a group cost one call into the loop. Knows nothing of databases.
"""

from __future__ import annotations

import asyncio
from collections import deque
from queue import Empty, SimpleQueue

from gatepost.errors import SpoolSick
from gatepost.spool.batch import Operation

MAX_OPERATIONS = 256
MAX_OCTETS = 4 << 20
"""Bounds of one group: later callers should not wait for the writing of megabytes before them."""
PATIENCE = 0.005
"""Seconds that what nobody waits for may wait for company: a transaction of its own costs a sync, and no more than a sync or
two may be added to the time in which a crash delivers twice."""


class Groups:
    """Both ends: `submit` and `close` are the loop's, `take`, `report` and `wanted` the thread's."""

    def __init__(self) -> None:
        self.waiting = 0
        """Operations without an answer; the loop's, as is the next."""
        self.waiting_octets = 0
        self._collected: list[Operation] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready = False
        """What was collected goes to the thread at the end of this turn."""
        self._timer: asyncio.TimerHandle | None = None
        """It goes when this fires, unless something goes before."""
        self._closed = False
        self._queue: SimpleQueue[list[Operation] | None] = SimpleQueue()
        self._taken: deque[Operation] = deque()

    # --- in the loop

    def submit(self, operation: Operation) -> None:
        """Take an operation; it goes to the thread at the end of this turn."""
        if self._closed:
            raise SpoolSick("the spool is closed")
        if not self._ready:
            self._ready = True
            self._loop = asyncio.get_running_loop()
            self._loop.call_soon(self._hand_over)
        self._collected.append(operation)
        self.waiting += 1
        self.waiting_octets += operation.octets

    def submit_later(self, operation: Operation) -> None:
        """Take an operation that nobody waits for: it goes with the next one that somebody does, or after PATIENCE."""
        if self._closed:
            raise SpoolSick("the spool is closed")
        if not self._collected:
            self._loop = asyncio.get_running_loop()
            if self._timer is None:
                self._timer = self._loop.call_later(PATIENCE, self._lose_patience)
        self._collected.append(operation)
        self.waiting += 1
        self.waiting_octets += operation.octets

    def _lose_patience(self) -> None:
        self._timer = None
        self._hand_over()

    def close(self) -> None:
        """Take nothing more; the thread is told after all that was submitted."""
        if not self._closed:
            self._closed = True
            self._hand_over()
            self._queue.put(None)

    def _hand_over(self) -> None:
        self._ready = False
        if self._collected:
            collected, self._collected = self._collected, []
            self._queue.put(collected)

    def _answer(self, group: list[Operation]) -> None:
        self.waiting -= len(group)
        for operation in group:
            self.waiting_octets -= operation.octets
            done = operation.done
            if done is None or done.done():
                continue  # nobody waits, or the session that did was cancelled
            if operation.error is None:
                done.set_result(operation.result)
            else:
                done.set_exception(operation.error)

    # --- in the thread

    def take(self, seconds: float) -> list[Operation] | None:
        """Return what waits, up to the bounds of a group; empty after `seconds` of nothing; None when closed and done."""
        taken = self._taken
        try:
            while (part := self._queue.get(not taken, None if taken else seconds)) is not None:
                taken.extend(part)
            self._queue.put(None)  # closed, which is to be seen again when all before it is written
            if not taken:
                return None
        except Empty:
            pass
        group: list[Operation] = []
        octets = 0
        while taken and len(group) < MAX_OPERATIONS and octets < MAX_OCTETS:
            octets += taken[0].octets
            group.append(taken.popleft())
        return group

    def wanted(self) -> bool:
        """Tell whether something waits for the thread."""
        return bool(self._taken) or not self._queue.empty()

    def report(self, group: list[Operation]) -> None:
        """Let the loop answer all callers of a group."""
        if self._loop is not None:
            try:
                self._loop.call_soon_threadsafe(self._answer, group)
            except RuntimeError:
                pass  # the loop is closed: nobody waits any more
