"""One partner that only speaks TLS 1.0 is served, everybody else is refused it: docs/old-partner.md, played with openssl."""

from __future__ import annotations

import shlex
import subprocess
import threading
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.gateway import Gateway, gateway
from tests.support.judge import Sink
from tests.support.process import free_port, wait_for

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "old-partner.toml"
PARTNER, STRANGER = "127.0.0.2", "127.0.0.1"
TLS1 = ("-tls1", "-cipher", "ALL:@SECLEVEL=0")
# In lower case: a line that begins with R or Q would be for openssl itself.
MESSAGE = ("ehlo old.example", "mail from:<a@old.example>", "rcpt to:<box@example.com>", "data", "Subject: old\n\nbody\n.")

ORDINARY = """\
[gateway]
hostname = "mx1.example.com"
[listeners.InboundMail]
port = 2525
certificates = ["mx"]
default_policy = { tls = "preferred" }
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, int, Sink]]:
    directory, port = tmp_path_factory.mktemp("old"), free_port()
    with Sink() as sink, gateway(directory, start=False) as one:
        one.cli("cert", "self-signed", "mx", "--hostname", "mx1.example.com")
        one.cli("cert", "self-signed", "mx-rsa", "--hostname", "mx1.example.com", "--type", "rsa")
        text = EXAMPLE.read_text()
        one.configure(text.replace("port = 2525", f"port = {port}").replace("127.0.0.1:2526", f"127.0.0.1:{sink.port}"))
        one.start()
        yield one, port, sink


def command(port: int, source: str, *options: str) -> list[str]:
    """Return an `openssl s_client` that connects from an address."""
    connect = ["-starttls", "smtp", "-crlf", "-connect", f"127.0.0.1:{port}", "-bind", source]
    return ["openssl", "s_client", *connect, *options]


def s_client(port: int, source: str, *options: str) -> str:
    """Do a handshake and leave; returns all that openssl printed."""
    done = subprocess.run(command(port, source, *options), input="quit\n", capture_output=True, text=True, timeout=60)
    return done.stdout + done.stderr


def send(port: int, source: str, *options: str) -> list[str]:
    """Send a message through openssl, a command at a time; returns the replies."""
    with subprocess.Popen(
        [
            *command(port, source, "-quiet", *options),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        replies = []
        watchdog = threading.Timer(60, client.kill)
        watchdog.start()
        for text in (*MESSAGE, "quit"):
            client.stdin.write(f"{text}\n")
            client.stdin.flush()
            replies.append(next(line for line in client.stdout if line[3:4] == " "))
        client.stdin.close()
        client.wait(30)
        watchdog.cancel()
    return replies


def latest(one: Gateway, peer: str) -> dict[str, Any]:
    """Return the record of a peer's last connection."""
    return one.json("track", "tls", "--peer", peer, "--limit", "1")[0]


def test_the_partner_is_served_tls_1_0_and_its_mail_arrives(served: tuple[Gateway, int, Sink]) -> None:
    one, port, sink = served
    before = len(sink.taken)
    replies = send(port, PARTNER, *TLS1)
    assert [reply[:3] for reply in replies] == ["250", "250", "250", "354", "250", "221"]
    one.wait_log("TLS success protocol TLSv1.0 cipher ECDHE-ECDSA-AES256-SHA")
    one.wait_log("ACCEPT SG OLD_PARTNER match 127.0.0.2")
    one.wait_log("Message done DCID")
    assert len(sink.taken) == before + 1


def test_a_partner_that_reads_no_ecdsa_gets_the_rsa_certificate(served: tuple[Gateway, int, Sink]) -> None:
    one, port, _ = served
    told = s_client(port, PARTNER, "-tls1", "-cipher", "AES128-SHA:@SECLEVEL=0")
    assert "Server public key is 2048 bit" in told
    one.wait_log("TLS success protocol TLSv1.0 cipher AES128-SHA")


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
def test_everybody_else_is_refused_it(served: tuple[Gateway, int, Sink], version: str) -> None:
    one, port, _ = served
    told = s_client(port, STRANGER, version, "-cipher", "ALL:@SECLEVEL=0")
    assert "alert protocol version" in told
    name = {"-tls1": "TLSv1.0", "-tls1_1": "TLSv1.1 or older"}[version]
    one.wait_log(f"TLS failed: peer offers only {name}; profile inbound allows TLSv1.2, TLSv1.3")


def test_everybody_else_is_served_what_is_current(served: tuple[Gateway, int, Sink]) -> None:
    one, port, _ = served
    assert "New, TLSv1.3" in s_client(port, STRANGER)
    one.wait_log("ACCEPT SG None match ALL")


def test_the_partner_gets_tls_1_3_on_the_day_that_it_can(served: tuple[Gateway, int, Sink]) -> None:
    _, port, _ = served
    assert "New, TLSv1.3" in s_client(port, PARTNER)


def test_the_partner_may_not_send_in_the_clear(served: tuple[Gateway, int, Sink]) -> None:
    one, _, _ = served
    told = one.cli("explain", "in", PARTNER).stdout
    assert "every command but EHLO, NOOP, QUIT and STARTTLS" in told


@pytest.mark.parametrize(("source", "policy"), [(PARTNER, "OLD_PARTNER"), (STRANGER, "ACCEPT")])
def test_explain_says_what_the_record_then_has(served: tuple[Gateway, int, Sink], source: str, policy: str) -> None:
    one, port, _ = served
    wait_for(lambda: on_record(one, source) == sessions(one, source), "what was before is on record")
    count = on_record(one, source)
    s_client(port, source, *TLS1)
    wait_for(lambda: on_record(one, source) > count, "the session is on record")
    record = latest(one, source)
    for offer in (("--offer", "openssl-tls1.0"), ("--icid", str(record["connection"]))):
        told = one.json("explain", "in", source, *offer)
        (said,) = told["negotiations"]
        assert told["policy"] == record["policy"] == policy
        assert f"{told['group'] or 'ALL'}: {told['entry']}" == record["rule"]
        if policy == "OLD_PARTNER":
            outcome = record["outcome"]
            assert (outcome["protocol"], outcome["suite"], outcome["group"]) == (
                said["version"],
                said["suite"],
                said["group"],
            )
        else:
            assert said["reason"] == record["failure"] == "peer offers only TLSv1.0; profile inbound allows TLSv1.2, TLSv1.3"


def on_record(one: Gateway, source: str) -> int:
    return len(one.json("track", "tls", "--peer", source, "--limit", "1000"))


def sessions(one: Gateway, source: str) -> int:
    return one.log().count(f" address {source} ")


def test_the_pages_commands_come_to_the_same(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "old-partner.md").read_text()
    lines = [line for line in page.splitlines() if line.startswith(("gatepost cert self-signed", "gatepost config set"))]
    with gateway(tmp_path, start=False) as one:
        one.cli("cert", "self-signed", "mx", "--hostname", "mx1.example.com")
        one.configure(ORDINARY)
        for line in lines:
            one.cli(*shlex.split(line)[1:])
        told = one.json("explain", "in", "198.51.100.7", "--offer", "openssl-tls1.0", "--draft")
        other = one.json("explain", "in", "203.0.113.9", "--offer", "openssl-tls1.0", "--draft")
    assert (told["policy"], told["tls"], told["negotiations"][0]["version"]) == ("OLD_PARTNER", "required", "TLSv1.0")
    assert other["policy"] == "ACCEPT"
    assert other["negotiations"][0]["reason"] == "peer offers only TLSv1.0; profile inbound allows TLSv1.2, TLSv1.3"


def test_the_page_and_the_example_say_the_same() -> None:
    page = (ROOT / "docs" / "old-partner.md").read_text()
    blocks = [block.partition("```")[0] for block in page.split("```toml\n")[1:]]
    shown, example = tomllib.loads(blocks[0]), tomllib.loads(EXAMPLE.read_text())
    assert shown["tls_profiles"] == example["tls_profiles"]
    for name in ("policies", "sender_groups"):
        assert shown["listeners"]["InboundMail"][name] == example["listeners"]["InboundMail"][name]
