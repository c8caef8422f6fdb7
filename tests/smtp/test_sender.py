"""The sender engine: what goes out when, and what each answer of the peer means."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gatepost.smtp import reply
from gatepost.smtp.events import (
    DataReply,
    EndReply,
    Event,
    Greeting,
    HelloReply,
    MailReply,
    OtherReply,
    PeerFault,
    RcptReply,
    StartTlsReply,
)
from gatepost.smtp.reply import Reply
from gatepost.smtp.sender import Sender, Transaction

ONE = Transaction("a@b", ("c@d",), 5)
TWO = Transaction("a@b", ("c@d", "e@f"), 5)
PIPELINING = b"250-p\r\n250 PIPELINING\r\n"
CHUNKING = b"250-p\r\n250-PIPELINING\r\n250 CHUNKING\r\n"
PLAIN = b"250 p\r\n"


def greeted(hello: bytes = PLAIN) -> Sender:
    sender = Sender("mx.example")
    hear(sender, b"220 peer\r\n")
    sender.hello()
    assert sender.data_to_send() == b"EHLO mx.example\r\n"
    hear(sender, hello)
    assert sender.ready
    return sender


def hear(sender: Sender, octets: bytes) -> list[Event]:
    """Feed what the peer says; return what the engine makes of it, up to the first fault."""
    sender.receive_data(octets)
    told: list[Event] = []
    while (event := sender.next_event()) is not None:
        told.append(event)
        if isinstance(event, PeerFault):
            break
    return told


def kinds(told: list[Event]) -> list[str]:
    return [f"{type(event).__name__} {event.reply.code}" if hasattr(event, "reply") else "PeerFault" for event in told]


# --- hello and STARTTLS ----------------------------------------------------------------------------------------------


def test_hello_lists_extensions() -> None:
    sender = Sender("mx.example")
    assert hear(sender, b"220-peer\r\n220 ESMTP\r\n") == [Greeting(Reply(220, "peer\nESMTP"))]
    sender.hello()
    told = hear(sender, b"250-p hello\r\n250-size 100\r\n250-8BITMIME\r\n250-\r\n250-SIZE 5\r\n250 X  y z\r\n")
    assert isinstance(told[0], HelloReply)
    assert told[0].extensions == sender.extensions == {"SIZE": "100", "8BITMIME": "", "X": "y z"}


def test_helo_after_refused_ehlo() -> None:
    sender = Sender("mx.example")
    hear(sender, b"220 p\r\n")
    sender.hello()
    assert kinds(hear(sender, b"502 what\r\n")) == ["HelloReply 502"]
    assert not sender.ready
    with pytest.raises(RuntimeError):
        sender.mail(ONE)
    sender.helo()
    assert sender.data_to_send().endswith(b"HELO mx.example\r\n")
    assert kinds(hear(sender, b"250-p\r\n250 p\r\n")) == ["HelloReply 250"]
    assert sender.ready


def test_refused_banner() -> None:
    sender = Sender("mx.example")
    assert kinds(hear(sender, b"554 go away\r\n")) == ["Greeting 554"]
    sender.quit()
    assert sender.data_to_send() == b"QUIT\r\n"
    assert kinds(hear(sender, b"221 bye\r\n")) == ["OtherReply 221"]


def test_starttls_forgets_what_was_said_in_the_clear() -> None:
    sender = greeted(b"250-p\r\n250-AUTH X\r\n250 STARTTLS\r\n")
    sender.starttls()
    assert sender.data_to_send() == b"STARTTLS\r\n"
    assert hear(sender, b"220 go\r\n") == [StartTlsReply(Reply(220, "go"))]
    with pytest.raises(RuntimeError):
        sender.hello()
    sender.tls_started()
    assert not sender.extensions
    sender.hello()
    hear(sender, PLAIN)
    assert sender.ready


@pytest.mark.parametrize("behind", [b"2", b"250-p\r\n250 AUTH X\r\n", b"\x16\x03\x01"])
def test_octets_in_the_clear_behind_220_are_a_fault(behind: bytes) -> None:
    # CVE-2021-38371; vector `inject` of faults.md 5.6
    sender = greeted(b"250-p\r\n250 STARTTLS\r\n")
    sender.starttls()
    told = hear(sender, b"220 go\r\n" + behind)
    assert kinds(told) == ["PeerFault"]
    with pytest.raises(RuntimeError):
        sender.tls_started()


def test_octets_in_the_clear_that_come_late_are_a_fault() -> None:
    sender = greeted(b"250-p\r\n250 STARTTLS\r\n")
    sender.starttls()
    hear(sender, b"220 go\r\n")
    sender.receive_data(b"250 AUTH\r\n")
    sender.tls_started()
    assert isinstance(sender.next_event(), PeerFault)
    assert kinds(hear(greeted(), b"x")) == ["PeerFault"]


@pytest.mark.parametrize("answer", [b"454 no\r\n", b"500 what\r\n"])
def test_refused_starttls_leaves_the_connection(answer: bytes) -> None:
    sender = greeted()
    sender.starttls()
    hear(sender, answer)
    assert sender.ready


def test_tls_that_was_not_asked_for_is_a_bug() -> None:
    with pytest.raises(RuntimeError):
        greeted().tls_started()


# --- the three ways to send ------------------------------------------------------------------------------------------


def test_step_by_step() -> None:
    sender = greeted()
    sender.send_whole(TWO, b".dot\r\n")
    assert sender.data_to_send() == b"MAIL FROM:<a@b>\r\n"
    assert kinds(hear(sender, b"250 ok\r\n")) == ["MailReply 250"]
    assert sender.data_to_send() == b"RCPT TO:<c@d>\r\n"
    assert kinds(hear(sender, b"550 no\r\n")) == ["RcptReply 550"]
    assert sender.data_to_send() == b"RCPT TO:<e@f>\r\n"
    assert hear(sender, b"251 ok\r\n") == [RcptReply(1, Reply(251, "ok"))]
    assert sender.data_to_send() == b"DATA\r\n"
    assert kinds(hear(sender, b"354 go\r\n")) == ["DataReply 354"]
    assert sender.data_to_send() == b"..dot\r\n.\r\n"
    assert sender.in_transaction
    assert kinds(hear(sender, b"250 taken\r\n")) == ["EndReply 250"]
    assert sender.ready


def test_pipelining() -> None:
    sender = greeted(PIPELINING)
    sender.send_whole(TWO, b"x\r\n")
    assert sender.data_to_send() == b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nRCPT TO:<e@f>\r\nDATA\r\n"
    assert kinds(hear(sender, b"250 a\r\n450 b\r\n250 c\r\n354 d\r\n")) == [
        "MailReply 250",
        "RcptReply 450",
        "RcptReply 250",
        "DataReply 354",
    ]
    assert sender.data_to_send() == b"x\r\n.\r\n"
    assert kinds(hear(sender, b"550 no\r\n")) == ["EndReply 550"]
    assert sender.ready


def test_chunking_sends_everything_at_once() -> None:
    sender = greeted(CHUNKING)
    assert sender.using_bdat
    sender.send_whole(ONE, b".\r\n")
    assert sender.data_to_send() == b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nBDAT 3 LAST\r\n.\r\n"
    assert kinds(hear(sender, b"250 a\r\n250 b\r\n250 c\r\n")) == ["MailReply 250", "RcptReply 250", "EndReply 250"]
    assert sender.ready


def test_content_in_pieces_by_bdat() -> None:
    sender = greeted(CHUNKING)
    sender.mail(ONE)
    for piece in (b"a\r", b"\nb", b"", b"\r\n"):
        sender.content(piece)
    sender.end()
    assert sender.data_to_send().endswith(b"BDAT 1\r\naBDAT 3\r\n\r\nbBDAT 2 LAST\r\n\r\n")
    assert kinds(hear(sender, b"250 a\r\n250 b\r\n250 1\r\n250 2\r\n250 3\r\n"))[-1] == "EndReply 250"
    sender.mail(ONE)
    sender.end()
    assert sender.data_to_send().endswith(b"BDAT 0 LAST\r\n")


@pytest.mark.parametrize(
    ("pieces", "sent"),
    [
        ([], b".\r\n"),
        ([b"a"], b"a\r\n.\r\n"),
        ([b"."], b"..\r\n.\r\n"),
        ([b"a\r\n", b".b\r\n"], b"a\r\n..b\r\n.\r\n"),
        ([b"a\r", b"\n", b".", b".\r", b"\n.\r\n"], b"a\r\n...\r\n..\r\n.\r\n"),
        ([b"a.\r\n.b"], b"a.\r\n..b\r\n.\r\n"),
    ],
)
def test_dots_are_stuffed_over_joints(pieces: list[bytes], sent: bytes) -> None:
    sender = greeted()
    sender.mail(ONE)
    hear(sender, b"250 a\r\n")
    hear(sender, b"250 b\r\n")
    hear(sender, b"354 c\r\n")
    sender.data_to_send()
    for piece in pieces:
        sender.content(piece)
    sender.end()
    assert sender.data_to_send() == sent


@pytest.mark.parametrize("hello", [PLAIN, PIPELINING, CHUNKING])
@pytest.mark.parametrize("octets", [b"a\nb", b"a\rb", b"\n", b"a\r", b"\r\r\n", b"\r\n.\n"])
def test_bare_line_ends_go_nowhere(hello: bytes, octets: bytes) -> None:
    sender = greeted(hello)
    with pytest.raises(ValueError):
        sender.send_whole(ONE, octets)
    assert sender.data_to_send() == b""
    assert sender.ready


def test_content_before_354_is_a_bug() -> None:
    sender = greeted(PIPELINING)
    sender.mail(ONE)
    with pytest.raises(RuntimeError):
        sender.content(b"x")
    with pytest.raises(RuntimeError):
        sender.end()


# --- parameters and refusals of our own ------------------------------------------------------------------------------

ALL = b"250-p\r\n250-PIPELINING\r\n250-SIZE 100\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 DSN\r\n"


def test_parameters_only_where_known() -> None:
    message = Transaction("é@b", ("c@d", "e@f"), 9, True, True, "HDRS", "id", ("NEVER",), ("", "rfc822;e@f"))
    sender = greeted(ALL)
    sender.mail(message)
    assert (
        sender.data_to_send()
        == (
            "MAIL FROM:<é@b> SIZE=9 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=id\r\n"
            "RCPT TO:<c@d> NOTIFY=NEVER\r\nRCPT TO:<e@f> ORCPT=rfc822;e@f\r\nDATA\r\n"
        ).encode()
    )
    sender = greeted()
    sender.mail(Transaction("", ("c@d",), 9, True, False, "HDRS", "id", ("NEVER",)))
    assert sender.data_to_send() == b"MAIL FROM:<>\r\n"


@pytest.mark.parametrize(
    ("message", "hello", "code"),
    [
        (Transaction("a@b", ("c@d",), 100), ALL, None),
        (Transaction("a@b", ("c@d",), 101), ALL, "5.3.4"),
        (Transaction("a@b", ("c@d",), 101), b"250-p\r\n250 SIZE 0\r\n", None),
        (Transaction("a@b", ("c@d",), 101), b"250-p\r\n250 SIZE\r\n", None),
        (Transaction("a@b", ("c@d",), 1, eight_bit=True), ALL, None),
        (Transaction("a@b", ("c@d",), 1, eight_bit=True), PLAIN, "5.6.3"),
        (Transaction("a@b", ("c@d",), 1, smtputf8=True), PLAIN, "5.6.7"),
        (Transaction("a@b", ("é@d",), 1), PLAIN, "5.6.7"),
        (Transaction("é@b", ("c@d",), 1), ALL, None),
    ],
)
def test_check(message: Transaction, hello: bytes, code: str | None) -> None:
    refusal = greeted(hello).check(message)
    assert (refusal and refusal.text.split()[0]) == code


@pytest.mark.parametrize(
    "message",
    [
        Transaction("a@b\r\nRCPT TO:<x@y>", ("c@d",), 1),
        Transaction("a@b", ("c@d\n",), 1),
        Transaction("a@b", ("c@d> NOTIFY=NEVER",), 1),
        Transaction("a@b", ('"c\0"@d',), 1),
        Transaction("a@b", ("",), 1),
        Transaction("a b@c", ("c@d",), 1),
        Transaction("a@b", ("c@d",), 1, envid="x\r\ny"),
        Transaction("a@b", ("c@d",), 1, ret="FULL X=1"),
        Transaction("a@b", ("c@d",), 1, notify=("A\n",)),
        Transaction("a@b", ("c@d",), 1, orcpt=("rfc822;a=b",)),
    ],
)
def test_nothing_can_be_injected(message: Transaction) -> None:
    # faults.md 2, row 9
    sender = greeted(ALL)
    with pytest.raises(ValueError):
        sender.mail(message)
    assert sender.data_to_send() == b""
    assert sender.ready


@pytest.mark.parametrize("name", ["", "a b", "a\r\nMAIL", "é"])
def test_own_name_is_checked(name: str) -> None:
    with pytest.raises(ValueError):
        Sender(name)


# --- refusals of the peer --------------------------------------------------------------------------------------------


def test_refused_mail_step_by_step_sends_no_rcpt() -> None:
    sender = greeted()
    sender.send_whole(ONE, b"")
    sender.data_to_send()
    assert kinds(hear(sender, b"450 no\r\n")) == ["MailReply 450"]
    assert sender.data_to_send() == b""
    assert sender.ready


def test_refused_mail_in_a_pipeline() -> None:
    sender = greeted(PIPELINING)
    sender.send_whole(ONE, b"")
    told = hear(sender, b"550 no\r\n503 b\r\n503 c\r\n")
    assert kinds(told) == ["MailReply 550", "RcptReply 503", "DataReply 503"]
    assert sender.ready


def test_recipient_accepted_behind_refused_mail_is_a_fault() -> None:
    sender = greeted(PIPELINING)
    sender.send_whole(ONE, b"")
    assert kinds(hear(sender, b"550 no\r\n250 ok\r\n354 go\r\n")) == ["MailReply 550", "PeerFault"]


def test_every_recipient_refused_step_by_step_resets_before_the_next() -> None:
    sender = greeted()
    sender.send_whole(ONE, b"")
    hear(sender, b"250 a\r\n")
    hear(sender, b"550 b\r\n")
    assert sender.ready
    sender.data_to_send()
    sender.mail(ONE)
    assert sender.data_to_send() == b"RSET\r\n"
    assert hear(sender, b"250 reset\r\n") == []
    assert sender.data_to_send() == b"MAIL FROM:<a@b>\r\n"


def test_every_recipient_refused_but_354() -> None:
    # RFC 2920 3.1
    sender = greeted(PIPELINING)
    sender.send_whole(ONE, b"secret\r\n")
    sender.data_to_send()
    assert kinds(hear(sender, b"250 a\r\n550 b\r\n354 c\r\n")) == ["MailReply 250", "RcptReply 550"]
    assert sender.data_to_send() == b".\r\n"
    assert sender.in_transaction
    assert hear(sender, b"554 no recipients\r\n") == []
    assert sender.ready


def test_every_recipient_refused_with_content_on_its_way() -> None:
    sender = greeted(CHUNKING)
    sender.mail(ONE)
    sender.content(b"x\r\n")
    assert kinds(hear(sender, b"250 a\r\n550 b\r\n")) == ["MailReply 250", "RcptReply 550"]
    sender.data_to_send()
    sender.content(b"y\r\n")
    sender.end()
    assert sender.data_to_send() == b""
    sender = greeted(CHUNKING)
    sender.send_whole(ONE, b"x\r\n")
    assert kinds(hear(sender, b"250 a\r\n550 b\r\n503 c\r\n")) == ["MailReply 250", "RcptReply 550"]
    assert sender.ready


def test_refused_chunk_decides() -> None:
    sender = greeted(CHUNKING)
    sender.mail(ONE)
    sender.content(b"x\r\n")
    sender.content(b"y\r\n")
    assert kinds(hear(sender, b"250 a\r\n250 b\r\n552 too big\r\n"))[-1] == "EndReply 552"
    sender.end()
    assert sender.ready
    sender.data_to_send()
    sender.mail(ONE)
    assert sender.data_to_send().startswith(b"RSET\r\nMAIL")


def test_refused_data() -> None:
    sender = greeted(PIPELINING)
    sender.send_whole(ONE, b"")
    assert kinds(hear(sender, b"250 a\r\n250 b\r\n451 c\r\n"))[-1] == "DataReply 451"
    assert sender.ready
    sender.data_to_send()
    sender.mail(ONE)
    assert sender.data_to_send().startswith(b"RSET\r\nMAIL")


@pytest.mark.parametrize(
    ("answer", "told"), [(b"550 no\r\n", ["EndReply 550", "PeerFault"]), (b"250 ok\r\n", ["PeerFault"])]
)
def test_answer_before_the_end_of_data(answer: bytes, told: list[str]) -> None:
    sender = greeted()
    sender.mail(ONE)
    for line in (b"250 a\r\n", b"250 b\r\n", b"354 c\r\n"):
        hear(sender, line)
    sender.content(b"half")
    sender.data_to_send()
    assert kinds(hear(sender, answer)) == told
    sender.content(b"more")
    sender.end()
    assert sender.data_to_send() == b""


def test_421_is_the_answer_of_what_is_pending() -> None:
    sender = greeted(PIPELINING)
    sender.send_whole(TWO, b"")
    sender.receive_data(b"250 a\r\n421 bye\r\n")
    assert kinds(hear(sender, b"")) == ["MailReply 250", "RcptReply 421", "PeerFault"]


def test_421_ends_the_transaction_and_the_use_of_the_connection() -> None:
    sender = greeted()
    sender.send_whole(TWO, b"")
    hear(sender, b"250 a\r\n")
    sender.data_to_send()
    assert kinds(hear(sender, b"421 b\r\n")) == ["RcptReply 421"]
    assert sender.data_to_send() == b""
    assert not sender.in_transaction
    assert not sender.ready


def test_no_lone_dot_for_an_accepted_recipient() -> None:
    sender = greeted(PIPELINING)
    sender.send_whole(TWO, b"x\r\n")
    sender.data_to_send()
    assert kinds(hear(sender, b"250 a\r\n250 b\r\n421 c\r\n354 d\r\n"))[2:] == ["RcptReply 421", "PeerFault"]
    assert sender.data_to_send() == b""


def test_no_rset_and_no_quit_behind_data() -> None:
    sender = greeted(PIPELINING)
    sender.mail(ONE)
    with pytest.raises(RuntimeError):
        sender.rset()
    with pytest.raises(RuntimeError):
        sender.quit()


def test_rset_noop_quit() -> None:
    sender = greeted(PIPELINING)
    sender.noop()
    assert hear(sender, b"250 ok\r\n") == [OtherReply(Reply(250, "ok"))]
    sender = greeted(CHUNKING)
    sender.mail(ONE)
    sender.rset()
    assert kinds(hear(sender, b"250 a\r\n250 b\r\n250 c\r\n")) == ["MailReply 250", "RcptReply 250", "OtherReply 250"]
    assert sender.ready
    sender.quit()
    assert sender.data_to_send().endswith(b"RSET\r\nQUIT\r\n")
    assert not sender.ready
    assert hear(sender, b"221 bye\r\n") == [OtherReply(Reply(221, "bye"))]
    with pytest.raises(RuntimeError):
        sender.noop()


# --- peers that break the protocol -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "octets",
    [
        b"25\r\n",
        b"2500 x\r\n",
        b"250x\r\n",
        b"199 x\r\n",
        b"650 x\r\n",
        b"abc x\r\n",
        b"\xb2\xb5\xb0 x\r\n",
        b"\r\n",
        b"250 a\0b\r\n",
        b"250 a\n",
        b"250 a\rb\r\n",
        b"250-a\r\n251 b\r\n",
        b"250-a\r\n550 b\r\n",
        b"x" * 5000,
        b"250 " + b"x" * 5000 + b"\r\n",
        b"250-x\r\n" * 10**5,
        (b"250-" + b"x" * 4000 + b"\r\n") * 20,
        b"250 ok\r\n250 twice\r\n",
        b"250 ok\r\n2",
        b"",
    ],
)
def test_peer_fault(octets: bytes) -> None:
    sender = greeted()
    sender.noop()
    told = hear(sender, octets)
    fault = told[-1]
    assert isinstance(fault, PeerFault)
    assert fault.text.isprintable()
    assert len(fault.text) < 200
    assert sender.next_event() == fault
    assert sender.data_to_send() == b""
    assert not sender.ready


@pytest.mark.parametrize("line", [b"250\r\n", b"250 \r\n", b"250-\r\n250\r\n"])
def test_short_replies_are_borne(line: bytes) -> None:
    sender = greeted()
    sender.noop()
    assert kinds(hear(sender, line)) == ["OtherReply 250"]


def test_reply_text_is_made_printable() -> None:
    sender = greeted()
    sender.noop()
    assert hear(sender, b"250 \x1b[31m\xff\xc3\xa9\r\n") == [OtherReply(Reply(250, "\\x1b[31m\\xffé"))]


def _at_greeting() -> Sender:
    return Sender("mx.example")


def _at_hello() -> Sender:
    sender = Sender("mx.example")
    hear(sender, b"220 p\r\n")
    sender.hello()
    return sender


def _at_starttls() -> Sender:
    sender = greeted()
    sender.starttls()
    return sender


def _after(*lines: bytes) -> Sender:
    sender = greeted()
    sender.send_whole(ONE, b"x\r\n")
    for line in lines:
        hear(sender, line)
    return sender


@pytest.mark.parametrize(
    ("where", "due"),
    [
        (_at_greeting, {220}),
        (_at_hello, {250}),
        (_at_starttls, {220}),
        (lambda: _after(), {250}),
        (lambda: _after(b"250 a\r\n"), {250, 251, 252}),
        (lambda: _after(b"250 a\r\n", b"250 b\r\n"), {354}),
        (lambda: _after(b"250 a\r\n", b"250 b\r\n", b"354 c\r\n"), {250}),
    ],
)
def test_codes_that_are_not_due(where: object, due: set[int]) -> None:
    # faults.md 5.4, last row
    assert callable(where)
    for code in (211, 214, 220, 221, 235, 250, 251, 252, 334, 354):
        told = hear(where(), b"%d x\r\n" % code)
        assert (kinds(told) == ["PeerFault"]) == (code not in due), code


def test_peer_that_talks_before_it_is_asked() -> None:
    sender = Sender("mx.example")
    assert kinds(hear(sender, b"220 p\r\n250 early\r\n")) == ["Greeting 220", "PeerFault"]
    sender = Sender("mx.example")
    sender.receive_data(b"220 p\r\n250 early\r\n")
    sender.next_event()
    sender.hello()
    assert isinstance(sender.next_event(), PeerFault)


WORDS = st.sampled_from(
    [b"250 ok\r\n", b"250-x\r\n", b"354 go\r\n", b"550 no\r\n", b"421 bye\r\n", b"2", b"\r\n", b"\n", b"\0", b"220 a\r\n"]
)


@given(
    st.lists(st.one_of(WORDS, st.binary(max_size=8)), max_size=20),
    st.sampled_from([PLAIN, PIPELINING, CHUNKING]),
)
@settings(max_examples=300, deadline=None)
def test_any_peer_gives_replies_or_a_fault(words: list[bytes], hello: bytes) -> None:
    """Never an exception; never an EndReply 250 before a recipient and the end of data were answered 2yz."""
    sender = greeted(hello)
    sender.send_whole(TWO, b"x\r\n")
    told: list[Event] = []
    for word in words:
        if word:
            told += hear(sender, word)
        if told and isinstance(told[-1], PeerFault):
            break
    accepted = [event for event in told if isinstance(event, RcptReply) and event.reply.is_positive]
    if any(isinstance(event, EndReply) and event.reply.is_positive for event in told):
        assert accepted
        assert MailReply in map(type, told)
        assert hello == CHUNKING or any(isinstance(event, DataReply) and event.reply.code == 354 for event in told)


@given(st.lists(WORDS, max_size=15).map(b"".join), st.sampled_from([PIPELINING, CHUNKING]))
@example(b"250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n250 ok\r\n", PIPELINING)
@settings(max_examples=200, deadline=None)
def test_any_cut_of_the_replies_tells_the_same(octets: bytes, hello: bytes) -> None:
    def told(size: int) -> tuple[list[str], bytes]:
        sender, events = greeted(hello), []
        sender.send_whole(TWO, b"x\r\n")
        sent = sender.data_to_send()
        for start in range(0, len(octets), size):
            events += kinds(hear(sender, octets[start : start + size]))
            sent += sender.data_to_send()
            if events and events[-1] == "PeerFault":
                return events, sent
        return events + kinds(hear(sender, b"")), sent

    def agree(more: list[str], less: list[str]) -> bool:
        """What came in larger pieces tells the same, or sees a reply stand behind the 354 before the content was sent."""
        good = len(more) - 1
        return more == less or (
            more[good:] == ["PeerFault"] and more[:good] == less[:good] and less[good] == "DataReply 354"
        )

    # what goes out before such a reply is seen is not compared
    whole, some, single = told(10**6)[0], told(3)[0], told(1)[0]
    assert agree(whole, some)
    assert agree(some, single)


def test_reply_names_of_our_refusals() -> None:
    assert reply.larger_than_next_hop_takes(5, 4).code == 552
