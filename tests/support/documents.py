"""Configuration documents for system tests."""

from __future__ import annotations

from pathlib import Path

from gatepost.tls.making import Subject, self_signed

EXAMPLE = Path(__file__).parents[2] / "examples" / "partner-tls.toml"


def partner_example(port: int, inside: int) -> str:
    """Return examples/partner-tls.toml as it is shipped, on other ports."""
    text = EXAMPLE.read_text()
    assert "port = 2525" in text
    assert text.count("127.0.0.1:2526") == 2
    return text.replace("port = 2525", f"port = {port}").replace("127.0.0.1:2526", f"127.0.0.1:{inside}")


def relay(port: int, inside: int, *, more: str = "", policy: str = "", gateway: str = "") -> str:
    """A gateway without TLS that takes example.com and hands everything to one inside server."""
    return f"""
[gateway]
hostname = "mx1.example.com"
{gateway}

[listeners.InboundMail]
address = "127.0.0.1"
port = {port}
{more}

[listeners.InboundMail.default_policy]
{policy}

[[listeners.InboundMail.recipients]]
match = "example.com"

[routes]
ALL = ["127.0.0.1:{inside}"]
"""


def private_out(port: int) -> str:
    """A private listener that takes mail for everywhere, without limit; what does not go waits an hour."""
    return f"""
[listeners.Out]
type = "private"
address = "127.0.0.1"
port = {port}
sender_groups = [{{ name = "RELAYLIST", senders = ["127.0.0.1"], policy = "RELAY" }}]

[listeners.Out.default_policy]
max_messages_per_connection = -1
max_recipients_per_hour = -1

[bounce_profiles.Default]
initial_wait = 3600
max_wait = 3600
"""


def certificate(name: str, hostname: str) -> str:
    """Return a table of a self-signed certificate, just made, to be put into a document."""
    made = self_signed(Subject(names=(hostname,)), days=825)
    return f"[certificates.{name}]\ncertificate = '''\n{made.certificate}'''\nprivate_key = '''\n{made.private_key}'''\n"
