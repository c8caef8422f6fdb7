"""A client that speaks SMTP by hand over a real socket, in the clear or in TLS, and lets a test send any octets it likes.

Blocking and small on purpose; every wait has a limit. A reply is returned whole, its lines joined by LF, without the last
CR LF; "" stands for a connection that the server closed (in order or by RST).
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
from collections.abc import Callable, Iterator

ENVELOPE = b"MAIL FROM:<a@client.example>\r\nRCPT TO:<box@example.com>\r\n"


def insecure(**options: object) -> ssl.SSLContext:
    """A TLS client context that takes any certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for name, value in options.items():
        setattr(context, name, value)
    return context


class Client:
    """One connection; `banner` holds the greeting."""

    def __init__(
        self,
        port: int,
        source: str = "127.0.0.1",
        *,
        address: str = "127.0.0.1",
        timeout: float = 15.0,
        greeted: bool = True,
    ) -> None:
        self.socket = socket.create_connection((address, port), timeout, source_address=(source, 0))
        self._received = b""
        self.banner = self.reply() if greeted else ""

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    # --- talking

    def send(self, octets: bytes) -> None:
        """Send octets as they are; a server that has closed meanwhile is no failure here."""
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            self.socket.sendall(octets)

    def say(self, *lines: str) -> str:
        """Send lines in one piece, return the reply to the first."""
        self.send("".join(f"{line}\r\n" for line in lines).encode())
        return self.reply()

    def replies(self, count: int) -> list[str]:
        """Return that many replies."""
        return [self.reply() for _ in range(count)]

    def reply(self) -> str:
        """Return the next reply."""
        lines = [self._line()]
        while lines[-1][3:4] == b"-":
            lines.append(self._line())
        return b"\n".join(lines).decode()

    def ehlo(self) -> str:
        """Say EHLO; return the extensions."""
        answer = self.say("EHLO client.example")
        assert answer.startswith("250"), answer
        return answer

    def start_tls(self, context: ssl.SSLContext | None = None, server_name: str | None = None) -> ssl.SSLSocket:
        """Say STARTTLS and do the handshake."""
        assert self.say("STARTTLS") == "220 Go ahead with TLS"
        self.socket = (context or insecure()).wrap_socket(self.socket, server_hostname=server_name)
        return self.socket

    def envelope(self) -> None:
        """Send MAIL and RCPT, which must be taken."""
        self.send(ENVELOPE)
        assert [reply[:3] for reply in self.replies(2)] == ["250", "250"]

    def data(self) -> None:
        """Open a transaction up to the 354."""
        self.envelope()
        answer = self.say("DATA")
        assert answer.startswith("354"), answer

    def message(self, content: bytes) -> str:
        """Send a message of which `content` is the mail data, without the final dot; return the answer."""
        self.data()
        self.send(content + b".\r\n")
        return self.reply()

    def send_text(self, text: str = "body") -> str:
        """Send a small message; return the first refusal, or the answer to the dot."""
        for line in ("MAIL FROM:<a@client.example>", "RCPT TO:<box@example.com>", "DATA"):
            answer = self.say(line)
            if answer[:1] not in ("2", "3"):
                return answer
        return self.say(f"Subject: {text}\r\n\r\n{text}\r\n.")

    # --- the end

    def half_close(self) -> None:
        """End our direction (FIN)."""
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Drop the connection with an RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def rest(self) -> str:
        """Return all that comes until the server closes; TimeoutError when it does not."""
        octets, self._received = self._received, b""
        while True:
            try:
                piece = self.socket.recv(65536)
            except (ConnectionError, ssl.SSLError):
                piece = b""
            if not piece:
                return octets.decode("utf-8", "replace")
            octets += piece

    @property
    def is_closed(self) -> bool:
        """Whether the server closes without another octet; waits for it."""
        return self.rest() == ""

    def _line(self) -> bytes:
        while b"\n" not in self._received:
            try:
                piece = self.socket.recv(65536)
            except (ConnectionError, ssl.SSLError):
                piece = b""
            if not piece:
                return b""
            self._received += piece
        line, _, self._received = self._received.partition(b"\n")
        assert line.endswith(b"\r"), f"a line of a reply ends with a bare LF: {line!r}"
        return line[:-1]


class Sealed:
    """TLS over a client's connection with its records in the test's own hands; for what no honest client does."""

    def __init__(self, client: Client) -> None:
        assert client.say("STARTTLS") == "220 Go ahead with TLS"
        self.socket = client.socket
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = insecure().wrap_bio(self._in, self._out)
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self.socket.sendall(self._out.read())
                self._in.write(self.socket.recv(65536))
            else:
                self.socket.sendall(self._out.read())
                return

    def seal(self, octets: bytes) -> bytes:
        """Return octets as records."""
        self._tls.write(octets)
        return self._out.read()

    def send(self, octets: bytes) -> None:
        """Send octets sealed."""
        self.socket.sendall(self.seal(octets))

    def close_notify(self) -> bytes:
        """Return the record that ends the stream."""
        with contextlib.suppress(ssl.SSLError):
            self._tls.unwrap()
        return self._out.read()

    def say(self, octets: bytes) -> bytes:
        """Send octets sealed, return what comes back."""
        self.send(octets)
        return self.read()

    def read(self) -> bytes:
        """Return what comes."""
        while True:
            try:
                return self._tls.read(65536)
            except ssl.SSLWantReadError:
                self._in.write(self.socket.recv(65536))


@contextlib.contextmanager
def session(port: int, *, tls: bool = False, source: str = "127.0.0.1") -> Iterator[Client]:
    """A session behind EHLO, over TLS if wanted."""
    with Client(port, source) as client:
        client.ehlo()
        if tls:
            client.start_tls()
            client.ehlo()
        yield client


def wait_end(
    client: Client,
    keep: Callable[[], None] = lambda: None,
    every: float = 0.2,
    ends: tuple[type[OSError], ...] = (ConnectionError,),
) -> str:
    """Do something every now and then until the server closes, or ends it as `ends` says; return what it said."""
    client.socket.settimeout(every)
    said = ""
    while True:
        try:
            piece = client.socket.recv(65536)
        except TimeoutError:
            keep()
            continue
        except ends:
            return said
        if not piece:
            return said
        said += piece.decode("latin-1")
