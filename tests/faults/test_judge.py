"""The judge judged: a Postfix that is killed is found clean, a relay that promises from memory is not."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.faults.injectors import Rhythm
from tests.faults.judge import Verdict, settle, verdict
from tests.support.documents import relay
from tests.support.gateway import gateway
from tests.support.judge import Mix, Sent, Sink, is_whole, load
from tests.support.postfix import Postfix, as_root, postfix
from tests.support.process import free_port, listening, run, running, wait_for

ROOT = Path(__file__).parents[2]
JUDGE = (sys.executable, "-m", "tests.faults.judge")
BAD_RELAY = (sys.executable, "-m", "tests.faults.judge_bad_relay")


def judged(**changes: object) -> Verdict:
    """A verdict on messages 1 to 5, all acknowledged and delivered, but for the changes."""
    sink, sent = Sink(), Sent(acked={1, 2, 3, 4, 5})
    sink.delivered = Counter(dict.fromkeys(sent.acked, 1))
    settings: dict[str, object] = {"empty": True}
    for name, value in changes.items():
        if name in ("delivered", "altered"):
            setattr(sink, name, value)
        elif hasattr(sent, name):
            setattr(sent, name, value)
        else:
            settings[name] = value
    return verdict(sent, sink, **settings)  # type: ignore[arg-type]


ONE_EACH = dict.fromkeys(range(1, 6), 1)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({}, ""),
        ({"unknown": {6}}, ""),
        ({"unknown": {6}, "delivered": Counter({**ONE_EACH, 6: 1})}, ""),
        ({"delivered": Counter({1: 1, 3: 1, 4: 1, 5: 1})}, "1 × LOST: answered 250 and never arrived: 2"),
        ({"delivered": Counter({**ONE_EACH, 2: 2})}, "1 × came twice, where 0 may: 2"),
        ({"delivered": Counter({**ONE_EACH, 2: 2}), "duplicates": 1}, ""),
        ({"delivered": Counter({**ONE_EACH, 2: 3}), "duplicates": 9}, "1 × came three times or more: 2"),
        ({"delivered": Counter({**ONE_EACH, 6: 1})}, "1 × arrived although its dot was never sent: 6"),
        ({"refused": {6: "451"}}, ""),
        (
            {"refused": {6: "451"}, "delivered": Counter({**ONE_EACH, 6: 1})},
            "1 × was refused and arrived all the same: 6",
        ),
        ({"refused": {6: "451"}, "delivered": Counter({**ONE_EACH, 6: 1}), "refused_may_arrive": True}, ""),
        ({"altered": {4}}, "1 × altered: not the octets that were sent, below our Received: 4"),
        ({"empty": False}, "the queue is not empty at the end"),
    ],
)
def test_the_verdict(changes: dict[str, object], problem: str) -> None:
    found = judged(**changes)
    assert found.problems == ([problem] if problem else [])
    assert found.clean == (not problem)


def test_a_message_is_whole_only_to_the_octet() -> None:
    mix = Mix(size=2000, large=9000, every=3)
    assert [len(mix.message(number)) > 8000 for number in range(4)] == [False, False, True, False]
    sent = mix.message(7).replace(b"\r\n.", b"\r\n..") + b".\r\n"
    received = b"Received: from a\r\n\tby b; now\r\n"
    assert is_whole(mix, 7, sent)
    assert is_whole(mix, 7, received + sent)
    for other in (
        sent.replace(b"\xe4", b"?"),
        sent.replace(b"\r\n...", b"\r\n..", 1),
        b"no field\r\n" + sent,
        received + sent[:-75] + b".\r\n",
        sent.removesuffix(b".\r\n") + b"\r\n.\r\n",
    ):
        assert not is_whole(mix, 7, other)
    assert not is_whole(mix, 8, sent)


class Killed:
    """A Postfix whose working processes are killed again and again, and its master once."""

    def __init__(self, one: Postfix) -> None:
        self.one, self.kills = one, 0

    def stroke(self, turn: int) -> None:
        if turn > 5:
            return
        master = as_root("cat", str(self.one.root / "queue" / "pid" / "master.pid")).stdout.strip()
        if turn == 3:
            as_root("kill", "-9", master)
            self.kills += 1
            wait_for(lambda: self.one.command("start").returncode == 0, "postfix starts again")
            return
        children = [line.split() for line in as_root("ps", "-o", "pid=,comm=", "--ppid", master).stdout.splitlines()]
        pids = [pid for pid, name in children if name in ("smtpd", "cleanup", "qmgr", "smtp")]
        as_root("kill", "-9", *pids)
        self.kills += len(pids)

    def empty(self) -> bool:
        self.one.command("flush")
        return "Mail queue is empty" in run("postqueue", "-c", str(self.one.root / "etc"), "-p").stdout


@pytest.mark.long
def test_good_control_a_postfix_that_is_killed_loses_nothing() -> None:
    mix = Mix(size=4096, large=300_000, every=25)
    with Sink(mix=mix) as sink:
        quick = {"service_throttle_time": "1s", "minimal_backoff_time": "1s", "queue_run_delay": "1s"}
        with postfix(domains="nowhere.example", settings={"relayhost": f"[127.0.0.1]:{sink.port}", **quick}) as one:
            killed = Killed(one)
            with Rhythm(killed.stroke, 0.6) as rhythm:
                sent = load(one.port, 500, connections=10, mix=mix, pause=0.04, patience=5)
            done = settle(sent, sink, killed.empty, 40)
    # a cleanup that dies after its commit leaves smtpd to say 451 for what is in the queue
    found = verdict(sent, sink, empty=done, duplicates=killed.kills, refused_may_arrive=True)
    print(f"{killed.kills} processes killed\n{found}")
    assert found.clean
    assert found.acked > 450
    assert rhythm.strokes >= 4


def test_bad_control_a_relay_that_promises_from_memory_is_found_out(tmp_path: Path) -> None:
    port, inside, log = free_port(), free_port(), tmp_path / "log"
    judge = [*JUDGE, "--port", str(port), "--sink-port", str(inside), "--count", "400", "--settle", "3", "--json", "--quiet"]
    with subprocess.Popen([*judge, "--log", str(log)], cwd=ROOT, stdout=subprocess.PIPE, text=True) as judging:
        wait_for(lambda: listening(inside), "the sink listens")
        with running(*BAD_RELAY, str(port), str(inside), cwd=ROOT) as first:
            wait_for(lambda: log.exists() and log.read_text().count("acked") >= 150, "it has promised much")
            first.kill()
            first.wait()
        with running(*BAD_RELAY, str(port), str(inside), cwd=ROOT):
            told, _ = judging.communicate(timeout=40)
    found = json.loads(told)
    assert judging.returncode == 1
    assert not found["clean"]
    assert len(found["lost"]) > 50
    assert found["problems"][0].startswith(f"{len(found['lost'])} × LOST")
    assert not found["altered"]
    lines = log.read_text().splitlines()
    assert len({line for line in lines if line.startswith("acked ")}) == found["acked"]
    assert all(
        re.fullmatch(r"(acked|unknown|notsent) \d+|refused \d+ \S+ at [A-Z]+(, to be sent again)?", line) for line in lines
    )


def test_without_a_fault_gatepost_is_clean_and_its_own_books_agree(tmp_path: Path) -> None:
    port, inside, count = free_port(), free_port(), 200
    judge = [*JUDGE, "--port", str(port), "--sink-port", str(inside), "--count", str(count), "--quiet", "--json"]
    with gateway(tmp_path, relay(port, inside), workers=2) as one:
        drained = f"{sys.executable} -m gatepost --state {one.state} status --json | grep -q '\"messages\": 0'"
        command = [*judge, "--drained", drained, "--large-every", "50"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
        found = json.loads(done.stdout)
        assert (done.returncode, found["acked"], found["delivered"]) == (0, count, count)
        assert (found["stages"], found["problems"]) == ({}, [])
        wait_for(lambda: one.log().count(" queued for delivery") == count, "one line for each message accepted")
        wait_for(lambda: one.log().count("Message done DCID") == count, "and one for each delivered")

        def counted() -> tuple[float, float]:
            counters = one.ask("status")["counters"]
            return counters["messages_accepted"], counters["recipients{delivered}"]

        wait_for(lambda: counted() == (count, count), f"the counters say the same: {counted()}")
