"""Limiting the inbound ciphers at the console, as the model's dialogue has it, and what clients get before and after."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gatepost.admin.operations import certificates
from gatepost.admin.operations.operator import Operator
from tests.support.console import Console
from tests.support.documents import relay
from tests.support.gateway import Gateway, gateway
from tests.support.process import free_port, run

DISCARD = 9
LISTENER = """
certificates = ["mx"]
"""
LIST = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM"
SETTINGS = """
sslconfig settings:
  GUI HTTPS method:  tlsv1_2tlsv1_3
  GUI HTTPS ciphers: ECDHE+AESGCM:ECDHE+CHACHA20
  Inbound SMTP method:  tlsv1_2tlsv1_3
  Inbound SMTP ciphers: {ciphers}
  Outbound SMTP method:  tlsv1_2tlsv1_3
  Outbound SMTP ciphers: ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM

Choose the operation you want to perform:
- GUI - Edit GUI HTTPS ssl settings.
- INBOUND - Edit inbound SMTP ssl settings.
- OUTBOUND - Edit outbound SMTP ssl settings.
- VERIFY - Verify and show ssl cipher list.
[]> """
DIALOGUE = (
    "sslconfig\n"
    + SETTINGS.format(ciphers=LIST)
    + """inbound

Enter the inbound SMTP ssl method you want to use.
1. TLS v1.0
2. TLS v1.1
3. TLS v1.2
4. TLS v1.3
[3-4]> \n
Enter the inbound SMTP ssl cipher you want to use.
[ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM]> RC4-SHA:RC4-MD5
"""
)
GONE = re.compile(
    r"(RC4-SHA|RC4-MD5): RC4 is prohibited in TLS by RFC 7465 \(2015\), .*; nearest: .*ECDHE-RSA-AES128-GCM-SHA256\."
)


@dataclass(frozen=True)
class Served:
    gateway: Gateway
    port: int

    def handshake(self, *options: str) -> str:
        """Return the suite that `openssl s_client` gets, or an empty text where the handshake fails."""
        address = f"127.0.0.1:{self.port}"
        done = run("openssl", "s_client", "-connect", address, "-starttls", "smtp", *options, input="QUIT\r\n")
        assert "CONNECTED" in done.stdout, done.stdout + done.stderr
        found = re.search(r"^New, TLSv1\.[0-3], Cipher is (\S+)$", done.stdout, re.MULTILINE)
        assert found or "handshake failure" in done.stderr or "protocol version" in done.stderr, done.stdout + done.stderr
        return found[1] if found else ""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    port = free_port()
    with gateway(tmp_path, start=False) as one:
        certificates.make_self_signed(Operator(one.state, "test"), "mx", hostnames=["mx1.example.com"])
        one.configure(relay(port, DISCARD, more=LISTENER, policy='tls = "preferred"'))
        one.start()
        yield Served(one, port)


def test_the_dialogue_of_the_model_and_what_clients_get(served: Served) -> None:
    chacha = ("-tls1_2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305")
    both = ("-tls1_2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256")
    assert served.handshake(*chacha) == "ECDHE-ECDSA-CHACHA20-POLY1305"
    with Console(served.gateway.state, author="ann") as console:
        seen = console.type("sslconfig", "inbound", "", "RC4-SHA:RC4-MD5")
        assert seen.startswith(DIALOGUE), seen
        answers = seen.removeprefix(DIALOGUE).splitlines()
        assert [GONE.fullmatch(answer)[1] for answer in answers[:2]] == ["RC4-SHA", "RC4-MD5"]  # type: ignore[index]
        assert answers[2:] == [
            "The string matches no cipher of TLSv1.2.",
            "The old value is kept.",
            f"[{LIST}]> ",
        ]
        seen = console.type("ECDHE+AESGCM", "", "", "")
        assert "\nNothing is live before `commit`.\n" + SETTINGS.format(ciphers="ECDHE+AESGCM") in seen
        assert console.type("").endswith("\n\nmx1.example.com> ")
        assert served.handshake(*chacha) == "ECDHE-ECDSA-CHACHA20-POLY1305", "nothing is live before the commit"
        seen = console.type("commit", "Limit the inbound ciphers")
        assert re.search(r"\nChanges committed: \w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4} UTC\n", seen), seen
    assert served.handshake(*chacha) == ""
    served.gateway.wait_log("TLS failed: no suite in common for TLSv1.2: peer offers")
    assert served.handshake(*both) == "ECDHE-ECDSA-AES128-GCM-SHA256"
    assert served.handshake("-tls1_3") == "TLS_AES_256_GCM_SHA384", "no cipher string touches TLS 1.3"


def test_methods_suites_and_order_are_live_after_the_commit(served: Served) -> None:
    mine = ("-tls1_3", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256")
    assert served.handshake(*mine) == "TLS_CHACHA20_POLY1305_SHA256"
    assert served.handshake("-tls1_2") != ""
    suites = "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256"
    with Console(served.gateway.state) as console:
        console.type("sslconfig", "inbound", "4", suites, "", "1", "", "commit", "TLS 1.3 only")
        assert served.handshake(*mine) == "TLS_AES_128_GCM_SHA256", "our order"
        assert served.handshake("-tls1_2") == ""
        console.type("sslconfig", "inbound", "", "", "", "2", "", "commit", "Their order")
    assert served.handshake(*mine) == "TLS_CHACHA20_POLY1305_SHA256", "the client's order"


def test_what_cannot_be_taken_says_why_and_what_can_is_live(served: Served) -> None:
    refusals = {
        "RC4-SHA:RC4-MD5": "The string matches no cipher of TLSv1.2.",
        "ECDHE+aRSA": "The string leaves certificate mx (EC P-256) without a suite in TLSv1.2; "
        "its suites are for RSA certificates: add some for ECDSA, such as ECDHE+aECDSA.",
        "ECHDE+AESGCM": "ECHDE+AESGCM: OpenSSL knows no ECHDE; nearest: ECDHE+AESGCM",
    }
    with Console(served.gateway.state) as console:
        seen = console.type("sslconfig", "inbound", "1,3")
        assert "\nTLS 1.0 and 1.2 without 1.1 cannot be had: " in seen
        assert seen.endswith("\n[3-4]> ")
        console.type("")
        for string, reason in refusals.items():
            seen = console.type(string)
            assert reason in seen, seen
            assert seen.endswith(f"\nThe old value is kept.\n[{LIST}]> "), seen
        seen = console.type("RC4-SHA:RC4-MD5:ALL")
        assert "\nWarning: 2 of its 3 words match nothing: RC4-SHA, RC4-MD5.\n" in seen
        assert sum(bool(GONE.fullmatch(line)) for line in seen.splitlines()) == 2
        before = served.handshake("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA")
        seen = console.type("", "", "", "", "commit", "Take what there is")
        assert "Changes committed: " in seen
    assert before == ""
    assert served.handshake("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA") == "ECDHE-ECDSA-AES128-SHA"
    revision = served.gateway.json("config", "log")[0]
    assert revision["comment"] == "Take what there is"


def test_verify_foretells_what_a_real_client_gets(served: Served) -> None:
    string = "ECDHE+CHACHA20:ECDHE+AESGCM"
    with Console(served.gateway.state) as console:
        seen = console.type("sslconfig", "verify", string, "n")
        foretold = re.search(r"\nopenssl-tls1\.2 +TLSv1\.2 .*\n +(\S+)", seen)
        assert foretold, seen
        console.type("inbound", "", string, "", "", "", "", "commit", "As verified")
    assert foretold[1] == "ECDHE-ECDSA-CHACHA20-POLY1305"
    assert served.handshake("-tls1_2") == foretold[1]
