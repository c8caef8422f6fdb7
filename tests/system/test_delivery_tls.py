"""Delivery to a real Postfix under required-verify: the right name goes; the rest is refused, told, and tried again."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import trustme

from tests.support.gateway import Gateway, gateway
from tests.support.postfix import Postfix, postfix
from tests.support.process import free_port, run, wait_for

DOCUMENT = """
[gateway]
hostname = "mx1.example.com"
certificate_authorities = '''
{authority}'''

[listeners.InboundMail]
address = "127.0.0.1"
port = {port}

[[listeners.InboundMail.recipients]]
match = "partner.example"

[destinations."partner.example"]
tls = "required-verify"

[routes]
"partner.example" = ["127.0.0.1:{partner}"]
"""


def chain(directory: Path, name: str, issued: trustme.LeafCert) -> str:
    """Write a key and chain file as Postfix wants it and return its path."""
    file = directory / f"{name}.pem"
    file.write_bytes(issued.private_key_and_cert_chain_pem.bytes())
    file.chmod(0o644)
    return str(file)


def send(one_port: int, number: int) -> None:
    done = run(
        "swaks", "--server", f"127.0.0.1:{one_port}", "--from", "a@example.com", "--to", f"box{number}@partner.example"
    )
    assert done.returncode == 0, done.stdout


def show(partner: Postfix, file: str) -> None:
    partner.set(smtpd_tls_chain_files=file, smtpd_tls_security_level="may")


def last_out(one: Gateway) -> dict[str, Any]:
    """Return the record of the last delivery connection; nothing while there is none."""
    rows = [row for row in one.json("track", "tls") if row["direction"] == "out"]
    return max(rows, key=lambda row: row["connection"], default={})


def test_required_verify(tmp_path: Path) -> None:
    authority, stranger = trustme.CA(), trustme.CA()
    past = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=2)
    good = chain(tmp_path, "good", authority.issue_cert("partner.example", "mx.partner.example"))
    bad = {
        "wrong": (chain(tmp_path, "wrong", authority.issue_cert("other.example")), "is for other.example"),
        "stranger": (chain(tmp_path, "stranger", stranger.issue_cert("partner.example")), "unable to get local issuer"),
        "expired": (
            chain(tmp_path, "expired", authority.issue_cert("partner.example", not_after=past)),
            "certificate has expired",
        ),
        "self": (self_signed(tmp_path), "self-signed certificate"),
    }
    port = free_port()
    with postfix(hostname="mx.partner.example", domains="partner.example") as partner:
        document = DOCUMENT.format(authority=authority.cert_pem.bytes().decode(), port=port, partner=partner.port)
        with gateway(tmp_path, document) as one:
            show(partner, good)
            send(port, 0)
            one.wait_log("Message finished MID")
            assert "TLS success protocol TLSv1.3" in one.wait_log("for partner.example")
            record = wait_for(lambda: [row for row in one.json("track", "tls") if row["direction"] == "out"], "record")[0]
            assert record["verified"]
            assert record["requirement"] == "required-verify"
            assert len(partner.messages()) == 1

            for number, (name, (file, why)) in enumerate(bad.items(), 1):
                show(partner, file)
                send(port, number)
                one.cli("queue", "deliver-now")  # a destination that failed a moment ago is otherwise left alone for a while
                line = one.wait_log(why)
                assert "TLS failed" in line, name
                one.wait_log("TLS was required but could not be successfully negotiated")
                wait_for(lambda why=why: why in str(last_out(one).get("failure")), f"{name}: the record says why")
                assert len(partner.messages()) == 1, f"{name}: nothing was delivered"
            assert "Delayed: DCID" in one.log()
            assert one.json("status")["queue"]["recipients"] == len(bad)

            show(partner, good)
            one.cli("queue", "deliver-now")
            wait_for(lambda: len(partner.messages()) == 1 + len(bad), "what was refused is tried again and goes")
            wait_for(lambda: one.json("status")["queue"]["recipients"] == 0, "the queue is empty")


def self_signed(directory: Path) -> str:
    file = directory / "self.pem"
    done = run(
        "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=partner.example",
        "-addext", "subjectAltName=DNS:partner.example", "-keyout", str(file), "-out", str(directory / "self.crt"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    file.write_text(file.read_text() + (directory / "self.crt").read_text())
    file.chmod(0o644)
    return str(file)
