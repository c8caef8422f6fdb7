"""The clocks of a session, on the wire: all that waits has an end, and a client that trickles octets moves none of them.

The cases wait side by side: each is a session of its own in a thread, and the tests look at what came of it.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from tests.support.client import Client, session, wait_end
from tests.support.dns_server import dns_thread
from tests.support.gateway import Gateway, gateway
from tests.support.probed import worker_memory
from tests.support.process import free_port

COMMAND, HANDSHAKE, UNSUCCESSFUL, TOTAL = 2, 1, 4, 5
NEARLY = TOTAL * 0.8
LATE = 3.0
"""Seconds that a busy machine may take longer."""
NO_COMMAND = "421 #4.4.2 Timed out waiting for a command, disconnecting.\r\n"
NO_MESSAGE = "421 Timed out waiting for successful message injection, disconnecting.\r\n"
TOO_LONG = "421 Exceeded allowable connection time, disconnecting.\r\n"
DOCUMENT = f"""
[gateway]
hostname = "mx1.example.com"
dns_servers = ["{{dns}}"]
command_timeout = {COMMAND}
tls_handshake_timeout = {HANDSHAKE}
unsuccessful_connection_timeout = {UNSUCCESSFUL}
connection_time_limit = {TOTAL}

[listeners.InboundMail]
address = "127.0.0.1"
port = {{port}}
certificates = ["mx"]

[listeners.InboundMail.default_policy]
tls = "preferred"
max_message_size = "1k"

[[listeners.InboundMail.recipients]]
match = "example.com"

[listeners.Private]
type = "private"
address = "127.0.0.1"
port = {{private}}
all_hosts = "RELAY"

[routes]
ALL = ["/dev/null"]
"""


@dataclass
class Ports:
    public: int
    private: int


@dataclass
class End:
    """How a session ended: what the server said last, and after how many seconds."""

    words: str
    after: float


def says_nothing(ports: Ports) -> str:
    with Client(ports.public) as client:
        return wait_end(client)


def says_nothing_in_tls(ports: Ports) -> str:
    with session(ports.public, tls=True) as client:
        return wait_end(client)


def trickles_a_command(ports: Ports) -> str:
    with session(ports.public) as client:
        return wait_end(client, lambda: client.send(b"N"))


def trickles_an_empty_line_of_data(ports: Ports) -> str:
    with session(ports.public) as client:
        client.data()
        return wait_end(client, lambda: client.send(b"x"))


def trickles_a_chunk(ports: Ports) -> str:
    with session(ports.public) as client:
        client.envelope()
        client.send(b"BDAT 1000 LAST\r\n")
        return wait_end(client, lambda: client.send(b"x"))


def trickles_in_tls(ports: Ports) -> str:
    with session(ports.public, tls=True) as client:
        client.data()
        return wait_end(client, lambda: client.send(b"x"))


def noop(client: Client) -> Callable[[], None]:
    return lambda: client.send(b"NOOP\r\n")


def only_noops(ports: Ports) -> str:
    with session(ports.public) as client:
        return wait_end(client, noop(client)).replace("250 2.0.0 ok\r\n", "")


def refused_messages(ports: Ports) -> str:
    with session(ports.public) as client:
        client.data()
        client.send(b"a\nb\r\n.\r\n")
        assert client.reply().startswith("554")
        return wait_end(client, noop(client)).replace("250 2.0.0 ok\r\n", "")


def noops_behind_a_message(ports: Ports) -> str:
    with session(ports.public) as client:
        assert client.send_text().startswith("250")
        return wait_end(client, noop(client)).replace("250 2.0.0 ok\r\n", "")


def noops_on_a_private_listener(ports: Ports) -> str:
    with session(ports.private) as client:
        return wait_end(client, noop(client)).replace("250 2.0.0 ok\r\n", "")


def a_message_near_the_end(ports: Ports) -> str:
    began = time.monotonic()
    with session(ports.public) as client:
        assert client.send_text().startswith("250")
        while time.monotonic() - began < NEARLY - 1.5:
            assert client.say("NOOP").startswith("250")
            time.sleep(0.1)
        assert client.say("MAIL FROM:<a@client.example>").startswith("250"), "there is still time for one"
        client.say("RSET")
        while time.monotonic() - began < NEARLY + 0.05:
            assert client.say("NOOP").startswith("250")
            time.sleep(0.1)
        client.send(b"MAIL FROM:<a@client.example>\r\n")
        return client.rest()


def a_slow_message(ports: Ports) -> str:
    with session(ports.private) as client:
        client.data()
        for _ in range(6):
            client.send(b"x" * 1100 + b"\r\n")
            time.sleep(0.4)
        answer = client.say(".")
        client.say("QUIT")
        return answer.split(":")[0]


def a_slow_message_that_is_too_large(ports: Ports) -> str:
    with session(ports.public) as client:
        client.data()
        for _ in range(6):
            client.send(b"x" * 1100 + b"\r\n")
            time.sleep(0.4)
        answer = client.say(".")
        client.say("QUIT")
        return answer


def silent_behind_starttls(ports: Ports) -> str:
    with session(ports.public, source="127.0.6.1") as client:
        assert client.say("STARTTLS").startswith("220")
        return wait_end(client)


def trickles_a_hello(ports: Ports) -> str:
    hello = iter(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500))
    with session(ports.public, source="127.0.6.2") as client:
        assert client.say("STARTTLS").startswith("220")
        return wait_end(client, lambda: client.send(bytes([next(hello)])), 0.1)


def silent_in_the_handshake(ports: Ports) -> str:
    hello = b"\x16\x03\x01\x00\x05\x01\x00\x00\x80\x03"
    with session(ports.public, source="127.0.6.3") as client:
        assert client.say("STARTTLS").startswith("220")
        client.send(hello)
        return wait_end(client)


CASES = {
    says_nothing: (NO_COMMAND, COMMAND),
    says_nothing_in_tls: (None, COMMAND),
    trickles_a_command: (NO_COMMAND, COMMAND),
    trickles_an_empty_line_of_data: (NO_COMMAND, COMMAND),
    trickles_a_chunk: (NO_COMMAND, COMMAND),
    trickles_in_tls: (None, COMMAND),
    only_noops: (NO_MESSAGE, UNSUCCESSFUL),
    refused_messages: (NO_MESSAGE, UNSUCCESSFUL),
    noops_behind_a_message: (TOO_LONG, TOTAL),
    noops_on_a_private_listener: (TOO_LONG, TOTAL),
    a_message_near_the_end: (TOO_LONG, NEARLY),
    a_slow_message: ("250 2.0.0 ok", COMMAND),
    a_slow_message_that_is_too_large: ("552 #5.3.4 message size exceeds limit", COMMAND),
    silent_behind_starttls: ("", HANDSHAKE),
    trickles_a_hello: ("", HANDSHAKE),
    silent_in_the_handshake: ("", HANDSHAKE),
}
Case = Callable[[Ports], str]


def timed(case: Case, ports: Ports) -> End:
    began = time.monotonic()
    words = case(ports)
    return End(words, time.monotonic() - began)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, Ports]]:
    ports = Ports(free_port(), free_port())
    with dns_thread() as dns, gateway(tmp_path_factory.mktemp("clocks"), start=False) as one:
        one.cli("cert", "self-signed", "mx", "--hostname", "mx1.example.com")
        one.configure(DOCUMENT.format(dns=dns.address, port=ports.public, private=ports.private))
        one.start()
        yield one, ports
        assert "Internal error" not in one.log()


@pytest.fixture(scope="module")
def ends(served: tuple[Gateway, Ports]) -> Iterator[dict[Case, Future[End]]]:
    with ThreadPoolExecutor(len(CASES)) as pool:
        yield {case: pool.submit(timed, case, served[1]) for case in CASES}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_session(case: Case, ends: dict[Case, Future[End]]) -> None:
    words, after = CASES[case]
    end = ends[case].result()
    assert end.words == words or words is None
    assert after - 0.1 <= end.after <= after + LATE


def test_the_log_names_the_clock(served: tuple[Gateway, Ports], ends: dict[Case, Future[End]]) -> None:
    for future in ends.values():
        future.result()
    one, _ = served
    for words in (NO_COMMAND, NO_MESSAGE, TOO_LONG):
        one.wait_log(f"lost: {words.strip()}")
    for number in (1, 2, 3):
        icid = one.wait_log(f" address 127.0.6.{number} ").split(" ICID ")[1].split()[0]
        one.wait_log(f"ICID {icid} TLS failed: the peer let the time run out in the TLS handshake")


def test_a_client_that_never_reads(served: tuple[Gateway, Ports]) -> None:
    """It is made to wait, costs no more than the buffers, is let go in time, and nobody else notices."""
    one, ports = served
    pid = one.workers()[0]
    before = worker_memory(pid)
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.bind(("127.0.6.9", 0))
        sock.connect(("127.0.0.1", ports.public))
        sock.settimeout(0.5)
        with pytest.raises((TimeoutError, ConnectionError)):
            sock.sendall(b"HELP\r\n" * 5_000_000)
        with session(ports.public) as client:
            assert client.say("NOOP").startswith("250")
        assert worker_memory(pid) - before < 8 * 1024
        icid = one.wait_log(" address 127.0.6.9 ").split(" ICID ")[1].split()[0]
        one.wait_log(f"ICID {icid} lost: the client does not read our replies", COMMAND + LATE)
