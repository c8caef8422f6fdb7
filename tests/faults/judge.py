"""The judge: load for an SMTP server, a capture peer behind it, and the verdict on every single message.

    python -m tests.faults.judge --port 25 --sink-port 2525 --count 1000 [--drained 'postqueue -p | grep -q empty'] …

The server under test must take mail for the recipient and hand it to the sink. What is done to it meanwhile is the caller's
business. Exit status 0 when the verdict is clean, 1 when it is not. Load and sink are those of `tests.support.judge`.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import IO, Any

from tests.support.judge import PATIENCE, Mix, Sent, Sink, Terms, lost, send

QUIET = 1.0
"""Seconds without a delivery, with nothing lost and the queue empty, after which no more is expected to come."""


@dataclasses.dataclass(frozen=True)
class Verdict:
    """Numbers of messages, and which ones where something is wrong with them."""

    acked: int
    refused: int
    unknown: int
    notsent: int
    stages: dict[str, int]
    """What went wrong in sessions: `421 at MAIL`, `closed at DOT`; messages refused before the dot were sent again."""
    delivered: int
    unknown_delivered: int
    lost: list[int]
    altered: list[int]
    duplicates: list[int]
    thrice: list[int]
    refused_delivered: list[int]
    unsent_delivered: list[int]
    queue_empty: bool
    duplicates_allowed: int
    refused_may_arrive: bool

    @property
    def problems(self) -> list[str]:
        """What is not as it must be, one sentence each."""
        found = [
            (self.lost, "LOST: answered 250 and never arrived"),
            (self.altered, "altered: not the octets that were sent, below our Received"),
            (self.thrice, "came three times or more"),
            (self.unsent_delivered, "arrived although its dot was never sent"),
            ([] if self.refused_may_arrive else self.refused_delivered, "was refused and arrived all the same"),
            (
                self.duplicates if len(self.duplicates) > self.duplicates_allowed else [],
                f"came twice, where {self.duplicates_allowed} may",
            ),
        ]
        told = [f"{len(numbers)} × {what}: {_some(numbers)}" for numbers, what in found if numbers]
        return told if self.queue_empty else [*told, "the queue is not empty at the end"]

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    def __str__(self) -> str:
        lines = [
            f"acked {self.acked}, refused {self.refused}, unknown {self.unknown} ({self.unknown_delivered} arrived), "
            f"notsent {self.notsent}; delivered {self.delivered}",
            f"LOST {len(self.lost)}, altered {len(self.altered)}, twice {len(self.duplicates)}, thrice {len(self.thrice)}, "
            f"refused but delivered {len(self.refused_delivered)}",
        ]
        if self.stages:
            lines.append("sessions: " + ", ".join(f"{what} × {count}" for what, count in self.stages.items()))
        return "\n".join([*lines, *(f"NOT CLEAN: {problem}" for problem in self.problems)])

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as JSON has it."""
        return {**dataclasses.asdict(self), "problems": self.problems, "clean": self.clean}


def _some(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers[:10])) + (", …" if len(numbers) > 10 else "")


def verdict(sent: Sent, sink: Sink, *, empty: bool, duplicates: int = 0, refused_may_arrive: bool = False) -> Verdict:
    """Hold what the load client was told against what the sink was given."""
    delivered, settled = set(sink.delivered), sent.acked | set(sent.refused) | sent.unknown
    return Verdict(
        acked=len(sent.acked),
        refused=len(sent.refused),
        unknown=len(sent.unknown),
        notsent=len(sent.notsent),
        stages=dict(sent.stages.most_common()),
        delivered=len(delivered),
        unknown_delivered=len(sent.unknown & delivered),
        lost=sorted(lost(sent, sink)),
        altered=sorted(sink.altered),
        duplicates=sorted(number for number, count in sink.delivered.items() if count == 2),
        thrice=sorted(number for number, count in sink.delivered.items() if count > 2),
        refused_delivered=sorted(set(sent.refused) & delivered),
        unsent_delivered=sorted(delivered - settled),
        queue_empty=empty,
        duplicates_allowed=duplicates,
        refused_may_arrive=refused_may_arrive,
    )


def settle(sent: Sent, sink: Sink, empty: Callable[[], bool], seconds: float) -> bool:
    """Wait until all that was answered 250 has come and the queue is empty; returns whether it is, at the latest then."""
    deadline = time.monotonic() + seconds
    while True:
        done = empty()
        now = time.monotonic()
        if done and not lost(sent, sink) and now - sink.last > QUIET:
            return True
        if now > deadline:
            return done
        time.sleep(0.1)


def main(argv: list[str] | None = None) -> int:
    """Run load and verdict as a command."""
    options = _options().parse_args(argv)
    mix = Mix(options.size, options.large, options.large_every)
    sent, deadline = Sent(), time.monotonic() + options.seconds
    began = time.monotonic()
    log: IO[str] | None = open(options.log, "w", buffering=1) if options.log else None  # noqa: SIM115 (it ends with us)

    def empty() -> bool:
        return not options.drained or subprocess.run(options.drained, shell=True, stdout=subprocess.DEVNULL).returncode == 0

    terms = [
        Terms(
            options.port,
            options.host,
            mix=mix,
            tls=at < options.starttls,
            pause=options.pause,
            sender=options.sender,
            recipient=options.recipient,
            patience=options.patience,
            over=lambda: time.monotonic() >= deadline,
            log=lambda line: log.write(line + "\n") if log else None,
        )
        for at in range(options.concurrency)
    ]
    with Sink(port=options.sink_port, mix=mix) as sink:
        asyncio.run(_with_progress(terms, options.count, sent, sink, quiet=options.quiet))
        loaded = time.monotonic() - began
        done = settle(sent, sink, empty, options.settle)
        judged = verdict(
            sent, sink, empty=done, duplicates=options.duplicates, refused_may_arrive=options.refused_may_arrive
        )
    if log:
        log.close()
    if options.json:
        seconds = {"load_seconds": round(loaded, 2), "seconds": round(time.monotonic() - began, 2)}
        print(json.dumps({**judged.as_dict(), **seconds}, indent=2))
    else:
        print(f"{judged}\n{time.monotonic() - began:.1f} s: {'clean' if judged.clean else 'not clean'}")
    return 0 if judged.clean else 1


async def _with_progress(terms: list[Terms], count: int, sent: Sent, sink: Sink, *, quiet: bool) -> None:
    async with asyncio.TaskGroup() as tasks:
        work = tasks.create_task(send(terms, range(count), sent))
        while not quiet and not work.done():
            await asyncio.wait([work], timeout=5)
            state = f"acked {len(sent.acked)}, unknown {len(sent.unknown)}, delivered {len(sink.delivered)} of {count}"
            print(state, file=sys.stderr, flush=True)


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.judge", description="Acknowledgements against deliveries.")
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address of the server under test")
    add("--port", type=int, required=True, help="its port")
    add("--sink-port", type=int, required=True, help="where it delivers: the judge listens on 127.0.0.1 there")
    add("--count", type=int, default=1000, help="messages")
    add("--concurrency", type=int, default=20, help="connections at a time")
    add("--starttls", type=int, default=0, metavar="N", help="how many of them use STARTTLS")
    add("--size", type=int, default=4096, help="octets of a message")
    add("--large", type=int, default=1 << 20, help="octets of a large one")
    add("--large-every", type=int, default=0, metavar="N", help="every N-th message is large (0: none)")
    add("--pause", type=float, default=0.0, help="seconds between two messages of one connection")
    add("--sender", default="load@sender.example")
    add("--recipient", default="box@example.com")
    add("--seconds", type=float, default=240.0, help="what has not been sent by then is notsent")
    add("--patience", type=float, default=PATIENCE, help="seconds to wait for a reply")
    add("--settle", type=float, default=60.0, help="seconds, at most, for deliveries to come in after the load")
    add("--drained", default="", metavar="COMMAND", help="a shell command that ends with status 0 when the queue is empty")
    add("--duplicates", type=int, default=0, help="how many messages may come twice (deliveries under way at each kill)")
    add("--refused-may-arrive", action="store_true", help="a sync failed: what was answered 451 may be there after all")
    add("--log", default="", metavar="FILE", help="write what came of each message, line by line")
    add("--json", action="store_true", help="print the verdict as JSON")
    add("--quiet", action="store_true", help="show no progress")
    return parser


if __name__ == "__main__":
    sys.exit(main())
