"""Every dialog of tests/dialogs, over a socket, against the real gateway: the engine's transcripts hold for the service.

In the clear, and once more inside TLS: what stands behind the handshake must go as it goes without one. Dialogs that are
about STARTTLS itself are played in the clear only.
"""

from __future__ import annotations

import contextlib
import re
import ssl
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.client import insecure
from tests.support.dialog import Dialog, SocketPeer, play
from tests.support.dns_server import dns_thread
from tests.support.gateway import Gateway, gateway
from tests.support.process import free_port

DIALOGS = [Dialog.load(path) for path in sorted((Path(__file__).parents[1] / "dialogs").glob("*.dialog"))]
NOT_CONFIGURABLE = {
    "syntax": "makes more bad commands than the five that the service forgives; test_probes has its lines",
    "header_limits": "sets limits below those that a configuration may; test_probes has them at their real size",
    "pipelined_refusal": "needs a spool without room; tests/inbound/test_transaction.py has one",
}
GATEWAY = """
[gateway]
hostname = "mx.example"
dns_servers = ["{dns}"]

[routes]
ALL = ["/dev/null"]
"""
LISTENER = """
[listeners.{name}]
address = "127.0.0.1"
port = {port}
certificates = ["mx"]
{more}

[listeners.{name}.default_policy]
max_message_size = {size}
tls = "{tls}"

[[listeners.{name}.recipients]]
match = "ours.example"
"""
KINDS = {
    "plain": ("no", "", 1_000_000),
    "starttls": ("preferred", "", 1_000_000),
    "require_tls": ("required", "", 1_000_000),
    "repair": ("no", 'bare_line_endings = "repair"', 1_000_000),
    "small": ("no", "", 10),
}
NEEDS_CLEAR = {"starttls", "starttls_client_hello", "starttls_injection", "starttls_not_offered", "tls_required"}
PORTS = {(kind, way): free_port() for kind in KINDS for way in ("plain", "tls")}


class Numbered(SocketPeer):
    """A socket peer for which the messages of this connection count from 1."""

    def __init__(self, address: tuple[str, int]) -> None:
        super().__init__(address)
        self._messages = 0

    def read_line(self) -> bytes:
        return self._counted(super().read_line())

    def _counted(self, line: bytes) -> bytes:
        if re.fullmatch(rb"250 2\.0\.0 ok:  Message \d+ accepted\r\n", line):
            self._messages += 1
            return b"250 2.0.0 ok:  Message %d accepted\r\n" % self._messages
        return line


class InTls(Numbered):
    """The same behind EHLO, STARTTLS and the handshake; the banner it was given before is given out again."""

    def __init__(self, address: tuple[str, int]) -> None:
        super().__init__(address)
        self._lines = super().read_line()
        self._socket.sendall(b"EHLO first.example\r\nSTARTTLS\r\n")
        while not super().read_line().startswith(b"220 "):
            pass
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = insecure().wrap_bio(self._in, self._out)
        self._wait(self._tls.do_handshake)

    def send(self, octets: bytes) -> None:
        self._tls.write(octets)
        self._flush()

    def close(self) -> None:
        with contextlib.suppress(ssl.SSLWantReadError):
            self._tls.unwrap()  # close_notify; the answer to it is not waited for
        self._flush()
        super().close()

    def read_line(self) -> bytes:
        while b"\n" not in self._lines and (octets := self._wait(lambda: self._tls.read(65536))):
            self._lines += octets
        line, end, self._lines = self._lines.partition(b"\n")
        return self._counted(line + end)

    def _wait(self, step: Callable[[], bytes | None]) -> bytes:
        """Do a step of TLS, with as many octets as it takes; b"" when the stream has come to its proper end."""
        while True:
            try:
                return step() or b""
            except ssl.SSLZeroReturnError:
                return b""
            except ssl.SSLWantReadError:
                self._flush()
                octets = self._file.read1()  # type: ignore[attr-defined]
                assert octets, "the server closed without close_notify"
                self._in.write(octets)
            finally:
                self._flush()

    def _flush(self) -> None:
        if octets := self._out.read():
            self._socket.sendall(octets)


def document(dns: str) -> str:
    listeners = (
        LISTENER.format(name=f"{kind}-{way}", port=port, tls=tls_of(kind, way), more=KINDS[kind][1], size=KINDS[kind][2])
        for (kind, way), port in PORTS.items()
    )
    return GATEWAY.format(dns=dns) + "".join(listeners)


def tls_of(kind: str, way: str) -> str:
    return "preferred" if way == "tls" else KINDS[kind][0]


def kind_of(dialog: Dialog) -> str:
    if "max_message_size" in dialog.settings:
        return "small"
    return next((kind for kind in KINDS if kind in dialog.settings), "plain")


def within_tls(dialog: Dialog) -> Dialog:
    """Return the dialog as it goes in TLS, where STARTTLS is not offered."""
    return replace(dialog, steps=[step for step in dialog.steps if step[1:] != ("S", "250-STARTTLS")])


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with dns_thread() as dns, gateway(tmp_path_factory.mktemp("dialogs"), start=False) as one:
        one.cli("cert", "self-signed", "mx", "--hostname", "mx.example")
        one.configure(document(dns.address))
        one.start()
        yield one


def parameters() -> Iterator[object]:
    for dialog in DIALOGS:
        why = NOT_CONFIGURABLE.get(dialog.name, "")
        skip = [pytest.mark.skip(why)] if why else []
        yield pytest.param(dialog, "plain", id=f"{dialog.name}-plain", marks=skip)
        if dialog.name not in NEEDS_CLEAR:
            yield pytest.param(within_tls(dialog), "tls", id=f"{dialog.name}-tls", marks=skip)


@pytest.mark.parametrize(("dialog", "way"), list(parameters()))
def test_dialog(dialog: Dialog, way: str, served: Gateway) -> None:
    address = ("127.0.0.1", PORTS[kind_of(dialog), way])
    peer = InTls(address) if way == "tls" else Numbered(address)
    try:
        play(dialog, peer)
    finally:
        peer.end()
    assert "Internal error" not in served.log()
