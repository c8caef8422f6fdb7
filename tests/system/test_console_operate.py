"""Operating a running gateway from its console: what waits, held, ended, redirected; who is connected; what the log says."""

from __future__ import annotations

import re
import smtplib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.client import Client, session
from tests.support.console import Console, dialogue
from tests.support.documents import relay
from tests.support.gateway import Gateway, gateway
from tests.support.judge import Sink
from tests.support.process import free_port, wait_for

HOST = "mx1.example.com> "
SUSPENDED = """
mx1.example.com> suspenddel

Enter the number of seconds to wait before abruptly closing connections.
[30]> 0

Waiting for outgoing deliveries to finish...
Mail delivery suspended.

mx1.example.com> """


@dataclass
class Served:
    gateway: Gateway
    port: int
    inside: Sink
    other: Sink

    def send(self, *to: str, sender: str = "ann@client.example", subject: str = "hello") -> None:
        with smtplib.SMTP("127.0.0.1", self.port, "client.example", 15) as client:
            client.sendmail(sender, to, f"Subject: {subject}\r\n\r\nA body of {subject}.\r\n")

    def counted(self, messages: int) -> None:
        """Wait until the workers have reported so many messages in the queue."""
        wait_for(lambda: self.gateway.ask("status")["queue"]["messages"] == messages, f"{messages} wait")


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    port = free_port()
    with Sink() as inside, Sink() as other:
        document = relay(port, inside.port).replace(
            "[routes]\n", f'[routes]\n"relay.example" = ["127.0.0.1:{other.port}"]\n'
        )
        document += '\n[[listeners.InboundMail.recipients]]\nmatch = "example.net"\n'
        with gateway(tmp_path, document, workers=2) as one:
            yield Served(one, port, inside, other)
            assert "Internal error" not in one.log()


def test_mail_is_held_shown_ended_and_sent_elsewhere(served: Served) -> None:
    one = served.gateway
    with Console(one.state) as console:
        assert console.type("suspenddel", "0") == SUSPENDED.removeprefix(f"\n{HOST}")
        served.send("joe@example.com", "eve@example.com", subject="first")
        served.send("joe@example.com", sender="boss@client.example", subject="second")
        served.send("joe@example.net", "eve@example.com", subject="third")
        served.counted(3)

        shown = console.type("showrecipients", "3")
        assert [shown.count(f"joe@example.{end}") for end in ("com", "net")] == [2, 1]
        assert re.search(r"^\d+ +\d+ +ann@client\.example +first\n\[0\] +\[0\] +joe@example\.com\n", shown, re.M)
        shown = console.type("showrecipients", "1", "example.net")
        assert "third" in shown
        assert "second" not in shown
        shown = console.type("showrecipients from BOSS@client.example")
        mid = re.search(r"^(\d+) .*second$", shown, re.M)
        assert mid is not None
        assert "first" not in shown

        shown = console.type("showmessage", mid[1])
        assert f"MID {mid[1]} Information" in shown
        assert "A body of second." in shown
        assert "MID 99999 is not in the queue" in console.type("showmessage 99999")

        shown = console.type("workqueue", "status", "")
        assert "Status:   Paused\nMessages: 3\n" in shown

        shown = console.type("deleterecipients", "2", "boss@client.example", "n")
        assert "This concerns 1 recipient." in shown
        assert 'Are you sure you want to delete all messages from "boss@client.example"?\n[N]> n' in shown
        assert "Deleting" not in shown
        shown = console.type("deleterecipients", "2", "boss@client.example", "y")
        assert "Deleting messages, please wait.\n1 recipient deleted.\n" in shown
        assert f"Deleted: MID {mid[1]} to [0]" in one.wait_log("Deleted:")
        assert "There are no such messages in the queue." in console.type("deleterecipients from boss@client.example")

        shown = console.type("bouncerecipients host example.net", "y")
        assert 'bounce all messages being delivered to "example.net"?' in shown
        assert "Bouncing messages, please wait.\n1 recipient bounced.\n" in shown

        shown = console.type("redirectrecipients", "not a host!", "relay.example", "y")
        assert "WARNING: redirecting recipients" in shown
        assert 'redirect all mail in the queue to "relay.example"?\n[N]> y' in shown
        # first for joe and eve, third for eve, and the notification of the bounce
        assert "Redirecting messages, please wait.\n4 recipients redirected.\n" in shown
        (row,) = one.json("queue", "list")["destinations"]
        assert (row["destination"], row["recipients"], row["untried"]) == ("relay.example", 4, 0)
        assert "eve@example.com (to relay.example)" in console.type("showrecipients all")

    # What was redirected goes there after a crash too, once somebody resumes what was suspended before it.
    one.kill()
    one.start(2)
    with Console(one.state) as console:
        assert "Mail delivery resumed." in console.type("resumedel")
    wait_for(lambda: one.log().count("Info: Message done DCID") == 3, "all of it goes out")
    assert served.other.connections > 0
    assert served.inside.connections == 0


def test_hosts_counters_and_rates_are_shown(served: Served) -> None:
    one = served.gateway
    served.send("joe@example.com", "eve@example.com")
    served.send("joe@example.net")
    one.wait_log("Message finished")
    wait_for(lambda: one.ask("status")["totals"]["recipients{delivered}"][1] == 3, "they are counted")
    with Client(served.port) as client:
        client.say("EHLO client.example")
        shown = dialogue(one.state, "status", "status detail", "tophosts", "3", "tophosts active_rcpts", "topin",
                         "hoststatus", "example.com", "resetcounters", "status")  # fmt: skip
    parts = shown.split(HOST)
    brief, detail, top, again, inbound, host, _, after = parts[1:9]
    assert re.search(r"System status: +Online\n", brief)
    assert re.search(r"Oldest Message: +No Messages\n", brief)
    assert re.search(r"^    Recipients Received +3 +3 +3$", brief, re.M)
    assert "Delivered" not in brief
    assert re.search(r"^      Delivered Recipients +3 +3 +3$", detail, re.M)
    assert re.search(r"^Rates \(Events Per Hour\): +1-Minute +5-Minutes +15-Minutes$", detail, re.M)
    assert re.search(r"^    Messages Received +[1-9][\d,]* +[1-9][\d,]* +[1-9][\d,]*$", detail, re.M)
    assert re.search(r"^    Message ID \(MID\) +[1-9]", detail, re.M)
    assert re.search(r"Worker 1 \(PID \d+\): up", detail)
    assert re.search(r"^1   example\.com +0 +\d +2 +0 +0\n2   example\.net +0 +\d +1 +0 +0$", top, re.M)
    assert re.search(r"^1   example\.com ", again, re.M)
    assert re.search(r"^1   \S+ +127\.0\.0\.1 +InboundMail +1$", inbound, re.M)
    assert "Host mail status for: 'example.com'" in host
    assert re.search(r"Host up/down: +up\n", host)
    assert re.search(r"^      Delivered Recipients +2$", host, re.M)
    assert re.search(rf"^    \d+ +127\.0\.0\.1 +127\.0\.0\.1:{served.inside.port}$", host, re.M)
    assert "Last 5XX Error:\n----------\nNone\n" in host
    assert re.search(r"^    Recipients Received +0 +3 +3$", after, re.M)
    one.stop()
    one.start(2)
    assert re.search(r"^    Recipients Received +0 +0 +3$", dialogue(one.state, "status"), re.M)


def test_listeners_are_suspended_once_what_is_open_has_ended(served: Served) -> None:
    one, port = served.gateway, served.port
    with Console(one.state) as console, session(port) as idle, session(port) as busy:
        idle.ehlo()
        busy.ehlo()
        busy.say("MAIL FROM:<ann@client.example>")
        shown = console.type("suspendlistener", "1", "1")
        assert "\n1. All\n2. InboundMail\n" in shown
        assert "Waiting for listeners to exit...\n1 connection closed abruptly.\nInboundMail listener suspended\n" in shown
        assert "421" in idle.reply()
        assert "421" in busy.reply()
        with Client(port) as late:
            assert late.banner.startswith("421")
        assert "System status:        Receiving suspended" in console.type("status")
        assert "Receiving resumed." in console.type("resumelistener inboundmail")
        served.send("joe@example.com")
        shown = console.type("suspend", "5")
        assert "Receiving suspended.\n" in shown
        assert "Mail delivery suspended.\n" in shown
        assert "System status:        Offline" in console.type("status")
        assert "there is no Nowhere" in console.type("suspendlistener Nowhere").replace("There", "there")
        assert "Receiving resumed.\nMail delivery resumed.\n" in console.type("resume")
        assert "System status:        Online" in console.type("status")


def test_mail_put_off_is_tried_now(served: Served) -> None:
    one = served.gateway
    served.inside.feel("busy")
    served.send("joe@example.com", subject="later")
    one.wait_log("pending till")
    served.inside.feel("well")
    with Console(one.state) as console:
        assert "nothing waits for a retry to example.org" in console.type("delivernow", "1", "example.org")
        shown = console.type("delivernow", "1", "example.com")
        assert "Scheduling all messages to example.com for delivery.\n1 recipient will be tried now.\n" in shown
        one.wait_log("Message finished")
        assert "Scheduling all messages for delivery." in console.type("delivernow all")


def test_the_log_is_searched_and_followed(served: Served) -> None:
    one = served.gateway
    served.send("joe@example.com", subject="a needle")
    finished = one.wait_log("Message finished MID")
    mid = finished.split()[-2]
    with Console(one.state) as console:
        shown = console.type("grep -i -e NEEDLE mail_logs")
        assert re.search(rf"Info: MID {mid} Subject 'a needle'\n", shown)
        shown = console.type("grep", "1", "needle", "n", "", "", "")
        assert shown.count("Subject 'a needle'") == 1
        assert "is no regular expression" in console.type("grep ( mail_logs")
        assert "there is no log nolog" in console.type("grep x nolog")

        shown = console.type("findevent", "1", "ANN@client", "y", "1", "2", "")
        lines = [line.partition("Info: ")[2] for line in shown.splitlines() if "Info: " in line]
        for start in (
            "New SMTP ICID",
            f"MID {mid} ICID",
            "New SMTP DCID",
            "Delivery start DCID",
            f"Message finished MID {mid}",
        ):
            assert any(line.startswith(start) for line in lines), start
        assert f"Message finished MID {mid} done" in console.type(f"findevent -m {mid} mail_logs")
        assert f"MID {mid}  " in console.type("findevent -s needle")
        assert "No matching message IDs were found." in console.type("findevent -t nobody@nowhere")

        console._send("tail mail_logs")
        wait_for(lambda: _seen(console, f"Message finished MID {mid} done"), "the last lines are shown")
        served.send("joe@example.com", subject="while it is followed")
        wait_for(lambda: _seen(console, "Subject 'while it is followed'"), "new lines are shown")
        (one.state / "log" / "mail_logs").rename(one.state / "log" / "mail_logs.1")
        wait_for(lambda: one.log() or served.send("joe@example.com", subject="rotated"), "there is a new file", 20)
        wait_for(lambda: _seen(console, "Subject 'rotated'"), "the new file is followed")
        assert console.interrupt().endswith(HOST)
        assert "Subject 'a needle'" in console.type("grep needle mail_logs"), "the rotated file is searched too"
        console._send("tail mail_logs")
        assert console.end() == 1, "the end of the input ends it, and is no end in order"


def _seen(console: Console, text: str) -> bool:
    if text not in console.screen:
        console.screen += console._read()
    return text in console.screen


def test_a_message_is_traced_by_the_draft_and_by_what_is_committed(served: Served) -> None:
    one = served.gateway
    one.cli("config", "set", "listeners.InboundMail.default_domain", "example.org")
    answers = ("192.0.2.9", "client.example", "mail.client.example", "<>", "joe@example.com, ann@elsewhere.example, box")
    with Console(one.state) as console:
        console.type("trace", *answers, "y")
        console.paste("Subject: traced\n\nthe body\n")
        console.type("y", "n")
        shown = console.screen
        titles = ["Host Access Table:", "Processing MAIL FROM:", "Processing Recipient List:", "Message Processing:",
                  "Message Enqueued for Delivery to example.com:"]  # fmt: skip
        places = [shown.index(f"\n{title}\n- ") for title in titles]
        assert places == sorted(places)
        assert "Under the draft on revision 1, listener InboundMail" in shown
        assert "box@example.org" in shown
        assert "RCPT TO:<ann@elsewhere.example> is answered" in shown
        assert "Received: from client.example (mail.client.example [192.0.2.9])" in shown
        assert "\nSubject: traced\n\nthe body\n" in shown
        shown = console.type("trace committed", *answers, "n", "n")
        assert "Under revision 1" in shown
        assert "box@example.org" not in shown
        assert "`trace committed`" in console.type("trace nonsense")
    assert one.ask("status")["queue"]["messages"] == 0
