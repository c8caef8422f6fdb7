"""Add Partner in a real browser: from a domain's name to TLS as a must on the wire."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from gatepost.tls.making import Subject, self_signed
from tests.support.client import session
from tests.support.dns_server import DnsServer, dns_thread
from tests.support.documents import relay
from tests.support.judge import Sink
from tests.support.process import free_port
from tests.support.web import served, sign_in, window

MUST = "530 #5.7.0 Must issue a STARTTLS command first"


@pytest.fixture
def dns() -> Iterator[DnsServer]:
    with dns_thread() as server:
        server.add("partner.example", "MX", "10 mx.partner.example.")
        server.add("mx.partner.example", "A", "127.0.0.1")
        server.add("partner.example", "TXT", '"v=spf1 ip4:127.0.0.2 -all"')
        yield server


def first_answer(port: int, source: str) -> str:
    with session(port, source=source) as client:
        return client.say("MAIL FROM:<somebody@partner.example>")


def test_a_partner_is_added_and_must_encrypt_from_then_on(tmp_path: Path, chromium: Browser, dns: DnsServer) -> None:
    port = free_port()
    with Sink() as sink:
        document = relay(port, sink.port, gateway=f'dns_servers = ["{dns.address}"]', more='certificates = ["mx"]')
        made = self_signed(Subject(names=("mx1.example.com",)))
        key, chain = made.private_key, made.certificate
        document += f'[certificates.mx]\ncertificate = """{chain}"""\nprivate_key = """{key}"""\n'
        with served(tmp_path, document) as one, window(chromium, one.url) as page:
            assert first_answer(port, "127.0.0.2").startswith("250")
            sign_in(page)
            page.get_by_role("link", name="Add Partner").click()
            page.get_by_label("Partner's domain").fill("partner.example")
            page.get_by_role("button", name="Look up").click()
            assert page.get_by_text("No new listener is needed").is_visible()
            assert page.get_by_role("row", name="127.0.0.2").is_visible()
            page.get_by_role("button", name="Put it into the draft").click()
            assert page.get_by_role("heading", name="Commit Changes").is_visible()
            assert first_answer(port, "127.0.0.2").startswith("250"), "nothing is live before the commit"
            page.get_by_label("Comment").fill("TLS with partner.example")
            page.get_by_role("button", name="Commit Changes").click()
            assert page.get_by_text("Changes committed").is_visible()
            assert first_answer(port, "127.0.0.2") == MUST
            assert first_answer(port, "127.0.0.1").startswith("250"), "and for nobody else"
