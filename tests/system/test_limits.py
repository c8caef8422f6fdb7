"""The limits of a policy and of a listener, on the wire; those that all workers share hold exactly, over two of them."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.client import Client, session
from tests.support.dns_server import dns_thread
from tests.support.documents import relay
from tests.support.gateway import Gateway, gateway
from tests.support.judge import Sink
from tests.support.probed import both
from tests.support.process import free_port, wait_for

MESSAGES, RECIPIENTS, HOST, HOUR, SIZE = (f"127.0.0.{number}" for number in range(11, 16))
FROM_HOST = "421 #4.4.5 Too many connections from your host"
ON_LISTENER = "421 #4.4.5 Too many connections to this listener"
POLICIES = {
    MESSAGES: "max_messages_per_connection = 3",
    RECIPIENTS: "max_recipients_per_message = 5",
    HOST: "max_connections_per_host = 10",
    HOUR: "max_recipients_per_hour = 30",
    SIZE: 'max_message_size = "1k"',
}
GROUP = """
[listeners.InboundMail.policies.P{number}]
{fields}
[[listeners.InboundMail.sender_groups]]
name = "G{number}"
senders = ["{source}"]
policy = "P{number}"
"""
NARROW = """
[listeners.Narrow]
type = "private"
address = "127.0.0.1"
port = {port}
max_concurrency = 5
all_hosts = "RELAY"
"""


@dataclass
class Served:
    gateway: Gateway
    port: int
    narrow: int
    sink: Sink
    pids: list[int]

    @contextlib.contextmanager
    def only(self, worker: int) -> Iterator[None]:
        """Let one worker alone take connections: the other stands still."""
        other = self.pids[1 - worker]
        os.kill(other, signal.SIGSTOP)
        wait_for(lambda: Path(f"/proc/{other}/stat").read_text().split()[2] == "T", "it stands")
        try:
            yield
        finally:
            os.kill(other, signal.SIGCONT)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    port, narrow = free_port(), free_port()
    groups = "".join(
        GROUP.format(number=number, fields=fields, source=source) for number, (source, fields) in enumerate(POLICIES.items())
    )
    with dns_thread() as dns, Sink() as sink, gateway(tmp_path_factory.mktemp("limits"), start=False) as one:
        one.cli("cert", "self-signed", "mx", "--hostname", "mx1.example.com")
        settings, policy = f'dns_servers = ["{dns.address}"]', 'tls = "preferred"'
        document = relay(port, sink.port, more='certificates = ["mx"]', policy=policy, gateway=settings)
        one.configure(document + groups + NARROW.format(port=narrow))
        one.start(2)
        yield Served(one, port, narrow, sink, one.workers())
        assert "Internal error" not in one.log()


def dial(port: int, source: str) -> Client:
    return Client(port, source)


def at_once(count: int, port: int, source: str) -> list[Client]:
    """Open that many connections at the same time."""
    with ThreadPoolExecutor(count) as pool:
        return [future.result() for future in [pool.submit(dial, port, source) for _ in range(count)]]


def tally(clients: list[Client]) -> tuple[int, set[str]]:
    """Return how many were greeted, and what the others were told, which must be closed."""
    refused = [client for client in clients if not client.banner.startswith("220 ")]
    assert all(client.is_closed for client in refused)
    return len(clients) - len(refused), {client.banner for client in refused}


def until_open(one: Gateway, count: int) -> None:
    """Wait until so many sessions are left."""
    wait_for(lambda: sum(worker["sessions"] for worker in one.json("status")["workers"]) == count, f"{count} are left")


def close(clients: list[Client]) -> None:
    for client in clients:
        client.say("QUIT")
        client.socket.close()


# --- limits of one session ---------------------------------------------------------------------------------------------


def test_messages_per_connection(served: Served) -> None:
    with session(served.port, source=MESSAGES) as client:
        assert [client.send_text()[:3] for _ in range(3)] == ["250"] * 3
        assert client.say("MAIL FROM:<a@client.example>") == "421 #4.x.2 Too many messages for this session"
        assert client.is_closed
    served.gateway.wait_log("lost: 421 #4.x.2 Too many messages for this session")
    with session(served.port, source=MESSAGES) as client:
        client.data()
        client.send(b"bare\nlf\r\n.\r\n")
        assert client.reply().startswith("554")
        assert [client.send_text()[:3] for _ in range(3)] == ["250"] * 3, "only accepted ones count"


def test_recipients_per_message(served: Served) -> None:
    with session(served.port, source=RECIPIENTS) as client:
        for _ in range(2):  # the next message starts from nothing
            client.say("MAIL FROM:<a@client.example>")
            assert client.say("RCPT TO:<box@elsewhere.example>").startswith("550")
            assert [client.say(f"RCPT TO:<box{n}@example.com>")[:3] for n in range(5)] == ["250"] * 5
            assert client.say("RCPT TO:<box6@example.com>") == "452 #4.5.3 Too many recipients"
            client.say("DATA")
            assert client.say("to five\r\n.").startswith("250"), "those that were taken get it"


def test_message_size(served: Served) -> None:
    with session(served.port, source=SIZE) as client:
        assert "SIZE 1024" in client.ehlo()
        assert client.say("MAIL FROM:<a@client.example> SIZE=1025") == "552 #5.3.4 message size exceeds limit"
        content = b"x" * 1022 + b"\r\n"
        assert client.message(content).startswith("250")
        assert client.message(b"y" + content + b"QUIT\r\n") == "552 #5.3.4 message size exceeds limit"
        assert client.say("NOOP").startswith("250")
    served.gateway.wait_log("Receiving Failed: 552 #5.3.4 message size exceeds limit")


def test_five_bad_commands(served: Served) -> None:
    with session(served.port) as client:
        for _ in range(4):
            assert client.say("BOGUS") == "500 #5.5.1 command not recognized"
            assert client.say("NOOP").startswith("250")
        client.send(b"RCPT TO:<box@example.com>\r\n")
        assert client.replies(2) == ["503 #5.5.1 MAIL first", "421 Exceeded bad SMTP command limit, disconnecting."]
        assert client.is_closed
    served.gateway.wait_log("lost: too many bad commands")


# --- limits that workers share -----------------------------------------------------------------------------------------


def test_connections_per_host(served: Served) -> None:
    for _ in range(2):  # what was closed makes room again
        clients = at_once(20, served.port, HOST)
        assert tally(clients) == (10, {FROM_HOST})
        with Client(served.port, "127.0.0.77") as another:
            assert another.banner.startswith("220"), "another host has its own"
        close(clients)
        until_open(served.gateway, 0)
    served.gateway.wait_log("Receiving Failed: Connection limit exceeded")


def test_connections_per_host_over_both_workers(served: Served) -> None:
    with served.only(0):
        first = at_once(7, served.port, HOST)
    with served.only(1):
        second = at_once(8, served.port, HOST)
        assert tally(first) == (7, set())
        assert tally(second) == (3, {FROM_HOST})
    close(first)
    until_open(served.gateway, 3)
    with served.only(1):
        third = at_once(10, served.port, HOST)
        assert tally(third) == (7, {FROM_HOST})
    close(second)
    close(third)


def test_places_that_workers_keep_are_given_to_whoever_asks(tmp_path: Path) -> None:
    port = free_port()
    wide = GROUP.format(number=0, fields="max_connections_per_host = 100", source=HOST)
    with dns_thread() as dns, gateway(tmp_path, start=False) as one:
        one.configure(relay(port, free_port(), gateway=f'dns_servers = ["{dns.address}"]') + wide)
        one.start(2)
        close(at_once(40, port, HOST))  # both workers keep places now
        until_open(one, 0)
        clients = at_once(130, port, HOST)
        assert tally(clients) == (100, {FROM_HOST})
        victim = one.workers()[0]
        os.kill(victim, signal.SIGKILL)
        wait_for(
            lambda: victim not in one.workers() and all(slot["up"] for slot in one.ask("status")["workers"]), "it is back"
        )
        left = [client for client in clients if client.say("NOOP").startswith("250")]
        assert 0 < len(left) < 100, "both had some"
        more = at_once(130, port, HOST)
        assert tally(more) == (100 - len(left), {FROM_HOST})
        close(clients + more)


def test_concurrency_of_a_listener(served: Served) -> None:
    with served.only(0):
        first = at_once(3, served.narrow, "127.0.0.1")
    with served.only(1):
        second = [dial(served.narrow, f"127.0.3.{n}") for n in range(1, 5)]
        assert tally(first) == (3, set())
        assert tally(second) == (2, {ON_LISTENER})
    with Client(served.port) as another:
        assert another.banner.startswith("220"), "the other listener has its own"
    close(first + second)


def test_recipients_per_hour_over_both_workers(served: Served) -> None:
    answers = []
    for worker in (0, 1):
        with served.only(worker), session(served.port, source=HOUR) as client:
            client.say("MAIL FROM:<a@client.example>")
            assert client.say("RCPT TO:<box@elsewhere.example>").startswith("550"), "the table's refusals are not counted"
            client.send(b"RCPT TO:<box@example.com>\r\n" * 20)
            answers += client.replies(20)
    assert [answer[:3] for answer in answers] == ["250"] * 30 + ["452"] * 10
    assert answers[-1] == "452 Too many recipients received this hour"
    served.gateway.wait_log("Rejected by Injection Control")
    assert served.gateway.workers() == served.pids


# --- clients that go away ----------------------------------------------------------------------------------------------

STAGES: dict[str, list[bytes]] = {
    "banner": [],
    "hello": [b"EHLO client.example\r\n"],
    "half a command": [b"EHLO client.example\r\n", b"MAIL FR"],
    "mail": [b"EHLO client.example\r\n", b"MAIL FROM:<gone@client.example>\r\n"],
    "rcpt": [b"EHLO client.example\r\n", b"MAIL FROM:<gone@client.example>\r\n", b"RCPT TO:<gone@example.com>\r\n"],
}
STAGES["data"] = [*STAGES["rcpt"], b"DATA\r\n"]
STAGES["header"] = [*STAGES["data"], b"Subject: he"]
STAGES["body"] = [*STAGES["data"], b"Subject: x\r\n\r\nhalf of it\r\n."]
STAGES["chunk"] = [*STAGES["rcpt"], b"BDAT 100\r\nhalf of it"]
WAYS = ["reset", "close"]


@both
@pytest.mark.parametrize(("number", "stage"), list(enumerate(STAGES, 1)))
@pytest.mark.parametrize("way", WAYS)
def test_a_client_that_goes_away_leaves_one_line_and_no_message(
    served: Served, number: int, stage: str, way: str, kind: str
) -> None:
    source = f"127.0.{4 + WAYS.index(way) + 2 * (kind == 'tls')}.{number}"
    with Client(served.port, source) as client:
        if kind == "tls":
            client.ehlo()
            client.start_tls()
            client.say("NOOP")  # session tickets must not stay unread: the kernel would make an RST of the close
        steps = STAGES[stage]
        for step in steps:
            client.send(step)
            if step.endswith(b"\r\n"):
                assert client.reply()[:1] in ("2", "3")
        if way == "reset":
            client.reset()
    icid = served.gateway.wait_log(f" address {source} ").split(" ICID ")[1].split()[0]
    last = "lost: [Errno 104] Connection reset by peer" if way == "reset" else "close"
    if (way, kind) == ("close", "tls"):
        last = "lost: the peer cut the TLS connection without close_notify"
    served.gateway.wait_log(f"ICID {icid} {last}")
    lines = [line for line in served.gateway.log().splitlines() if f"ICID {icid} " in line]
    assert sum(f"ICID {icid} close" in line or f"ICID {icid} lost" in line for line in lines) == 1
    started = [line for line in lines if "Start MID" in line]
    for line in started:
        mid = line.split("Start MID ")[1].split()[0]
        served.gateway.wait_log(f"Message aborted MID {mid} Receiving aborted by sender")
    assert not any(b"gone" in one.mail for one in served.sink.taken)


def test_a_client_that_closes_its_half_behind_the_dot_is_answered(served: Served) -> None:
    with session(served.port) as client:
        client.data()
        client.send(b"Subject: x\r\n\r\nbody\r\n.\r\n")
        client.half_close()
        answer = client.rest()
        assert answer.startswith("250 2.0.0 ok:  Message ")
        assert answer.count("\r\n") == 1
