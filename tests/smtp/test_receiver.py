"""The receiver engine: what dialogs cannot say, and what holds for any octets whatever."""

from __future__ import annotations

import re
import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost.smtp import events, reply
from gatepost.smtp.receiver import MANY, Limits, Receiver
from gatepost.smtp.reply import Reply
from tests.support.dialog import EnginePeer

LIMITS = Limits(1000, 500, 50, 200, 10)


def receiver(octets: bytes = b"", *, starttls: bool = False) -> Receiver:
    engine = Receiver("mx.example", LIMITS, starttls=starttls)
    engine.greet(reply.banner("mx.example"))
    if octets:
        engine.receive_data(octets)
    return engine


def in_rcpt(settings: dict[str, str] | None = None) -> EnginePeer:
    peer = EnginePeer(settings)
    peer.send(b"HELO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n")
    peer.sent = b""
    return peer


# --- the contract with the session -----------------------------------------------------------------------------------


def test_nothing_is_read_before_the_banner() -> None:
    engine = Receiver("mx.example", LIMITS, starttls=False)
    engine.receive_data(b"HELO early\r\n")
    assert engine.next_event() is None
    engine.greet(reply.banner("mx.example"))
    assert engine.next_event() == events.Hello("early", False)


def test_event_that_asks_holds_the_engine() -> None:
    engine = receiver(b"HELO c\r\nNOOP\r\n")
    assert engine.next_event() == events.Hello("c", False)
    with pytest.raises(RuntimeError):
        engine.next_event()
    assert engine.data_to_send() == b"220 mx.example ESMTP\r\n"
    engine.reply(reply.hello("mx.example"))
    assert engine.next_event() is None
    assert engine.data_to_send() == b"250 mx.example\r\n250 2.0.0 ok\r\n"
    assert engine.data_to_send() == b""


def test_reply_that_nobody_asked_for_is_a_bug() -> None:
    with pytest.raises(RuntimeError):
        receiver().reply(reply.NOOP_OK)


def test_second_greeting_and_tls_out_of_place_are_bugs() -> None:
    with pytest.raises(RuntimeError):
        receiver().greet(reply.banner("x"))
    with pytest.raises(RuntimeError):
        receiver().tls_started()


def test_state_moves_on_the_reply() -> None:
    engine = receiver(b"HELO c\r\nMAIL FROM:<a@b>\r\nMAIL FROM:<a@b>\r\n")
    engine.next_event()
    assert not engine.hello_name
    engine.reply(reply.hello("mx.example"))
    assert engine.hello_name == "c"
    engine.next_event()
    assert not engine.in_transaction
    engine.reply(reply.LOW_RESOURCES)
    assert isinstance(engine.next_event(), events.Mail)
    engine.reply(reply.sender_ok("a@b"))
    assert engine.in_transaction


def test_refused_hello_changes_nothing() -> None:
    engine = receiver(b"EHLO c\r\nMAIL FROM:<a@b>\r\n")
    engine.next_event()
    engine.reply(Reply(550, "no"))
    event = engine.next_event()
    assert isinstance(event, events.Refused)
    assert event.reply == reply.HELLO_FIRST


def test_refused_banner_leaves_only_quit() -> None:
    engine = Receiver("mx.example", LIMITS, starttls=True)
    engine.greet(Reply(554, "no service"))
    engine.receive_data(b"EHLO c\r\nNOOP\r\nQUIT\r\n")
    told = [engine.next_event() for _ in range(4)]
    assert [type(event) for event in told] == [events.Refused, events.Refused, events.Quit, events.Closed]
    assert engine.data_to_send().startswith(b"554 no service\r\n503 ")


def test_closing_banner_closes() -> None:
    engine = Receiver("mx.example", LIMITS, starttls=True)
    engine.greet(reply.TOO_MANY_FROM_HOST)
    assert isinstance(engine.next_event(), events.Closed)


def test_replies_are_sent_before_there_are_too_many() -> None:
    engine = receiver(b"HELP\r\n" * (MANY + 5))
    engine.data_to_send()
    assert engine.next_event() is None
    assert engine.paused
    assert engine.data_to_send().count(b"214 ") == MANY
    assert engine.next_event() is None
    assert not engine.paused
    assert engine.data_to_send().count(b"214 ") == 5


@pytest.mark.parametrize("command", [b"RSET\r\n", b"HELO c\r\n", b"EHLO c\r\n"])
def test_transaction_given_up_is_told_once(command: bytes) -> None:
    peer = in_rcpt()
    peer.send(command + command)
    assert peer.events.count(events.Reset()) == 1
    peer.send(b"DATA\r\n")
    assert peer.sent.endswith(b"503 #5.5.1 MAIL first\r\n")


def test_reply_that_closes() -> None:
    engine = receiver(b"HELO c\r\nNOOP\r\n")
    engine.next_event()
    engine.reply(reply.service_not_available("mx"))
    assert engine.next_event() == events.Closed("421 mx Service not available, closing transaction channel")
    assert engine.next_event() == events.Closed("421 mx Service not available, closing transaction channel")
    assert engine.data_to_send().endswith(b"421 mx Service not available, closing transaction channel\r\n")


def test_refuse_at_any_time() -> None:
    engine = receiver(b"HELO c\r\nNOOP\r\n")
    engine.next_event()
    engine.refuse(reply.COMMAND_TIMEOUT)
    engine.refuse(reply.COMMAND_TIMEOUT)
    assert engine.next_event() == events.Closed(str(reply.COMMAND_TIMEOUT))
    assert engine.data_to_send().count(b"421") == 1
    engine.receive_data(b"NOOP\r\n")
    assert engine.data_to_send() == b""


def test_fault_of_the_message_must_be_the_answer() -> None:
    engine = receiver(b"HELO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n")
    for answer in (reply.hello("m"), reply.sender_ok("a@b"), reply.recipient_ok("c@d"), reply.GO_AHEAD):
        engine.next_event()
        engine.reply(answer)
    engine.receive_data(b"a\nb\r\n.\r\n")
    event = engine.next_event()
    assert event == events.EndOfData(5, reply.BARE_CR_OR_LF)
    with pytest.raises(RuntimeError):
        engine.reply(reply.message_accepted(1))
    engine.reply(reply.SERVER_ERROR)
    assert engine.data_to_send().endswith(b"451 #4.3.0 Server Error\r\n")


def test_data_takes_354_or_a_refusal() -> None:
    engine = receiver(b"HELO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n")
    for answer in (reply.hello("m"), reply.sender_ok("a@b"), reply.recipient_ok("c@d")):
        engine.next_event()
        engine.reply(answer)
    engine.next_event()
    with pytest.raises(RuntimeError):
        engine.reply(reply.NOOP_OK)
    engine.reply(reply.LOW_RESOURCES)
    assert not engine.in_transaction


@pytest.mark.parametrize("command", [b"DATA\r\n", b"BDAT 6 LAST\r\n"])
def test_refused_data_ends_the_transaction(command: bytes) -> None:
    engine = receiver(b"HELO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n" + command)
    for answer in (reply.hello("m"), reply.sender_ok("a@b"), reply.recipient_ok("c@d"), reply.LOW_RESOURCES):
        engine.next_event()
        engine.reply(answer)
    engine.receive_data(b"QUIT\r\n" if b"BDAT" in command else b"NOOP\r\n")  # six octets, as announced
    engine.receive_data(b"RCPT TO:<c@d>\r\nBDAT 0\r\nDATA\r\n")
    refused = [event for event in iter(engine.next_event, None) if isinstance(event, events.Refused)]
    assert [event.reply for event in refused] == [reply.MAIL_FIRST] * 3


def test_octets_that_come_before_354_are_refused() -> None:
    engine = receiver(b"HELO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n")
    for answer in (reply.hello("m"), reply.sender_ok("a@b"), reply.recipient_ok("c@d")):
        engine.next_event()
        engine.reply(answer)
    engine.next_event()
    engine.receive_data(b"too early\r\n.\r\n")
    engine.reply(reply.GO_AHEAD)
    assert engine.data_to_send().endswith(reply.NOT_SYNCHRONIZED.encode())
    assert isinstance(engine.next_event(), events.Closed)


def test_octets_in_the_clear_behind_220_close() -> None:
    engine = receiver(b"STARTTLS\r\n", starttls=True)
    assert engine.next_event() == events.StartTls()
    engine.reply(reply.READY_FOR_TLS)
    assert engine.next_event() is None
    engine.receive_data(b"EHLO c\r\n")
    assert engine.next_event() == events.Closed("octets in the clear behind STARTTLS")
    assert engine.data_to_send().endswith(b"TLS\r\n")


def test_starttls_that_fails_leaves_the_session() -> None:
    engine = receiver(b"STARTTLS\r\n", starttls=True)
    engine.next_event()
    engine.reply(Reply(454, "TLS not available"))
    engine.receive_data(b"NOOP\r\n")
    assert engine.next_event() is None
    assert engine.data_to_send().endswith(b"454 TLS not available\r\n250 2.0.0 ok\r\n")


def test_everything_is_forgotten_behind_tls() -> None:
    engine = receiver(b"EHLO c\r\n", starttls=True)
    engine.next_event()
    engine.reply(reply.hello("mx.example"))
    engine.receive_data(b"STARTTLS\r\n")
    engine.next_event()
    engine.reply(reply.READY_FOR_TLS)
    engine.tls_started()
    assert (engine.hello_name, engine.extended) == ("", False)


def test_refused_is_told_with_the_line_made_printable() -> None:
    engine = receiver(b"\x1b[31m" + b"x" * 200 + b"\r\n")
    event = engine.next_event()
    assert isinstance(event, events.Refused)
    assert event.command.startswith("\\x1b[31m")
    assert len(event.command) <= 80


def test_size_without_limit() -> None:
    engine = Receiver("mx.example", Limits(-1, -1, -1, -1, -1), starttls=False)
    engine.greet(reply.banner("mx.example"))
    engine.receive_data(b"EHLO c\r\nMAIL FROM:<a@b> SIZE=99999999999999999999\r\n")
    engine.next_event()
    engine.reply(reply.hello("mx.example"))
    assert b"250-SIZE\r\n" in engine.data_to_send()
    event = engine.next_event()
    assert isinstance(event, events.Refused)
    assert event.reply == reply.MESSAGE_TOO_LARGE


@pytest.mark.parametrize("command", [b"BDAT 0\r\n", b"BDAT 1\r\nx"])
def test_a_hundred_thousand_tiny_chunks(command: bytes) -> None:
    engine = in_rcpt({"max_line_length": "-1", "max_header_size": "-1"}).engine
    answers = size = 0
    start = time.process_time()
    for _ in range(100):
        engine.receive_data(command * 1000)
        while (event := engine.next_event()) is not None:
            if isinstance(event, events.Data):
                engine.reply(reply.GO_AHEAD)
            elif isinstance(event, events.Content):
                size += len(event.octets)
        answers += engine.data_to_send().count(b"octets received\r\n")
    assert time.process_time() - start < 10
    assert answers == 100_000
    assert size == 100_000 * command.count(b"x")


def test_three_thousand_recipients() -> None:
    peer = in_rcpt()
    peer.send(b"RCPT TO:<x@d>\r\n" * 3000)
    assert peer.sent.count(b"250 2.1.5") == 3000


# --- whatever the octets ---------------------------------------------------------------------------------------------

LINES = st.sampled_from(
    [
        b"EHLO c",
        b"HELO c",
        b"EHLO \xff",
        b"MAIL FROM:<a@b>",
        b"MAIL FROM:<a@later.example> SIZE=10",
        b"MAIL FROM:<\xc3\xa9@b> SMTPUTF8",
        b"RCPT TO:<c@d>",
        b"RCPT TO:<c@refused.example>",
        b"DATA",
        b"data ",
        b"BDAT 3",
        b"BDAT 4 LAST",
        b"BDAT 0 LAST",
        b"BDAT x",
        b"STARTTLS",
        b"RSET",
        b"NOOP",
        b"VRFY x",
        b"HELP",
        b"QUIT",
        b"GET / HTTP/1.1",
        b".",
        b"..",
        b"text",
        b"x" * 100,
        b"",
        b"\0",
        b"\x16\x03",
        b"Received: x",
    ]
)
ENDS = st.sampled_from([b"\r\n"] * 20 + [b"\n", b"\r", b""])
STREAMS = st.lists(st.tuples(LINES, ENDS).map(b"".join), max_size=30).map(b"".join)
STEMS = st.sampled_from(
    [b"", b"EHLO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n", b"EHLO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n"]
)
SETTINGS = {
    "max_message_size": "150",
    "command_line": "60",
    "max_header_size": "100",
    "max_hops": "3",
    "max_line_length": "50",
    "bad_commands": "9",
}
PLAIN = re.compile(rb"(?:[2-5]\d\d[ -][ -~\x80-\xff]*\r\n)*")


def play(stream: bytes, cuts: list[int], extra: dict[str, str]) -> EnginePeer:
    """Feed a stream cut at `cuts`, then the close.

    It is always cut behind DATA and STARTTLS as well: what stands behind them in the buffer is refused because it came too
    soon, and that is the one thing in which the cut may matter.
    """
    peer = EnginePeer({**SETTINGS, **extra})
    edges = {cut % (len(stream) + 1) for cut in cuts}
    edges |= {found.end() for found in re.finditer(rb"(?i)(?:DATA|STARTTLS)[^\r\n]*\r\n", stream)}
    points = [0, *sorted(edges - {0, len(stream)}), len(stream)]
    for start, stop in pairwise(points):
        if stream[start:stop]:
            peer.send(stream[start:stop])
    peer.close()
    return peer


@given(STEMS, STREAMS, st.lists(st.integers(0, 10**6), max_size=10), st.sampled_from([{}, {"starttls": ""}, {"repair": ""}]))
@settings(max_examples=300, deadline=None)
def test_any_cut_gives_the_same_session(stem: bytes, stream: bytes, cuts: list[int], extra: dict[str, str]) -> None:
    stream = stem + stream
    whole, cut, single = play(stream, [], extra), play(stream, cuts, extra), play(stream, list(range(len(stream))), extra)
    assert whole.sent == cut.sent == single.sent
    assert whole.messages == cut.messages == single.messages

    def told(peer: EnginePeer) -> list[events.Event]:
        return [event for event in peer.events if not isinstance(event, events.Content)]

    assert told(whole) == told(cut) == told(single)


@given(STEMS, st.one_of(STREAMS, st.binary(max_size=500)), st.sampled_from([{}, {"starttls": ""}, {"require_tls": ""}]))
@settings(max_examples=300, deadline=None)
def test_any_octets_get_replies_and_a_close(stem: bytes, stream: bytes, extra: dict[str, str]) -> None:
    peer = EnginePeer({**SETTINGS, **extra})
    if stem + stream:
        peer.send(stem + stream)
    peer.close()
    assert peer.closed
    assert PLAIN.fullmatch(peer.sent)
    if "require_tls" in extra:
        assert not peer.messages


def test_time_is_linear() -> None:
    for octets in (
        b"NOOP\r\n",
        b"MAIL FROM:<" + b"a" * 900 + b"\r\n",
        b"(" * 1000 + b"\r\n",
        b"\r\n",
        b"MAIL FROM:<a@b> " + b" " * 1500,
    ):
        peer = EnginePeer({"bad_commands": "100000000"})
        stream = octets * (200_000 // len(octets))
        start = time.process_time()
        for index in range(0, len(stream), 65536):
            peer.send(stream[index : index + 65536])
        assert time.process_time() - start < 10
