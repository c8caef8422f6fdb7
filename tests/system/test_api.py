"""The REST API as it is served: what docs/api.md tells to type, typed; events as they happen; the end of its process."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from gatepost.admin.operations import configuration, queue, tokens
from tests.support.client import session
from tests.support.documents import relay
from tests.support.judge import Sink
from tests.support.process import free_port, listening, wait_for
from tests.support.web import Served, served

DOC = Path(__file__).parents[2] / "docs" / "api.md"
GROUP = """
[listeners.InboundMail.policies.PARTNER_TLS]
max_messages_per_connection = 7
[[listeners.InboundMail.sender_groups]]
name = "PARTNERS"
senders = ["127.0.0.2"]
policy = "PARTNER_TLS"
"""


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[Served]:
    directory = tmp_path_factory.mktemp("api")
    with Sink() as sink, served(directory, relay(port, sink.port) + GROUP, users=False) as one:
        yield one
        said = one.gateway.output.read_text()
        assert "bug" not in said, said
        assert "Traceback" not in said, said


@contextmanager
def program(gateway: Served, name: str) -> Iterator[httpx.Client]:
    """A program with a token of its own."""
    secret = tokens.add(gateway.operator, name, "administrator").secret
    with gateway.http() as http:
        http.headers["Authorization"] = f"Bearer {secret}"
        http.base_url = f"{gateway.url}/api/v1"
        yield http


def test_what_the_page_tells_to_type_works(gateway: Served, tmp_path: Path) -> None:
    """Every block of commands in docs/api.md, in one shell from top to bottom; those that print what is shown, print it."""
    text = DOC.read_text()
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    assert len(blocks) >= 6
    script = "set -eu\n" + "\n".join(blocks)
    script = script.replace("https://mx1.example.com", gateway.url).replace(
        "/etc/gatepost/web.pem", str(tmp_path / "web.pem")
    )
    certificate, _, _ = (gateway.gateway.state / "web.pem").read_text().partition("\n\n")
    (tmp_path / "web.pem").write_text(certificate)
    script = script.replace(f"{gateway.url}/", f"{gateway.url.replace('127.0.0.1', 'localhost')}/")
    environment = {**os.environ, "GATEPOST_STATE": str(gateway.gateway.state), "PATH": f"{_programs()}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["sh", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    for shown in re.findall(r"```json\n(.*?)```", text, re.DOTALL):
        for key in json.loads(shown):
            assert f'"{key}"' in done.stdout, f"{key} is shown in docs/api.md and was not printed: {done.stdout}"
    latest = configuration.log(gateway.operator)[0]
    assert (latest.author, latest.comment) == ("token deploy", "partner must encrypt")
    assert "token deploy from 127.0.0.1: committed revision" in gateway.audit()


def test_a_policy_changed_by_path_holds_on_the_wire(gateway: Served, port: int) -> None:
    with program(gateway, "wire") as http:
        place = "config/draft/listeners.InboundMail.policies.PARTNER_TLS.max_messages_per_connection"
        tag = http.get(place).headers["ETag"]
        assert http.put(place, json=1, headers={"If-Match": tag}).status_code == 200
        assert http.put(place, json=2, headers={"If-Match": tag}).status_code == 412
        done = http.post("config/commit", json={"comment": "one only"}, headers={"If-Match": "*", "Prefer": "wait=30"})
        assert (done.status_code, done.json()["live"]) == (200, True)
        told = http.get("explain/in", params={"host": "127.0.0.2"}).json()
        assert {"name": "max_messages_per_connection", "value": "1", "inherited": False} in told["settings"]
        assert http.get("status").json()["revision"] == done.json()["revision"]


def test_mail_that_waits_is_seen_and_ended_and_the_log_says_so_as_it_happens(gateway: Served, port: int) -> None:
    with program(gateway, "watcher") as http, http.stream("GET", "events") as stream:
        events = stream.iter_lines()
        assert next(events).startswith(": ")
        assert http.post("queue/suspend").json() == {"done": "suspended"}
        with session(port) as client:
            for line in ("MAIL FROM:<a@b.example>", "RCPT TO:<bob@example.com>", "DATA"):
                assert client.say(line)[0] in "23", line
            client.send(b"Subject: a secret\r\n\r\nhello\r\n.\r\n")
            assert client.reply().startswith("250")
        line = next(line for line in events if "From: <a@b.example>" in line)
        mid = int(re.search(r"MID (\d+)", line)[1])  # type: ignore[index]
        assert http.get(f"queue/{mid}").json()["subject"] == "a secret"
        assert "hello" in http.get(f"queue/{mid}/content").text
        assert http.post("queue/delete", json={"mid": mid}).json() == {"recipients": 1}
        assert http.get(f"queue/{mid}").status_code == 404
        next(line for line in events if f"MID {mid}" in line and "delet" in line.lower())
        assert http.post("queue/resume").json() == {"done": "resumed"}
        assert queue.listing(gateway.operator).messages == []


def test_the_process_leaves_when_it_is_told_to_although_somebody_listens(gateway: Served) -> None:
    with program(gateway, "listener") as http, http.stream("GET", "events") as stream:
        events = stream.iter_lines()  # kept: the connection is closed with it
        assert next(events).startswith(": ")
        process = _console(gateway)
        os.kill(process, signal.SIGTERM)
        wait_for(lambda: not Path(f"/proc/{process}").exists(), "the console's process ends")
    wait_for(lambda: listening(gateway.port), "another one serves")


def _console(gateway: Served) -> int:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        words = path.read_bytes().split(b"\0")
        if b"gatepost.admin.web.server" in words and os.fsencode(gateway.gateway.state) in words:
            return int(path.parent.name)
    raise AssertionError("no web console runs")


def _programs() -> str:
    return str(Path(__file__).parents[2] / ".venv" / "bin")
