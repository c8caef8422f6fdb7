"""Every dialog of tests/dialogs, over a socket, against the real gateway: the engine's transcripts hold for the service."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

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
PORTS = {kind: free_port() for kind in KINDS}


class Numbered(SocketPeer):
    """A socket peer for which the messages of this connection count from 1."""

    def __init__(self, address: tuple[str, int]) -> None:
        super().__init__(address)
        self._messages = 0

    def read_line(self) -> bytes:
        line = super().read_line()
        if re.fullmatch(rb"250 2\.0\.0 ok:  Message \d+ accepted\r\n", line):
            self._messages += 1
            return b"250 2.0.0 ok:  Message %d accepted\r\n" % self._messages
        return line


def document(dns: str) -> str:
    listeners = (
        LISTENER.format(name=kind, port=PORTS[kind], tls=tls, more=more, size=size)
        for kind, (tls, more, size) in KINDS.items()
    )
    return GATEWAY.format(dns=dns) + "".join(listeners)


def kind_of(dialog: Dialog) -> str:
    if "max_message_size" in dialog.settings:
        return "small"
    return next((kind for kind in KINDS if kind in dialog.settings), "plain")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with dns_thread() as dns, gateway(tmp_path_factory.mktemp("dialogs"), start=False) as one:
        one.cli("cert", "self-signed", "mx", "--hostname", "mx.example")
        one.configure(document(dns.address))
        one.start()
        yield one


def parameter(dialog: Dialog) -> object:
    why = NOT_CONFIGURABLE.get(dialog.name, "")
    return pytest.param(dialog, id=dialog.name, marks=[pytest.mark.skip(why)] if why else [])


@pytest.mark.parametrize("dialog", [parameter(dialog) for dialog in DIALOGS])
def test_dialog(dialog: Dialog, served: Gateway) -> None:
    peer = Numbered(("127.0.0.1", PORTS[kind_of(dialog)]))
    try:
        play(dialog, peer)
    finally:
        peer.end()
    assert "Internal error" not in served.log()
