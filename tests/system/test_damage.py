"""Damaged files: the gateway names the file and what it did, never deletes it, and everything that is whole goes on."""

from __future__ import annotations

import os
import re
import sqlite3
import time
from collections import Counter
from pathlib import Path

import pytest

from gatepost.config.exchange import examine
from gatepost.config.model import Config
from gatepost.errors import GatepostError
from gatepost.service.children import WAITS
from tests.support.client import Client
from tests.support.documents import relay
from tests.support.gateway import Gateway, gateway
from tests.support.judge import Sink, load, lost
from tests.support.process import free_port, run, wait_for

GARBAGE = b"this was a database once " * 2000


def queued(one: Gateway) -> int:
    return int(one.ask("status")["queue"]["messages"])


def test_a_damaged_configuration_is_named_and_the_last_good_one_serves(tmp_path: Path) -> None:
    port = free_port()
    with Sink() as sink, gateway(tmp_path, relay(port, sink.port), start=False) as one:
        database = one.state / "config.db"
        sound = database.read_bytes()
        database.write_bytes(GARBAGE)
        one.start(2)
        told = one.output.read_text()
        assert f"{database} is damaged" in told
        assert f"the last committed document is in {one.state / 'config.last-good.toml'}" in told
        assert "going on with that copy, and commits are refused until it is mended" in told
        assert "going on with that copy" in one.wait_log(str(database))
        assert not load(port, 5).refused
        wait_for(lambda: len(sink.delivered) == 5, "mail flows")
        refused = one.cli("config", "commit", "-m", "x", check=False)
        assert refused.returncode == 1
        assert re.fullmatch(rf"gatepost: {database} is damaged .*put a copy back from a backup\n", refused.stderr)
        with pytest.raises(GatepostError, match="is damaged"):
            one.ask("commit", tag="x", author="x", comment="x")
        assert database.read_bytes() == GARBAGE, "never touched"
        database.write_bytes(sound)
        config = examine(relay(port, sink.port).replace("mx1", "mx2").encode(), Config()).accepted()
        one.commit(config, "mended while it runs")
        with Client(port) as client:
            assert client.banner.startswith("220 mx2.example.com")


def test_a_shard_that_is_no_database_leaves_the_others_serving(tmp_path: Path) -> None:
    port = free_port()
    with Sink() as sink, gateway(tmp_path, relay(port, sink.port), start=False) as one:
        shard = one.state / "spool" / "shard-1.db"
        shard.parent.mkdir(mode=0o700)
        shard.write_bytes(GARBAGE)
        began = time.monotonic()
        one.start(3, up=2)
        why = one.wait_log("Worker 1 cannot start: ")
        assert f"{shard} is damaged or cannot be used, it was left as it is" in why
        assert "Gatepost 0.1.0 serves with 2 of 3 workers" in one.wait_log("Gatepost 0.1.0 serves")
        assert not load(port, 20).refused
        wait_for(lambda: len(sink.delivered) == 20, "the others serve")
        assert str(shard) in one.json("status")["workers"][1]["reason"]
        assert f"a part is out of reach: worker 1: {shard}" in one.cli("queue", "list").stdout
        refused = one.cli("queue", "deliver-now", check=False)
        assert refused.returncode == 1
        assert "a part of the queue is out of reach" in refused.stderr
        one.wait_log("is started again on the same shard in 1 s")
        tries, seconds = one.log().count("Worker 1 ended"), time.monotonic() - began
        assert sum(WAITS[: tries - 1]) <= seconds, f"{tries} restarts in {seconds:.0f} s: they back off"
        assert shard.read_bytes() == GARBAGE
        assert one.stop() == 0, "a worker that never came up does not hold up the end"


def fill(one: Gateway, port: int, count: int) -> None:
    """Queue messages for a next hop that is not there, then stop."""
    assert len(load(port, count, connections=1).acked) == count
    wait_for(lambda: queued(one) == count, "all wait")
    assert one.stop() == 0


def test_a_damaged_page_costs_what_stood_on_it_and_no_more(tmp_path: Path) -> None:
    port, inside = free_port(), free_port()
    with gateway(tmp_path, relay(port, inside)) as one:
        fill(one, port, 40)
        shard = one.state / "spool" / "shard-0.db"
        root = pages_of_messages(shard)
        with shard.open("r+b") as file:
            file.seek((root[len(root) // 2] - 1) * 4096)
            file.write(b"\xff" * 4096)
        one.start(1)
        told = one.wait_log("Spool shard 0 was damaged")
        kept = next(shard.parent.glob("shard-0.damaged-*"))
        assert f"{shard} is damaged" in told
        assert f"the damaged file is {kept}" in told
        assert pages_of_garbage(kept) == 1
        found = re.search(r"(\d+) messages were copied to a new file, (\d+) could not be read", told)
        assert found
        whole, named = int(found[1]), int(found[2])
        assert whole + named == 40
        assert 30 <= whole < 40
        with Sink(port=inside) as sink:
            run_until_delivered(one, sink, whole)
            wait_for(lambda: queued(one) == named, "what was lost is held, for somebody to see")
        assert "held" in one.cli("queue", "list", "--json").stdout


def run_until_delivered(one: Gateway, sink: Sink, count: int) -> None:
    one.cli("queue", "deliver-now")
    wait_for(lambda: len(sink.delivered) == count, f"{count} are delivered", 30)
    assert set(sink.delivered.values()) == {1}


def pages_of_garbage(shard: Path) -> int:
    octets = shard.read_bytes()
    return sum(octets[start : start + 4096] == b"\xff" * 4096 for start in range(0, len(octets), 4096))


def pages_of_messages(shard: Path) -> list[int]:
    """Return the leaf pages of the table `message`."""
    with sqlite3.connect(shard) as connection:
        rows = connection.execute("SELECT pageno FROM dbstat WHERE name = 'message' AND pagetype = 'leaf' ORDER BY pageno")
        pages = [number for (number,) in rows]
    connection.close()
    return pages


def mids(one: Gateway) -> Counter[int]:
    return Counter(int(mid) for mid in re.findall(r"Start MID (\d+) ", one.log()))


def test_lost_or_damaged_numbers_go_on_from_the_clock(tmp_path: Path) -> None:
    port = free_port()
    with Sink() as sink, gateway(tmp_path, relay(port, sink.port)) as one:
        numbers = one.state / "numbers"
        for turn, harm in enumerate((numbers.unlink, lambda: numbers.write_text('{"icid": 1, "mi'))):
            load(port, 3)
            one.stop()
            harm()
            floor = int(time.time()) * 1000
            one.start(1)
            told = one.wait_log(f"{numbers} {'is missing' if turn == 0 else 'cannot be read'}")
            assert "go on from the clock, so that none comes twice" in told
            load(port, 3)
            wait_for(lambda count=6 * turn + 6: len(mids(one)) == count, "they are logged")
            assert max(mids(one)) >= floor
        assert set(mids(one).values()) == {1}


def test_a_records_database_that_is_locked_or_garbage_stops_no_mail(tmp_path: Path) -> None:
    port = free_port()
    with Sink() as sink, gateway(tmp_path, relay(port, sink.port), workers=2) as one:
        database = one.state / "records.db"
        load(port, 5)
        wait_for(lambda: len(one.json("track")) == 5, "records are kept")
        holder = sqlite3.connect(database, isolation_level=None)
        holder.execute("BEGIN EXCLUSIVE")
        assert not load(port, 10).refused
        wait_for(lambda: len(sink.delivered) == 10, "mail goes on")
        one.wait_log("Records cannot be written: ", timeout=30)
        holder.execute("ROLLBACK")
        holder.close()
        one.wait_log("Records are written again")
        wait_for(lambda: len(one.json("track")) == 15, "nothing is missing")
        one.stop()
        database.write_bytes(GARBAGE)
        one.start(2)
        sent = load(port, 20)
        wait_for(lambda: not lost(sent, sink), "mail goes on")
        line = one.wait_log(f"Records database {database} is damaged")
        aside = re.search(r"set aside as (\S+) and", line)
        assert aside
        assert (one.state / Path(aside[1]).name).read_bytes() == GARBAGE
        wait_for(lambda: len(one.json("track")) == 20, "and is recorded anew")


def test_a_log_that_is_a_fifo_stops_no_mail(tmp_path: Path) -> None:
    port = free_port()
    with Sink() as sink, gateway(tmp_path, relay(port, sink.port), start=False) as one:
        log = one.state / "log" / "mail_logs"
        log.parent.mkdir(mode=0o700)
        os.mkfifo(log)
        one.start(1)
        assert not load(port, 20).refused
        wait_for(lambda: len(sink.delivered) == 20, "mail goes on")
        wait_for(lambda: "mail_logs" in one.output.read_text(), "it is said on stderr")
        log.unlink()
        one.wait_log("queued for delivery")
        wait_for(lambda: one.log().count("queued for delivery") == 20, "the lines waited in memory")
        assert one.stop() == 0


def test_a_log_directory_that_cannot_be_written_stops_no_mail(tmp_path: Path) -> None:
    port = free_port()
    with Sink() as sink, gateway(tmp_path, relay(port, sink.port), start=False) as one:
        place = one.state / "log"
        place.touch()  # in its way: permissions would not stop root
        one.start(2)
        assert not load(port, 20).refused
        wait_for(lambda: len(sink.delivered) == 20, "mail goes on")
        wait_for(lambda: str(place) in one.output.read_text(), "it is said on stderr")
        place.unlink()
        one.wait_log("queued for delivery")
        assert one.stop() == 0


def test_a_full_disk_behind_stderr_ends_nothing(tmp_path: Path) -> None:
    port = free_port()
    with Sink() as sink, gateway(tmp_path, relay(port, sink.port), start=False) as one:
        one.start(1, before=("sh", "-c", 'exec "$@" 2>/dev/full', "sh"))
        os.kill(one.workers()[0], 9)
        one.wait_log("Worker 0 ended")
        wait_for(lambda: one.ask("status")["workers"][0]["up"], "the worker is back")
        assert not load(port, 5).refused
        assert run("true").returncode == 0
