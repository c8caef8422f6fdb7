"""The web console dies and comes back; mail does not notice. The master and the workers are not touched by it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.faults.judge_load import Load
from tests.support.documents import relay
from tests.support.judge import Mix, Sink, lost
from tests.support.process import alive, free_port, listening, wait_for
from tests.support.web import NAMES, PASSWORD, Served, served

UNLIMITED = "max_messages_per_connection = -1\nmax_connections_per_host = -1\nmax_recipients_per_hour = -1"


def web_process(console: Served) -> int:
    """Return the number of the console's process, a child of the master's; 0 when there is none."""
    assert console.gateway.process is not None
    master = console.gateway.process.pid
    for child in Path(f"/proc/{master}/task/{master}/children").read_text().split():
        try:
            if b"gatepost.admin.web.server" in Path(f"/proc/{child}/cmdline").read_bytes() and alive(int(child)):
                return int(child)
        except OSError:
            continue
    return 0


def test_killing_the_console_under_load_changes_nothing_in_mail_flow(tmp_path: Path) -> None:
    port = free_port()
    with Sink() as sink, served(tmp_path, relay(port, sink.port, policy=UNLIMITED), workers=2) as console:
        workers = console.gateway.workers()
        with Load(port, clients=8, tls=0, mix=Mix(size=4096), pause=0.02) as load:
            with console.http() as http:
                assert http.post("/login", data={"name": NAMES["administrator"], "password": PASSWORD}).status_code == 303
                assert http.get("/policies").status_code == 200
            killed = []
            for _ in range(2):
                load.more(50)
                killed.append(web_process(console))
                os.kill(killed[-1], signal.SIGKILL)
                wait_for(lambda: web_process(console) not in (0, killed[-1]), "it is started again")
                wait_for(lambda: listening(console.port), "it listens again")
            load.more(50)
        sent = load.sent
        wait_for(lambda: sent.acked <= set(sink.delivered), "all is delivered", 60)

        assert len(set(killed)) == 2
        assert (sent.refused, sent.unknown, sent.troubles) == ({}, set(), [])
        assert lost(sent, sink) == set()
        assert max(sink.delivered.values()) == 1
        assert console.gateway.workers() == workers
        console.gateway.wait_log("The process of the web console ended by signal SIGKILL; it is started again at once")
        with console.http() as http:  # whoever was signed in is so no more, and may sign in again
            assert http.get("/policies").headers["Location"] == "/login"
            assert http.post("/login", data={"name": NAMES["administrator"], "password": PASSWORD}).status_code == 303


def test_it_ends_with_the_gateway(tmp_path: Path) -> None:
    with served(tmp_path, relay(free_port(), 9)) as console:
        process = web_process(console)
        assert process
        console.gateway.kill()
        wait_for(lambda: not alive(process), "it ends with the master")
        # its first thread may be gone a moment before the others, which have the socket too
        wait_for(lambda: not listening(console.port), "and its port is free")
