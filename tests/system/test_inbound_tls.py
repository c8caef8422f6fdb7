"""The five TLS settings of a mail flow policy on the wire, with every kind of client certificate, and what is kept of it."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from gatepost.tls.certificates import KeyPair
from tests.support.client import Client, insecure, session
from tests.support.dns_server import dns_thread
from tests.support.gateway import Gateway, gateway
from tests.support.process import free_port, run, wait_for
from tests.support.tls import authority, issued, pair

FIRST = "530 #5.7.0 Must issue a STARTTLS command first"
SENDER_FIRST = "530 #5.7.0 This sender must issue a STARTTLS command first"
SETTINGS = {
    "no": "",
    "preferred": "",
    "required": "",
    "preferred-verify": "",
    "required-verify": "",
    "named": 'tls = "required-verify"\ntls_peer_names = ["mx.partner.example", "mx2.partner.example"]',
    "senders": 'tls = "preferred"\ntls_mandatory_senders = "must_encrypt"',
    "quick": 'tls = "preferred"\ntls_profile = "old"',
}
SOURCES = {name: f"127.1.{number}" for number, name in enumerate(SETTINGS)}
DOCUMENT = """
[gateway]
hostname = "mx1.example.com"
dns_servers = ["{dns}"]
certificate_authorities = '''
{authority}'''

[tls_profiles.old]
methods = ["TLSv1.2"]

[address_lists.must_encrypt]
addresses = ["@bank.example", "@.clinic.example", "ceo@partner.example"]

[listeners.InboundMail]
address = "127.0.0.1"
port = {port}
certificates = ["mx", "alt"]
{groups}
[[listeners.InboundMail.recipients]]
match = "example.com"

[routes]
ALL = ["/dev/null"]
"""
GROUP = """
[listeners.InboundMail.policies.{name}]
{fields}
[[listeners.InboundMail.sender_groups]]
name = "{name}"
senders = ["{source}."]
policy = "{name}"
"""
CERTIFICATES = {
    "none": lambda: None,
    "good": lambda: issued("mx.partner.example"),
    "second name": lambda: issued("a.partner.example", "mx2.partner.example"),
    "wrong name": lambda: issued("mx.other.example"),
    "expired": lambda: issued("mx.partner.example", first=-30, last=-1),
    "not yet valid": lambda: issued("mx.partner.example", first=5),
    "self-signed": lambda: pair("mx.partner.example"),
    "other authority": lambda: issued("mx.partner.example", ca="Other CA"),
}
BAD = {
    "expired": "certificate has expired",
    "not yet valid": "certificate is not yet valid",
    "self-signed": "self-signed certificate",
    "other authority": "unable to get local issuer certificate",
}


@dataclass
class Served:
    gateway: Gateway
    port: int
    directory: Path
    server: dict[str, KeyPair]

    def file(self, name: str, pair: KeyPair) -> Path:
        """Write a certificate with its key."""
        file = self.directory / f"{name}.pem"
        file.write_text(pair.certificate + pair.private_key)
        return file

    def context(self, certificate: str, **options: object) -> ssl.SSLContext:
        """Return a client's context that shows a certificate of the list."""
        context = insecure(**options)
        if (shown := made(certificate)) is not None:
            context.load_cert_chain(self.file(certificate, shown))
        return context


@cache
def made(certificate: str) -> KeyPair | None:
    return CERTIFICATES[certificate]()


def source(setting: str, number: int) -> str:
    return f"{SOURCES[setting]}.{number}"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    port = free_port()
    directory = tmp_path_factory.mktemp("inbound-tls")
    groups = "".join(
        GROUP.format(name=name, fields=fields or f'tls = "{name}"', source=SOURCES[name])
        for name, fields in SETTINGS.items()
    )
    with dns_thread() as dns, gateway(directory, start=False) as one:
        served = Served(one, port, directory, {"mx": issued("mx1.example.com"), "alt": issued("alt.example.com")})
        for name, each in served.server.items():
            one.cli("cert", "import", name, str(served.file(name, each)))
        trusted = authority().cert_pem.bytes().decode()
        one.configure(DOCUMENT.format(dns=dns.address, port=port, authority=trusted, groups=groups))
        one.start()
        yield served
        assert "Internal error" not in one.log()


def record(served: Served, source: str) -> dict[str, Any]:
    """Wait for the one record of a connection that came from `source`."""
    one = served.gateway
    rows = wait_for(
        lambda: [row for row in one.json("track", "tls", "--peer", source) if row["peer"] == source], "the record"
    )
    assert len(rows) == 1
    return rows[0]  # type: ignore[no-any-return]


def icid(served: Served, source: str) -> str:
    return served.gateway.wait_log(f" address {source} ").split(" ICID ")[1].split()[0]


# --- what is offered and demanded --------------------------------------------------------------------------------------


def test_no_offers_nothing(served: Served) -> None:
    address = source("no", 1)
    with session(served.port, source=address) as client:
        assert "STARTTLS" not in client.ehlo()
        assert client.say("STARTTLS") == "500 #5.5.1 command not recognized"
        assert client.send_text().startswith("250")
    kept = record(served, address)
    assert kept["requirement"] == "no"
    assert "outcome" not in kept
    assert kept["messages"] == 1


def test_preferred_offers_and_leaves_the_choice(served: Served) -> None:
    with session(served.port, source=source("preferred", 1)) as client:
        assert "STARTTLS" in client.ehlo()
        assert client.send_text().startswith("250")
    address = source("preferred", 2)
    with session(served.port, tls=True, source=address) as client:
        assert client.send_text().startswith("250")
    served.gateway.wait_log(f"ICID {icid(served, address)} TLS success protocol TLSv1.3 cipher TLS_AES_256_GCM_SHA384")
    kept = record(served, address)
    assert kept["outcome"]["protocol"] == "TLSv1.3"
    assert kept["outcome"]["suite"] == "TLS_AES_256_GCM_SHA384"
    assert kept["rule"] == "preferred: 127.1.1."
    assert kept["requirement_source"] == "policy preferred of listener InboundMail"
    assert "TLS_CHACHA20_POLY1305_SHA256" in kept["offer"]["suites"]
    assert kept["allowance"]["versions"] == ["TLSv1.3", "TLSv1.2"]


@pytest.mark.parametrize("setting", ["required", "required-verify"])
def test_required_refuses_all_but_four_commands(served: Served, setting: str) -> None:
    address = source(setting, 1)
    refused = ["HELO client", "MAIL FROM:<a@b.example>", "RCPT TO:<box@example.com>", "DATA", "RSET", "HELP", "VRFY x"]
    with Client(served.port, address) as client:
        for command in [*refused, "EXPN x", "AUTH PLAIN", "BOGUS"]:
            assert client.say(command) == FIRST, command
        client.send(b"BDAT 6 LAST\r\nQUIT\r\n")
        assert client.reply() == FIRST
        assert client.say("NOOP").startswith("250")
        assert "STARTTLS" in client.ehlo()
        assert client.send_text() == FIRST
        assert client.say("QUIT").startswith("221")
    number = icid(served, address)
    served.gateway.wait_log(f"ICID {number} TLS was required but remote host did not initiate it")
    served.gateway.wait_log(f"ICID {number} close")
    kept = record(served, address)
    assert kept["requirement"] == setting
    assert "outcome" not in kept
    assert "has not started TLS" in kept["failure"]


def test_required_over_tls(served: Served) -> None:
    address = source("required", 2)
    with session(served.port, source=address) as client:
        assert client.say("MAIL FROM:<a@client.example>") == FIRST
        client.start_tls()
        assert client.say("HELO client").startswith("250")
        assert client.send_text().startswith("250")
        client.say("QUIT")
    number = icid(served, address)
    served.gateway.wait_log(f"ICID {number} close")
    assert f"ICID {number} TLS was required" not in served.gateway.log()


def test_listed_senders_must_encrypt(served: Served) -> None:
    address = source("senders", 1)
    with session(served.port, source=address) as client:
        for sender in (
            "x@bank.example",
            "X@BANK.example.",
            "y@eye.clinic.example",
            "ceo@partner.example",
            '"ceo"@partner.example',
        ):
            assert client.say(f"MAIL FROM:<{sender}>") == SENDER_FIRST, sender
            client.say("RSET")
        for sender in ("", "x@sub.bank.example", "x@clinic.example", "cfo@partner.example", "bank.example@x.example"):
            assert client.say(f"MAIL FROM:<{sender}>").startswith("250"), sender
            client.say("RSET")
        client.start_tls()
        client.ehlo()
        assert client.say("MAIL FROM:<x@bank.example>").startswith("250"), "it may come again, encrypted"
    served.gateway.wait_log(f"ICID {icid(served, address)} command 'MAIL FROM:<x@bank.example>' refused: {SENDER_FIRST}")


# --- client certificates -----------------------------------------------------------------------------------------------


def refusal(setting: str, certificate: str) -> str:
    """What the verdict must say; empty where the client is let in."""
    if "verify" not in setting and setting != "named":
        return ""
    if certificate == "none":
        return "" if setting == "preferred-verify" else "the client showed no certificate; required-verify wants one"
    if certificate in BAD:
        return f"certificate of the client is not valid: {BAD[certificate]}"
    if setting == "named" and certificate == "wrong name":
        wants = "required-verify wants mx.partner.example or mx2.partner.example"
        return f"certificate of the client is for mx.other.example; {wants}"
    return ""


MATRIX = [
    (setting, number, certificate)
    for setting in ("preferred", "required", "preferred-verify", "required-verify", "named")
    for number, certificate in enumerate(CERTIFICATES, 10)
]


@pytest.mark.parametrize(("setting", "number", "certificate"), MATRIX)
def test_client_certificate(served: Served, setting: str, number: int, certificate: str) -> None:
    address = source(setting, number)
    why = refusal(setting, certificate)
    with session(served.port, source=address) as client:
        client.start_tls(served.context(certificate))
        if why:
            answer = client.reply()
            assert answer.startswith(f"554 #5.7.5 {why}")
            assert client.is_closed
        else:
            client.ehlo()
            assert client.send_text().startswith("250")
            client.say("QUIT")


def test_the_records_say_what_was_shown_and_what_came_of_it(served: Served) -> None:
    """One look at records and log for all of the matrix."""
    wanted = {source(setting, number): (setting, certificate) for setting, number, certificate in MATRIX}

    def kept() -> dict[str, Any]:
        rows = served.gateway.json("track", "tls", "--limit", "1000")
        found = {row["peer"]: row for row in rows if row["peer"] in wanted}
        return found if len(found) == len(wanted) else {}

    rows = wait_for(kept, "all records")
    for address, (setting, certificate) in wanted.items():
        row, why = rows[address], refusal(setting, certificate)
        asked = "verify" in row["requirement"]
        shown = row["outcome"].get("peer")
        assert bool(shown) == (asked and certificate != "none"), (setting, certificate)
        if shown:
            assert shown["dns_names"]
        assert row.get("verified", False) == (asked and certificate != "none" and not why)
        assert row.get("failure", "").startswith(why)
        assert bool(row.get("failure")) == bool(why)
        assert row["verdict"]
        assert row.get("messages", 0) == (0 if why else 1)
        served.gateway.wait_log(f"ICID {row['connection']} TLS success protocol TLSv1.3")
        failed = f"ICID {row['connection']} TLS failed: {why}" in served.gateway.log()
        assert failed == bool(why)


@pytest.mark.parametrize("certificate", ["none", "good", "expired"])
def test_it_is_the_same_in_tls_1_2(served: Served, certificate: str) -> None:
    context = served.context(certificate, maximum_version=ssl.TLSVersion.TLSv1_2)
    with session(served.port, source=source("required-verify", 30)) as client:
        client.start_tls(context)
        why = refusal("required-verify", certificate)
        if why:
            assert client.reply().startswith(f"554 #5.7.5 {why}")
        else:
            client.ehlo()
            assert client.send_text().startswith("250")


# --- our own certificates ----------------------------------------------------------------------------------------------


def shown(served: Served, server_name: str | None = None, number: int = 40) -> str:
    """Return the certificate that we show, as PEM."""
    with session(served.port, source=source("preferred", number)) as client:
        octets = client.start_tls(server_name=server_name).getpeercert(binary_form=True)
        assert octets is not None
        client.say("QUIT")
        return ssl.DER_cert_to_PEM_cert(octets)


def own(pair: KeyPair) -> str:
    """Return the first certificate of a chain."""
    return re.findall(r"-----BEGIN.*?-----END CERTIFICATE-----\n", pair.certificate, re.DOTALL)[0]  # type: ignore[no-any-return]


def normal(pem: str) -> bytes:
    return ssl.PEM_cert_to_DER_cert(pem)


def test_the_name_asked_for_chooses_the_certificate(served: Served) -> None:
    for asked, name in (
        (None, "mx"),
        ("mx1.example.com", "mx"),
        ("alt.example.com", "alt"),
        ("ALT.Example.COM", "alt"),
        ("x", "mx"),
    ):
        assert normal(shown(served, asked)) == normal(own(served.server[name])), asked


def test_nothing_is_ever_resumed(served: Served) -> None:
    """No ticket is handed out, and what a client keeps of a session is worth nothing, on any policy."""
    for version in (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2):
        context = insecure(maximum_version=version)
        with session(served.port, source=source("preferred", 50)) as client:
            first = client.start_tls(context)
            client.ehlo()
            kept = first.session
            assert not kept.has_ticket
        for name in ("preferred", "required-verify", "quick"):
            with session(served.port, source=source(name, 51)) as client:
                assert client.say("STARTTLS").startswith("220")
                client.socket = again = context.wrap_socket(client.socket, session=kept)
                assert not again.session_reused
                assert client.say("EHLO again")[:3] == ("554" if name == "required-verify" else "250")


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_openssl_cannot_resume_either(served: Served, version: str) -> None:
    done = run("openssl", "s_client", "-connect", f"127.0.0.1:{served.port}", "-bind", source("preferred", 52),
               "-starttls", "smtp", "-reconnect", version, input="")  # fmt: skip
    said = done.stdout + done.stderr
    assert said.count("New, TLSv1") >= 2, said
    assert "Reused" not in said


def test_a_renewed_certificate_is_for_the_next_session(served: Served) -> None:
    """Last, for it changes the configuration: sessions that are open go on, in TLS and on their way to it."""
    one = served.gateway
    renewed = issued("mx1.example.com", last=60)
    assert one.json("config", "log")[0]["number"] == 1
    with (
        session(served.port, tls=True, source=source("preferred", 60)) as encrypted,
        session(served.port, source=source("preferred", 61)) as before,
    ):
        one.cli("cert", "import", "mx", str(served.file("renewed", renewed)))
        assert normal(shown(served, number=62)) == normal(own(served.server["mx"])), "a draft is not live"
        one.cli("config", "commit", "-m", "renew")
        assert normal(shown(served, number=63)) == normal(own(renewed))
        assert normal(shown(served, "alt.example.com", number=64)) == normal(own(served.server["alt"]))
        assert encrypted.send_text().startswith("250")
        octets = before.start_tls().getpeercert(binary_form=True)
        assert octets == normal(own(served.server["mx"])), "it keeps the configuration that it began with"
        before.ehlo()
        assert before.send_text().startswith("250")
    assert record(served, source("preferred", 60))["revision"] == 1
    assert record(served, source("preferred", 63))["revision"] == 2
