"""Both engines joined in memory, without a socket between."""

from __future__ import annotations

from collections.abc import Iterator

from gatepost.smtp.events import Event
from gatepost.smtp.sender import Sender
from tests.support.dialog import EnginePeer


class Line:
    """A sender that talks to a receiver; `size` is the length of the pieces in which octets travel."""

    def __init__(self, settings: dict[str, str] | None, size: int) -> None:
        self.sender, self.peer, self.size = Sender("client.example"), EnginePeer(settings), size
        self._heard = 0

    def carry(self) -> Iterator[Event]:
        """Carry octets to and fro until both are silent; yield what the sender is told, when it is told."""
        while True:
            octets = self.sender.data_to_send()
            for start in range(0, len(octets), self.size):
                self.peer.send(octets[start : start + self.size])
            answer, self._heard = self.peer.sent[self._heard :], len(self.peer.sent)
            for start in range(0, len(answer), self.size):
                self.sender.receive_data(answer[start : start + self.size])
                while (event := self.sender.next_event()) is not None:
                    yield event
            if not octets and not answer:
                return
