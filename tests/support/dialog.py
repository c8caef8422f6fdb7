"""Plays SMTP dialogs: transcripts that are tests (tests/dialogs/*.dialog).

A dialog is lines, played in order:

    # a comment
    @ max_message_size 100        a setting: a field of Limits, starttls, require_tls; `whole`: not byte by byte
    C: EHLO client.example        the client sends this and CR LF; neighbours go out in one write
    c: .\\r\\n                      the client sends exactly this
    C*300: NOOP                   300 times
    S: 250-mx.example             the server answers this line; `*` matches anything to the end of the line
    T:                            both sides start TLS
    E:                            the client closes its side
    X:                            the server closes, and has sent nothing more
    N: 2                          messages accepted so far
    M: Subject: x\\r\\n             content of the message accepted last

Escapes in C, c and M: \\r \\n \\t \\0 \\e \\\\ \\xNN. `Player` knows no engine: give it a `Peer`. `EnginePeer` joins it to a
`Receiver` in memory, `SocketPeer` to anything that listens (N and M are not judged there).
"""

from __future__ import annotations

import re
import socket
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from gatepost.smtp import events, reply
from gatepost.smtp.receiver import Limits, Receiver
from gatepost.smtp.reply import Reply

DEFAULTS = {
    "max_message_size": 1_000_000,
    "max_header_size": 100_000,
    "max_header_lines": 1000,
    "max_line_length": 1000,
    "max_hops": 100,
}
_ESCAPES = {"r": b"\r", "n": b"\n", "t": b"\t", "0": b"\0", "e": b"\x1b", "\\": b"\\"}
_LINE = re.compile(r"([A-Za-z@])(?:\*(\d+))?(?::| ) ?(.*)")


def unescape(text: str) -> bytes:
    """Return the octets that escaped text stands for."""
    octets = b""
    for plain, two, code in re.findall(r"([^\\]+)|\\x([0-9a-fA-F]{2})|\\(.)", text):
        octets += plain.encode() if plain else bytes([int(two, 16)]) if two else _ESCAPES[code]
    return octets


@dataclass
class Dialog:
    """A parsed dialog."""

    name: str
    steps: list[tuple[int, str, str]]
    settings: dict[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> Dialog:
        """Read a .dialog file."""
        steps, settings = [], {}
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if not line.strip() or line.startswith("#"):
                continue
            found = _LINE.fullmatch(line)
            assert found, f"{path.name}:{number}: {line!r}"
            kind, times, text = found.groups("")
            if kind == "@":
                name, _, value = text.partition(" ")
                settings[name] = value
            else:
                steps += [(number, kind, text)] * int(times or 1)
        return cls(path.stem, steps, settings)


class Peer(Protocol):
    """The server's end, as the player sees it."""

    def send(self, octets: bytes) -> None: ...
    def close(self) -> None: ...
    def read_line(self) -> bytes:
        """Return the next line, b"" when the server has closed."""

    def start_tls(self) -> None: ...


class EnginePeer:
    """A receiver engine with a session that says yes, except to addresses at refused.example and later.example."""

    def __init__(self, settings: dict[str, str] | None = None, *, one_by_one: bool = False) -> None:
        settings = settings or {}
        limits = {name: int(settings.get(name, default)) for name, default in DEFAULTS.items()}
        extra = {name: int(settings[name]) for name in ("command_line", "bad_commands") if name in settings}
        self.engine = Receiver(
            "mx.example",
            Limits(**limits, **extra, repair_line_endings="repair" in settings),
            starttls="starttls" in settings or "require_tls" in settings,
            require_tls="require_tls" in settings,
        )
        self._one_by_one = one_by_one
        self.events: list[events.Event] = []
        self.messages: list[bytes] = []
        self._content = b""
        self.sent = b""
        self._read = 0
        self.closed = ""
        self.engine.greet(reply.banner("mx.example"))
        self.pump()

    def send(self, octets: bytes) -> None:
        for piece in (octets[i : i + 1] for i in range(len(octets))) if self._one_by_one else [octets]:
            self.engine.receive_data(piece)
            self.pump()

    def close(self) -> None:
        self.engine.receive_data(b"")
        self.pump()

    def start_tls(self) -> None:
        self.engine.tls_started()

    def read_line(self) -> bytes:
        end = self.sent.find(b"\n", self._read) + 1
        if not end:
            assert self.closed, "the server is silent"
            return b""
        line, self._read = self.sent[self._read : end], end
        return line

    def pump(self) -> None:
        """Answer all that can be answered."""
        while True:
            self._answer_all()
            self.sent += self.engine.data_to_send()
            if not self.engine.paused:
                return

    def _answer_all(self) -> None:
        while not self.closed and (event := self.engine.next_event()) is not None:
            if isinstance(event, events.Content) and self.events and isinstance(self.events[-1], events.Content):
                self.events[-1] = events.Content(self.events[-1].octets + event.octets)
            else:
                self.events.append(event)
            if isinstance(event, events.Closed):
                self.closed = event.reason
            elif (answer := self._answer(event)) is not None:
                self.engine.reply(answer)

    def _answer(self, event: events.Event) -> Reply | None:
        match event:
            case events.Hello():
                return reply.hello("mx.example")
            case events.Mail(reverse_path=path):
                return _judge(path.domain) or reply.sender_ok(str(path))
            case events.Rcpt(forward_path=path):
                return _judge(path.domain) or reply.recipient_ok(str(path))
            case events.Data():
                self._content = b""
                return reply.GO_AHEAD
            case events.Content(octets=octets):
                self._content += octets
            case events.EndOfData(fault=fault, size=size):
                if fault is not None:
                    return fault
                assert size == len(self._content)
                self.messages.append(self._content)
                return reply.message_accepted(len(self.messages))
            case events.StartTls():
                return reply.READY_FOR_TLS
        return None


def _judge(domain: str) -> Reply | None:
    if domain == "refused.example":
        return reply.ADDRESS_REJECTED
    return reply.LOW_RESOURCES if domain == "later.example" else None


class SocketPeer:
    """A server that listens at `address`."""

    def __init__(self, address: tuple[str, int], timeout: float = 10.0) -> None:
        self._socket = socket.create_connection(address, timeout)
        self._file = self._socket.makefile("rb")

    def send(self, octets: bytes) -> None:
        self._socket.sendall(octets)

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_WR)

    def read_line(self) -> bytes:
        try:
            return self._file.readline()
        except ConnectionResetError:
            return b""

    def end(self) -> None:
        """Drop the connection."""
        self._file.close()
        self._socket.close()

    def start_tls(self) -> None:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self._file.close()
        self._socket = context.wrap_socket(self._socket)
        self._file = self._socket.makefile("rb")


def play(dialog: Dialog, peer: Peer) -> None:
    """Play a dialog; AssertionError names the line that went otherwise."""
    engine = peer if isinstance(peer, EnginePeer) else None
    pending = b""
    for number, kind, text in dialog.steps:
        where = f"{dialog.name}.dialog:{number}"
        if kind in "Cc":
            pending += unescape(text) + (b"\r\n" if kind == "C" else b"")
            continue
        if pending:
            peer.send(pending)
            pending = b""
        if kind == "S":
            _expect(where, text, peer.read_line())
        elif kind == "X":
            rest = peer.read_line()
            assert not rest, f"{where}: expected the close, got {rest!r}"
        elif kind == "T":
            peer.start_tls()
        elif kind == "E":
            peer.close()
        elif engine is not None and kind == "N":
            assert len(engine.messages) == int(text), where
        elif engine is not None and kind == "M":
            assert engine.messages[-1] == unescape(text), f"{where}: {engine.messages[-1]!r}"
    if engine is not None:
        rest = engine.sent[engine._read :]
        assert not rest, f"{dialog.name}: the server said more: {rest!r}"


def _expect(where: str, text: str, line: bytes) -> None:
    assert line.endswith(b"\r\n"), f"{where}: expected {text!r}, got {line!r}"
    got = line[:-2].decode()
    right = got.startswith(text[:-1]) if text.endswith("*") else got == text
    assert right, f"{where}: expected {text!r}, got {got!r}"
