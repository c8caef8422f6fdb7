"""The wire and the sender engine in step: what is due goes out, the next reply comes back, each with its deadline.

A peer that closes, stalls or breaks TLS is told the same way as one that breaks the protocol: by a `PeerFault`.
"""

from __future__ import annotations

import asyncio

from gatepost.errors import WireError
from gatepost.net.wire import Wire
from gatepost.records.metrics import Metrics
from gatepost.smtp.events import Event, PeerFault
from gatepost.smtp.sender import Sender

# Seconds, RFC 5321 4.5.3.2 and its subsections; each is for one whole reply, however slowly it trickles in.
CONNECT_TIMEOUT = 30.0
"""Not in the RFC, which leaves it to TCP: an address silent for so long is as good as dead, the next may not be."""
GREETING_TIMEOUT = 300.0  # .1
HELLO_TIMEOUT = 300.0  # as MAIL
STARTTLS_TIMEOUT = 120.0
MAIL_TIMEOUT = 300.0  # .2
RCPT_TIMEOUT = 300.0  # .3
DATA_TIMEOUT = 120.0  # .4
BLOCK_TIMEOUT = 180.0  # .5
END_TIMEOUT = 600.0  # .6: give up earlier and the peer, busy accepting the message, has it twice
QUIT_TIMEOUT = 5.0
"""Nothing hangs on it: all mail is settled by then."""


class Dialogue:
    """One connection's conversation."""

    __slots__ = ("_loop", "_metrics", "sender", "wire")

    def __init__(self, wire: Wire, hostname: str, metrics: Metrics) -> None:
        self.wire = wire
        self.sender = Sender(hostname)
        self._metrics = metrics
        self._loop = asyncio.get_running_loop()

    async def event(self, timeout: float) -> Event:
        """Return the peer's next reply, or the fault that ends the connection."""
        deadline = self._loop.time() + timeout
        while True:
            event = self.pending()
            if event is not None:
                return event
            fault = await self._exchange(deadline)
            if fault is not None:
                return fault

    async def events(self, timeout: float) -> list[Event]:
        """Return all replies at hand, waiting for the first; none when the transaction is over. The cheap way."""
        sender, wire = self.sender, self.wire
        deadline = self._loop.time() + timeout
        found = sender.events()
        try:
            while not found and sender.in_transaction:
                if octets := sender.data_to_send():
                    wire.write(octets)
                sender.receive_data(await wire.read_until(deadline))
                found = sender.events()
        except WireError as fault:
            return [PeerFault(str(fault))]
        replies = self._metrics.replies
        for event in found:
            reply = getattr(event, "reply", None)
            if reply is not None:
                replies["out", reply.code] += 1
        return found

    async def _exchange(self, deadline: float) -> PeerFault | None:
        """Send what is due and take in what comes."""
        try:
            self.flush()
            self.sender.receive_data(await self.wire.read_until(deadline))
        except WireError as fault:
            return PeerFault(str(fault))
        return None

    def pending(self) -> Event | None:
        """Return the next reply among the octets already taken in."""
        event = self.sender.next_event()
        if event is not None:
            reply = getattr(event, "reply", None)
            if reply is not None:
                self._metrics.replies["out", reply.code] += 1
        return event

    def flush(self) -> None:
        """Send what is due; raises WireError."""
        octets = self.sender.data_to_send()
        if octets:
            self.wire.write(octets)

    async def quit(self) -> None:
        """Say goodbye and close; the answer is waited for briefly and means nothing."""
        if not self.wire.closed and self.sender.ready:
            try:
                self.sender.quit()
                await self.event(QUIT_TIMEOUT)
            except WireError:
                pass
        self.wire.close()
