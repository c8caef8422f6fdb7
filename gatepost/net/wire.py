"""One TCP connection to an SMTP peer, TLS inside it once started, read and written by a straight coroutine.

A `Wire` hands out what has arrived and takes what is to be sent; it knows nothing of SMTP. Ciphertext is fed to a
`tls.engine.TlsEngine`, which owns no socket. Everything that waits has a deadline. When octets are already at hand nothing
suspends: that is what keeps a pipelining peer cheap.

What it promises: octets that arrived in the clear are never mixed with those that came through TLS; a connection that ends
without TLS's close_notify raises instead of looking like a clean end (RFC 8446 6.1), so that a message cut short is dropped.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import Coroutine

from gatepost.errors import TlsFailure, WireClosed, WireError, WireTimeout
from gatepost.tls.engine import TlsEngine
from gatepost.tls.outcome import TlsOutcome

READ_AHEAD = 256 * 1024
"""Octets taken from the peer before it is made to wait."""
LINGER = 10.0
"""Seconds that a closed connection may still use to get its last octets out."""


class Wire(asyncio.Protocol):
    """A connection; made by `connect` or an `Acceptor`."""

    __slots__ = (
        "_deadline",
        "_ended",
        "_engine",
        "_fault",
        "_loop",
        "_lost",
        "_paused",
        "_received",
        "_timer",
        "_transport",
        "_waiter",
        "clogged",
        "local_address",
        "local_port",
        "peer_address",
        "peer_port",
    )

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._engine: TlsEngine | None = None
        self._received = b""
        self._ended = False
        self._lost = ""
        self._fault = ""
        self._paused = False
        self.clogged = False
        """Whether the peer reads so slowly that a writer should `drain` before it goes on."""
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._deadline = 0.0
        self.peer_address, self.peer_port = "", 0
        self.local_address, self.local_port = "", 0

    # --- what the event loop calls -----------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write")
        self._transport = transport  # type: ignore[assignment]
        self.peer_address, self.peer_port = _address(transport.get_extra_info("peername"))
        self.local_address, self.local_port = _address(transport.get_extra_info("sockname"))

    def data_received(self, data: bytes) -> None:
        self._received = self._received + data if self._received else data
        if len(self._received) > READ_AHEAD and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        waiter, self._waiter = self._waiter, None  # as `_wake` does; once for each segment that comes
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def eof_received(self) -> bool:
        self._ended = True
        self._wake()
        return True  # a peer that half-closes after the dot still gets its answer

    def connection_lost(self, exc: Exception | None) -> None:
        self._fault = "" if exc is None else str(exc) or type(exc).__name__
        self._lost = self._fault or "connection closed"
        self._ended = True
        self.clogged = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._wake()

    def pause_writing(self) -> None:
        self.clogged = True

    def resume_writing(self) -> None:
        self.clogged = False
        self._wake()

    # --- reading -----------------------------------------------------------------------------------------------------

    def read(self, timeout: float) -> Coroutine[None, None, bytes]:
        """Do as `read_until`, with a deadline `timeout` seconds from now."""
        return self.read_until(self._loop.time() + timeout)

    async def read_until(self, deadline: float) -> bytes:
        """Return what the peer sent, at once if something is at hand; empty when it closed its side cleanly.

        Raises WireTimeout when nothing has come at `deadline` (the loop's time), WireClosed when the connection is lost,
        TlsFailure when a TLS record is bad or TLS was cut off without close_notify.
        """
        while True:
            if self._engine is None:
                if octets := self._received:
                    if self._paused:
                        return self._take()
                    self._received = b""
                    return octets
                if self._ended:
                    if self._fault:
                        raise WireClosed(self._fault)
                    return b""
            elif octets := self._decrypt(self._engine):
                return octets
            elif self._engine.closed:
                return b""
            elif self._ended:
                raise WireClosed(self._fault or "the peer cut the TLS connection without close_notify")
            await self._wait(deadline)

    @property
    def at_hand(self) -> bool:
        """Whether octets, or the end, wait to be read (in TLS: ciphertext that may hold some)."""
        return bool(self._received) or self._ended

    def _take(self) -> bytes:
        octets, self._received = self._received, b""
        if self._paused and self._transport is not None and not self._lost:
            self._paused = False
            self._transport.resume_reading()
        return octets

    def _decrypt(self, engine: TlsEngine) -> bytes:
        if self._received:
            engine.feed(self._take())
        octets = engine.read()
        if engine.unsent and (sealed := engine.outgoing()):  # key updates, alerts
            self._send(sealed)
        return octets

    # --- writing -----------------------------------------------------------------------------------------------------

    def write(self, octets: bytes) -> None:
        """Send octets, or keep them until the peer reads; see `clogged` and `drain`. After the end they are dropped."""
        if self._engine is not None:
            self._engine.write(octets)
            octets = self._engine.outgoing()
        if self._transport is not None and not self._lost:
            self._transport.write(octets)

    async def drain(self, timeout: float) -> None:
        """Wait until the peer has read enough; returns at once when it has. Raises WireTimeout after `timeout` seconds in
        which it read nothing, WireClosed."""
        while self.clogged:
            await self._wait(self._loop.time() + timeout)
        if self._lost:
            raise WireClosed(self._lost)

    def _send(self, octets: bytes) -> None:
        if self._transport is not None and not self._lost:
            self._transport.write(octets)

    # --- TLS ---------------------------------------------------------------------------------------------------------

    async def start_tls(self, engine: TlsEngine, timeout: float) -> TlsOutcome:
        """Do the handshake; all that is read and written from here on goes through `engine`.

        `timeout` is for the handshake as a whole. Raises TlsFailure (the alert is sent first), WireTimeout, WireClosed.
        """
        limit = self._loop.time() + timeout
        self._engine = engine
        while True:
            try:
                done = engine.handshake()
            finally:
                if sealed := engine.outgoing():
                    self._send(sealed)
            if done:
                return engine.outcome()
            if not self._received:
                if self._ended:
                    engine.feed(b"")
                    engine.handshake()
                    raise TlsFailure("the peer closed the connection in the TLS handshake")
                await self._wait(limit)
            if self._received:
                engine.feed(self._take())

    # --- the end -----------------------------------------------------------------------------------------------------

    @property
    def closed(self) -> bool:
        """Whether the connection is gone or the peer has closed its side."""
        return self._ended or self._transport is None or self._transport.is_closing()

    def close(self, last: bytes = b"") -> None:
        """Send what is due and the `last` octets, then close; after LINGER seconds without progress the rest is dropped.

        In TLS the last octets and close_notify leave together. Raises TlsFailure when they cannot be encrypted.
        """
        if self._transport is None or self._lost or self._transport.is_closing():
            return
        if self._engine is not None:
            if last:
                self._engine.write(last)
            self._engine.shutdown()
            last = self._engine.outgoing()
        if last:
            self._transport.write(last)
        self._transport.close()
        if self._transport.get_write_buffer_size():
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_later(LINGER, self.abort)

    def abort(self) -> None:
        """Drop the connection and what is unsent."""
        if self._transport is not None and not self._lost:
            self._transport.abort()

    def reset(self) -> None:
        """Drop the connection with a TCP RST, as if the port had refused it."""
        if self._transport is not None and (sock := self._transport.get_extra_info("socket")) is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.abort()

    # --- waiting -----------------------------------------------------------------------------------------------------

    def _wait(self, deadline: float) -> asyncio.Future[None]:
        """Return what to await until something happens on the connection.

        One timer serves many waits: it is only moved when it fires too early, which is cheaper than a timer per read.
        """
        assert self._waiter is None or self._waiter.done(), "two coroutines wait on one wire"
        self._deadline = deadline
        if self._timer is None:
            self._timer = self._loop.call_at(deadline, self._expired)
        elif self._timer.when() > deadline:
            self._timer.cancel()
            self._timer = self._loop.call_at(deadline, self._expired)
        waiter = self._waiter = self._loop.create_future()
        return waiter

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def interrupt(self, fault: WireError) -> None:
        """Make the coroutine that waits on this wire, if any, raise `fault` now."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(fault)

    def _expired(self) -> None:
        self._timer = None
        if self._waiter is None or self._waiter.done():
            return
        if self._loop.time() + 0.001 < self._deadline:
            self._timer = self._loop.call_at(self._deadline, self._expired)
            return
        self._waiter.set_exception(WireTimeout("the peer let the time run out"))


async def connect(address: str, port: int, timeout: float, source: str = "") -> Wire:
    """Open a connection to a numeric address, from `source` if given.

    Raises WireTimeout, WireClosed with the system's own words.
    """
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(timeout):
            _, wire = await loop.create_connection(Wire, address, port, local_addr=(source, 0) if source else None)
    except TimeoutError:
        raise WireTimeout(f"no connection to {address} port {port} in {timeout:g} seconds") from None
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else str(error)
        raise WireClosed(f"connection to {address} port {port}: {why}") from None
    return wire


def _address(name: object) -> tuple[str, int]:
    if not isinstance(name, tuple) or len(name) < 2:
        return "", 0
    address = str(name[0])
    return address.removeprefix("::ffff:") if "." in address else address, int(name[1])
