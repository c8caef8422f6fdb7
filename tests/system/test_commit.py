"""Commits to the running gateway: whole or not at all, by one administrator at a time, and no mail refused for them."""

from __future__ import annotations

import os
import signal
import socket
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from gatepost.admin.operations import configuration
from gatepost.admin.operations.operator import Operator
from gatepost.config.exchange import examine
from gatepost.config.model import Config
from gatepost.config.store import ConfigStore
from gatepost.errors import Conflict, ControlError, GatepostError
from tests.faults.judge_load import Load
from tests.support.client import Client
from tests.support.documents import relay
from tests.support.gateway import Gateway, gateway
from tests.support.judge import Mix, Sink, load, lost
from tests.support.process import free_port, listening, run, wait_for

DISCARD = 9


def document(port: int, inside: int = DISCARD, hostname: str = "mx1.example.com", **more: int) -> Config:
    """One listener `InboundMail`, and one more for each name and port given."""
    config = examine(relay(port, inside).encode(), Config()).accepted()
    listener = config.listeners["InboundMail"]
    listeners = {name: msgspec.structs.replace(listener, port=number) for name, number in more.items()}
    return msgspec.structs.replace(
        config,
        gateway=msgspec.structs.replace(config.gateway, hostname=hostname),
        listeners={**config.listeners, **listeners},
    )


def banner(port: int) -> str:
    with Client(port) as client:
        return client.banner.split()[1]


def revisions(one: Gateway) -> list[int]:
    return [worker.get("revision", 0) for worker in one.ask("status")["workers"]]


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock.getsockname()[1]


def test_a_port_in_use_is_refused_whole(tmp_path: Path, taken: int) -> None:
    port, fresh = free_port(), free_port()
    with gateway(tmp_path, relay(port, DISCARD), workers=2) as one:
        with pytest.raises(ControlError) as refusal:
            one.commit(document(port, hostname="other.example", New=fresh, Taken=taken))
        assert str(refusal.value) == (
            f"listener Taken: cannot listen on 127.0.0.1 port {taken}: Address already in use; "
            "stop the other program or choose another port"
        )
        now = one.ask("status")
        assert now["revision"] == 1
        assert [listener["name"] for listener in now["listeners"]] == ["InboundMail"]
        assert not listening(fresh)
        assert banner(port) == "mx1.example.com"
        done = one.cli("config", "commit", "-m", "again", check=False)
        assert done.returncode == 1
        assert done.stderr.strip().splitlines()[-1] == f"gatepost: {refusal.value}"


def backlog(port: int) -> int:
    return int(run("ss", "-ltnH", f"sport = :{port}").stdout.split()[2])


def test_listeners_come_and_go(tmp_path: Path) -> None:
    port, second = free_port(), free_port()
    with gateway(tmp_path, workers=2) as one:
        one.commit(document(port, Second=second))
        assert banner(second) == banner(port) == "mx1.example.com"
        assert backlog(port) == 50
        with Client(second) as open_session:
            config = document(port)
            listener = msgspec.structs.replace(config.listeners["InboundMail"], tcp_queue=77)
            one.commit(msgspec.structs.replace(config, listeners={"Renamed": listener}))
            assert not listening(second)
            assert backlog(port) == 77
            assert banner(port) == "mx1.example.com"
            assert open_session.ehlo(), "a session that is open goes on"
        everywhere = msgspec.structs.replace(listener, address="0.0.0.0")
        one.commit(msgspec.structs.replace(config, listeners={"Renamed": everywhere}))
        with Client(port, address="127.0.0.2") as client:
            assert client.banner.startswith("220")
        one.commit(document(second))
        assert (listening(port), listening(second)) == (False, True)


def test_workers_that_restart_meanwhile_take_the_latest(tmp_path: Path) -> None:
    port = free_port()
    with gateway(tmp_path, relay(port, DISCARD), workers=2) as one:
        for number in range(2, 5):
            os.kill(one.workers()[number % 2], signal.SIGKILL)
            time.sleep(0.15 * number)  # at another point of the restart each time
            assert one.commit(document(port, hostname=f"mx{number}.example.com")) == number
            assert banner(port) == f"mx{number}.example.com"
        wait_for(lambda: all(worker["up"] for worker in one.ask("status")["workers"]), "both serve")
        wait_for(lambda: revisions(one) == [4, 4], "both have the latest")
        assert {banner(port) for _ in range(20)} == {"mx4.example.com"}


def test_of_two_administrators_one_is_told(tmp_path: Path) -> None:
    port = free_port()
    with gateway(tmp_path, relay(port, DISCARD)) as one:
        ann, bob = Operator(one.state, author="ann"), Operator(one.state, author="bob")
        store = ConfigStore.open(one.state)
        tag = store.draft().tag
        configuration.replace(ann, document(port, hostname="ann.example"))
        with pytest.raises(Conflict, match="changed by somebody else since it was read"):
            store.save_draft(document(port, hostname="bob.example"), tag)
        with pytest.raises(ControlError, match="changed by somebody else since it was read"):
            one.ask("commit", tag=tag, author="bob", comment="what he saw before")
        store.close()

        def commit(operator: Operator) -> str:
            try:
                return f"revision {configuration.commit(operator, 'at once').revision}"
            except GatepostError as refusal:
                return str(refusal)

        with ThreadPoolExecutor(2) as pool:
            answers = sorted(pool.map(commit, (ann, bob)), key=lambda answer: not answer.startswith("revision"))
        assert answers[0] == "revision 2"
        assert "somebody else" in answers[1] or answers[1] == configuration.NOTHING_TO_COMMIT
        assert banner(port) == "ann.example"


def test_a_master_killed_in_a_commit_leaves_the_old_revision_or_the_new(tmp_path: Path) -> None:
    port = free_port()
    seen = set()
    with gateway(tmp_path, relay(port, DISCARD)) as one:
        operator = Operator(one.state, author="test")
        for number, delay in enumerate((0.01, 0.03, 0.2)):
            before = one.ask("status")["revision"]
            configuration.replace(operator, document(port, hostname=f"mx{number}.example"), force=True)
            tag = draft_tag(one.state)
            with ThreadPoolExecutor(1) as pool:
                answer = pool.submit(one.ask, "commit", tag=tag, author="test", comment="killed")
                time.sleep(delay)
                one.kill()
                told = answer.exception() is None
            one.start(1)
            now = one.ask("status")["revision"]
            assert now == before + 1 or (now == before and not told)
            store = ConfigStore.open(one.state)
            committed = store.committed()
            store.close()
            assert committed is not None
            assert (committed.number, committed.config.gateway.hostname) == (now, banner(port))
            seen.add(now - before)
    print(f"old or new: {seen}")


def draft_tag(state: Path) -> str:
    store = ConfigStore.open(state)
    try:
        return store.draft().tag
    finally:
        store.close()


def test_ten_commits_a_second_refuse_no_mail(tmp_path: Path) -> None:
    port = free_port()
    with Sink() as sink, gateway(tmp_path, relay(port, sink.port), workers=2) as one:
        late = 0
        with Load(port, clients=10, tls=0, mix=Mix(size=4096), pause=0.0) as load:
            load.more(1)
            for number in range(2, 22):
                began = time.monotonic()
                one.commit(document(port, sink.port, f"mx{number}.example.com"))
                rest = 0.1 - (time.monotonic() - began)
                late += rest < 0
                time.sleep(max(0.0, rest))
            load.more(1)
        sent = load.sent
        assert len(sent.acked) > 200
        assert (sent.refused, sent.unknown, sent.redials) == ({}, set(), 0)
        wait_for(lambda: not lost(sent, sink), "all is delivered")
        assert set(sink.delivered.values()) == {1}
        assert banner(port) == "mx21.example.com"
        print(f"20 commits, {late} of them took longer than 0.1 s; {len(sent.acked)} messages meanwhile")


def scrape(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        return str(answer.read().decode())


def test_gateway_settings_follow_a_commit(tmp_path: Path, taken: int) -> None:
    port, first, second = free_port(), free_port(), free_port()
    with Sink() as sink, gateway(tmp_path, relay(port, sink.port), workers=2) as one:

        def change(**fields: object) -> None:
            config = document(port, sink.port)
            one.commit(msgspec.structs.replace(config, gateway=msgspec.structs.replace(config.gateway, **fields)))

        change(metrics_address=f"127.0.0.1:{first}")
        load(port, 5)
        wait_for(lambda: "gatepost_messages_accepted_total 5.0" in scrape(first), "they are counted")
        change(metrics_address=f"127.0.0.1:{second}")
        assert "gatepost_messages_accepted_total 5.0" in scrape(second)
        assert not listening(first)
        change(metrics_address=f"127.0.0.1:{taken}")
        one.wait_log(f"Warning: Metrics cannot be served on 127.0.0.1:{taken}: ")
        change(min_free_space="1000000G")

        def answer() -> str:
            with Client(port) as client:
                client.ehlo()
                return client.send_text()[:3]

        wait_for(lambda: {answer() for _ in range(6)} == {"452"}, "both workers know the new floor")
        assert "KiB free, less than the floor of" in one.wait_log("new mail is answered 452")
        assert "refuses new mail" in one.cli("status").stdout
        change(min_free_space="1M")
        wait_for(lambda: {answer() for _ in range(6)} == {"250"}, "both accept again")
        one.wait_log("there is room again")


def test_what_is_suspended_stays_so_when_a_worker_restarts_and_when_all_do(tmp_path: Path) -> None:
    port, second = free_port(), free_port()
    with Sink() as sink, gateway(tmp_path, workers=1) as one:
        one.commit(document(port, sink.port, Second=second))
        one.ask("suspend_delivery")
        one.ask("suspend_listener", names=["Second"])
        victim = one.workers()[0]
        os.kill(victim, signal.SIGKILL)
        wait_for(lambda: one.workers()[0] != victim and one.ask("status")["workers"][0]["up"], "the worker is back")
        with Client(second) as client:
            assert client.banner.startswith("421")
        assert not load(port, 3).refused
        wait_for(lambda: one.ask("status")["queue"]["messages"] == 3, "they wait")
        assert not sink.delivered
        one.kill()
        one.start(1)
        one.wait_log("Warning: Still suspended since before the start: receiving on Second (gatepost listener resume) and")
        with Client(second) as client:
            assert client.banner.startswith("421")
        assert one.ask("status")["queue"]["messages"] == 3
        assert not sink.delivered
        one.ask("resume_listener", names=[])
        assert banner(second) == "mx1.example.com"
        one.ask("resume_delivery")
        wait_for(lambda: len(sink.delivered) == 3, "they go out")
        refused = one.cli("listener", "suspend", "Nope", check=False)
        assert refused.stderr.startswith("gatepost: there is no listener Nope: there is ")
