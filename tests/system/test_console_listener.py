"""Dialogue A of the model, typed at the real console of a running gateway: TLS is made a must on a listener.

What must stand as it does on the appliance is compared byte for byte; what changes, and when, is asked on the wire.
"""

from __future__ import annotations

import calendar
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.client import Client, session
from tests.support.console import Console, dialogue
from tests.support.documents import relay
from tests.support.gateway import Gateway, gateway
from tests.support.judge import Sink
from tests.support.process import free_port, run, wait_for

MUST = "530 #5.7.0 Must issue a STARTTLS command first"
HOST = "mx1.example.com> "
QUESTION = """

Do you want to allow encrypted TLS connections?
1. No
2. Preferred
3. Required
4. Preferred - Verify
5. Required - Verify
[1]> 3
"""
COMMENT = """
mx1.example.com> commit

Please enter some comments describing your changes:
[]> Require TLS on InboundMail

Changes committed: """
NOTHING = """
mx1.example.com> commit

There is no data to commit.

mx1.example.com> """
STAMP = "%a %b %d %H:%M:%S %Y UTC"
REFUSED = "HELO x", "MAIL FROM:<a@client.example>", "RCPT TO:<b@example.com>", "DATA", "RSET", "VRFY b", "HELP"


@dataclass
class Served:
    gateway: Gateway
    port: int
    sink: Sink

    def swaks(self, *options: str) -> tuple[int, str]:
        done = run(
            "swaks", "--server", f"127.0.0.1:{self.port}", "--from", "a@client.example", "--to", "box@example.com",
            "--helo", "client.example", *options,
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    port = free_port()
    with Sink() as sink, gateway(tmp_path, start=False) as one:
        one.cli("cert", "self-signed", "mx")
        more = 'interface = "PublicNet"\ncertificates = ["mx"]'
        file = tmp_path / "document.toml"
        file.write_text(relay(port, sink.port, more=more))
        one.cli("config", "import", "--force", str(file))
        one.cli("config", "commit", "-m", "begin")
        one.start()
        yield Served(one, port, sink)
        assert "Internal error" not in one.log()


def summary(port: int, tls: str) -> str:
    return f"""
Name: InboundMail
Type: Public
Interface: PublicNet (127.0.0.1) TCP Port {port}
Protocol: SMTP
Default Domain:
Max Concurrency: 1000 (TCP Queue: 50)
Domain map: disabled
TLS: {tls}

"""


def test_require_tls_on_a_listener(served: Served) -> None:
    one, port = served.gateway, served.port
    with session(port) as old, Console(one.state) as console:
        assert console.screen.endswith(f"\n{HOST}")
        shown = console.type("listenerconfig")
        assert f"\n1. InboundMail (on PublicNet, 127.0.0.1) SMTP TCP Port {port} Public\n" in shown
        shown = console.type("edit", "1")
        assert summary(port, "No") in shown
        console.type("hostaccess", "default", "", "", "", "", "")
        console.type("3")
        assert console.screen.count(QUESTION) == 1
        console.type("")  # the TLS profile
        shown = console.type("", "", "")
        assert summary(port, "Required") in shown, "the draft is shown"
        assert shown.endswith(f"\n{HOST}")

        # Nothing is live before the commit.
        status, said = served.swaks()
        assert status == 0, said
        assert "STARTTLS" not in old.ehlo()
        assert old.send_text("before").startswith("250")

        console.type("commit", "Require TLS on InboundMail")
        _, told, answer = console.screen.rpartition(COMMENT)
        assert told
        stamp, _, rest = answer.partition("\n")
        assert abs(time.time() - calendar.timegm(time.strptime(stamp, STAMP))) < 60
        assert rest == f"\n{HOST}"

        # An open session keeps its rules, a new one has others.
        assert old.send_text("after").startswith("250")
        demands_tls(port)
        status, said = served.swaks()
        assert status != 0
        assert f"<** {MUST}" in said
        status, said = served.swaks("-tls")
        assert status == 0, said
        assert "=== TLS started" in said

        shown = console.type("listenerconfig", "edit", "inboundmail")
        assert summary(port, "Required") in shown
        console.type("", "")
        console.type("commit")
        assert console.screen.endswith(NOTHING)
        assert console.end() == 0
    wait_for(lambda: len(served.sink.taken) == 4, "all four messages arrive")


def demands_tls(port: int) -> None:
    """A new session hears 530 to all but EHLO, NOOP, QUIT and STARTTLS, and after STARTTLS no more."""
    with Client(port) as client:
        assert client.say("NOOP").startswith("250")
        assert "STARTTLS" in client.ehlo()
        for line in REFUSED:
            assert client.say(line) == MUST, line
        assert client.say("NOOP").startswith("250")
        client.start_tls()
        client.ehlo()
        assert client.say("MAIL FROM:<a@client.example>").startswith("250")
    with Client(port) as client:
        assert client.say("QUIT").startswith("221")


def test_a_listener_made_at_the_console_takes_mail(served: Served) -> None:
    one, port = served.gateway, free_port()
    screen = dialogue(
        one.state,
        "listenerconfig", "new", "public", "Second", "127.0.0.1", "", str(port), "example.com", "n", "n",
        "edit", "Second", "certificate", "mx", "hostaccess",
        "new", "policy", "PARTNER_TLS", "accept", "y", "", "", "", "", "", "required", "",
        "new", "sender group", "PARTNERS", "127.0.0.2", "PARTNER_TLS", "contract 2026-11", "", "", "",
        "commit A second listener",
    )  # fmt: skip
    assert re.search(r"Changes committed: \w{3} \w{3} [ \d]\d [\d:]{8} \d{4} UTC\n", screen)
    assert one.json("config", "get", "listeners.Second.default_policy.tls") == "no"
    with session(port) as client:
        assert client.send_text().startswith("250")
    with session(port, source="127.0.0.2") as client:
        assert client.say("MAIL FROM:<a@client.example>") == MUST
    with session(port, source="127.0.0.2", tls=True) as client:
        assert client.send_text().startswith("250")
    one.wait_log("ACCEPT SG PARTNERS match 127.0.0.2")
