"""One TLS connection without a socket: ciphertext in and out, plaintext in and out (RFC 8446, RFC 5246).

Bytes come by `feed` and leave by `outgoing`; whoever owns the socket moves them. The engine reads a client's hello before
the library does, so the offer is on record whatever comes of it. It never waits, never decides whether the outcome is
good enough, and never takes an end of the transport for an end of the stream: only close_notify is that (RFC 8446 6.1).
"""

from __future__ import annotations

from OpenSSL import SSL

from gatepost.errors import TlsFailure
from gatepost.tls import binding, failure, result
from gatepost.tls.hello import HelloParser, NotTls
from gatepost.tls.identity import normal_name
from gatepost.tls.mismatch import explain_mismatch
from gatepost.tls.outcome import Offer, TlsOutcome
from gatepost.tls.records import RecordCounter
from gatepost.tls.sides import ClientContext, Served, ServerContext

_RECORD = 16384
"""A record's plaintext is no larger (RFC 8446 5.1), so one read takes a whole record."""
_SLICE = 16384
"""The library's buffers grow to what is put into them at once, and stay so while the connection lasts: small portions."""
_UNEXPECTED_MESSAGE = b"\x15\x03\x01\x00\x02\x02\x0a"
"""A fatal alert in the clear, for a peer whose first bytes the library never gets to see."""


class TlsEngine:
    """Either side of one connection. Make it with `server` or `client`."""

    __slots__ = (
        "_alert",
        "_connection",
        "_counter",
        "_done",
        "_eof",
        "_failure",
        "_first",
        "_offer",
        "_parser",
        "_plain",
        "_ready",
        "_records",
        "_served",
        "_side",
        "closed",
        "truncated",
        "unsent",
    )

    def __init__(self, side: ServerContext | ClientContext) -> None:
        self._side = side
        self._connection: SSL.Connection | None = None
        self._parser: HelloParser | None = None  # server: until the hello is complete
        self._served: Served | None = None
        self._offer: Offer | None = None
        self._counter = RecordCounter()
        self._records = 0  # complete records that were fed and perhaps not read
        self._plain: list[bytes] = []  # decrypted and not read
        self._ready: list[bytes] = []  # encrypted and not sent
        self._first = b""  # client: the server's first bytes, until the handshake is done
        self._alert = b""
        self._eof = False
        self._done = False
        self._failure: TlsFailure | None = None
        self.closed = False
        """The peer ended the stream with close_notify: what came before is complete."""
        self.truncated = False
        """The transport ended without close_notify: a message in progress must be dropped, never taken for complete.

        Known for sure when `read` has returned nothing more.
        """
        self.unsent = False
        """There may be ciphertext for `outgoing`: only then is it worth asking."""

    @classmethod
    def server(cls, context: ServerContext) -> TlsEngine:
        """Answer a client; its hello decides which certificate is shown."""
        engine = cls(context)
        engine._parser = HelloParser()
        return engine

    @classmethod
    def client(cls, context: ClientContext, server_name: str) -> TlsEngine:
        """Speak to a server; `server_name` goes out as SNI unless it is an address (RFC 6066 3)."""
        engine = cls(context)
        connection = SSL.Connection(context.context, None)
        connection.set_connect_state()
        if name := normal_name(server_name):
            connection.set_tlsext_host_name(name.encode())
        engine._connection = connection
        engine._offer = context.allowance
        return engine

    @property
    def offer(self) -> Offer | None:
        """What the client offered: on a server the peer's hello, once it came; on a client what our profile allows."""
        return self._offer

    @property
    def allowance(self) -> Offer:
        """What our side allows, in our order."""
        return self._side.allowance

    def feed(self, ciphertext: bytes) -> None:
        """Take bytes from the transport; none means that it has ended."""
        if not ciphertext:
            self._eof = True
            self.truncated = not (self.closed or self._records or self._plain)
        elif self.closed or self._failure:
            pass  # whatever follows the end of the stream is not part of it
        elif self._connection is None:
            self._records += self._counter.count(ciphertext)
            self._read_hello(ciphertext)
        elif len(ciphertext) <= _SLICE or not self._done:
            self._records += self._counter.count(ciphertext)
            if not self._done and not self._first:
                self._first = ciphertext[:16]
            binding.put(self._connection, ciphertext)
        else:
            whole = memoryview(ciphertext)
            for at in range(0, len(whole), _SLICE):
                portion = whole[at : at + _SLICE]
                self._records += self._counter.count(portion)
                binding.put(self._connection, portion)
                self._plain += self._drain(self._connection)
                if self.closed or self._failure:
                    break

    def _read_hello(self, ciphertext: bytes) -> None:
        """Server: once the hello is complete, choose the certificate and hand the library all that came so far."""
        assert self._parser is not None
        assert isinstance(self._side, ServerContext)
        try:
            self._offer = self._parser.feed(ciphertext)
        except NotTls as error:
            self._alert = _UNEXPECTED_MESSAGE
            self._failure = error
            return
        if self._offer is not None:
            self._served = self._side.choose(self._offer)
            self._connection = SSL.Connection(self._served.context, None)
            self._connection.set_accept_state()
            binding.put(self._connection, self._parser.raw)
            self._parser = None

    def handshake(self) -> bool:
        """Go on with the handshake; True once it is done. Raises TlsFailure, which says which side had what."""
        if self._done:
            return True
        if self._failure:
            raise self._failure
        if self._connection is not None:
            self.unsent = True
            try:
                self._done = binding.handshake(self._connection)
            except SSL.Error as error:
                raise self._fail(self._explain(error)) from None
            if self._done:
                self._first = b""
                return True
        if self._eof:
            began = self._connection is not None if self._parser is None else bool(self._parser.raw)
            raise self._fail(failure.closed(self._side.allowance, self._side.profile, began))
        return False

    def _fail(self, text: str) -> TlsFailure:
        self._failure = TlsFailure(text)
        return self._failure

    def _explain(self, error: SSL.Error) -> str:
        """Say what ended the connection; an alert of the peer's speaks for itself, else what the two sides had."""
        reason = failure.reason_of(error.args)
        allowance, profile = self._side.allowance, self._side.profile
        told = ""
        if not self._done and not failure.peer_alert(reason):
            if self._served is not None and self._offer is not None:
                told = explain_mismatch(self._offer, allowance, (self._served.key,), profile)
            elif self._served is None:
                told = failure.server_choice(self._first, allowance, profile)
        return told or failure.describe(reason, allowance, profile)

    def read(self) -> bytes:
        """Return all plaintext at hand. With nothing left, see `closed` and `truncated`. Raises TlsFailure."""
        parts = self._plain
        if self._records > 0 and self._done and self._connection is not None:
            parts = parts + self._drain(self._connection)
        self._plain = []
        if self._failure and not parts:  # what came whole before the fault is handed out first
            raise self._failure
        if self._eof and not self.closed:
            self.truncated = True
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _drain(self, connection: SSL.Connection) -> list[bytes]:
        """Decrypt all complete records; a fault is kept for `read` to raise."""
        parts: list[bytes] = []
        while self._records > 0:
            try:
                if octets := binding.read(connection, _RECORD):
                    parts.append(octets)
                    self._records -= 1
                else:  # the rest was not application data; the library may have answered it
                    self._records = 0
                    self.unsent = True
            except SSL.ZeroReturnError:
                self._records = 0
                self.closed = True
            except SSL.Error as error:
                self._records = 0
                self.unsent = True
                self._fail(self._explain(error))
        return parts

    def write(self, plaintext: bytes) -> None:
        """Encrypt; `outgoing` then has the ciphertext. Raises TlsFailure when the connection is of no further use."""
        connection = self._connection
        if not self._done or self._failure or connection is None:
            raise self._failure or TlsFailure("nothing can be written before the handshake is done")
        try:
            if 0 < len(plaintext) <= _RECORD:
                binding.write(connection, plaintext)
            else:
                whole = memoryview(plaintext)
                for at in range(0, len(whole), _RECORD):
                    binding.write(connection, whole[at : at + _RECORD])
                    self._ready.append(binding.take(connection))
        except SSL.Error as error:
            raise self._fail(self._explain(error)) from None
        self.unsent = True

    def outgoing(self) -> bytes:
        """Return the ciphertext that is due to be sent, alerts included."""
        if not self.unsent or self._connection is None:
            alert, self._alert = self._alert, b""
            return alert
        self.unsent = False
        parts, self._ready = self._ready, []
        while octets := binding.take(self._connection):
            parts.append(octets)
            if len(octets) < binding.CHUNK:
                break
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def shutdown(self) -> None:
        """End our half of the stream with a close_notify (RFC 8446 6.1); harmless when there is no stream."""
        if not self._done or self._failure or self._connection is None:
            return
        try:
            self._connection.shutdown()
        except SSL.Error:
            pass  # the peer is gone or has failed: there is nobody left to tell
        self.unsent = True

    def outcome(self) -> TlsOutcome:
        """Return what the finished handshake came to."""
        if not self._done or self._connection is None:
            raise TlsFailure("the handshake is not done")
        return result.outcome(self._connection)

    def shown_chain(self) -> tuple[bytes, ...]:
        """Return the certificates that the peer showed, its own first, as DER; for DANE (RFC 7671)."""
        return result.shown_chain(self._connection) if self._done and self._connection else ()

    def verified_chain(self) -> tuple[bytes, ...]:
        """Return the chain that verification built, up to the trust anchor, as DER; means little unless `chain_ok`."""
        return result.verified_chain(self._connection) if self._done and self._connection else ()
