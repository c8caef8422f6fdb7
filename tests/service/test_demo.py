"""`make run`: its first configuration, which never replaces another, and the inside server that keeps what it gets."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from gatepost.config.check import check
from gatepost.config.store import ConfigStore
from gatepost.errors import GatepostError
from gatepost.service import demo
from gatepost.snapshot import Snapshot
from tests.support.client import Client
from tests.support.process import alive, free_port, listening, wait_for


def committed(state: Path) -> int:
    store = ConfigStore.open(state)
    try:
        revision = store.committed()
        return revision.number if revision else 0
    finally:
        store.close()


def test_the_demo_has_no_problem_of_its_own() -> None:
    assert check(demo.configuration()) == []


def test_it_is_committed_once(tmp_path: Path) -> None:
    demo.prepare(tmp_path)
    demo.prepare(tmp_path)
    assert committed(tmp_path) == 1


def test_it_never_replaces_what_somebody_committed(tmp_path: Path) -> None:
    store = ConfigStore.open(tmp_path)
    mine = msgspec.structs.replace(demo.configuration(), listeners={})
    tag = store.save_draft(mine, store.draft().tag).tag
    store.commit(tag, author="ann", comment="mine", build=Snapshot.build)
    demo.prepare(tmp_path)
    found = store.committed()
    assert found is not None
    assert (found.number, found.config) == (1, mine)
    store.close()


def test_an_unfinished_draft_is_somebodys_too(tmp_path: Path) -> None:
    store = ConfigStore.open(tmp_path)
    store.save_draft(msgspec.structs.replace(demo.configuration(), listeners={}), store.draft().tag)
    with pytest.raises(GatepostError, match="has changes that are not committed, and the demo does not replace them"):
        demo.prepare(tmp_path)
    store.close()


@contextlib.contextmanager
def inside(inbox: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "gatepost.service.demo_inside", str(inbox), str(port), str(os.getpid())]
    with subprocess.Popen(command) as process:
        try:
            wait_for(lambda: listening(port), "the demo inside server listens")
            yield process
        finally:
            process.terminate()


def test_the_inside_server_keeps_each_message_as_it_came(tmp_path: Path) -> None:
    port = free_port()
    with inside(tmp_path, port) as process:
        with Client(port) as client:
            assert "STARTTLS" not in client.ehlo()
            for number in range(2):
                answer = client.message(b"Subject: %d\r\n\r\n..dot\r\nbody\r\n" % number)
                assert answer.startswith("250")
            assert client.say("QUIT").startswith("221")
        kept = sorted(tmp_path.iterdir())
        assert [file.suffix for file in kept] == [".eml", ".eml"]
        assert kept[0].read_bytes() == b"Subject: 0\r\n\r\n.dot\r\nbody\r\n"
        with Client(port) as client:
            client.ehlo()
            client.data()
            client.send(b"Subject: cut short\r\n")
        with Client(port) as client:
            client.ehlo()
        assert sorted(tmp_path.iterdir()) == kept, "a message that was cut short is not kept"
        process.terminate()
        assert process.wait(10) == 0


def test_a_port_in_use_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    monkeypatch.setattr(demo, "INSIDE", port)
    taken = f"the demo inside server cannot listen on 127.0.0.1 port {port}: Address already in use"
    with inside(tmp_path, port), pytest.raises(GatepostError, match=taken):
        demo.start_inside(tmp_path)


def test_it_is_started_and_says_where_things_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    port = free_port()
    monkeypatch.setattr(demo, "INSIDE", port)
    with demo.start_inside(tmp_path) as process:
        try:
            wait_for(lambda: listening(port), "it listens")
            told = capfd.readouterr().err
            assert f"demo inside server on 127.0.0.1 port {port}; what it receives is kept in {tmp_path}/demo-inbox" in told
            assert f"--state {tmp_path} try" in told
        finally:
            process.terminate()
    assert not alive(process.pid)
