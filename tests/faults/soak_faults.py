"""The faults of a soak: each hurts a running gateway for a while, leaves it to itself, and says how many it killed.

Every choice comes from the random numbers it is given, so that a seed repeats the run. What is started again here is what
systemd starts again: the master. Everything else has to come back by itself.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import msgspec

from gatepost.config.exchange import examine
from gatepost.config.model import Config
from tests.faults.injectors import kill, kill_group, limited
from tests.faults.judge_load import Trial, document
from tests.support.disk import TRACEABLE, injected
from tests.support.gateway import COMMAND
from tests.support.process import alive, wait_for

Fault = Callable[[Trial, Random], int]


def kill_workers(one: Trial, random: Random) -> int:
    """One worker after another, sometimes the same one again before it is up."""
    killed = 0
    for _ in range(random.randint(9, 13)):
        pids = [pid for pid in one.gateway.workers() if pid]
        killed += kill(random.choice(pids))
        time.sleep(random.uniform(0.2, 1.2))
    return killed


def kill_master(one: Trial, random: Random) -> int:
    """The master, a few times; its workers must end with it."""
    killed = 0
    for _ in range(random.randint(3, 5)):
        workers = one.gateway.workers()
        one.gateway.kill()
        killed += 1
        wait_for(lambda workers=workers: not any(map(alive, workers)), "the workers end with it", 10)  # type: ignore[misc]
        one.gateway.start(len(workers))
        one.load.more(20)
    return killed


def kill_everything(one: Trial, random: Random) -> int:
    """Master and workers at once, a few times."""
    killed = 0
    for _ in range(random.randint(3, 5)):
        workers = len(one.gateway.workers())
        killed += kill_group(one.gateway)
        one.gateway.start(workers)
        one.load.more(20)
    return killed


def kill_anything(one: Trial, random: Random) -> int:
    """Now a worker, now the master, now everything."""
    killed = 0
    for _ in range(random.randint(5, 7)):
        workers = len(one.gateway.workers())
        what = random.choice(("worker", "worker", "master", "everything"))
        if what == "worker":
            killed += kill(one.gateway.workers()[random.randrange(workers)])
        elif what == "master":
            one.gateway.kill()
            killed += 1
            one.gateway.start(workers)
        else:
            killed += kill_group(one.gateway)
            one.gateway.start(workers)
        one.load.more(random.randint(5, 30))
    return killed


def kill_starting(one: Trial, random: Random) -> int:
    """Everything, and then again and again while it starts."""
    workers = len(one.gateway.workers())
    killed = kill_group(one.gateway)
    for _ in range(4):
        with open(one.gateway.output, "ab") as output:
            serve = [*COMMAND, "--state", str(one.gateway.state), "serve", "--workers", str(workers)]
            starting = subprocess.Popen(serve, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        time.sleep(random.uniform(0.1, 2.5))
        starting.kill()
        starting.wait()
        killed += 1
    one.gateway.start(workers)
    return killed


def stop_worker(one: Trial, random: Random) -> int:
    """A worker stands still until the master replaces it."""
    victim = random.choice(one.gateway.workers())
    os.kill(victim, signal.SIGSTOP)
    wait_for(lambda: not alive(victim) and victim not in one.gateway.workers(), "it is replaced", 25)
    return 1


def pause_everything(one: Trial, random: Random) -> int:
    """Everything stands still, as on a machine that is suspended, and goes on."""
    assert one.gateway.process is not None
    pids = [one.gateway.process.pid, *one.gateway.workers()]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(random.uniform(3, 15))
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    return 0


def fill_disk(one: Trial, random: Random) -> int:
    """No file of any worker can grow."""
    with limited(one.gateway.workers(), resource.RLIMIT_FSIZE, 1 << random.randint(10, 16)):
        time.sleep(random.uniform(3, 8))
    return 0


def slow_disk(one: Trial, random: Random) -> int:
    """Each sync of a worker takes long."""
    delay = random.randint(200_000, 800_000)
    with injected(f"fdatasync,fsync:delay_enter={delay}", random.choice(one.gateway.workers())):
        time.sleep(random.uniform(3, 8))
    return 0


def spoil_next_hop(one: Trial, random: Random) -> int:
    """The next hop has one mood after another."""
    for mood in random.sample(("refusing", "closing", "silent", "busy"), 2):
        one.sink.feel(mood)
        time.sleep(random.uniform(3, 8))
    one.sink.feel("well")
    return 0


def commit_often(one: Trial, random: Random) -> int:
    """Commits one after another; not one message may be refused for them."""
    config = examine(document(one.port, one.sink.port).encode(), Config()).accepted()
    seen, end, commits = len(one.sent.troubles), time.monotonic() + random.uniform(4, 8), 0
    while time.monotonic() < end:
        commits += 1
        named = msgspec.structs.replace(config.gateway, hostname=f"mx{commits + 1}.example.com")
        one.gateway.commit(msgspec.structs.replace(config, gateway=named))
    troubles = one.sent.troubles[seen:]
    assert not troubles, f"{commits} commits, and {troubles[:5]}"
    return 0


def restart_in_order(one: Trial, random: Random) -> int:
    """Stopped as systemd does it, and started with another number of workers."""
    assert one.gateway.stop() == 0
    one.gateway.start(random.randint(1, 4))
    return 0


DECK: tuple[Fault, ...] = (
    *(kill_workers, kill_workers, kill_master, kill_everything, kill_anything, kill_starting),
    *(stop_worker, pause_everything, fill_disk, spoil_next_hop, commit_often, restart_in_order),
    *([slow_disk] if TRACEABLE else []),
)
"""Dealt to the last card before it is shuffled again: every half hour has each of them twice, and a hundred kills."""


def spool_files(state: Path) -> int:
    """Return how many body files there are: at the end none may be left."""
    return sum(len(list(directory.iterdir())) for directory in (state / "spool").glob("shard-*") if directory.is_dir())
