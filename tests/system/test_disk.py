"""A disk that is full, fails or lags: nothing is lost, nothing is said that is not so, and mail comes back by itself."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.client import Client
from tests.support.disk import eat, injected, needs_root, needs_strace, spit, start_on_small_disk
from tests.support.documents import relay
from tests.support.gateway import Gateway, gateway
from tests.support.judge import Sink, load, lost
from tests.support.process import free_port, wait_for


def answer(port: int, text: str = "body") -> str:
    with Client(port, timeout=30) as client:
        client.ehlo()
        return client.send_text(text)


def worker(one: Gateway) -> dict[str, object]:
    found: dict[str, object] = one.ask("status")["workers"][0]
    return found


@needs_strace
def test_a_sync_that_fails_is_451_and_a_fresh_worker_goes_on(tmp_path: Path) -> None:
    port = free_port()
    with Sink() as sink, gateway(tmp_path, relay(port, sink.port)) as one:
        one.ask("suspend_delivery")  # or a delivery would meet the fault before the message does
        assert answer(port).startswith("250")
        victim = one.workers()[0]
        with Client(port) as client, injected("fdatasync,fsync:error=EIO", victim):
            client.ehlo()
            assert client.send_text("lost") == "451 #4.3.0 Server Error"
            assert "not stored" in one.wait_log("not stored")
            assert "new mail is answered 451" in one.wait_log("Spool shard 0 failed: ")
            one.wait_log("Worker 0 ended with status 3")
            wait_for(lambda: worker(one)["pid"] != victim and worker(one)["up"], "another worker serves the shard")
        one.ask("resume_delivery")
        sent = load(port, 20)
        assert len(sent.acked) == 20
        wait_for(lambda: not lost(sent, sink), "later mail is fine")


@needs_strace
@pytest.mark.alone
def test_a_slow_disk_delays_replies_and_nothing_else(tmp_path: Path) -> None:
    port = free_port()
    with Sink() as sink, gateway(tmp_path, relay(port, sink.port)) as one:
        with Client(port) as waiting, Client(port) as other, injected("fdatasync:delay_enter=2000000", one.workers()[0]):
            waiting.ehlo()
            other.ehlo()
            waiting.data()
            began = time.monotonic()
            waiting.send(b"X-Test-Id: 1\r\n\r\nbody\r\n.\r\n")
            slowest = 0.0
            for _ in range(30):
                asked = time.monotonic()
                assert other.say("NOOP").startswith("250")
                slowest = max(slowest, time.monotonic() - asked)
                time.sleep(0.03)
            assert waiting.reply().startswith("250")
            took = time.monotonic() - began
        assert took > 1.9, "the reply waits for the disk"
        assert slowest < 0.1, f"a NOOP took {slowest:.3f} s"
        wait_for(lambda: sink.delivered[1] == 1, "it is delivered")


@contextlib.contextmanager
def on_small_disk(tmp_path: Path, size: str, document: str) -> Iterator[tuple[Gateway, Path]]:
    """A gateway whose spool lies on a disk of its own; also the way to that disk from here."""
    with gateway(tmp_path, document, start=False) as one:
        yield one, start_on_small_disk(one, one.state / "spool", f"size={size}")


@needs_root
def test_a_full_disk_is_452_before_anything_is_lost_and_mail_still_leaves(tmp_path: Path) -> None:
    port, inside = free_port(), free_port()
    floor = relay(port, inside, gateway='min_free_space = "2M"')
    with on_small_disk(tmp_path, "24m", floor) as (one, disk):
        one.ask("suspend_delivery")  # or its notes that nobody is there would spend the reserve
        sent = load(port, 400, connections=4, size=40_000, seconds=2)
        assert set(sent.refused.values()) <= {"452 #4.3.1 queue full"}
        assert 20 < len(sent.acked) < 400, "the disk is full by now"
        assert "delivery goes on" in one.wait_log("new mail is answered 452")

        def refused() -> bool:
            eat(disk)  # somebody else takes the rest, and what the spool gives back meanwhile
            return answer(port).startswith("452 #4.3.1")

        wait_for(refused, "nothing new is accepted")
        with Sink(port=inside) as sink:
            one.ask("resume_delivery")
            wait_for(lambda: not lost(sent, sink), "what was accepted goes out", 60)
            wait_for(lambda: one.ask("status")["queue"]["messages"] == 0, "and is ticked off", 30)
            assert set(sink.delivered.values()) == {1}
            spit(disk)
            wait_for(lambda: answer(port).startswith("250"), "with room there is mail again, by itself")
            one.wait_log("there is room again")


@needs_root
def test_a_worker_starts_and_delivers_on_a_disk_without_one_free_octet(tmp_path: Path) -> None:
    port, inside = free_port(), free_port()
    with on_small_disk(tmp_path, "24m", relay(port, inside, gateway='min_free_space = "1M"')) as (one, disk):
        sent = load(port, 30)
        assert len(sent.acked) == 30
        eat(disk)
        victim = one.workers()[0]
        os.kill(victim, signal.SIGKILL)
        wait_for(lambda: worker(one)["pid"] != victim and worker(one)["up"], f"it starts\n{one.log()[-2000:]}")
        assert answer(port).startswith("452 #4.3.1")
        with Sink(port=inside) as sink:

            def all_out() -> bool:
                one.ask("deliver_now", destination="", mid=0)  # each time: what was just being tried is deferred only then
                return not lost(sent, sink)

            wait_for(all_out, "what was accepted goes out", 60)
            wait_for(lambda: one.ask("status")["queue"]["messages"] == 0, "and is ticked off", 30)


def test_a_limit_on_file_size_is_a_full_disk(tmp_path: Path) -> None:
    port = free_port()
    with Sink() as sink, gateway(tmp_path, relay(port, sink.port), start=False) as one:
        one.start(1, before=("prlimit", f"--fsize={40 << 20}"))
        large = b"X-Test-Id: 1\r\n\r\n" + b"0123456789" * 7 + b"\r\n"
        with Client(port, timeout=60) as client:
            client.ehlo()
            client.data()
            client.send(large + large[18:] * 900_000 + b".\r\n")
            assert client.reply().startswith("452 #4.3.1")
            assert client.send_text("small").startswith("250")
        assert not list((one.state / "spool" / "shard-0").iterdir()), "no stump is left"
