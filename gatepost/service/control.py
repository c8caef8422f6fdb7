"""Messages between Gatepost's own processes: requests, answers and notices over a Unix stream socket.

A frame is a four-octet length and a msgpack array `[number, verb, arguments]`; an answer carries the request's number and
the verb `ok` or `refused`; number 0 is a notice that wants no answer. Master and workers speak it over a socket pair, the
command line over `control.sock` (mode 0600: who may open it may do everything). Only plain values travel.
"""

from __future__ import annotations

import asyncio
import inspect
import socket
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from gatepost.errors import ControlError, GatepostError
from gatepost.records.backlog import note

MAX_FRAME = 256 * 1024 * 1024
"""Octets; a configuration with a large HAT travels in one frame."""
_encode = msgspec.msgpack.Encoder(enc_hook=str).encode
_decode = msgspec.msgpack.Decoder(list[Any]).decode

Serve = Callable[[str, dict[str, Any]], Any]
"""Takes verb and arguments; returns the answer, or a coroutine that will. GatepostError refuses with its sentence."""


class Channel(asyncio.Protocol):
    """One end of a conversation between two processes; both ends may ask."""

    def __init__(self, serve: Serve, tasks: asyncio.TaskGroup, gone: Callable[[Channel], None] | None = None) -> None:
        self._serve, self._tasks, self._gone = serve, tasks, gone
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._last = 0
        self.closed = asyncio.Event()

    async def ask(self, verb: str, **arguments: Any) -> Any:
        """Send a request and return its answer. Raises ControlError when it is refused or the other end goes away."""
        if self._transport is None or self.closed.is_set():
            raise ControlError("the other process is gone")
        self._last += 1
        answer = self._waiting[self._last] = asyncio.get_running_loop().create_future()
        self._transport.write(_frame([self._last, verb, arguments]))
        return await answer

    def tell(self, verb: str, **arguments: Any) -> None:
        """Send a notice; lost without a word when the other end is gone."""
        if self._transport is not None and not self.closed.is_set():
            self._transport.write(_frame([0, verb, arguments]))

    def close(self) -> None:
        """End the conversation."""
        if self._transport is not None:
            self._transport.close()

    # --- what the event loop calls -----------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        at = 0
        while len(buffer) - at >= 4:
            length = int.from_bytes(buffer[at : at + 4], "big")
            if length > MAX_FRAME:
                self.close()
                return
            if len(buffer) - at - 4 < length:
                break
            frame = bytes(buffer[at + 4 : at + 4 + length])
            at += 4 + length
            try:
                number, verb, arguments = _decode(frame)
            except (msgspec.DecodeError, ValueError):
                self.close()  # whoever that is speaks something else
                return
            self._take(number, verb, arguments)
        if at:
            del buffer[:at]

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed.set()
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(ControlError("the other process went away before it answered"))
        self._waiting.clear()
        if self._gone is not None:
            self._gone(self)

    # --- the conversation --------------------------------------------------------------------------------------------

    def _take(self, number: int, verb: str, arguments: Any) -> None:
        if verb in ("ok", "refused"):
            answer = self._waiting.pop(number, None)
            if answer is not None and not answer.done():
                if verb == "ok":
                    answer.set_result(arguments)
                else:
                    answer.set_exception(ControlError(arguments))
            return
        try:
            result = self._serve(verb, arguments)
        except GatepostError as refusal:
            self._answer(number, "refused", str(refusal))
            return
        except Exception as bug:
            self._answer(number, "refused", _told(verb, bug))
            return
        if inspect.isawaitable(result):
            self._tasks.create_task(self._answer_later(number, verb, result))
        else:
            self._answer(number, "ok", result)

    async def _answer_later(self, number: int, verb: str, result: Any) -> None:
        try:
            self._answer(number, "ok", await result)
        except GatepostError as refusal:
            self._answer(number, "refused", str(refusal))
        except Exception as bug:
            self._answer(number, "refused", _told(verb, bug))

    def _answer(self, number: int, verb: str, result: Any) -> None:
        if number and self._transport is not None and not self.closed.is_set():
            self._transport.write(_frame([number, verb, result]))


def _told(verb: str, bug: Exception) -> str:
    """A bug in one verb must not end the process that carries mail: the traceback goes to stderr, the sentence back."""
    note(f"bug in {verb!r}\n{''.join(traceback.format_exception(bug))}")
    return f"internal error: {type(bug).__name__}: {bug}"


def _frame(message: list[Any]) -> bytes:
    body = _encode(message)
    return len(body).to_bytes(4, "big") + body


def call(path: Path, verb: str, timeout: float = 60.0, **arguments: Any) -> Any:
    """Ask a running service one thing, from a process without an event loop. Raises ControlError in words."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(timeout)
        try:
            sock.connect(str(path))
            sock.sendall(_frame([1, verb, arguments]))
            length = int.from_bytes(_receive(sock, 4), "big")
            _, outcome, result = _decode(_receive(sock, length))
        except (FileNotFoundError, ConnectionRefusedError):
            raise ControlError(f"no gateway runs on {path.parent}; start it with `gatepost serve`") from None
        except PermissionError:
            raise ControlError(f"{path} may not be opened by this user; use the gateway's user or root") from None
        except TimeoutError:
            raise ControlError(f"the gateway did not answer `{verb}` within {timeout:g} seconds") from None
        except OSError as error:
            raise ControlError(f"the gateway ended the conversation: {error.strerror or error}") from None
    if outcome == "refused":
        raise ControlError(str(result))
    return result


def _receive(sock: socket.socket, count: int) -> bytes:
    octets = bytearray()
    while len(octets) < count:
        piece = sock.recv(min(1 << 20, count - len(octets)))
        if not piece:
            raise ConnectionResetError(0, "closed before it answered")
        octets += piece
    return bytes(octets)
