"""The connections to the web console: how many there may be, and how long one may take over its request.

Whoever only connects, stops in the middle of a request or sends it octet by octet holds nothing for long. When all places
are taken, the one who comes gets the place of somebody who has not asked anything yet: the longest waiting connection of the
address that has the most. A request that has come whole is never given up for another.
"""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from gatepost.admin.web.headers import HEADERS, NOT_KEPT
from gatepost.net.tls_protocol import TlsProtocol
from gatepost.tls.sides import ServerContext

PLACES = 400
"""Connections at a time."""
MAX_HEAD = 32 << 10
"""Octets of a request's header."""
HEAD_SECONDS = 30.0
"""For a request's header, and for the next request on a connection that is kept."""
BODY_SECONDS = 120.0
"""For a request's body: 16 MiB over a slow line."""


class _Strict(h11.Connection):
    """Refuses what h11 takes although two servers may read it in two ways (RFC 9112 sections 6.1 and 11.2)."""

    def next_event(self) -> Any:
        event = super().next_event()
        if isinstance(event, h11.Request):
            names = {name for name, _ in event.headers}
            is_framed_twice = {b"content-length", b"transfer-encoding"} <= names
            is_too_old = b"transfer-encoding" in names and event.http_version == b"1.0"
            is_long = sum(len(name) + len(value) for name, value in event.headers) + len(event.target) > MAX_HEAD
            is_other = event.http_version not in (b"1.0", b"1.1")
            if is_framed_twice or is_too_old or is_long or is_other or b"%00" in event.target:
                raise h11.RemoteProtocolError("doubtful request")
        return event


class Http(H11Protocol):
    """HTTP as uvicorn speaks it, which would wait for the rest of a request for ever."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.conn = _Strict(h11.SERVER, max_incomplete_event_size=MAX_HEAD)
        self._state: object = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._stop()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP; uvicorn's answer lacks our headers."""
        headers = [*HEADERS.items(), ("Cache-Control", NOT_KEPT), ("Content-Type", "text/plain"), ("Connection", "close")]
        events = (
            h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
            h11.Data(data=f"{msg}\n".encode()),
            h11.EndOfMessage(),
        )
        self.transport.write(b"".join(self.conn.send(event) or b"" for event in events))
        self.transport.close()

    @property
    def has_request(self) -> bool:
        """Whether a request has come whole and its answer is not out yet."""
        return self.conn.their_state is h11.DONE

    def _watch(self) -> None:
        """Start the clock of what is waited for now, unless it runs."""
        state = self.conn.their_state
        if state is self._state:
            return
        self._stop()
        self._state = state
        seconds = {h11.IDLE: HEAD_SECONDS, h11.SEND_BODY: BODY_SECONDS}.get(state)
        if seconds is not None and not self.transport.is_closing():
            self._timer = asyncio.get_running_loop().call_later(seconds, self.transport.abort)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


class Door:
    """The places, and who has them, by address and in the order in which they came."""

    def __init__(self, places: int = PLACES) -> None:
        self._places = places
        self._count = 0
        self._inside: dict[str, dict[Connection, None]] = {}

    def enter(self, one: Connection) -> None:
        """Give a place to a connection; somebody who waits may lose theirs."""
        if self._count >= self._places:
            self._make_room()
        self._inside.setdefault(one.address, {})[one] = None
        self._count += 1

    def leave(self, one: Connection) -> None:
        """Take a place back; nothing where there was none."""
        theirs = self._inside.get(one.address, {})
        if one in theirs:
            del theirs[one]
            self._count -= 1
            if not theirs:
                del self._inside[one.address]

    def _make_room(self) -> None:
        for theirs in sorted(self._inside.values(), key=len, reverse=True):
            waiting = next((one for one in theirs if not one.has_request), None)
            if waiting is not None:
                self.leave(waiting)
                waiting.abort()
                return


class Connection(TlsProtocol):
    """One connection: TLS outside, HTTP inside."""

    def __init__(self, door: Door, context: ServerContext, http: Http) -> None:
        super().__init__(context, http)
        self._door, self._http = door, http
        self.address = ""
        self._socket: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._socket = transport  # type: ignore[assignment]
        peer: tuple[Any, ...] | None = transport.get_extra_info("peername")
        self.address = str(peer[0]) if peer else ""
        self._door.enter(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._door.leave(self)
        super().connection_lost(exc)

    @property
    def has_request(self) -> bool:
        """Whether a request has come whole and its answer is not out yet."""
        return self._http.has_request

    def abort(self) -> None:
        """Hang up at once."""
        if self._socket is not None:
            self._socket.abort()
