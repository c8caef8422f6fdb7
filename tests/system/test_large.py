"""A message of 100 MB: through the gateway as a stream, the same octets out as in, and no worker grows by it."""

from __future__ import annotations

import hashlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from gatepost.config.exchange import examine
from gatepost.config.model import Config
from gatepost.tls.certificates import KeyPair
from gatepost.tls.making import Subject, self_signed
from tests.support.client import Client
from tests.support.documents import relay
from tests.support.gateway import gateway
from tests.support.process import free_port, wait_for

LINE = b"a line of seventy-six octets, as mail is folded; here some dots follow .....\r\n"
DOTTED = b"..a line that begins with a dot, doubled on the wire\r\n"
BLOCK = (LINE * 11 + DOTTED) * 100
PLAIN = (LINE * 11 + DOTTED[1:]) * 100
BLOCKS = 100_000_000 // len(BLOCK)
EXTRA = 20 << 20
"""Octets by which a worker's memory may grow, buffers of all layers together."""
HEAD = b"Subject: large\r\n\r\n"


class Swallower:
    """A next hop that keeps only a digest of the mail data behind our Received field, and the number of its octets."""

    def __init__(self) -> None:
        self.digest = ""
        self.octets = 0
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Swallower:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()

    def _serve(self) -> None:
        connection, _ = self._server.accept()
        with connection, connection.makefile("rb", 1 << 20) as lines:
            connection.sendall(b"220 swallower\r\n")
            for line in lines:
                verb = line[:4].upper()
                if verb == b"DATA":
                    connection.sendall(b"354 go\r\n")
                    self._swallow(lines)
                connection.sendall(b"221 bye\r\n" if verb == b"QUIT" else b"250 ok\r\n")
                if verb == b"QUIT":
                    return

    def _swallow(self, lines: Iterator[bytes]) -> None:
        digest = hashlib.sha256()
        ours = True
        for line in lines:
            if line == b".\r\n":
                break
            ours = ours and line.startswith((b"Received:", b" ", b"\t"))
            if not ours:
                plain = line[1:] if line.startswith(b".") else line
                digest.update(plain)
                self.octets += len(plain)
        self.digest = digest.hexdigest()


class Scale:
    """Weighs a process many times a second; keeps the most, in octets, that it held of its own."""

    def __init__(self, pid: int) -> None:
        self._status = Path(f"/proc/{pid}/status")
        self.before = self.most = self._weigh()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _weigh(self) -> int:
        return next(
            int(line.split()[1]) << 10 for line in self._status.read_text().splitlines() if line.startswith("RssAnon")
        )

    def _run(self) -> None:
        while not self._done.wait(0.02):
            self.most = max(self.most, self._weigh())

    def __enter__(self) -> Scale:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()


def test_a_hundred_megabytes_flow_through(tmp_path: Path) -> None:
    port = free_port()
    expected = hashlib.sha256(HEAD)
    for _ in range(BLOCKS):
        expected.update(PLAIN)
    pair = self_signed(Subject(names=("mx1.example.com",)), days=30)
    with Swallower() as inside, gateway(tmp_path, start=False) as one:
        policy = 'max_message_size = "200M"\ntls = "preferred"'
        document = relay(port, inside.port, more='certificates = ["mx"]', policy=policy)
        one.commit(examine((document + certificates(pair)).encode(), Config()).accepted())
        one.start(1)
        with Client(port, timeout=60) as client:
            client.ehlo()
            client.start_tls()
            client.ehlo()
            warm_up(port)
            began = time.monotonic()
            with Scale(one.workers()[0]) as scale:
                client.data()
                client.socket.sendall(HEAD)
                for _ in range(BLOCKS):
                    client.socket.sendall(BLOCK)
                client.send(b".\r\n")
                assert client.reply().startswith("250")
                taken = time.monotonic() - began
                wait_for(lambda: inside.digest, "it is delivered", 60)
        print(f"taken in {taken:.1f} s, delivered in {time.monotonic() - began - taken:.1f} s more;", end=" ")
        print(f"the worker grew by {(scale.most - scale.before) / 1e6:.1f} MB")
        assert inside.octets == len(HEAD) + BLOCKS * len(PLAIN)
        assert inside.digest == expected.hexdigest()
        assert scale.most - scale.before < EXTRA
        wait_for(lambda: not list((one.state / "spool" / "shard-0").iterdir()), "the body file is gone")


def certificates(pair: KeyPair) -> str:
    return f'[certificates.mx]\ncertificate = """{pair.certificate}"""\nprivate_key = """{pair.private_key}"""\n'


def warm_up(port: int) -> None:
    """Have a refused transaction bring into memory whatever the first one brings."""
    with Client(port) as client:
        client.ehlo()
        assert client.say("MAIL FROM:<a@client.example>").startswith("250")
        assert client.say("RCPT TO:<box@elsewhere.example>").startswith("550")
