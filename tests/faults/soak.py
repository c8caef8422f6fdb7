"""The soak: load for minutes or hours, a random fault each minute, clean mail after each, and the verdict at the end.

    python -m tests.faults.soak --minutes 30 [--seed 7]

Exit status 1 when something that was answered 250 is lost, when mail did not come back by itself within ten seconds of a
fault, or when it was not all 250 for ten seconds after that. The report is printed and written as JSON; the state of a
gateway that failed is kept.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.faults.judge import Verdict, settle, verdict
from tests.faults.judge_load import Trial, trial
from tests.faults.soak_faults import DECK, Fault, spool_files
from tests.support.judge import Mix

MIX = Mix(size=4096, large=1 << 20, every=40)
CLIENTS, PAUSE = 12, 0.3
"""Some thirty messages a second: the machine has to have time for the faults."""
RECOVERY = 10.0
"""Seconds within which mail must come back by itself after a fault."""
CLEAN = 10.0
"""Seconds of nothing but 250 that follow."""
IN_FLIGHT = 20
"""Messages that may come twice for each process killed: deliveries under way, and those whose end is not on the disk yet."""


@dataclasses.dataclass
class Round:
    """One fault and what followed."""

    fault: str
    at: float
    """Seconds since the beginning."""
    seconds: float = 0.0
    killed: int = 0
    recovered: float = -1.0
    """Seconds after the fault when mail was taken again and all workers served; -1: it did not come to that in time."""
    troubles: dict[str, int] = dataclasses.field(default_factory=dict)
    """What was not a 250 in the clean seconds."""
    failure: str = ""

    @property
    def good(self) -> bool:
        """Whether it went as it must."""
        return self.recovered >= 0 and not self.troubles and not self.failure

    def __str__(self) -> str:
        told = f"{self.seconds:.1f} s, {self.killed} killed; "
        told += f"recovered after {self.recovered:.1f} s" if self.recovered >= 0 else "NOT RECOVERED"
        told += f"; NOT CLEAN: {self.troubles}" if self.troubles else ""
        return told + (f"; FAILED: {self.failure}" if self.failure else "")


def deal(numbers: random.Random) -> Iterator[Fault]:
    """Deal faults for ever."""
    while True:
        yield from numbers.sample(DECK, len(DECK))


def say(text: str) -> None:
    """Show how it goes."""
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def hurt(one: Trial, fault: Fault, numbers: random.Random, at: float) -> Round:
    """Do one fault; then mail must come back, and be clean."""
    this = Round(fault.__name__, round(at, 1))
    began = time.monotonic()
    try:
        this.killed = fault(one, numbers)
    except Exception as failure:  # of the fault itself, or of the gateway that could not be started again
        this.failure = f"{type(failure).__name__}: {str(failure)[:300]}"
        ensure_running(one)
    ended = time.monotonic()
    this.seconds = round(ended - began, 1)
    acked = len(one.sent.acked)
    while time.monotonic() - ended < RECOVERY and this.recovered < 0:
        if len(one.sent.acked) > acked and all_up(one):
            this.recovered = round(time.monotonic() - ended, 1)
        time.sleep(0.05)
    one.load.settled(30)
    this.troubles = dict(one.load.troubles_in(CLEAN))
    return this


def all_up(one: Trial) -> bool:
    """Whether every worker serves."""
    with contextlib.suppress(Exception):
        return all(worker["up"] for worker in one.gateway.ask("status")["workers"])
    return False


def ensure_running(one: Trial) -> None:
    """Start the gateway if a fault went wrong and left none; what comes next is told by the round."""
    process = one.gateway.process
    if process is None or process.poll() is not None:
        with contextlib.suppress(AssertionError):
            one.gateway.start(2)


def run(directory: Path, minutes: float, seed: int, every: float) -> tuple[list[Round], Verdict, dict[str, Any]]:
    """Do it all; returns the rounds, the verdict and some figures."""
    numbers, rounds = random.Random(seed), list[Round]()
    faults = deal(numbers)
    with trial(directory, workers=2, mix=MIX, clients=CLIENTS, tls=CLIENTS // 3, pause=PAUSE) as one:
        began = time.monotonic()
        with contextlib.suppress(KeyboardInterrupt):  # an early end is judged as well
            while (elapsed := time.monotonic() - began) < minutes * 60:
                fault = next(faults)
                say(f"{elapsed / 60:5.1f} of {minutes:g} min: {fault.__name__} ...")
                rounds.append(hurt(one, fault, random.Random(numbers.random()), elapsed))
                say(f"    {rounds[-1]}")
                killed = sum(round_.killed for round_ in rounds)
                say(
                    f"    so far: acked {len(one.sent.acked)}, delivered {len(one.sink.delivered)}, {killed} killed, "
                    f"unknown {len(one.sent.unknown)}, refused {len(one.sent.refused)}"
                )
                time.sleep(max(0.0, min(began + minutes * 60, began + elapsed + every) - time.monotonic()))
        say("the load ends; what is under way may arrive")
        one.load.__exit__()
        done = settle(one.sent, one.sink, one.empty, 90)
        allowed = (sum(round_.killed for round_ in rounds) + len(rounds)) * IN_FLIGHT
        found = verdict(one.sent, one.sink, empty=done, duplicates=allowed)
        lines = Counter(word for word in ("Internal error",) for _ in range(one.gateway.log().count(word)))
        figures = {
            "seconds": round(time.monotonic() - began),
            "killed": sum(round_.killed for round_ in rounds),
            "body_files_left": spool_files(one.gateway.state) if done else -1,
            "internal_errors": lines["Internal error"],
        }
    return rounds, found, figures


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak", description="Load, faults, verdict.")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=None, help="repeats the faults of a run; otherwise a new one is drawn")
    parser.add_argument("--every", type=float, default=60, help="seconds from fault to fault")
    parser.add_argument("--report", type=Path, default=None, help="where the JSON goes (default var/soak-SEED.json)")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1_000_000)
    report = options.report or Path("var") / f"soak-{seed}.json"
    directory = Path(tempfile.mkdtemp(prefix="gatepost-soak-"))
    say(f"seed {seed}; state in {directory}")
    rounds, found, figures = run(directory, options.minutes, seed, options.every)
    good = found.clean and all(round_.good for round_ in rounds) and not figures["internal_errors"]
    report.parent.mkdir(exist_ok=True)
    told = {"seed": seed, "good": good, **figures, "verdict": found.as_dict()}
    told["rounds"] = [dataclasses.asdict(round_) | {"good": round_.good} for round_ in rounds]
    report.write_text(json.dumps(told, indent=2) + "\n")
    print(f"\n{'fault':<18}outcome")
    for round_ in rounds:
        print(f"{round_.fault:<18}{round_}")
    print(f"\n{found}\n{figures}\nseed {seed}, report {report}: {'GOOD' if good else 'NOT GOOD'}")
    if good:
        shutil.rmtree(directory)
    else:
        print(f"the state is kept in {directory}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
