"""The classes of holes that hit mail servers, each with its probe, on the inbound side of one running gateway.

What is accepted is written down as it came and handed on as it came: nothing in an address or a header is ever understood.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gatepost.admin.operations import configuration, documents
from gatepost.admin.operations.operator import Operator
from gatepost.records.search import RecordSearch
from tests.support.client import Client
from tests.support.probed import BARE, EVIL, SMALL, Probed, both, chunk, probed_fixtures
from tests.support.process import running as running_program
from tests.support.process import wait_for

needs_strace = pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed (make system-deps)")
TOO_LARGE = "552 #5.3.4 message size exceeds limit"
MAIL = "MAIL FROM:<a@client.example>"
RCPT = "RCPT TO:<box@example.com>"


running, probed = probed_fixtures("holes")


def taken(probed: Probed, mark: bytes) -> tuple[bytes, list[bytes]]:
    """Return the command lines that a message arrived with."""
    one = wait_for(lambda: [one for one in probed.sink.taken if mark in one.body], "it arrives")[0]
    return one.mail, one.rcpt


# --- 4: smuggling by another road --------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("ending", [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r"], ids=ascii)
def test_bare_line_ends_in_a_chunk_are_refused(probed: Probed, kind: str, ending: bytes) -> None:
    with probed.session(kind) as client:
        client.envelope()
        client.send(chunk(b"X-Test-Id: 666\r\n\r\ntext" + ending + EVIL + b".\r\n"))
        assert client.reply() == BARE
        assert client.say("NOOP").startswith("250")


@both
def test_an_end_of_data_in_a_chunk_is_content(probed: Probed, kind: str) -> None:
    """What CHUNKING brings as it is must be dot-stuffed for a next hop without it."""
    content = probed.mark() + b"\r\ntext\r\n.\r\nMAIL FROM:<evil@client.example>\r\n.\r\n..\r\n"
    with probed.session(kind) as client:
        client.envelope()
        client.send(chunk(content))
        assert client.reply().startswith("250 2.0.0 ok:  Message ")
    _, _, rest = probed.arrived().partition(b"\r\ntext\r\n")
    assert rest == b"..\r\nMAIL FROM:<evil@client.example>\r\n..\r\n...\r\n.\r\n"


@both
def test_a_line_end_cut_between_chunks_is_whole(probed: Probed, kind: str) -> None:
    with probed.session(kind) as client:
        client.envelope()
        client.send(chunk(probed.mark() + b"\r\na\r", last=False) + chunk(b"\n.\r", last=False) + chunk(b"\n"))
        assert [reply[:3] for reply in client.replies(3)] == ["250"] * 3
    assert probed.arrived().endswith(b"\r\na\r\n..\r\n.\r\n")


# --- 5: state that outlives a refusal ----------------------------------------------------------------------------------

REFUSALS: dict[str, list[bytes | str]] = {
    "syntax of mail": [b"MAIL FROM:a@client.example\r\n", "501"],
    "size at mail": [b"MAIL FROM:<a@client.example> SIZE=9999999999\r\n", "552"],
    "parameter of mail": [b"MAIL FROM:<a@client.example> X=1\r\n", "555"],
    "no domain": [b"MAIL FROM:<a>\r\n", "553"],
    "rcpt": [f"{MAIL}\r\n".encode(), "250", b"RCPT TO:<x@elsewhere.example>\r\n", "550"],
    "syntax of rcpt": [f"{MAIL}\r\n".encode(), "250", b"RCPT TO:<>\r\n", "501"],
    "end of data": [f"{MAIL}\r\n{RCPT}\r\nDATA\r\n".encode(), "250", "250", "354", b"a\nb\r\n.\r\n", "554"],
    "last chunk": [f"{MAIL}\r\n{RCPT}\r\n".encode() + chunk(b"a\nb"), "250", "250", "554"],
    "reset": [f"{MAIL}\r\n{RCPT}\r\nRSET\r\n".encode(), "250", "250", "250"],
    "a new hello": [f"{MAIL}\r\n{RCPT}\r\nEHLO again\r\n".encode(), "250", "250", "250"],
    "size of the mail data": [
        f"{MAIL}\r\n{RCPT}\r\nDATA\r\n".encode(), "250", "250", "354", b"\r\n" + b"x" * 4_300_000 + b"\r\n.\r\n", "552",
    ],
    "size of the header": [
        f"{MAIL}\r\n{RCPT}\r\nDATA\r\n".encode(), "250", "250", "354", b"a: b\r\n" * 2001 + b"\r\n.\r\n", "552",
    ],
    "a chunk beside data": [f"{MAIL}\r\n{RCPT}\r\n".encode() + chunk(b"a\0b") + b"DATA\r\n", "250", "250", "554", "503"],
    "vrfy in utf-8": [f"{MAIL}\r\n{RCPT}\r\nRSET\r\nVRFY bób\r\n".encode(), "250", "250", "250", "252"],
    "reset between chunks": [f"{MAIL}\r\n{RCPT}\r\n".encode() + chunk(b"a", False) + b"RSET\r\n", *["250"] * 4],
}  # fmt: skip


@both
@pytest.mark.parametrize("name", REFUSALS)
def test_nothing_of_a_transaction_outlives_its_end(probed: Probed, kind: str, name: str) -> None:
    with probed.session(kind) as client:
        for step in REFUSALS[name]:
            if isinstance(step, bytes):
                client.send(step)
            else:
                assert client.reply().startswith(step)
        if "rcpt" not in name:
            assert client.say(RCPT) == "503 #5.5.1 MAIL first"
        client.send(b"DATA\r\n")
        assert client.reply().startswith("503")
        client.send(chunk(b"QUIT\r\n"))
        assert client.reply().startswith("503"), "and its octets are no command"
        if "rcpt" in name:
            assert client.say("RSET").startswith("250")
        assert client.say("MAIL FROM:<a>").startswith("553"), "policy is asked again"
        assert client.message(probed.mark() + b"\r\nclean\r\n").startswith("250")


# --- 7: the accounts of chunks -----------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize(("size", "count"), [(0, 100_000), (1, 100_000)])
def test_a_hundred_thousand_tiny_chunks(probed: Probed, kind: str, size: int, count: int) -> None:
    before = probed.rss()
    with probed.session(kind) as client:
        client.envelope()
        client.send(chunk(probed.mark() + b"\r\n", last=False))
        assert client.reply().startswith("250")
        for _ in range(count // 1000):
            client.send(chunk(b"x" * size, last=False) * 1000)
            assert set(client.replies(1000)) == {f"250 2.0.0 {size} octets received"}
        client.send(chunk(b"\r\n"))
        assert client.reply().startswith("250 2.0.0 ok:  Message ")
    assert probed.arrived().endswith(b"\r\n" + b"x" * size * count + b"\r\n.\r\n")
    assert probed.rss() - before < 30 * 1024


@both
@pytest.mark.parametrize("argument", ["100000000000000000000", "-1", "1 FIRST", "0x10", "", "1 LAST LAST"])
def test_a_chunk_of_no_known_size_closes(probed: Probed, kind: str, argument: str) -> None:
    with probed.session(kind) as client:
        client.envelope()
        client.send(f"BDAT {argument}\r\n".encode() + EVIL + b".\r\n")
        assert client.reply()[:3] in ("501", "552")
        assert client.is_closed


@both
def test_chunks_without_the_last_one(probed: Probed, kind: str) -> None:
    with probed.session(kind) as client:
        client.envelope()
        client.send(chunk(b"X-Test-Id: 666\r\n\r\nhalf", last=False))
        assert client.reply().startswith("250")
        assert client.say("DATA").startswith("503"), "the two do not mix"
        assert client.say("MAIL FROM:<b@client.example>").startswith("503")
        assert client.say("QUIT").startswith("221")


@both
def test_the_octets_of_a_refused_chunk_are_swallowed(probed: Probed, kind: str) -> None:
    with probed.session(kind, SMALL) as client:
        client.send(chunk(EVIL + b".\r\n"))
        assert client.reply() == "503 #5.5.1 MAIL first"
        client.envelope()
        client.send(chunk(b"NOOP\r\n" * 3000, last=False) + chunk(b"NOOP\r\n"))
        assert client.replies(2) == ["250 2.0.0 18000 octets received", TOO_LARGE]
        assert client.say("NOOP").startswith("250")


# --- 8, 9: commands in addresses ---------------------------------------------------------------------------------------

SHELL = [
    ";touch${{IFS}}{0}", "$(touch${{IFS}}{0})", "`touch${{IFS}}{0}`", "|touch${{IFS}}{0}", "&touch${{IFS}}{0}&",
    "${{run{{/bin/touch${{IFS}}{0}}}}}", "||touch${{IFS}}{0};", "-oQ{0}", "-X{0}", "'touch{0}'", "$IFS;touch${{IFS}}{0}#",
    "%0atouch{0}", "../../{0}", "{{{{7*7}}}}", "%s%n%x", "a'; DROP TABLE recipients; --",
]  # fmt: skip


@contextlib.contextmanager
def no_program_started(pid: int, log: Path) -> Iterator[None]:
    """Look on as the process lives, and see it start no program."""
    with running_program("strace", "-f", "-qq", "-e", "trace=execve,execveat", "-o", str(log), "-p", str(pid)) as tracer:
        wait_for(lambda: "TracerPid:\t0\n" not in Path(f"/proc/{pid}/status").read_text(), "it is traced")
        yield
        assert tracer.poll() is None
    assert log.read_text() == ""


@needs_strace
@both
def test_an_address_is_text_and_nothing_else(probed: Probed, kind: str, tmp_path: Path) -> None:
    """In the reverse-path, the forward-path, the hello and the header: kept verbatim, or refused."""
    with no_program_started(probed.pids[0], tmp_path / "log"):
        send_shell_words(probed, kind, tmp_path / "touched")
    assert not (tmp_path / "touched").exists()


def send_shell_words(probed: Probed, kind: str, target: Path) -> None:
    accepted = 0
    for form in SHELL:
        local = form.format(target)
        quoted = '"' + local.replace("\\", "\\\\").replace('"', '\\"') + '"'
        for written in (local, quoted):
            with probed.session(kind) as client:
                answer = client.say(f"EHLO {written}.example")
                assert answer[:3] in ("250", "501")
                client.ehlo()
                answers = [
                    client.say(f"MAIL FROM:<{written}@client.example>"),
                    client.say(f"RCPT TO:<{written}@example.com>"),
                ]
                if [answer[:3] for answer in answers] != ["250", "250"]:
                    assert answers[0][:3] == "501"
                    continue
                assert answers[0] == f"250 2.1.0 sender <{written}@client.example> ok"
                mark = probed.mark()
                assert client.say("DATA").startswith("354")
                client.send(mark + f"From: {written}\r\nSubject: {written}\r\n\r\n{written}\r\n.\r\n".encode())
                assert client.reply().startswith("250")
            mail, rcpt = taken(probed, mark)
            assert mail.startswith(f"MAIL FROM:<{written}@client.example>".encode())
            assert rcpt == [f"RCPT TO:<{written}@example.com>\r\n".encode()]
            accepted += 1
    assert accepted > len(SHELL), "the quoted ones are addresses"


@both
def test_letters_that_end_in_cr_and_lf_do_not_end_a_line(probed: Probed, kind: str) -> None:
    """U+010D and U+010A, cut to their low octet, are CR and LF."""
    local = "a\u010d\u010aRCPT"
    with probed.session(kind) as client:
        assert client.say(f"MAIL FROM:<{local}@client.example> SMTPUTF8") == f"250 2.1.0 sender <{local}@client.example> ok"
        assert client.say(f"RCPT TO:<{local}@example.com>").startswith("250")
        assert client.say("DATA").startswith("354")
        mark = probed.mark()
        client.send(mark + b"\r\nbody\r\n.\r\n")
        assert client.reply().startswith("250")
    mail, rcpt = taken(probed, mark)
    assert mail.startswith(f"MAIL FROM:<{local}@client.example>".encode())
    assert rcpt == [f"RCPT TO:<{local}@example.com>\r\n".encode()]


@both
@pytest.mark.parametrize("path", [b'"a\\\rb"', b'"a\\\nb"', b'"a\rb"', b'"a\nRCPT TO:<evil@example.com>\n"'], ids=ascii)
@pytest.mark.parametrize("verb", [b"MAIL FROM", b"RCPT TO"])
def test_quoting_makes_no_line_end_welcome(probed: Probed, kind: str, verb: bytes, path: bytes) -> None:
    with probed.session(kind) as client:
        if verb == b"RCPT TO":
            client.say(MAIL)
        client.send(verb + b":<" + path + b"@example.com>\r\n")
        assert client.reply().startswith("501")
        assert client.is_closed


# --- 14, 15: memory and size -------------------------------------------------------------------------------------------


@both
def test_what_a_stranger_may_make_us_keep_is_little(probed: Probed, kind: str) -> None:
    """Forty sessions, each with as much unfinished business as the protocol lets it have."""
    unfinished = [
        b"X" * 2000,
        f"{MAIL}\r\n".encode() + f"{RCPT}\r\n".encode() * 5000,
        f"{MAIL}\r\n{RCPT}\r\n".encode() + b"BDAT 4000000 LAST\r\n" + b"y" * 70 + b"\r\n" * 10_000,
        b"x" * 100_000,
    ]
    with probed.session(kind) as client:
        client.ehlo()
    before = probed.rss()
    clients = []
    try:
        for number in range(40):
            client = Client(probed.port)
            clients.append(client)
            client.ehlo()
            if kind == "tls":
                client.start_tls()
                client.ehlo()
            client.socket.settimeout(0.5)
            try:
                client.send(unfinished[number % 4])
            except TimeoutError:
                pass  # it makes us wait: that is right
        with probed.session(kind) as client:
            assert client.message(probed.mark() + b"\r\nin between\r\n").startswith("250")
        assert probed.rss() - before < 40 * 512, "half a megabyte each"
    finally:
        for client in clients:
            client.socket.close()


def filled(start: bytes, size: int = 10_000) -> bytes:
    """Return mail data of exactly `size` octets."""
    lines = start + b"\r\n" + (b"z" * 76 + b"\r\n") * (size // 78 - 2)
    return lines + b"y" * (size - len(lines) - 2) + b"\r\n"


def ending_in(command: bytes, size: int) -> bytes:
    """Return mail data of exactly `size` octets of which the last line looks like a command."""
    return filled(b"", size - len(command)) + command


OVER = {
    "by one octet": ending_in(b"QUIT\r\n", 10_001),
    "by headers only": b"a: b\r\n" * 1700 + b"\r\n",
    "by many lines": b"\r\n" * 5001,
    "by dots": b"\r\n" + b"..\r\n" * 4000,
    "by From_ lines": b"From x\r\n" * 1300,
}


@both
@pytest.mark.parametrize("name", OVER)
def test_the_size_limit_holds(probed: Probed, kind: str, name: str) -> None:
    content = OVER[name]
    with probed.session(kind, SMALL) as client:
        client.say(f"{MAIL} SIZE=10")
        client.say(RCPT)
        client.say("DATA")
        client.send(content)
        client.socket.settimeout(0.05)
        with pytest.raises(TimeoutError):
            client.socket.recv(1)
        client.socket.settimeout(15)
        client.send(b".\r\n")
        assert client.reply() == TOO_LARGE, "after the dot, once"
        assert client.say("NOOP").startswith("250"), "and the rest was no command"
        client.envelope()
        client.send(chunk(content[:5000], last=False) + chunk(content[5000:].replace(b"\r\n..", b"\r\n.") * 2))
        assert client.reply().startswith("250")
        assert client.reply() == TOO_LARGE


@both
def test_many_recipients_make_no_message_smaller(probed: Probed, kind: str) -> None:
    with probed.session(kind, SMALL) as client:
        client.send(f"{MAIL}\r\n".encode() + f"{RCPT}\r\n".encode() * 100 + b"DATA\r\n")
        assert [reply[:3] for reply in client.replies(102)] == ["250"] * 101 + ["354"]
        client.send(OVER["by one octet"] + b".\r\n")
        assert client.reply() == TOO_LARGE


@both
def test_a_message_of_exactly_the_limit_is_taken(probed: Probed, kind: str) -> None:
    content = filled(probed.mark())
    assert len(content) == 10_000
    with probed.session(kind, SMALL) as client:
        assert client.say(f"{MAIL} SIZE=10001") == TOO_LARGE
        assert client.say(f"{MAIL} SIZE=10000").startswith("250")
        assert client.say(RCPT).startswith("250")
        client.say("DATA")
        client.send(content + b".\r\n")
        assert client.reply().startswith("250")


# --- 20: relays by syntax ----------------------------------------------------------------------------------------------

NOT_OURS = [
    "<x@elsewhere.example>", "<@example.com:x@elsewhere.example>", "<@example.com,@a.example:x@elsewhere.example>",
    "<x@[127.0.0.1]>", "<x@[IPv6:::1]>", "<x@sub.example.com>", "<x@example.com.elsewhere.example>",
    '<"x"@elsewhere.example>', '<"box@example.com"@elsewhere.example>', "<box%example.com@elsewhere.example>",
    "<x>", "<@example.com:x>",
]  # fmt: skip
NO_ADDRESS = [
    "<>", "x@elsewhere.example", "<x@elsewhere.example@example.com>", "<box@example.com@elsewhere.example>",
    "<x@elsewhere.example,box@example.com>", "<x@elsewhere.example> <box@example.com>", "<x@a.example><box@example.com>",
    "<x@ example.com>", "<box@example.com\0.elsewhere.example>", "<@example.com>", "<x@example.com:25>",
]  # fmt: skip
OURS = [
    "x%elsewhere.example@example.com", "elsewhere.example!x@example.com", '"x@elsewhere.example"@example.com',
    '"x@elsewhere.example>,<"@example.com', "x+y=z/a@example.com",
]  # fmt: skip


@both
@pytest.mark.parametrize("paths", [NOT_OURS, NO_ADDRESS], ids=["not ours", "no address"])
def test_no_spelling_makes_it_a_relay(probed: Probed, kind: str, paths: list[str]) -> None:
    for path in paths:
        with probed.session(kind) as client:
            client.say(MAIL)
            answer = client.say(f"RCPT TO:{path}")
            assert answer[:3] in ("550", "501"), path
            assert "elsewhere" not in answer, "and no echo"
            assert client.say("DATA").startswith("503")


@both
def test_a_local_part_is_handed_on_as_it_was_written(probed: Probed, kind: str) -> None:
    for address in [*OURS, "Box@EXAMPLE.com.", "@a.example,@b.example:box@example.com"]:
        with probed.session(kind) as client:
            client.say(MAIL)
            assert client.say(f"RCPT TO:<{address}>").startswith("250")
            client.say("DATA")
            mark = probed.mark()
            client.send(mark + b"\r\nbody\r\n.\r\n")
            assert client.reply().startswith("250")
        _, rcpt = taken(probed, mark)
        local = address.rpartition(":")[2].rpartition("@")[0]
        assert rcpt == [f"RCPT TO:<{local}@example.com>\r\n".encode()]


@both
@pytest.mark.parametrize(
    "line",
    ["XCLIENT ADDR=127.0.0.1 NAME=x", "XFORWARD ADDR=127.0.0.1", "PROXY TCP4 127.0.0.2 127.0.0.1 1 25", "AUTH PLAIN AA=="],
)
def test_nobody_speaks_for_another(probed: Probed, kind: str, line: str) -> None:
    with probed.session(kind) as client:
        assert client.say(line) == "500 #5.5.1 command not recognized"


# --- 21: the records ---------------------------------------------------------------------------------------------------

QUOTES = [
    "x' OR '1'='1",
    "x'; DELETE FROM messages; --",
    'x"; DROP TABLE tls; --',
    "x') UNION SELECT 1 --",
    "x%",
    "x_",
    "x\\",
]


@both
def test_a_search_finds_what_was_written_and_changes_nothing(probed: Probed, kind: str) -> None:
    records = RecordSearch(probed.gateway.state)
    for text in QUOTES:
        local = f"{text} by {kind}".replace("\\", "\\\\").replace('"', '\\"')
        with probed.session(kind) as client:
            assert client.say(f"EHLO {text}")[:3] in ("250", "501")
            assert client.say(f"ETRN {text}").startswith("500")
            assert client.say(f'MAIL FROM:<"{local}"@client.example>').startswith("250")
            assert client.say(f'RCPT TO:<"{local}"@example.com>').startswith("250")
            assert client.say("DATA").startswith("354")
            head = probed.mark() + f"Subject: {text} by {kind}\r\nMessage-ID: <{text} by {kind}>\r\n".encode()
            client.send(head + b"\r\nbody\r\n.\r\n")
            assert client.reply().startswith("250")
    wait_for(lambda: len(records.track(subject=f" by {kind}", limit=10_000)) == len(QUOTES), "all are on record")
    for text in QUOTES:
        for field in ("sender", "recipient", "subject", "message_id"):
            shown = text.replace("\\", "\\\\").replace('"', '\\"') if field in ("sender", "recipient") else text
            found = records.track(**{field: f"{shown} by {kind}"}, limit=10_000)
            assert [one.subject for one in found] == [f"{text} by {kind}"]
    for field in ("sender", "recipient", "subject", "message_id", "peer"):
        assert records.track(**{field: "nowhere' OR '1'='1"}, limit=10_000) == []
    assert records.tls(domain="x' OR '1'='1", peer="' OR 1=1 --", limit=10_000) == []


# --- 24: the log -------------------------------------------------------------------------------------------------------

HOSTILE = ["\x1b[31m", "\u202e", "\x07", "\x85", "\u2028", "\x9b2J", "\x00"]


@both
def test_one_event_stays_one_line(probed: Probed, kind: str) -> None:
    """Judged by the audit below: every line of the log is whole and printable."""
    for text in HOSTILE:
        with probed.session(kind) as client:
            for line in (f"EHLO {text}", f"AUTH {text}", f"MAIL FROM:<{text}@client.example>", f"{text}"):
                assert client.say(line)[:1] == "5"
    encoded = "=?utf-8?q?a=0D=0AICID_1_close=1B[2J=E2=80=AE?= =?utf-8?b?DQo=?="
    with probed.session(kind) as client:
        content = probed.mark() + f"Subject: {encoded}\r\nMessage-ID: <{''.join(HOSTILE[:-1])}>\r\n\r\nbody\r\n".encode()
        assert client.message(content).startswith("250")
    probed.gateway.wait_log("Subject 'a\\r\\nICID 1 close")


# --- 26: files ---------------------------------------------------------------------------------------------------------


def test_what_is_written_is_for_its_owner_and_holds_no_key(probed: Probed) -> None:
    one = probed.gateway
    files = [one.state, *one.state.rglob("*")]
    assert {path.name for path in files} >= {"control.sock", "config.db", "records.db", "mail_logs", "shard-0.db"}
    assert [path for path in files if path.stat().st_mode & 0o077] == []
    operator = Operator(one.state)
    key = configuration.revision(operator, 1).config.certificates["mx"].private_key.split("\n")[1]
    holders = {path.name for path in files if path.is_file() and key.encode() in path.read_bytes()}
    assert "config.last-good.toml" in holders, "the search does find keys"
    assert holders <= {"config.db", "config.db-wal", "config.last-good.toml"}
    assert key not in documents.export(operator) + one.output.read_text()
    assert key not in one.cli("config", "show", "1").stdout


def test_nothing_else_came_of_it(running: Probed) -> None:
    began = time.monotonic()
    with running.session("tls") as client:
        assert client.message(running.mark() + b"\r\nclean\r\n").startswith("250")
    assert time.monotonic() - began < 2
    running.audit()
