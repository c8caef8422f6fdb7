"""Processes that die at the worst moment, under load and with the judge: nothing that was answered 250 is lost.

What else section 5.1 of the fault matrix asks for stands in tests/system; docs/faults.md lists where.
"""

from __future__ import annotations

import contextlib
import os
import random
import resource
import signal
import subprocess
import time
from pathlib import Path

import pytest

import gatepost
from tests.faults.injectors import dies_at, kill, kill_group, limited
from tests.faults.judge_load import Trial, document, trial
from tests.support.client import Client, session
from tests.support.disk import needs_strace
from tests.support.gateway import COMMAND, Gateway, gateway
from tests.support.judge import Mix, Sink, load
from tests.support.process import alive, free_port, wait_for

IN_FLIGHT = 20
"""Deliveries of one worker that a kill may catch between the next hop's 250 and our commit."""


def replaced(one: Gateway, index: int, pid: int) -> None:
    """Wait until another process serves in that place."""

    def serves() -> bool:
        worker = one.ask("status")["workers"][index]
        return worker["up"] and worker["pid"] != pid

    wait_for(serves, f"worker {index} is replaced", 30)


def test_the_whole_group_dies_again_and_again(tmp_path: Path) -> None:
    with trial(tmp_path) as one:
        for _ in range(2):
            one.load.more(40)
            kill_group(one.gateway)
            one.gateway.start(2)
        one.clean(1)
        one.judge(duplicates=4 * IN_FLIGHT)


def die_at_syncs(one: Trial, numbers: list[int]) -> None:
    for number in numbers:
        victim = one.gateway.workers()[0]
        with dies_at(victim, "fsync,fdatasync", number):
            wait_for(lambda victim=victim: not alive(victim), f"it dies at its sync {number}")  # type: ignore[misc]
        replaced(one.gateway, 0, victim)
        one.load.more(5)


@needs_strace
@pytest.mark.long
def test_a_worker_dies_at_each_sync(tmp_path: Path) -> None:
    with trial(tmp_path, workers=2) as one:
        die_at_syncs(one, list(range(1, 41)))
        one.clean(10)
        one.judge(duplicates=40 * IN_FLIGHT, least=500)


BIG = Mix(size=200_000)
"""Large enough that some forty of them bring a checkpoint, small enough to lie in the database."""


def die_in_checkpoint(one: Trial, call: str, number: int) -> None:
    victim = one.gateway.workers()[0]
    with dies_at(victim, call, number, one.gateway.state / "spool" / "shard-0.db"):
        wait_for(lambda: not alive(victim), f"it dies in {call} {number} of a checkpoint", 30)
    replaced(one.gateway, 0, victim)


@needs_strace
def test_a_worker_dies_at_a_sync_and_in_a_checkpoint(tmp_path: Path) -> None:
    with trial(tmp_path, workers=1, mix=BIG, pause=0.01) as one:
        die_at_syncs(one, [1, 4])
        die_in_checkpoint(one, "pwrite64", 7)
        one.clean(1)
        one.judge(duplicates=3 * IN_FLIGHT, least=60)


@needs_strace
@pytest.mark.long
def test_a_worker_dies_at_many_points_of_a_checkpoint(tmp_path: Path) -> None:
    with trial(tmp_path, workers=1, mix=BIG, pause=0.01) as one:
        for number in (1, 2, 3, 5, 10, 50, 100, 500, 1000, 1500):
            die_in_checkpoint(one, "pwrite64", number)
        die_in_checkpoint(one, "fdatasync", 1)
        die_in_checkpoint(one, "fdatasync", 2)
        one.clean(10)
        one.judge(duplicates=12 * IN_FLIGHT, least=500)


def dies_starting(one: Gateway, number: int, deaths: int) -> bool:
    """Start a gateway whose processes die at the `number`-th write, sync or unlink of a thread; False when none did.

    The worker is started again by its master and dies again: so often is its recovery cut short. Then all of it is killed.
    """
    calls = "fsync,fdatasync,pwrite64,unlink,ftruncate"
    injecting = ["-e", f"trace={calls}", "-e", f"inject={calls}:signal=KILL:when={number}"]
    spool = [word for end in ("", "-wal", "-shm") for word in ("-P", str(one.state / "spool" / f"shard-0.db{end}"))]
    command = ["strace", "-f", "-qq", "-o", "/dev/null", *spool, *injecting, *COMMAND, "--state", str(one.state), "serve"]
    before = one.output.read_text().count("by signal SIGKILL")

    def died() -> int:
        return one.output.read_text().count("by signal SIGKILL") - before

    with open(one.output, "ab") as output:
        process = subprocess.Popen([*command, "--workers", "1"], stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    one.process = process
    wait_for(lambda: died() >= deaths or one._serves(1) or process.poll() is not None, "it dies, or serves", 60)
    hit = died() > 0
    kill(int((one.state / "master.lock").read_text()))
    process.wait(20)
    return hit


@needs_strace
@pytest.mark.long
def test_recovery_is_cut_short_twice(tmp_path: Path) -> None:
    with trial(tmp_path, workers=1) as one:
        one.load.more(50)
        kill_group(one.gateway)
        assert dies_starting(one.gateway, 1, deaths=2), "it died twice while it read what the crash had left"
        one.gateway.start(1)
        one.clean(1)
        one.judge(duplicates=3 * IN_FLIGHT)


@needs_strace
@pytest.mark.long
def test_recovery_is_cut_short_at_each_point(tmp_path: Path) -> None:
    with trial(tmp_path, workers=1) as one:
        points = 0
        for number in range(1, 60):
            one.load.more(20)
            kill_group(one.gateway)
            hit = dies_starting(one.gateway, number, deaths=2)
            one.gateway.start(1)
            if not hit:
                break
            points += 1
        assert points >= 5, "it writes so often before it serves, at least"
        one.clean(10)
        one.judge(duplicates=3 * points * IN_FLIGHT, least=100)


@pytest.mark.long
def test_it_dies_at_any_moment_of_its_start(tmp_path: Path) -> None:
    moment = random.Random(51)
    with trial(tmp_path, workers=2) as one:
        for _ in range(15):
            one.load.more(20)
            kill_group(one.gateway)
            with open(one.gateway.output, "ab") as output:
                command = [*COMMAND, "--state", str(one.gateway.state), "serve", "--workers", "2"]
                process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
            time.sleep(moment.uniform(0.1, 2.0))
            process.kill()
            process.wait()
            one.gateway.start(2)
        one.clean(10)
        one.judge(duplicates=4 * 15 * IN_FLIGHT, least=300)


def test_the_number_of_workers_changes_under_load(tmp_path: Path) -> None:
    with trial(tmp_path, workers=4, clients=20) as one:
        one.sink.feel("busy")  # so that shards hold mail when they change hands
        one.load.more(40)
        wait_for(
            lambda: any(worker.get("messages") for worker in one.gateway.ask("status")["workers"][2:]),
            "shard 2 or 3 has mail",
        )
        assert one.gateway.stop() == 0
        one.gateway.start(2)
        one.gateway.wait_log("adopted by worker")
        one.load.more(40)
        assert one.gateway.stop() == 0
        one.gateway.start(4)
        one.sink.feel("well")
        one.clean(1)
        found = one.judge(duplicates=0)
        assert not found.unknown, "each was answered before the worker ended"


@pytest.mark.long
def test_a_worker_stands_still_and_is_replaced_under_load(tmp_path: Path) -> None:
    with trial(tmp_path, workers=2) as one:
        victim = one.gateway.workers()[0]
        os.kill(victim, signal.SIGSTOP)
        replaced(one.gateway, 0, victim)
        assert not alive(victim)
        one.clean(10)
        one.judge(duplicates=IN_FLIGHT, least=300)


def test_memory_that_is_short_costs_sessions_and_no_mail(tmp_path: Path) -> None:
    with trial(tmp_path, workers=1) as one:
        worker = one.gateway.workers()[0]
        size = int(Path(f"/proc/{worker}/statm").read_text().split()[0]) * resource.getpagesize()
        with limited([worker], resource.RLIMIT_AS, size + (8 << 20)), contextlib.ExitStack() as crowd:
            hungry = 0
            with contextlib.suppress(OSError, AssertionError):  # until one is refused or dropped
                while hungry < 400:  # each has a quarter of a megabyte kept in memory
                    client = crowd.enter_context(Client(one.port, timeout=5))
                    client.ehlo()
                    client.data()
                    client.send(b"Subject: hungry\r\n\r\n" + (b"x" * 76 + b"\r\n") * 3200)
                    hungry += 1
            assert hungry > 20, "it serves many before"
            one.gateway.wait_log("MemoryError")
        one.clean(1)
        one.judge(duplicates=IN_FLIGHT)


CRASHES = """
import os, signal, sys
if any("gatepost.service.worker" in word for word in sys.orig_argv):
    from gatepost.outbound import delivery
    sound = delivery.transaction
    def transaction(envelope, rids):
        if "poison" in str(envelope.reverse_path):
            os.kill(os.getpid(), signal.SIGSEGV)
        return sound(envelope, rids)
    delivery.transaction = transaction
"""
"""Found by every Python of the gateway at its start: a fault in a library, which no `except` catches."""


@pytest.mark.long
def test_a_message_that_crashes_the_process_is_set_aside_and_the_queue_goes_on(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "sitecustomize.py").write_text(CRASHES)
    path = os.pathsep.join((str(tmp_path), str(Path(gatepost.__file__).parents[1])))
    with Sink() as sink, gateway(tmp_path, document(port, sink.port), start=False) as one:
        one.start(1, env={"PYTHONPATH": path})
        one.ask("suspend_delivery")
        load(port, 30, connections=1)
        with session(port) as client:
            for line in ("MAIL FROM:<poison@client.example>", "RCPT TO:<box@example.com>"):
                assert client.say(line).startswith("250")
            assert client.say("DATA").startswith("354")
            assert client.say("Subject: poison", "", "text", ".").startswith("250")
        load(port, 30, connections=1, first=100)
        one.ask("resume_delivery")
        one.wait_log("Held: MID 31", 40)
        wait_for(lambda: len(sink.delivered) == 60, "all others arrive", 40)
