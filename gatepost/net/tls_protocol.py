"""TLS, with our own engine, around an asyncio protocol of somebody else: how the web console is served over HTTPS.

So a profile means the same there as in SMTP: methods, suites, groups and whose order wins, which the standard library's
`ssl` cannot all set. Knows nothing of what is spoken inside.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from gatepost.errors import TlsFailure
from gatepost.tls.engine import TlsEngine
from gatepost.tls.sides import ServerContext

HANDSHAKE_SECONDS = 20.0
"""For a whole handshake; whoever only connects holds nothing longer."""


class TlsProtocol(asyncio.Protocol):
    """The outer protocol: ciphertext from the socket, plaintext to `inner`, which meets a transport as usual."""

    def __init__(self, context: ServerContext, inner: asyncio.Protocol) -> None:
        self._engine = TlsEngine.server(context)
        self._inner = inner
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._done = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        self._timer = asyncio.get_running_loop().call_later(HANDSHAKE_SECONDS, self._transport.abort)  # type: ignore[union-attr]

    def data_received(self, data: bytes) -> None:
        engine, transport = self._engine, self._transport
        assert transport is not None
        engine.feed(data)
        try:
            if not self._done and not self._shake_hands(transport):
                return
            plaintext = engine.read()
        except TlsFailure:
            self._end(transport)
            return
        if plaintext:
            self._inner.data_received(plaintext)
        self._flush(transport)
        if engine.closed:
            transport.close()

    def _shake_hands(self, transport: asyncio.Transport) -> bool:
        self._done = self._engine.handshake()
        self._flush(transport)
        if self._done:
            assert self._timer is not None
            self._timer.cancel()
            self._inner.connection_made(_Inside(self._engine, transport))
        return self._done

    def _end(self, transport: asyncio.Transport) -> None:
        self._flush(transport)  # the alert that says why
        transport.close()

    def _flush(self, transport: asyncio.Transport) -> None:
        if ciphertext := self._engine.outgoing():
            transport.write(ciphertext)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._done:
            self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        if self._done:
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        if self._done:
            self._inner.resume_writing()


class _Inside(asyncio.Transport):
    """The transport as the inner protocol sees it."""

    def __init__(self, engine: TlsEngine, outside: asyncio.Transport) -> None:
        super().__init__()
        self._engine, self._outside = engine, outside
        self.set_write_buffer_limits = outside.set_write_buffer_limits  # type: ignore[method-assign]
        self.pause_reading = outside.pause_reading  # type: ignore[method-assign]
        self.resume_reading = outside.resume_reading  # type: ignore[method-assign]
        self.is_closing = outside.is_closing  # type: ignore[method-assign]
        self.abort = outside.abort  # type: ignore[method-assign]

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return what the outer transport knows; `sslcontext` is there as well, for those who ask whether this is TLS."""
        return self._engine if name == "sslcontext" else self._outside.get_extra_info(name, default)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not data or self._outside.is_closing():
            return
        try:
            self._engine.write(bytes(data))
        except TlsFailure:
            self._outside.close()
            return
        self._outside.write(self._engine.outgoing())

    def close(self) -> None:
        if not self._outside.is_closing():
            self._engine.shutdown()
            if ciphertext := self._engine.outgoing():
                self._outside.write(ciphertext)
        self._outside.close()


def under_tls(context: Callable[[], ServerContext], make: Callable[[], asyncio.Protocol]) -> TlsProtocol:
    """Return a new connection's protocol, under the terms that hold now."""
    return TlsProtocol(context(), make())
