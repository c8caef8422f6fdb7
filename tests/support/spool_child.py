"""A process that uses a spool and says what it was promised, to be killed or starved by a test.

    python -m tests.support.spool_child DIRECTORY FIRST COUNT

Commits messages FIRST, FIRST + 1, … one after another, every fourth with a body file, and settles every third. Each line on
stdout is written in one piece the moment the spool answers: `acked MID`, `settling MID`, `settled MID`, `refused MID FAULT`.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from gatepost.errors import SpoolFull, SpoolSick
from gatepost.spool.message import Message
from gatepost.spool.store import Spool
from tests.support.spool import NO_FLOOR, delivered, envelope, pattern

SMALL, LARGE = 3000, 300 << 10


def size_of(mid: int) -> int:
    """Return how large a message is."""
    return SMALL if mid % 4 else LARGE


def say(line: str) -> None:
    """Tell the test; a test believes only what stands here."""
    os.write(1, line.encode() + b"\n")


async def accept(spool: Spool, mid: int) -> None:
    """Take one message as a session does."""
    size = size_of(mid)
    incoming = spool.incoming(mid)
    incoming.write(pattern(mid, size))
    await spool.commit(Message(envelope(mid, size), await incoming.finish()))


async def main(directory: Path, first: int, count: int) -> None:
    """Commit and settle until done."""
    spool = Spool.open(directory, 0, NO_FLOOR)
    for mid in range(first, first + count):
        try:
            await accept(spool, mid)
            say(f"acked {mid}")
            if mid % 3 == 0:
                say(f"settling {mid}")
                await spool.settle(delivered(mid))
                say(f"settled {mid}")
        except (SpoolSick, SpoolFull) as fault:
            say(f"refused {mid} {type(fault).__name__}")
    await spool.close()
    say("done")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
