"""Slow clients and many of them: what each may cost, when each is let go, and that others are served meanwhile.

The clocks of a single session are in tests/system/test_clocks.py; here they hold for hundreds at once. Figures are printed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import ssl
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gatepost.config.exchange import examine
from gatepost.config.model import Config
from tests.faults.crowd import Crowd, Member, hosts
from tests.support.client import Client, Sealed, insecure, session, wait_end
from tests.support.dns_server import dns_thread
from tests.support.documents import relay
from tests.support.gateway import Gateway, gateway
from tests.support.judge import Sink
from tests.support.probed import both, certificate, worker_memory
from tests.support.process import free_port, wait_for

TEN, TWO, OTHER = "127.3.0.1", "127.2", "127.0.0.99"
"""A host that may have ten connections, a network whose hosts may have two each, and somebody else."""
FROM_HOST = "421 #4.4.5 Too many connections from your host"
HANDSHAKE = 5
LATE = 4.0
"""Seconds that a busy machine may take longer."""
RUN_OUT = "TLS failed: the peer let the time run out in the TLS handshake"
IDLE, HALF_OPEN = 50, 150
"""KiB that an idle connection may cost, and one that stands in the middle of a TLS handshake (aiosmtpd: 300)."""
CLOCKS = """
dns_servers = ["{dns}"]
command_timeout = {command}
tls_handshake_timeout = {handshake}
unsuccessful_connection_timeout = {unsuccessful}
"""
LISTENER = """
certificates = ["mx"]
max_concurrency = 20000
tcp_queue = 4000
"""
GROUPS = f"""
[listeners.InboundMail.policies]
TEN = {{ max_connections_per_host = 10 }}
TWO = {{ max_connections_per_host = 2 }}

[[listeners.InboundMail.sender_groups]]
name = "TEN"
senders = ["{TEN}"]
policy = "TEN"

[[listeners.InboundMail.sender_groups]]
name = "TWO"
senders = ["{TWO}"]
policy = "TWO"
"""


@dataclass
class Served:
    gateway: Gateway
    port: int
    sink: Sink
    dns: str
    certificate: str = field(repr=False)
    pids: list[int]
    in_force: str = ""
    memory: int = 0
    """KiB of all processes when all kinds of connections had been there once."""

    def clocks(self, command: int = 300, handshake: int = 60, unsuccessful: int = 300) -> None:
        """Put these times in force for the connections that follow."""
        clocks = CLOCKS.format(dns=self.dns, command=command, handshake=handshake, unsuccessful=unsuccessful)
        if clocks == self.in_force:
            return
        self.in_force = clocks
        document = relay(self.port, self.sink.port, more=LISTENER, policy='tls = "preferred"', gateway=clocks)
        self.gateway.commit(examine((document + GROUPS + self.certificate).encode(), Config()).accepted())

    def each(self, count: int) -> float:
        """Return by how many KiB the processes have grown for each of so many connections."""
        return (sum(map(worker_memory, self.pids)) - self.memory) / count

    def descriptors(self) -> int:
        return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in self.pids)

    def mail_goes(self) -> float:
        """Send a message from somewhere else; return how long it took from connecting to the 250: the best of three."""

        def timed() -> float:
            began = time.monotonic()
            with session(self.port, source=OTHER) as client:
                assert client.send_text().startswith("250")
            return time.monotonic() - began

        return min(timed() for _ in range(3))


@contextlib.contextmanager
def slow_gateway(directory: Path) -> Iterator[Served]:
    """A gateway of two workers that has met every kind of connection a few times."""
    with dns_thread() as dns, Sink() as sink, gateway(directory, start=False) as one:
        served = Served(one, free_port(), sink, dns.address, certificate(), [])
        served.clocks(handshake=HANDSHAKE)
        one.start(2)
        assert one.process is not None
        served.pids = [one.process.pid, *one.workers()]
        for stage in (None, *HELLOS):
            with crowd(served, hosts(40), stage):
                served.mail_goes()
        served.memory = sum(map(worker_memory, served.pids))
        yield served
        assert one.workers() == served.pids[1:]
        assert "Internal error" not in one.log()
        assert "Traceback" not in one.output.read_text()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with slow_gateway(tmp_path_factory.mktemp("slow")) as served:
        yield served


def hello() -> bytes:
    """Return a whole ClientHello."""
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        insecure().wrap_bio(into, out).do_handshake()
    return out.read()


HELLOS: dict[str, Callable[[], bytes]] = {
    "silence": lambda: b"",
    "half a hello": lambda: hello()[:100],
    "a hello": hello,
}


def line(member: Member) -> bool:
    return member.said.endswith(b"\r\n")


@contextlib.contextmanager
def crowd(served: Served, sources: list[str], stage: str | None = None) -> Iterator[Crowd]:
    """Connections that have been greeted, or that stand in a TLS handshake."""
    with Crowd(served.port, sources) as many:
        many.hear(line)
        assert all(member.said.startswith(b"220 ") for member in many.members)
        if stage is not None:
            many.send(b"EHLO client.example\r\n")
            many.hear(lambda member: b"\r\n250 " in member.said and line(member))
            many.send(b"STARTTLS\r\n")
            many.hear(line)
            if octets := HELLOS[stage]():
                many.send(octets)
            if stage == "a hello":
                many.hear(lambda member: len(member.said) > 500)  # our flight, which nobody answers
        yield many


# --- many --------------------------------------------------------------------------------------------------------------


def idle(served: Served, count: int, command: int) -> None:
    """Hold so many idle connections through their whole lives."""
    served.clocks(command=command)
    before = served.descriptors()
    began = time.monotonic()
    with crowd(served, (hosts(1250) * 8)[:count]) as many:
        opened = time.monotonic() - began
        each, took = served.each(count), served.mail_goes()
        ends = many.see_the_end(command + 60)
        assert all(
            member.said.endswith(b"421 #4.4.2 Timed out waiting for a command, disconnecting.\r\n")
            for member in many.members
        )
    print(
        f"{count} idle: opened in {opened:.1f} s, {each:.1f} KiB each, a mail in {took:.3f} s, ended after {max(ends):.1f} s"
    )
    assert each <= IDLE
    assert took < 1
    assert min(ends) >= command - LATE / 2, "of the greeting, which we may have read a little later"
    assert statistics.median(ends) >= command - 0.5
    assert max(ends) <= command + LATE
    wait_for(lambda: served.descriptors() <= before + 4, "the descriptors are back")


def test_a_thousand_idle_connections(served: Served) -> None:
    idle(served, 1000, 4)


@pytest.mark.long
def test_ten_thousand_idle_connections(served: Served) -> None:
    idle(served, 10_000, 60)


def test_half_open_handshakes(tmp_path: Path) -> None:
    """Five hundred of each kind, one upon the other, and in fresh processes: memory that others left would hide theirs."""
    with slow_gateway(tmp_path) as served:
        half_open(served, 500)


def half_open(served: Served, count: int) -> None:
    before, cost = served.descriptors(), 0.0
    told = served.gateway.log().count(RUN_OUT)
    with contextlib.ExitStack() as stack, ThreadPoolExecutor(len(HELLOS)) as pool:
        ends = {}
        for stage in HELLOS:
            many = stack.enter_context(crowd(served, hosts(count), stage))
            cost, each = served.each(count), served.each(count) - cost
            print(f"{count} that answer with {stage}: {each:.1f} KiB each")
            assert each <= HALF_OPEN
            ends[stage] = pool.submit(many.see_the_end)
        assert served.mail_goes() < 1
    for stage, future in ends.items():
        after = future.result()
        print(f"{stage}: ended after {min(after):.1f} to {max(after):.1f} s")
        assert min(after) >= HANDSHAKE - LATE / 2, "of the handshake as a whole, which began before our last word"
        assert max(after) <= HANDSHAKE + LATE
    wait_for(lambda: served.descriptors() <= before + 4, "the descriptors are back")
    lines = told + count * len(HELLOS)
    wait_for(lambda: served.gateway.log().count(RUN_OUT) == lines, "each has its line")


def test_a_half_open_handshake_counts_for_its_host(served: Served) -> None:
    served.clocks()
    with crowd(served, [TEN] * 10, "half a hello"):
        with Client(served.port, TEN) as eleventh:
            assert eleventh.banner == FROM_HOST
            assert eleventh.is_closed
        assert served.mail_goes() < 1
    wait_for(lambda: admitted(served, TEN), "their places are free again")


def stays(served: Served, source: str, stack: contextlib.ExitStack) -> bool:
    return stack.enter_context(Client(served.port, source)).banner.startswith("220 ")


def admitted(served: Served, source: str) -> bool:
    with contextlib.ExitStack() as stack:
        return stays(served, source, stack)


def test_a_hundred_connects_a_second_from_one_host(served: Served) -> None:
    """Two seconds of them, all held: exactly ten are let in over both workers, whoever takes them."""
    served.clocks()
    answers: Counter[str] = Counter()
    took = 0.0
    began = time.monotonic()
    with contextlib.ExitStack() as held:
        for number in range(200):
            time.sleep(max(0.0, began + number / 100 - time.monotonic()))
            client = held.enter_context(Client(served.port, TEN))
            answers[client.banner[:3]] += 1
            if not client.banner.startswith("220"):
                assert client.banner == FROM_HOST
                assert client.is_closed
            if number == 100:
                took = served.mail_goes()
        rate = 200 / (time.monotonic() - began)
    print(f"{rate:.0f} connects a second, a mail meanwhile in {took:.3f} s")
    assert answers == {"220": 10, "421": 190}
    assert took < 1
    wait_for(lambda: admitted(served, TEN), "their places are free again")


def test_two_hundred_hosts_at_once(served: Served) -> None:
    served.clocks()
    began = time.monotonic()
    with Crowd(served.port, hosts(200, TWO) * 3) as many:
        many.hear(line)
        rate = len(many.members) / (time.monotonic() - began)
        let_in = Counter(member.source for member in many.members if member.said.startswith(b"220 "))
        assert let_in == dict.fromkeys(hosts(200, TWO), 2), "two each, exactly"
        assert {member.said for member in many.members} - {many.members[0].said} == {f"{FROM_HOST}\r\n".encode()}
        print(f"600 connects from 200 hosts at {rate:.0f} a second, a mail meanwhile in {served.mail_goes():.3f} s")


@pytest.mark.parametrize("seconds", [1, pytest.param(15, marks=pytest.mark.long)])
def test_limits_hold_while_nobody_keeps_the_book(served: Served, seconds: int) -> None:
    """The master stands still: whoever is in goes on, nobody else gets in, and afterwards not one more than may be.

    Fifteen seconds are longer than a worker may be silent: it was not the workers that were.
    """
    served.clocks()
    master = served.pids[0]
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(crowd(served, [TEN] * 6))
        talker = stack.enter_context(session(served.port, source=TEN))
        os.kill(master, signal.SIGSTOP)
        try:
            wait_for(lambda: Path(f"/proc/{master}/stat").read_text().split()[2] == "T", "it stands")
            assert talker.send_text().startswith("250"), "a session needs nobody"
            with Crowd(served.port, [TEN] * 5) as gone, Crowd(served.port, [TEN] * 20) as second:
                second.members[0].sock.settimeout(seconds)
                with pytest.raises(TimeoutError):
                    second.members[0].sock.recv(1)
                second.members[0].sock.setblocking(False)
                assert talker.send_text().startswith("250")
                for member in gone.members:
                    member.sock.close()
                os.kill(master, signal.SIGCONT)
                second.hear(line)
                assert first.members[0].ended == 0.0
                let_in = sum(member.said.startswith(b"220 ") for member in second.members)
                assert let_in <= 3
                for _ in range(3 - let_in):  # those that left may have been let in before it was seen that they had gone
                    wait_for(lambda: stays(served, TEN, stack), "there is a place for each that may be")
                third = stack.enter_context(Crowd(served.port, [TEN] * 20))
                third.hear(line)
                assert {member.said for member in third.members} == {f"{FROM_HOST}\r\n".encode()}, "and not for one more"
                assert served.mail_goes() < 1
                assert served.gateway.workers() == served.pids[1:]
        finally:
            os.kill(master, signal.SIGCONT)
    wait_for(lambda: admitted(served, TEN), "their places are free again")


# --- slow --------------------------------------------------------------------------------------------------------------

COMMAND, UNSUCCESSFUL = 2, 4
NO_COMMAND = "421 #4.4.2 Timed out waiting for a command, disconnecting.\r\n"
NO_MESSAGE = "421 Timed out waiting for successful message injection, disconnecting.\r\n"


def trickle(client: Client, octets: bytes, every: float) -> str:
    """Say the same again and again until the server closes; return what it said."""
    return wait_end(client, lambda: client.send(octets), every, ends=(ConnectionError, ssl.SSLError))


def a_command(client: Client) -> str:
    return trickle(client, b"N", 0.3)


def a_header(client: Client) -> str:
    client.data()
    return trickle(client, b"X", 0.3)


def a_body(client: Client) -> str:
    client.data()
    client.send(b"Subject: x\r\n\r\n")
    return trickle(client, b"x\r\n", 0.3)


def a_chunk(client: Client) -> str:
    client.envelope()
    client.send(b"BDAT 100000 LAST\r\nSubject: x\r\n\r\n")
    return trickle(client, b"x\r\n", 0.3)


def a_body_block_by_block(client: Client) -> str:
    """Fast enough for the clock of commands, and without end: the clock of the first message holds it."""
    client.data()
    return trickle(client, b"x" * 1100 + b"\r\n", 0.3)


TRICKLES: dict[Callable[[Client], str], tuple[str, int]] = {
    a_command: (NO_COMMAND, COMMAND),
    a_header: (NO_COMMAND, COMMAND),
    a_body: (NO_COMMAND, COMMAND),
    a_chunk: (NO_COMMAND, COMMAND),
    a_body_block_by_block: (NO_MESSAGE, UNSUCCESSFUL),
}


def test_who_trickles_is_let_go_in_time(served: Served) -> None:
    served.clocks(command=COMMAND, unsuccessful=UNSUCCESSFUL)
    taken = len(served.sink.taken)

    def play(case: Callable[[Client], str], kind: str) -> tuple[str, float]:
        began = time.monotonic()
        with session(served.port, tls=kind == "tls") as client:
            return case(client), time.monotonic() - began

    with ThreadPoolExecutor(2 * len(TRICKLES)) as pool:
        ends = {(case, kind): pool.submit(play, case, kind) for case in TRICKLES for kind in ("plain", "tls")}
    for (case, kind), future in ends.items():
        words, seconds = future.result()
        expected, after = TRICKLES[case]
        assert words == expected, (case.__name__, kind)
        assert after - 0.1 <= seconds <= after + LATE, (case.__name__, kind)
    assert len(served.sink.taken) == taken


@both
def test_a_client_that_never_reads(served: Served, kind: str) -> None:
    """It is made to wait, costs no more than the buffers, and is let go in time."""
    served.clocks(command=COMMAND)
    before = sum(map(worker_memory, served.pids))
    source = f"127.4.0.{1 + (kind == 'tls')}"
    with Client(served.port, source) as client:
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.ehlo()
        send = client.socket.sendall if kind == "plain" else Sealed(client).send
        client.socket.settimeout(0.5)
        with pytest.raises((TimeoutError, ConnectionError)):
            send(b"HELP\r\n" * 3_000_000)
        grown = sum(map(worker_memory, served.pids)) - before
        icid = served.gateway.wait_log(f" address {source} ").split(" ICID ")[1].split()[0]
        served.gateway.wait_log(f"ICID {icid} lost: the client does not read our replies", COMMAND + LATE)
    print(f"a client that never reads, {kind}: {grown} KiB")
    assert grown < 8 * 1024
