"""One gateway to probe, with a capture peer behind it, and the book of what may come out at the other end.

A probe marks what must arrive with `probed.mark()`, and what must never arrive with `EVIL`. `healthy` says that no probe has
killed a worker, raised an error inside, or broken a line of the log.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gatepost.config.exchange import examine
from gatepost.config.model import Config
from gatepost.tls.making import Subject, self_signed
from tests.support.client import Client, session
from tests.support.dns_server import dns_thread
from tests.support.documents import relay
from tests.support.gateway import Gateway, gateway
from tests.support.judge import Sink
from tests.support.process import free_port, wait_for

EVIL = (
    b"MAIL FROM:<evil@client.example>\r\nRCPT TO:<evil@example.com>\r\nDATA\r\n"
    b"X-Test-Id: 666\r\nSubject: evil\r\n\r\nevil\r\n"
)
"""A message that is hidden in something else, without its final dot."""
BARE = "554 message body contains illegal bare CR/LF characters."
NUL = "554 message body contains illegal NUL characters."
both = pytest.mark.parametrize("kind", ["plain", "tls"])
SMALL = "127.0.0.9"
"""From here a message may have 10,000 octets."""
GATEWAY = """
dns_servers = ["{dns}"]
tls_handshake_timeout = 5
"""
POLICY = """
tls = "preferred"
max_recipients_per_message = 100
max_message_size = "4M"
"""
SMALL_GROUP = f"""
[listeners.InboundMail.policies.SMALL]
max_message_size = 10_000

[[listeners.InboundMail.sender_groups]]
name = "SMALL"
senders = ["{SMALL}"]
policy = "SMALL"
"""
_LOG_LINE = re.compile(r"\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4} (Info|Warning|Critical|Debug): [^\n]+")


def worker_memory(pid: int) -> int:
    """Return the resident memory of a process in KiB."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1])


@dataclass
class Probed:
    """The gateway under probe."""

    gateway: Gateway
    port: int
    sink: Sink
    pids: list[int]
    marks: list[int] = field(default_factory=list)
    _last: int = 999

    @contextlib.contextmanager
    def session(self, kind: str = "plain", source: str = "127.0.0.1") -> Iterator[Client]:
        """A session behind EHLO; `kind` is plain or tls."""
        with session(self.port, tls=kind == "tls", source=source) as client:
            yield client

    def mark(self) -> bytes:
        """Return a header field for a message that must arrive, once."""
        self._last += 1
        self.marks.append(self._last)
        return b"X-Test-Id: %d\r\n" % self.marks[-1]

    def arrived(self) -> bytes:
        """Wait for the message marked last; return it as it came."""
        number = self.marks[-1]
        return wait_for(lambda: self.sink.bodies.get(number, b""), f"message {number} arrives")

    def icid(self, source: str) -> int:
        """Return the number of the connection that came from `source`."""
        found = re.search(r"ICID (\d+) ", self.gateway.wait_log(f" address {source} "))
        assert found
        return int(found[1])

    def rss(self) -> int:
        """Return the memory of all workers in KiB."""
        return sum(map(worker_memory, self.pids))

    def healthy(self) -> None:
        """Assert what must hold behind every probe."""
        for pid in self.pids:
            assert Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z", "a worker died"
        log = self.gateway.log()
        assert "Internal error" not in log, log[log.index("Internal error") :][:3000]

    def audit(self) -> None:
        """Assert, at the end, that exactly what was marked arrived, whole lines and all."""
        wait_for(lambda: set(self.sink.delivered) >= set(self.marks), "all that was accepted arrives")
        assert sorted(self.sink.delivered.elements()) == sorted(self.marks), "each once, and nothing else"
        assert len(self.sink.taken) == len(self.marks), [one for one in self.sink.taken if b"X-Test-Id" not in one.body]
        for one in self.sink.taken:
            for octets in (one.mail, *one.rcpt, one.body):
                assert octets.count(b"\r") == octets.count(b"\n") == octets.count(b"\r\n"), octets[:300]
            assert b"evil" not in one.mail + b"".join(one.rcpt)
        self.audit_log()

    def audit_log(self) -> None:
        """Assert that every event is one printable line of the log, and that the workers are those that began."""
        for line in self.gateway.log().removesuffix("\n").split("\n"):
            assert _LOG_LINE.fullmatch(line), line
            assert line.isprintable(), line
        assert self.gateway.workers() == self.pids
        assert "Traceback" not in self.gateway.output.read_text()


def certificate() -> str:
    """Return the table of a fresh certificate `mx`."""
    pair = self_signed(Subject(names=("mx1.example.com",)), days=30)
    return f'[certificates.mx]\ncertificate = """{pair.certificate}"""\nprivate_key = """{pair.private_key}"""\n'


@contextlib.contextmanager
def probed_gateway(directory: Path) -> Iterator[Probed]:
    """Start it."""
    port = free_port()
    with dns_thread() as dns, Sink() as sink, gateway(directory, start=False) as one:
        settings = GATEWAY.format(dns=dns.address)
        document = relay(port, sink.port, more='certificates = ["mx"]', policy=POLICY, gateway=settings)
        one.commit(examine((document + SMALL_GROUP + certificate()).encode(), Config()).accepted())
        one.start()
        yield Probed(one, port, sink, one.workers())


def probed_fixtures(name: str) -> tuple[Any, Any]:
    """Return the fixtures `running`, one gateway for a whole module, and `probed`, the same, healthy behind each test."""

    @pytest.fixture(scope="module")
    def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Probed]:
        with probed_gateway(tmp_path_factory.mktemp(name)) as one:
            yield one

    @pytest.fixture
    def probed(running: Probed) -> Iterator[Probed]:
        yield running
        running.healthy()

    return running, probed


def chunk(octets: bytes, last: bool = True) -> bytes:
    """Return octets as a BDAT command."""
    return b"BDAT %d%s\r\n" % (len(octets), b" LAST" if last else b"") + octets
