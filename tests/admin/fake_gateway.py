"""A stand-in for a listener: the real receiver engine on a real socket, with answers to set, and records written by hand."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gatepost.errors import WireError
from gatepost.net.acceptor import Acceptor
from gatepost.net.wire import Wire
from gatepost.records.message_record import MessageRecord, OutcomeRecord
from gatepost.records.store import RecordStore
from gatepost.records.tls_record import TlsRecord
from gatepost.smtp import events, reply
from gatepost.smtp.limits import Limits
from gatepost.smtp.receiver import Receiver
from gatepost.smtp.reply import Reply
from gatepost.tls.context import Terms
from gatepost.tls.engine import TlsEngine
from gatepost.tls.making import Subject, self_signed
from gatepost.tls.outcome import TlsOutcome
from gatepost.tls.sides import ServerContext

NAME = "mx1.example.com"
UNLIMITED = Limits(-1, -1, -1, -1, -1)


class FakeGateway:
    """Takes messages in a thread of its own."""

    def __init__(self, state: Path, *, starttls: bool, refuse: Reply | None, outcome: str) -> None:
        self._state, self._starttls, self._refuse, self._outcome = state, starttls, refuse, outcome
        self._sock = socket.create_server(("127.0.0.1", 0))
        self.port = self._sock.getsockname()[1]
        self._context = ServerContext(Terms(), [self_signed(Subject(names=(NAME,)))])
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._ready = threading.Event()
        self.content = b""
        self.peer = ""

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._ready.set()
        async with asyncio.TaskGroup() as tasks:
            server = Acceptor(self._sock, 10, self._session, tasks)
            await self._stop.wait()
            server.close()
        await asyncio.sleep(0)  # closed connections are let go in the next round

    async def _session(self, wire: Wire) -> None:
        self.peer = wire.peer_address
        try:
            await self._converse(wire)
        except WireError:
            pass
        wire.close()

    async def _converse(self, wire: Wire) -> None:
        engine = Receiver(NAME, UNLIMITED, starttls=self._starttls)
        engine.greet(reply.banner(NAME))
        tls: TlsOutcome | None = None
        while True:
            event = engine.next_event()
            match event:
                case None:
                    wire.write(engine.data_to_send())
                    if not engine.paused:
                        engine.receive_data(await wire.read(10))
                case events.Closed():
                    break
                case events.Hello():
                    engine.reply(reply.hello(NAME))
                case events.StartTls():
                    engine.reply(reply.READY_FOR_TLS)
                    wire.write(engine.data_to_send())
                    tls = await wire.start_tls(TlsEngine.server(self._context), 10)
                    engine.tls_started()
                case events.Mail(reverse_path=path):
                    engine.reply(reply.sender_ok(str(path)))
                case events.Rcpt(forward_path=path):
                    engine.reply(self._refuse or reply.recipient_ok(str(path)))
                case events.Data():
                    engine.reply(reply.GO_AHEAD)
                case events.Content(octets=octets):
                    self.content += octets
                case events.EndOfData():
                    self._record(tls)
                    engine.reply(reply.message_accepted(7))
                case _:
                    pass
        wire.write(engine.data_to_send())

    def _record(self, tls: TlsOutcome | None) -> None:
        found = re.search(rb"Message-ID: (\S+)", self.content)
        assert found is not None
        now = time.time()
        message_id = found[1].decode()
        store = RecordStore(self._state / "records.db")
        store.append(
            [
                MessageRecord(mid=7, icid=3, time=now, message_id=message_id, recipients=("test@example.com",)),
                TlsRecord(direction="in", connection=3, time=now, peer="127.0.0.1", requirement="preferred", outcome=tls),
                OutcomeRecord(
                    mid=7,
                    rid=0,
                    time=now,
                    address="test@example.com",
                    outcome=self._outcome,  # type: ignore[arg-type]
                    reply="as it was set",
                    dcid=4,
                    peer="10.0.0.5",
                ),
            ]
        )
        store.close()
        inbox = self._state / "demo-inbox"
        inbox.mkdir(exist_ok=True)
        (inbox / "1.eml").write_bytes(self.content)

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(10)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        self._sock.close()


@contextmanager
def fake_gateway(
    state: Path, *, starttls: bool = True, refuse: Reply | None = None, outcome: str = "delivered"
) -> Iterator[FakeGateway]:
    """A listener on a free port of loopback."""
    gateway = FakeGateway(state, starttls=starttls, refuse=refuse, outcome=outcome)
    gateway.start()
    try:
        yield gateway
    finally:
        gateway.stop()
