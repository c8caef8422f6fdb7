"""The lines against the samples of asyncos.md section 8, and against peers who would like to write lines of their own."""

import inspect
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.records import maillog
from gatepost.records.printable import LIMIT, printable


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            maillog.new_icid(5, "Data", "10.1.1.1", "10.1.1.209", "remotehost.com", True),
            "New SMTP ICID 5 interface Data (10.1.1.1) address 10.1.1.209 reverse dns host remotehost.com verified yes",
        ),
        (
            maillog.new_icid(6, "Management", "10.1.1.1", "10.1.1.209", "", False),
            "New SMTP ICID 6 interface Management (10.1.1.1) address 10.1.1.209 reverse dns host unknown verified no",
        ),
        (
            maillog.access(5, "accept", "PARTNERS", "198.51.100.0/24"),
            "ICID 5 ACCEPT SG PARTNERS match 198.51.100.0/24 SBRS None",
        ),
        (maillog.access(450, "ACCEPT", "", "ALL"), "ICID 450 ACCEPT SG None match ALL SBRS None"),
        (
            maillog.access(9, "tcprefuse", "BLACKLIST", "192.0.2.1"),
            "ICID 0 TCPREFUSE SG BLACKLIST match 192.0.2.1 SBRS None",
        ),
        (
            maillog.tls_success_in(824108, "TLSv1.2", "ECDHE-RSA-AES256-GCM-SHA384"),
            "ICID 824108 TLS success protocol TLSv1.2 cipher ECDHE-RSA-AES256-GCM-SHA384",
        ),
        (maillog.tls_failed_in(10304580), "ICID 10304580 TLS failed"),
        (maillog.tls_failed_in(8, "no shared cipher"), "ICID 8 TLS failed: no shared cipher"),
        (maillog.tls_required_not_started(8), "ICID 8 TLS was required but remote host did not initiate it"),
        (maillog.start_mid(6, 5), "Start MID 6 ICID 5"),
        (maillog.mail_from(6, 5, "sender@remotehost.com"), "MID 6 ICID 5 From: <sender@remotehost.com>"),
        (maillog.mail_from(6, 5, ""), "MID 6 ICID 5 From: <>"),
        (maillog.rcpt_to(6, 5, 0, "mary@yourdomain.com"), "MID 6 ICID 5 RID 0 To: <mary@yourdomain.com>"),
        (maillog.rcpt_rejected(1, 2, "postmaster@x"), "MID 1 ICID 2 To: <postmaster@x> Rejected by RAT"),
        (
            maillog.rcpt_rejected(1, 2, "a@x", "Rejected by Injection Control"),
            "MID 1 ICID 2 To: <a@x> Rejected by Injection Control",
        ),
        (
            maillog.rcpt_mapped(6, 5, "joe@old.example", "joe@new.example", "@.old.example"),
            "MID 6 ICID 5 domain map @.old.example rewrote <joe@old.example> to <joe@new.example>",
        ),
        (maillog.message_id(200, "<37gva9@mail.example.com>"), "MID 200 Message-ID '<37gva9@mail.example.com>'"),
        (maillog.subject(200, "Hello"), "MID 200 Subject 'Hello'"),
        (maillog.ready(6, 100, "sender@remotehost.com"), "MID 6 ready 100 bytes from <sender@remotehost.com>"),
        (maillog.queued(9), "MID 9 queued for delivery"),
        (maillog.not_stored(9, 5, "disk full"), "MID 9 ICID 5 not stored: disk full"),
        (maillog.receiving_aborted(6), "Message aborted MID 6 Receiving aborted by sender"),
        (maillog.receiving_failed(5, "Message loop"), "ICID 5 Receiving Failed: Message loop"),
        (
            maillog.sender_rejected(3248, "user", "envelope sender domain missing"),
            "ICID 3248 Address: <user> sender rejected, envelope sender domain missing",
        ),
        (maillog.early_talker(5), "ICID 5 sent data before the greeting"),
        (maillog.icid_close(5), "ICID 5 close"),
        (maillog.icid_lost(5), "ICID 5 lost"),
        (maillog.icid_lost(5, "reset by peer"), "ICID 5 lost: reset by peer"),
    ],
)
def test_receiving(line: str, expected: str) -> None:
    assert line == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            maillog.new_dcid(8, "192.168.42.42", "10.5.3.25", 25),
            "New SMTP DCID 8 interface 192.168.42.42 address 10.5.3.25 port 25",
        ),
        (
            maillog.dcid_tls_success(112095, "TLSv1.2", "AES128-SHA", "dummy_domain.com"),
            "DCID 112095 TLS success protocol TLSv1.2 cipher AES128-SHA for dummy_domain.com",
        ),
        (
            maillog.dcid_tls_failed(80167, "STARTTLS unexpected response"),
            "DCID 80167 TLS failed: STARTTLS unexpected response",
        ),
        (
            maillog.dcid_tls_not_used(7, "mx.example does not offer STARTTLS; preferred (default) allows clear text"),
            "DCID 7 TLS not used: mx.example does not offer STARTTLS; preferred (default) allows clear text",
        ),
        (
            maillog.dcid_tls_required_failed(8, "204.15.82.140"),
            "DCID 8 IP 204.15.82.140 TLS was required but could not be successfully negotiated",
        ),
        (maillog.delivery_start(8, 6, [0]), "Delivery start DCID 8 MID 6 to RID [0]"),
        (maillog.delivery_start(8, 6, (0, 2)), "Delivery start DCID 8 MID 6 to RID [0, 2]"),
        (maillog.message_done(8, 6, [0]), "Message done DCID 8 MID 6 to RID [0]"),
        (
            maillog.response(2002, [0], "2.6.0 <a@b> Queued mail for delivery"),
            "MID 2002 RID [0] Response 2.6.0 <a@b> Queued mail for delivery",
        ),
        (maillog.message_finished(6), "Message finished MID 6 done"),
        (maillog.dcid_close(8), "DCID 8 close"),
        (
            maillog.delayed(4370, 10800, 0, "4.4.0", "Other network problem", "[Errno 54] Connection reset by peer"),
            "Delayed: DCID 4370 MID 10800 to RID 0 - 4.4.0 - Other network problem "
            "('000', ['[Errno 54] Connection reset by peer']) []",
        ),
        (
            maillog.bounced(0, 8, 0, "5.1.2", "Bad destination host", "DNS Hard Error looking up HOST (MX):  NXDomain"),
            "Bounced: DCID 0 MID 8 to RID 0 - 5.1.2 - Bad destination host "
            "('000', ['DNS Hard Error looking up HOST (MX):  NXDomain'])",
        ),
        (
            maillog.bounced(947091, 12217124, 0, "5.1.0", "Unknown address error", "5.5.4 Invalid Address", "501"),
            "Bounced: DCID 947091 MID 12217124 to RID 0 - 5.1.0 - Unknown address error ('501', ['5.5.4 Invalid Address'])",
        ),
        (
            maillog.bounced(1, 2, 0, "5.1.0", "Unknown address error", "first\nsecond", "550"),
            "Bounced: DCID 1 MID 2 to RID 0 - 5.1.0 - Unknown address error ('550', ['first', 'second'])",
        ),
        (
            maillog.double_bounce(12222130, 0, "5.1.0", "Unknown address error", "no such user", "550"),
            "Double bounce: MID 12222130 to 0 - 5.1.0 - Unknown address error ('550', ['no such user'])",
        ),
        (maillog.generated_for_bounce(515, 511), "MID 515 was generated for bounce of MID 511"),
        (
            maillog.connection_error(263, "128.242.110.90", "EOF", "128.197.12.246"),
            "Connection Error: DCID: 263 IP: 128.242.110.90 details: EOF interface: 128.197.12.246 reason: network error",
        ),
        (maillog.deleted(3, [0]), "Deleted: MID 3 to [0]"),
        (maillog.held(3, [0, 1], "its body is gone"), "Held: MID 3 to RID [0, 1] - its body is gone"),
        (maillog.delivery_suspended(), "Deliveries are currently suspended"),
    ],
)
def test_delivery(line: str, expected: str) -> None:
    assert line == expected


def test_pending_till_shows_local_time_with_a_padded_day() -> None:
    when = time.mktime((2005, 7, 2, 10, 15, 41, 0, 0, -1))
    assert maillog.pending_till(154, [0], when, "Default") == (
        "MID 154 to RID [0] pending till Sat Jul  2 10:15:41 2005 [Default]"
    )


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            maillog.configuration_committed(7, "admin", "Require TLS on InboundMail"),
            "Configuration revision 7 committed by admin: Require TLS on InboundMail",
        ),
        (maillog.lines_lost(1, "full"), "1 log line was lost while the log could not be written: full"),
        (maillog.lines_lost(2, "full"), "2 log lines were lost while the log could not be written: full"),
        (maillog.clock_jumped(-172800), "Clock jumped back by 172800 s; time limits are not affected"),
        (maillog.shard_adopted(3, 0, 1), "Spool shard 3 adopted by worker 0: 1 message"),
        (
            maillog.gateway_serves("1.0", 4, 4, ["InboundMail on 0.0.0.0 port 25"]),
            "Gatepost 1.0 serves with 4 workers: InboundMail on 0.0.0.0 port 25",
        ),
        (maillog.gateway_serves("1.0", 1, 1, []), "Gatepost 1.0 serves with 1 worker: no listener is configured yet"),
        (maillog.gateway_serves("1.0", 3, 4, ["A"]), "Gatepost 1.0 serves with 3 of 4 workers: A"),
        (
            maillog.attendant_ended("console over SSH", "with status 1", 5),
            "The process of the console over SSH ended with status 1; it is started again in 5 seconds",
        ),
        (
            maillog.worker_ended(1, "by signal SIGKILL", 0),
            "Worker 1 ended by signal SIGKILL; it is started again on the same shard at once",
        ),
        (
            maillog.worker_ended(1, "with status 1", 0.5),
            "Worker 1 ended with status 1; it is started again on the same shard in 0.5 s",
        ),
    ],
)
def test_the_gateway_itself(line: str, expected: str) -> None:
    assert line == expected


def test_an_internal_error_is_one_line_that_ends_with_the_error() -> None:
    trace = (
        'Traceback (most recent call last):\n  File "a.py", line 3, in run\n    go()\n    ~~^^\nValueError: x\r\nforged\n'
    )
    assert maillog.internal_error("ICID 5", trace) == (
        "Internal error in ICID 5: Traceback (most recent call last): / "
        'File "a.py", line 3, in run / go() / ValueError: x / forged'
    )
    assert maillog.internal_error("x", "far away\n" * 1000 + "KeyError: 1").endswith("KeyError: 1")


FUNCTIONS = [
    function
    for name, function in vars(maillog).items()
    if inspect.isfunction(function) and function.__module__ == maillog.__name__ and not name.startswith("_")
]
VALUES = {"int": 7, "bool": False, "float": 1.0, "Sequence[int]": [0, 1], "Sequence[str]": ["a\nb"]}
# Words of our own, checked where they come in: configuration names, addresses from the kernel, names from the TLS library.
OURS = {"interface", "local", "peer", "behavior", "group", "entry", "protocol", "cipher", "profile", "code", "status"}
OURS |= {"version", "how"}


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
@pytest.mark.parametrize("hostile", ["a\r\nICID 1 close", "\x1b[2J", "\x00", "\u202etxt", "\x85\x9b", "\u2028", "\udcff"])
def test_what_others_chose_stays_in_one_line(function: object, hostile: str) -> None:
    arguments = {}
    for name, parameter in inspect.signature(function).parameters.items():  # type: ignore[arg-type]
        trusted = name in OURS or (name == "address" and function in (maillog.new_dcid, maillog.dcid_tls_required_failed))
        arguments[name] = VALUES.get(parameter.annotation, "ours" if trusted else hostile)
    if "path" in arguments:  # a file of ours
        arguments |= {"path": "records.db", "aside": "records.db.damaged"}
    if function is maillog.connection_error:
        arguments["address"] = "192.0.2.1"
    assert function(**arguments).isprintable()  # type: ignore[operator]


def test_printable_text_of_any_script_stays_as_it_is() -> None:
    assert printable("Grüße, 你好") == "Grüße, 你好"


@pytest.mark.parametrize("reply", ["\n" * 1000, "no\n" * 1000, "x" * 64_000, "\x1b" * 64_000])
def test_an_endless_reply_is_cut(reply: str) -> None:
    # every recipient tells it, at each attempt: a thousand lines of a hostile next hop would fill the disk
    assert len(maillog.bounced(1, 2, 0, "5.1.0", "why", reply, "550")) < 6 * LIMIT
    assert "first', 'second" in maillog.delayed(1, 2, 0, "4.1.0", "why", f"first\nsecond\n{reply}", "450")


def test_an_endless_value_is_cut() -> None:
    assert len(printable("x" * 100_000)) <= LIMIT
    assert len(printable("\r" * 100_000)) <= LIMIT


@given(st.text())
def test_printable_is_printable(text: str) -> None:
    assert printable(text).isprintable()
