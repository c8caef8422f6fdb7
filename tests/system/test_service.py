"""The processes of the gateway: killed, stopped, doubled, counted anew. Whatever happens to one, mail goes on."""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import gatepost
from gatepost.config.exchange import examine
from gatepost.config.model import Config
from gatepost.errors import ControlError
from tests.support.client import Client
from tests.support.documents import relay
from tests.support.gateway import COMMAND, Gateway, gateway
from tests.support.judge import Sink, load
from tests.support.postfix import open_directory
from tests.support.process import alive, free_port, run, running, wait_for

NOBODY = 9
"""The port `discard`: nothing listens there."""


Dial = Callable[[int], Client]


@pytest.fixture
def dial() -> Iterator[Dial]:
    """Open a session that is closed when the test ends."""
    with contextlib.ExitStack() as opened:
        yield lambda port: opened.enter_context(Client(port))


@contextlib.contextmanager
def only(one: Gateway, index: int) -> Iterator[None]:
    """Let one worker alone accept connections: the others are stopped for a moment."""
    others = [pid for number, pid in enumerate(one.workers()) if number != index]
    for pid in others:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in others:
            os.kill(pid, signal.SIGCONT)


class Knocker:
    """Connects to a port again and again, and notes what was refused and how long a banner took."""

    def __init__(self, port: int) -> None:
        self.port, self.refused, self.banners = port, 0, 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Knocker:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join(30)

    def _run(self) -> None:
        while not self._done.wait(0.01):
            try:
                with Client(self.port) as client:
                    self.banners += client.banner.startswith("220")
            except ConnectionRefusedError:
                self.refused += 1
            except OSError:
                pass  # accepted by the worker that was killed


def start_of_a_worker() -> float:
    """Return the seconds that Python needs for what a worker imports."""
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", "import gatepost.service.worker"], check=True)
    return time.monotonic() - began


def test_a_killed_worker_is_back_at_once_and_disturbs_nobody(tmp_path: Path, dial: Dial) -> None:
    port = free_port()
    with Sink() as sink, gateway(tmp_path, relay(port, sink.port), workers=2) as one:
        sessions = []
        for index in range(2):
            with only(one, index):
                sessions.append([dial(port) for _ in range(3)])
        theirs, others = sessions
        victim = one.workers()[0]
        with Knocker(port) as knocker:
            began = time.monotonic()
            os.kill(victim, signal.SIGKILL)
            wait_for(lambda: one.workers()[0] != victim and one.ask("status")["workers"][0]["up"], "the worker is back")
            took = time.monotonic() - began
            banners = knocker.banners
            wait_for(lambda: knocker.banners > banners, "both serve again")
        print(f"the worker was back after {took:.2f} s")
        assert took < 0.5 + 3 * start_of_a_worker(), "it takes what a process takes to start, on this machine as it is now"
        assert knocker.refused == 0, "the port was never closed"
        assert all(client.is_closed for client in theirs)
        for client in others:
            assert client.ehlo()
            assert client.send_text().startswith("250")
        assert "Warning: Worker 0 ended by signal SIGKILL; it is started again on the same shard at once" in one.wait_log(
            "Worker 0 ended"
        )


def test_a_killed_master_leaves_nobody_and_another_one_takes_over(tmp_path: Path) -> None:
    port = free_port()
    with Sink() as sink, gateway(tmp_path, relay(port, sink.port), workers=2) as one:
        workers = one.workers()
        one.kill()
        one.start(2)  # at once: the workers of the first may be dying still
        assert not any(alive(pid) for pid in workers)
        assert not load(port, 20).refused
        assert one.stop() == 0
        assert not (tmp_path / "state" / "control.sock").exists()


def test_a_second_gateway_on_one_state_is_refused_and_so_is_one_beside_an_orphan(tmp_path: Path) -> None:
    with gateway(tmp_path, relay(free_port(), NOBODY)) as one:
        assert one.process is not None
        done = one.cli("serve", check=False)
        assert done.returncode == 1
        assert done.stderr == f"gatepost: a gateway already runs on {one.state} (process {one.process.pid}); stop it first\n"
        one.stop()
        lock = str(one.state / "spool" / "shard-0.lock")
        with running("flock", lock, "sleep", "60"):
            wait_for(lambda: run("flock", "-n", lock, "true").returncode, "it is held")
            done = one.cli("serve", check=False)
        assert done.returncode == 1
        assert re.fullmatch(
            r"gatepost: spool shard 0 in \S+ is in use by process \d+, left by a gateway that is gone; "
            r"end that process first\n",
            done.stderr,
        )


def test_a_stopped_worker_is_noticed_and_replaced(tmp_path: Path) -> None:
    port = free_port()
    with Sink() as sink, gateway(tmp_path, relay(port, sink.port), workers=2) as one:
        victim, other = one.workers()
        os.kill(victim, signal.SIGSTOP)
        assert one.ask("status")["workers"][0]["pid"] == victim, "the master does not hang on it"
        line = one.wait_log("Worker 0 (process", timeout=15)
        assert f"(process {victim}) has said nothing for 10 s; it is replaced" in line
        wait_for(lambda: one.workers()[0] != victim and one.ask("status")["workers"][0]["up"], "another one serves")
        assert not alive(victim)
        assert one.workers()[1] == other


def test_a_stop_finishes_what_is_under_way(tmp_path: Path, dial: Dial) -> None:
    port = free_port()
    with Sink() as sink, gateway(tmp_path, relay(port, sink.port), workers=2) as one:
        assert one.process is not None
        idle, busy, begun = dial(port), dial(port), dial(port)
        for client in (idle, busy, begun):
            client.ehlo()
        busy.data()
        begun.envelope()
        began = time.monotonic()
        one.process.terminate()
        assert idle.reply().startswith("421 ")
        assert idle.is_closed
        busy.send(b"X-Test-Id: 7\r\n\r\nthe rest\r\n.\r\n")
        assert busy.reply().startswith("250 ")
        assert busy.reply().startswith("421 ")
        assert begun.say("DATA").startswith("354")
        begun.send(b"X-Test-Id: 8\r\n\r\nlate\r\n.\r\n")
        assert begun.reply().startswith("250 ")
        assert one.process.wait(10) == 0
        assert time.monotonic() - began < 10
        assert "Gatepost stops" in one.log()
        one.start(1)
        wait_for(lambda: {7, 8} <= set(sink.delivered), "both are delivered, by the next gateway if need be")


def test_hangup_reopens_the_log(tmp_path: Path) -> None:
    port = free_port()
    with Sink() as sink, gateway(tmp_path, relay(port, sink.port), workers=2) as one:
        assert one.process is not None
        log = one.state / "log" / "mail_logs"
        one.wait_log("Gatepost")
        old = log.rename(log.with_name("mail_logs.rotated"))
        one.process.send_signal(signal.SIGHUP)
        for _ in range(2):  # the first answer comes behind the signal, the second behind the order to every worker
            one.ask("queue_list")
        load(port, 10, connections=4)
        wait_for(lambda: one.log().count("queued for delivery") == 10, "all that is new stands in the new file")
        assert "queued for delivery" not in old.read_text()


def test_shards_follow_the_number_of_workers_and_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    port, inside = free_port(), free_port()
    with gateway(tmp_path, relay(port, inside), workers=4) as one:

        def queued() -> int:
            return int(one.ask("status")["queue"]["messages"])

        for index in range(4):
            with only(one, index):
                assert len(load(port, 15, first=15 * index).acked) == 15
        wait_for(lambda: queued() == 60, "all wait")
        assert [worker["messages"] for worker in one.ask("status")["workers"]] == [15] * 4
        for workers in (2, 4):
            one.stop()
            one.start(workers)
            wait_for(lambda: queued() == 60, f"{workers} workers have all of it")
        assert one.log().count("adopted by worker") == 2
        for line in ("Spool shard 2 adopted by worker 0: 15 messages", "Spool shard 3 adopted by worker 1: 15 messages"):
            assert line in one.log()
        with Sink(port=inside) as sink:
            one.ask("deliver_now", destination="", mid=0)
            wait_for(lambda: queued() == 0, "the queue is empty", 30)
            assert Counter(sink.delivered) == Counter(dict.fromkeys(range(60), 1))


def test_an_empty_state_is_served_and_says_what_to_do(tmp_path: Path) -> None:
    with gateway(tmp_path) as one:
        told = one.output.read_text()
        assert "Nothing is committed yet, so no listener is open: `gatepost config import FILE`" in told
        wait_for(lambda: "serves with 1 worker: no listener is configured yet" in one.output.read_text(), "it serves")
        for told in (one.output.read_text(), one.log()):
            assert told.count("runs as root") == (os.geteuid() == 0), "said once"
        port = free_port()
        one.configure(relay(port, NOBODY))
        with Client(port) as client:
            assert client.banner == "220 mx1.example.com ESMTP"


def test_a_state_that_cannot_be_one_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = run(*COMMAND, "--state", str(tmp_path / "file"), "serve")
    assert done.returncode == 1
    assert done.stderr == f"gatepost: {tmp_path / 'file'} cannot be made a state directory: File exists\n"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may become anybody")
def test_only_root_can_become_another_user(tmp_path: Path) -> None:
    done = run(*COMMAND, "--state", str(tmp_path / "state"), "serve", "--user", "nobody")
    assert done.returncode == 1
    assert done.stderr == "gatepost: --user nobody: only root can become another user; leave the option out\n"


def test_an_unknown_user_is_one_sentence(tmp_path: Path) -> None:
    done = run(*COMMAND, "--state", str(tmp_path / "state"), "serve", "--user", "no-such-user")
    assert done.returncode == 1
    assert done.stderr == (
        "gatepost: --user no-such-user: there is no such user on this machine; `useradd --system no-such-user` makes one\n"
    )


@pytest.fixture
def open_state() -> Iterator[Path]:
    """A directory that every user can enter, which those of pytest are not."""
    directory = open_directory("state")
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def public_python() -> dict[str, Any]:
    """How to start the gateway with a Python that every user may run."""

    nobody = pwd.getpwnam("nobody")

    def runs(command: str, **env: str) -> bool:
        with contextlib.suppress(PermissionError):
            check = [command, "-c", "import gatepost.service.worker"]
            as_nobody: dict[str, Any] = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            return subprocess.run(check, cwd="/", env={**os.environ, **env}, **as_nobody).returncode == 0
        return False

    if runs(sys.executable):
        return {}
    paths = os.pathsep.join([str(Path(gatepost.__file__).parents[1]), sysconfig.get_path("purelib")])
    if not runs("/usr/bin/python3", PYTHONPATH=paths):
        pytest.skip("no Python here that another user may run and that has Gatepost's packages")
    return {"python": "/usr/bin/python3", "env": {"PYTHONPATH": paths}}


def owners(state: Path) -> set[int]:
    return {path.lstat().st_uid for path in (state, *state.rglob("*"))}


def uid_of(pid: int) -> int:
    return Path(f"/proc/{pid}").stat().st_uid


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_root_is_given_up_once_the_ports_are_bound(public_python: dict[str, Any], open_state: Path, dial: Dial) -> None:
    port = 667  # below 1024; Hayes way
    with Sink() as sink, gateway(open_state, relay(port, sink.port), start=False) as one:
        one.start(2, "--user", "nobody", **public_python)
        assert one.process is not None
        nobody = pwd.getpwnam("nobody").pw_uid
        assert {uid_of(pid) for pid in (one.process.pid, *one.workers())} == {nobody}
        assert "as root" not in one.output.read_text()
        load(port, 5)
        wait_for(lambda: len(sink.delivered) == 5, "mail flows")
        one.commit(examine(relay(port, sink.port, more="tcp_queue = 20").encode(), Config()).accepted())
        assert owners(one.state) == {nobody}
        with pytest.raises(ControlError, match="with --user they are bound at the start only"):
            one.commit(examine(relay(668, sink.port).encode(), Config()).accepted())
        assert dial(port).banner.startswith("220")


def test_without_descriptors_it_neither_spins_nor_dies_and_recovers(tmp_path: Path) -> None:
    port = free_port()
    with Sink() as sink, gateway(tmp_path, relay(port, sink.port), start=False) as one:
        one.start(1, before=("prlimit", "--nofile=64"))
        worker = one.workers()[0]
        with contextlib.ExitStack() as crowd:
            for _ in range(75):  # those that it cannot take wait in the queue of the kernel, which holds 50
                crowd.enter_context(socket.create_connection(("127.0.0.1", port), 5))
            wait_for(lambda: len(os.listdir(f"/proc/{worker}/fd")) >= 60, "there are no more descriptors")
            before = cpu_seconds(worker)
            time.sleep(1)
            assert cpu_seconds(worker) - before < 0.5, "it does not spin"
        sent = load(port, 20)
        assert len(sent.acked) == 20
        wait_for(lambda: len(sink.delivered) == 20, "mail flows")
        assert one.workers() == [worker]


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_ctrl_c_stops_in_order(tmp_path: Path, dial: Dial) -> None:
    port = free_port()
    with Sink() as sink, gateway(tmp_path, relay(port, sink.port), start=False) as one:
        one.start(2, before=("setsid",))
        client = dial(port)
        client.ehlo()
        client.data()
        assert one.process is not None
        assert os.getpgid(one.process.pid) == one.process.pid
        os.killpg(one.process.pid, signal.SIGINT)
        client.send(b"X-Test-Id: 1\r\n\r\nthe rest\r\n.\r\n")
        assert client.reply().startswith("250 ")
        assert one.process.wait(10) == 0
        assert "ended" not in one.log(), "the workers were not hit by it"
