"""The domain map and the default domain over the wire: mail for an old domain arrives under the new one, else untouched."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.support.client import Client, session
from tests.support.documents import relay
from tests.support.gateway import Gateway, gateway
from tests.support.judge import Sink, Taken
from tests.support.process import free_port, wait_for

MAP = """
[[listeners.InboundMail.domain_map]]
match = "boss@old.example"
to = "Chief@example.com"
[[listeners.InboundMail.domain_map]]
match = "lost@old.example"
to = "@elsewhere.example"
[[listeners.InboundMail.domain_map]]
match = "@.old.example"
to = "@example.com"
"""


@dataclass
class Served:
    gateway: Gateway
    port: int
    sink: Sink


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    port = free_port()
    with Sink() as sink, gateway(tmp_path_factory.mktemp("map"), start=False) as one:
        more, ours = 'default_domain = "old.example"', 'postmaster = "help@example.com"'
        one.configure(relay(port, sink.port, more=more, gateway=ours) + MAP)
        one.start()
        yield Served(one, port, sink)
        assert "Internal error" not in one.log()


def send(client: Client, number: int, *recipients: str) -> list[str]:
    """Send a message; return what each RCPT was answered."""
    assert client.say("MAIL FROM:<a@client.example>").startswith("250")
    answers = [client.say(f"RCPT TO:<{recipient}>") for recipient in recipients]
    assert client.say("DATA").startswith("354")
    text = f"X-Test-Id: {number}\r\nTo: <Joe@sub.old.example>\r\nSubject: {number}\r\n\r\nto joe@old.example\r\n."
    assert client.say(text).startswith("250")
    return answers


def arrived(served: Served, number: int) -> Taken:
    def look() -> Taken | None:
        return next((one for one in served.sink.taken if b"X-Test-Id: %d\r\n" % number in one.body), None)

    return wait_for(look, "it arrives")


def test_mail_for_the_old_domain_arrives_under_the_new_one(served: Served) -> None:
    with session(served.port) as client:
        assert send(client, 1, "Joe@sub.old.example") == ["250 2.1.5 recipient <Joe@sub.old.example> ok"]
    taken = arrived(served, 1)
    assert taken.rcpt == [b"RCPT TO:<Joe@example.com>\r\n"]
    assert b"\r\nTo: <Joe@sub.old.example>\r\n" in taken.body, "the header is the sender's"
    assert taken.body.endswith(b"\r\n\r\nto joe@old.example\r\n.\r\n")
    assert b" for <Joe@sub.old.example>;" in taken.body.split(b"X-Test-Id")[0], "as the client named it"
    line = served.gateway.wait_log(" domain map @.old.example rewrote <Joe@sub.old.example> to <Joe@example.com>")
    log = served.gateway.log()
    assert log.index(line) < log.index(" RID 0 To: <Joe@example.com>")


def test_rows_decide_in_their_order_and_others_stay(served: Served) -> None:
    with session(served.port) as client:
        recipients = "BOSS@old.example", "ann@old.example", "bob@example.com", "joe", "postmaster", "Postmaster@old.example"
        assert [answer[:3] for answer in send(client, 2, *recipients)] == ["250"] * len(recipients)
    assert sorted(arrived(served, 2).rcpt) == sorted(
        f"RCPT TO:<{path}>\r\n".encode()
        for path in (
            "Chief@example.com",
            "ann@example.com",
            "bob@example.com",
            "joe@example.com",
            "help@example.com",
            "Postmaster@example.com",
        )
    )


def test_the_recipient_table_judges_what_the_map_made(served: Served) -> None:
    with session(served.port) as client:
        client.say("MAIL FROM:<a@client.example>")
        assert client.say("RCPT TO:<lost@old.example>") == "550 #5.1.0 Address rejected."
        assert client.say("RCPT TO:<x@bold.example>") == "550 #5.1.0 Address rejected."
    served.gateway.wait_log(" domain map lost@old.example rewrote <lost@old.example> to <lost@elsewhere.example>")
    served.gateway.wait_log(" To: <lost@elsewhere.example> Rejected by RAT")


def test_a_bare_sender_gets_the_default_domain(served: Served) -> None:
    with session(served.port) as client:
        assert client.say("MAIL FROM:<joe>") == "250 2.1.0 sender <joe@old.example> ok"
    served.gateway.wait_log(" From: <joe@old.example>")


def test_trace_and_the_records_tell_of_it(served: Served) -> None:
    told = served.gateway.cli(
        "trace", "127.0.0.1", "--name", "x.example", "--from", "a@b.example", "--to", "joe@old.example"
    ).stdout
    words = " ".join(told.split())
    assert "joe@old.example becomes joe@example.com by @.old.example of the domain map" in words
    assert "Message Enqueued for Delivery to example.com" in words
