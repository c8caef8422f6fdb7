"""The probes that good mail servers were measured with, in the clear and in TLS, against one running gateway.

Nothing hidden in mail data may come out at the next hop, no worker may die of anything, one event stays one line of the log.
"""

from __future__ import annotations

import os
import signal
import time

import pytest

from tests.support.client import ENVELOPE, Client, Sealed
from tests.support.probed import BARE, EVIL, NUL, Probed, both, probed_fixtures
from tests.support.process import wait_for

UNSYNCHRONIZED = "554 #5.5.0 commands sent before the answer was due, disconnecting"


running, probed = probed_fixtures("probes")


# --- what ends the mail data, and what does not ------------------------------------------------------------------------


@both
@pytest.mark.parametrize(
    ("ending", "answer"),
    [
        (b"\n.\n", BARE), (b"\n.\r\n", BARE), (b"\r\n.\n", BARE), (b"\r.\n", BARE), (b"\n.\r", BARE),
        (b"\r.\r", BARE), (b"\r.\r\n", BARE), (b"\r\n.\r", BARE), (b"\r\n\0.\r\n", NUL), (b"\r\n.\0\r\n", NUL),
    ],
    ids=lambda value: ascii(value)[2:-1] if isinstance(value, bytes) else value[:3],
)  # fmt: skip
def test_only_cr_lf_dot_cr_lf_ends_the_mail_data(probed: Probed, kind: str, ending: bytes, answer: str) -> None:
    with probed.session(kind) as client:
        assert client.message(b"Subject: outer\r\n\r\ntext" + ending + EVIL) == answer
        assert client.say("NOOP").startswith("250"), "the session goes on, and nothing of the rest was run"


@both
@pytest.mark.parametrize("pieces", [(b"\r", b"\n.\r\n"), (b"\r\n", b".\r\n"), (b"\r\n.", b"\r\n"), (b"\r\n.\r", b"\n")])
def test_the_end_may_come_in_pieces(probed: Probed, kind: str, pieces: tuple[bytes, bytes]) -> None:
    with probed.session(kind) as client:
        client.data()
        client.send(probed.mark() + b"\r\nin pieces" + pieces[0])
        time.sleep(0.02)  # so that they come as two
        client.send(pieces[1])
        assert client.reply().startswith("250 2.0.0 ok:  Message ")


@both
def test_data_ends_a_pipeline(probed: Probed, kind: str) -> None:
    with probed.session(kind) as client:
        mark = probed.mark()
        client.send(ENVELOPE + b"DATA\r\n" + mark + b"\r\none\r\n.\r\n")
        assert client.replies(3)[2] == UNSYNCHRONIZED, "nothing was read without the 354"
        assert client.is_closed
    with probed.session(kind) as client:
        client.data()
        client.send(mark + b"\r\none\r\n.\r\n" + EVIL + b".\r\n")
        replies = client.replies(4)
        assert replies[0].startswith("250 2.0.0 ok:  Message ")
        assert replies[3] == UNSYNCHRONIZED
        assert client.is_closed


# --- commands ----------------------------------------------------------------------------------------------------------

MAIL_THEN = b"MAIL FROM:<a@client.example>\r\n"
COMMANDS = {
    "nul in path": (b"MAIL FROM:<a\0@client.example>\r\n", ["501"]),
    "size beyond all bounds": (b"MAIL FROM:<a@client.example> SIZE=99999999999999999999\r\n", ["552"]),
    "size that is none": (b"MAIL FROM:<a@client.example> SIZE=lots\r\n", ["501"]),
    "unknown parameter": (b"MAIL FROM:<a@client.example> XYZZY=1\r\n", ["555"]),
    "utf-8 without smtputf8": ("MAIL FROM:<ä@client.example>\r\n".encode(), ["553"]),
    "broken utf-8": (b"MAIL FROM:<\xff@client.example> SMTPUTF8\r\n", ["501"]),
    "local part of 2000": (b"MAIL FROM:<" + b"a" * 2000 + b"@client.example>\r\n", ["501"]),
    "no brackets": (b"MAIL FROM:a@client.example\r\n", ["501"]),
    "no domain": (b"MAIL FROM:<a>\r\n", ["553"]),
    "escape in the hello": (b"EHLO \x1b[31mred\r\n", ["501"]),
    "right-to-left override in the hello": ("EHLO a\u202eb\r\n".encode(), ["501"]),
    "hello of two words": (b"EHLO a b\r\n", ["501"]),
    "argument of data": (MAIL_THEN + b"DATA now\r\n", ["250", "503"]),
    "64 KB line": (b"X" * 65536 + b"\r\n", ["500"]),
    "long line in pieces that look like commands": ((b"x" * 3000 + b" QUIT ") * 20 + b"\r\n", ["500"]),
    "empty line": (b"\r\n", ["500"]),
    "8-bit verb": (b"R\xc5\xbfET\r\n", ["500"]),
    "verb of another protocol": (b"XCLIENT ADDR=127.0.0.2\r\n", ["500"]),
    "mail twice": (MAIL_THEN * 2, ["250", "503"]),
    "vrfy": (b"VRFY bob\r\n", ["252"]),
    "vrfy in utf-8": ("VRFY bób\r\n".encode(), ["252"]),
    "expn": (b"EXPN list\r\n", ["500"]),
    "help": (b"HELP\r\n", ["214"]),
}


@both
@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_gets_its_answer_and_the_session_goes_on(probed: Probed, kind: str, name: str) -> None:
    octets, codes = COMMANDS[name]
    with probed.session(kind) as client:
        client.send(octets)
        assert [reply[:3] for reply in client.replies(len(codes))] == codes
        assert client.say("NOOP").startswith("250")


CLOSING = {
    "bare lf": (b"EHLO a\nMAIL FROM:<evil@client.example>\r\nNOOP\r\n", ["501"]),
    "bare lf alone": (b"NOOP\nNOOP\n", ["501"]),
    "bare cr": (b"EHLO a\rMAIL FROM:<evil@client.example>\r\nNOOP\r\n", ["501"]),
    "quoted cr in a path": (b'MAIL FROM:<"a\\\rb"@client.example>\r\nNOOP\r\n', ["501"]),
    "http": (b"POST / HTTP/1.1\r\nHost: mx\r\nContent-Length: 400\r\n\r\n" + EVIL + b".\r\n", ["421"]),
    "http get": (b"GET / HTTP/1.0\r\n\r\n", ["421"]),
    "300 bad commands": (b"BOGUS\r\n" * 300, ["500"] * 5 + ["421"]),
}


@both
@pytest.mark.parametrize("name", CLOSING)
def test_some_things_close_the_session(probed: Probed, kind: str, name: str) -> None:
    octets, codes = CLOSING[name]
    with probed.session(kind) as client:
        client.send(octets)
        assert [reply[:3] for reply in client.replies(len(codes))] == codes
        assert client.is_closed


@both
def test_five_megabytes_without_an_end_cost_nothing(probed: Probed, kind: str) -> None:
    before, began = probed.rss(), time.monotonic()
    for _ in range(4):
        with probed.session(kind) as client:
            client.send(b"0123456789" * 500_000)
            assert client.rest() == "500 Line too long\r\n421 Line too long, disconnecting\r\n"
    assert time.monotonic() - began < 5
    assert probed.rss() - before < 8 * 1024
    probed.gateway.wait_log("lost: 421 Line too long, disconnecting")


@both
def test_3000_recipients(probed: Probed, kind: str) -> None:
    with probed.session(kind) as client:
        client.send(b"MAIL FROM:<a@client.example>\r\n" + b"RCPT TO:<box@example.com>\r\n" * 3000)
        answers = client.replies(3001)
        assert [answer[:3] for answer in answers[:101]] == ["250"] * 101
        assert set(answers[101:]) == {"452 #4.5.3 Too many recipients"}
        assert client.say("RSET").startswith("250")


def test_a_client_that_talks_before_the_banner_is_noted(probed: Probed) -> None:
    pid = probed.pids[0]
    os.kill(pid, signal.SIGSTOP)  # so that the words are surely there before the banner
    try:
        client = Client(probed.port, greeted=False)
        client.send(b"EHLO early.example\r\n")
    finally:
        os.kill(pid, signal.SIGCONT)
    with client:
        assert [reply[:3] for reply in client.replies(2)] == ["220", "250"]
    probed.gateway.wait_log("sent data before the greeting")


@both
def test_a_reply_of_many_lines_comes_in_one_piece(probed: Probed, kind: str) -> None:
    with probed.session(kind) as client:
        for command in (b"EHLO again\r\n", b"HELP\r\n", b"NOOP\r\nNOOP\r\nEHLO thrice\r\n"):
            client.send(command)
            piece = client.socket.recv(65536)
            assert piece.count(b"\r\n") > 3
            assert piece.split(b"\r\n")[-2][3:4] == b" ", piece


# --- mail data ---------------------------------------------------------------------------------------------------------

NESTED = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(20_000))
CONTENT = {
    "bare lf": (b"Subject: x\r\n\r\na\nb\r\n", BARE),
    "bare cr": (b"Subject: x\r\n\r\na\rb\r\n", BARE),
    "nul": (b"Subject: x\r\n\r\na\0b\r\n", NUL),
    "bare lf in the header": (b"Subject: x\nX-Test-Id: 666\r\n\r\nb\r\n", BARE),
    "header line of 1 MB": (b"X: " + b"y" * 1_000_000 + b"\r\n\r\nbody\r\n", "552 #5.3.4 message header size exceeds limit"),
    "100,000 header lines": (b"a: b\r\n" * 100_000 + b"\r\nbody\r\n", "552 #5.3.4 message header size exceeds limit"),
    "line beyond the limit": (b"\r\n" + b"y" * 1_100_000 + b"\r\n", "554 message body contains a line that is too long."),
    "100 hops": (b"Received: x\r\n" * 100 + b"\r\nbody\r\n", "554 Too many hops"),
    "nested multiparts": (b"MARK" + NESTED, ""),
    "proto": (b"MARK__proto__: x\r\nconstructor: y\r\n\r\nbody\r\n", ""),
    "names": (b"MARK: empty name\r\n:\r\nno colon\r\n\xe4\xff: 8-bit\r\n" + b"n" * 100_000 + b": v\r\n\r\nbody\r\n", ""),
    "duplicates": (b"MARK" + b"Subject: again\r\nMessage-ID: <x>\r\n" * 900 + b"\r\nbody\r\n", ""),
    "line of 100,000": (b"MARK\r\n" + b"y" * 100_000 + b"\r\n", ""),
    "8-bit": (b"MARKSubject: \xe4\xf6\xfc\r\n\r\n" + bytes(range(128, 256)) + b"\r\n", ""),
    "dots": (b"MARK\r\n..\r\n...\r\n.. \r\n", ""),
    "no header at all": (b"\r\nMARK\r\n", ""),
    "controls": (b"MARKSubject: \x1b[2J\x07\x7f\xe2\x80\xae\r\nMessage-ID: <\x1b]0;x\x07>\r\n\r\n\x01\x02\x1b[31m\r\n", ""),
}  # fmt: skip


@both
@pytest.mark.parametrize("name", CONTENT)
def test_mail_data(probed: Probed, kind: str, name: str) -> None:
    content, refusal = CONTENT[name]
    began = time.monotonic()
    with probed.session(kind) as client:
        if refusal:
            assert client.message(content) == refusal
            assert client.say("NOOP").startswith("250")
            return
        content = content.replace(b"MARK", probed.mark())
        assert client.message(content).startswith("250 2.0.0 ok:  Message ")
    received, _, rest = probed.arrived().partition(content)
    assert received.startswith(b"Received: from client.example (unknown [127.0.0.1])"), "ours stands on top"
    assert rest == b".\r\n", "the octets are the same"
    assert time.monotonic() - began < 5


# --- STARTTLS ----------------------------------------------------------------------------------------------------------


def test_starttls_in_a_transaction_twice_or_with_an_argument(probed: Probed) -> None:
    with probed.session() as client:
        assert client.say("STARTTLS now").startswith("501")
        client.envelope()
        assert client.say("STARTTLS").startswith("503")
        client.say("RSET")
        client.start_tls()
        assert client.say("RCPT TO:<box@example.com>").startswith("503"), "all is forgotten"
        assert "STARTTLS" not in client.ehlo()
        assert client.say("STARTTLS") == "503 #5.5.1 TLS already started"
        assert client.message(probed.mark() + b"\r\nin one layer\r\n").startswith("250")


@pytest.mark.parametrize(
    "segments",
    [
        [b"STARTTLS\r\n" + ENVELOPE],
        [b"STARTTLS\r\n\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500)],
        [b"STARTTLS\r\nN"],
        [b"STARTTLS\r\n", ENVELOPE],
        [b"STARTTLS\r\n", b"\x16\x03\x01", ENVELOPE],
    ],
)
def test_what_stands_behind_starttls_in_the_clear_is_never_run(probed: Probed, segments: list[bytes]) -> None:
    with probed.session() as client:
        for segment in segments:
            client.send(segment)
            time.sleep(0.001)
        said = client.rest()
        assert said.startswith(UNSYNCHRONIZED if len(segments) == 1 else "220 Go ahead with TLS")
        assert "250" not in said
        assert "client.example" not in said


GARBAGE = {
    "text": b"hello?\r\n",
    "an ssl 2 hello": b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10" + bytes(40),
    "zeros": bytes(300),
    "a record of an unknown kind": b"\x17\x03\x03\x00\x05hello",
    "a record too long": b"\x16\x03\x01\xff\xff" + bytes(300),
    "a handshake that is no hello": b"\x16\x03\x01\x00\x08\x02\x00\x00\x04abcd",
    "a hello of noise": b"\x16\x03\x01\x00\x40\x01\x00\x00\x3c" + b"\xa5" * 60,
}


@pytest.mark.parametrize(("number", "name"), list(enumerate(GARBAGE, 1)))
def test_garbage_instead_of_a_hello(probed: Probed, number: int, name: str) -> None:
    source = f"127.0.1.{number}"
    with probed.session(source=source) as client:
        assert client.say("STARTTLS").startswith("220")
        client.send(GARBAGE[name])
        client.half_close()
        octets = client.rest()
    assert octets.startswith("\x15\x03") or name == "an ssl 2 hello", "an alert, and then the end"
    icid = probed.icid(source)
    probed.gateway.wait_log(f"ICID {icid} TLS failed: ")
    assert probed.gateway.wait_log(f"ICID {icid} lost").endswith("lost"), "the reason is told once"


def test_tls_on_the_plain_port_is_closed_without_a_word(probed: Probed) -> None:
    with Client(probed.port) as client:
        client.send(b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + bytes(160))
        assert client.is_closed
    probed.gateway.wait_log("lost: TLS handshake where SMTP was expected")


@pytest.mark.parametrize("chunked", [False, True])
def test_a_stream_that_ends_in_a_message_leaves_nothing(probed: Probed, chunked: bool) -> None:
    """close_notify, or a bare FIN, in the middle of DATA or BDAT, and the rest in the clear."""
    for ending in ("close_notify", "cut"):
        with probed.session() as client:
            sealed = Sealed(client)
            sealed.say(b"EHLO client.example\r\n")
            sealed.say(b"MAIL FROM:<evil@client.example>\r\n")
            sealed.say(b"RCPT TO:<evil@example.com>\r\n")
            half = b"X-Test-Id: 666\r\n\r\nhalf of it"
            if chunked:
                start = sealed.seal(b"BDAT %d LAST\r\n" % (len(half) + 9) + half)
            else:
                assert sealed.say(b"DATA\r\n").startswith(b"354")
                start = sealed.seal(half)
            client.send(start + (sealed.close_notify() if ending == "close_notify" else b"") + b"\r\nmore\r\n.\r\n")
            client.half_close()
            assert "250" not in client.rest(), "nothing is answered in the clear"
    probed.gateway.wait_log("Receiving aborted by sender")


def test_a_client_that_ends_its_stream_behind_the_dot_is_answered(probed: Probed) -> None:
    with probed.session() as client:
        sealed = Sealed(client)
        for command in (b"EHLO client.example\r\n", *ENVELOPE.splitlines(keepends=True), b"DATA\r\n"):
            assert sealed.say(command)[:1] in b"23"
        message = sealed.seal(probed.mark() + b"\r\nbody\r\n.\r\n")
        client.send(message + sealed.close_notify())
        client.half_close()
        assert sealed.read().startswith(b"250 2.0.0 ok:  Message ")


def test_a_record_for_each_octet(probed: Probed) -> None:
    with probed.session() as client:
        sealed = Sealed(client)
        assert sealed.say(b"EHLO client.example\r\n").startswith(b"250")
        octets = ENVELOPE + b"DATA\r\n"
        client.send(b"".join(sealed.seal(octets[at : at + 1]) for at in range(len(octets))))
        said = b""
        while said.count(b"\r\n") < 3:
            said += sealed.read()
        assert said.endswith(b"354 go ahead\r\n")
        octets = probed.mark() + b"\r\noctet by octet\r\n.\r\n"
        client.send(b"".join(sealed.seal(octets[at : at + 1]) for at in range(len(octets))))
        assert sealed.read().startswith(b"250 2.0.0 ok:  Message ")


VANISHING = {"before its hello": b"", "in its hello": b"\x16\x03\x01\x02\x00\x01\x00"}


@pytest.mark.parametrize("way", ["reset", "half_close"])
@pytest.mark.parametrize(("number", "when"), list(enumerate(VANISHING)))
def test_a_client_that_vanishes_in_the_handshake(probed: Probed, number: int, when: str, way: str) -> None:
    source = f"127.0.{2 + (way == 'reset')}.{number}"
    with probed.session(source=source) as client:
        assert client.say("STARTTLS").startswith("220")
        client.send(VANISHING[when])
        getattr(client, way)()
        if way == "half_close":
            client.rest()
    icid = probed.icid(source)
    assert "peer closed the connection" in probed.gateway.wait_log(f"ICID {icid} TLS failed: ")
    probed.gateway.wait_log(f"ICID {icid} lost")


@pytest.mark.parametrize("chunked", [False, True])
def test_a_reset_in_an_encrypted_message(probed: Probed, chunked: bool) -> None:
    source = f"127.0.7.{1 + chunked}"
    with probed.session("tls", source) as client:
        client.envelope()
        client.send(b"BDAT 1000\r\n" if chunked else b"DATA\r\n")
        if not chunked:
            assert client.reply().startswith("354")
        client.send(b"X-Test-Id: 666\r\n\r\nhalf")
        client.reset()
    probed.gateway.wait_log(f"ICID {probed.icid(source)} lost: [Errno 104] Connection reset by peer")


@both
def test_a_reset_behind_the_dot_leaves_a_whole_message_or_none(probed: Probed, kind: str) -> None:
    for _ in range(20):
        with probed.session(kind) as client:
            client.data()
            mark = probed.mark()
            client.send(mark + b"\r\nwhole\r\n.\r\n")
            client.reset()
    with probed.session(kind) as client:
        assert client.message(probed.mark() + b"\r\nafterwards\r\n").startswith("250")
    probed.arrived()
    wait_for(lambda: probed.gateway.log().count(" queued for delivery") == len(probed.sink.taken), "all that was taken")
    probed.marks[:] = sorted(set(probed.marks) & set(probed.sink.bodies))


def test_nothing_else_came_of_it(running: Probed) -> None:
    """The last word: a clean message goes through, and all that was smuggled stayed behind."""
    with running.session("tls") as client:
        assert client.message(running.mark() + b"\r\nclean\r\n").startswith("250")
    running.audit()
