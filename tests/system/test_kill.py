"""kill -9 of a worker and of the master under load: what was answered 250 arrives, at least once, at most twice."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from pathlib import Path

from tests.support.documents import relay
from tests.support.gateway import Gateway, gateway
from tests.support.judge import Sink, load, lost
from tests.support.postfix import as_root, open_directory
from tests.support.process import free_port, run, running, wait_for

COUNT = 5_000


def killer(one: Gateway, kills: list[str], done: threading.Event) -> None:
    """Kill workers in turn, the master now and then, and start it again, until the load is through."""
    turn = 0
    while not done.wait(0.7):
        turn += 1
        if turn % 4 == 0:
            one.kill()
            kills.append("master")
            one.start(2)
        else:
            pids = [pid for pid in one.workers() if pid]
            os.kill(pids[turn % len(pids)], signal.SIGKILL)
            kills.append("worker")


def test_nothing_is_lost(tmp_path: Path) -> None:
    port = free_port()
    with Sink() as sink, gateway(tmp_path, relay(port, sink.port), workers=2) as one:
        kills: list[str] = []
        done = threading.Event()
        thread = threading.Thread(target=killer, args=(one, kills, done))
        thread.start()
        try:
            sent = load(port, COUNT)
        finally:
            done.set()
            thread.join(60)
        one.cli("queue", "deliver-now", check=False)
        wait_for(lambda: not lost(sent, sink), f"every acknowledged message arrives; lost {len(lost(sent, sink))}", 60)
        wait_for(lambda: one.json("status")["queue"]["messages"] == 0, "the queue is empty", 60)
        assert len(sent.acked) + len(sent.refused) + len(sent.unknown) == COUNT
        assert len(sent.acked) > COUNT * 0.9
        duplicates = Counter(count for count in sink.delivered.values() if count > 1)
        print(f"acked {len(sent.acked)}, kills {Counter(kills)}, unknown {len(sent.unknown)}, duplicates {duplicates}")
        assert max(sink.delivered.values()) <= 2, f"no message comes three times: {duplicates}"
        assert {"worker", "master"} <= set(kills)


def test_smtp_source_to_smtp_sink(tmp_path: Path) -> None:
    """The same with Postfix's own tools: runs of smtp-source that ended well had each of their messages answered 250."""
    port, inside = free_port(), free_port()
    dump = open_directory("sunk", 0o777)
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    sink = ["smtp-sink", *user, "-d", f"{dump}/%Y%m%d%H%M.", f"127.0.0.1:{inside}", "500"]
    with running(*sink), gateway(tmp_path, relay(port, inside), workers=2) as one:
        wait_for(lambda: run("sh", "-c", f"ss -ltn | grep -q :{inside}").returncode == 0, "smtp-sink listens")
        good: list[int] = []
        killed_at = {5, 12, 20, 30, 40}
        for turn in range(50):
            source = ["smtp-source", "-s", "10", "-m", "100", "-l", "4096", "-d", "-t", "box@example.com"]
            source += ["-f", f"run{turn}@sender.example", f"127.0.0.1:{port}"]
            if turn in killed_at:
                with running(*source) as process:
                    time.sleep(0.03)
                    if turn == 20:
                        one.kill()
                        one.start(2)
                    else:
                        os.kill(one.workers()[turn % 2], signal.SIGKILL)
                    process.wait(60)
                    if process.returncode == 0:
                        good.append(turn)
                wait_for(lambda: all(worker["up"] for worker in one.json("status")["workers"]), "workers are back")
            elif run(*source).returncode == 0:
                good.append(turn)
        one.cli("queue", "deliver-now", check=False)
        wait_for(lambda: one.json("status")["queue"]["messages"] == 0, "the queue is empty", 60)
        arrived: Counter[int] = Counter()
        for file in dump.iterdir():
            text = file.read_text(errors="replace")
            arrived[int(text.split("<run", 1)[1].split("@", 1)[0])] += 1
        as_root("rm", "-rf", str(dump))
        assert len(good) >= 40
        assert all(arrived[turn] >= 100 for turn in good), {turn: arrived[turn] for turn in good if arrived[turn] < 100}
