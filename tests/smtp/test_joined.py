"""Both engines joined in memory: what one sends, the other accepts, octet for octet."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost.smtp.events import EndReply, Event, HelloReply, PeerFault, RcptReply
from gatepost.smtp.sender import Transaction
from tests.support.joined import Line

WAYS = ["step by step", "pipelining", "chunking"]


class Joined(Line):
    """A sender and a receiver, greeted; the receiver offers what `way` needs."""

    def __init__(self, way: str, size: int = 10**6, settings: dict[str, str] | None = None) -> None:
        super().__init__(settings, size)
        self._way = way
        self.exchange()
        self.sender.hello()
        self.exchange()

    def exchange(self) -> list[Event]:
        """Carry octets to and fro until both are silent; return what the sender was told."""
        told: list[Event] = []
        for event in self.carry():
            told.append(event)
            assert not isinstance(event, PeerFault), event
            if isinstance(event, HelloReply):
                self._forget()
        return told

    def _forget(self) -> None:
        """Have the peer offer less than it does."""
        if self._way != "chunking":
            del self.sender.extensions["CHUNKING"]
        if self._way == "step by step":
            del self.sender.extensions["PIPELINING"]


def lines(text: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    return st.lists(text, max_size=12).map(lambda parts: b"".join(part + b"\r\n" for part in parts))


LINE = st.one_of(
    st.sampled_from([b"", b".", b"..", b".a", b"a.", b"\xff\xfe", b"x" * 70]),
    st.binary(max_size=30).map(lambda octets: octets.translate(None, b"\r\n\0")),
)


@given(lines(LINE), st.sampled_from(WAYS), st.sampled_from([1, 3, 1000]))
@settings(max_examples=150, deadline=None)
def test_content_arrives_as_it_was(content: bytes, way: str, size: int) -> None:
    joined = Joined(way, size)
    joined.sender.send_whole(Transaction("a@b", ("c@d", "x@refused.example"), len(content), eight_bit=True), content)
    told = joined.exchange()
    assert [event.reply.code for event in told if isinstance(event, RcptReply)] == [250, 550]
    assert [event.reply.code for event in told if isinstance(event, EndReply)] == [250]
    assert joined.peer.messages == [content]
    assert joined.sender.ready


@pytest.mark.parametrize("way", WAYS)
def test_many_messages_on_one_connection(way: str) -> None:
    joined = Joined(way)
    for number in range(50):
        recipients = ("c@refused.example",) if number % 3 == 0 else ("c@d",)
        sender = "a@later.example" if number % 5 == 0 else "a@b"
        joined.sender.send_whole(Transaction(sender, recipients, 9), b"number %d\r\n" % number)
        joined.exchange()
        assert joined.sender.ready
    expected = [b"number %d\r\n" % number for number in range(50) if number % 3 and number % 5]
    assert joined.peer.messages == expected


@pytest.mark.parametrize("way", WAYS)
def test_refused_at_the_end(way: str) -> None:
    joined = Joined(way, settings={"max_message_size": "100"})
    transaction = Transaction("a@b", ("c@d",), 50)
    joined.sender.send_whole(transaction, b"too long\r\n" * 30)
    told = joined.exchange()
    assert [event.reply.code for event in told if isinstance(event, EndReply)] == [552]
    joined.sender.send_whole(transaction, b"short\r\n")
    joined.exchange()
    assert joined.peer.messages == [b"short\r\n"]
