"""System Administration walked in a browser, each to the wire: ciphers judged while they are typed, a rollback, a token."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from gatepost.admin.operations import configuration, documents, tokens
from tests.support.client import insecure, session
from tests.support.documents import certificate, relay
from tests.support.judge import Sink
from tests.support.web import NARROW, Served, served, sign_in, window

STRING = "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256:RC4-SHA"
SUITES = ["ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-ECDSA-AES128-GCM-SHA256"]


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory, mail_port: int) -> Iterator[Served]:
    directory: Path = tmp_path_factory.mktemp("system")
    with Sink() as sink:
        document = relay(mail_port, sink.port, more='certificates = ["mx"]', policy='tls = "preferred"')
        with served(directory, document + certificate("mx", "mx1.example.com")) as one:
            yield one
            assert "bug at" not in one.gateway.output.read_text()


def negotiated(port: int) -> str:
    """Return the cipher that a client with TLS 1.2 and its library's whole list gets."""
    with session(port) as client:
        client.ehlo()
        shown = client.start_tls(insecure(maximum_version=ssl.TLSVersion.TLSv1_2)).cipher()
    assert shown is not None
    return shown[0]


def listed(page: Page) -> list[str]:
    """Return the suites of TLS 1.2 and older that the page lists."""
    table = page.locator("section", has=page.get_by_role("heading", name="Suites, in the order that counts"))
    names = [cell.split("\n")[0] for cell in table.locator("tbody th").all_inner_texts()]
    return [name for name in names if not name.startswith("TLS_")]


def test_a_cipher_string_is_judged_while_it_is_typed_and_holds_on_the_wire(
    console: Served, chromium: Browser, mail_port: int
) -> None:
    assert negotiated(mail_port) != SUITES[0]
    with window(chromium, console.url) as page:
        sign_in(page)
        page.get_by_role("navigation", name="Pages").get_by_role("link", name="SSL Configuration").click()
        page.get_by_role("link", name="inbound", exact=True).click()
        expect(page.locator("#preview")).to_contain_text("What clients on record would get")
        here = page.evaluate("performance.timeOrigin")
        box = page.get_by_label("Cipher string")
        box.fill("")
        box.press_sequentially(STRING)
        expect(page.locator("#preview [role=status]")).to_contain_text("1 of 3 words in the cipher string matches nothing")
        expect(page.locator("#preview")).to_contain_text("RC4 is prohibited in TLS by RFC 7465")
        assert listed(page) == SUITES
        expect(page.get_by_role("row", name="openssl-tls1.2")).to_contain_text(SUITES[0])  # foretold
        page.get_by_label("TLS v1.2").uncheck()  # any field, not the string alone
        expect(page.locator("#preview")).to_contain_text("peer offers only TLSv1.2")
        page.get_by_label("TLS v1.2").check()
        expect(page.get_by_role("row", name="openssl-tls1.2")).to_contain_text(SUITES[0])
        assert page.evaluate("performance.timeOrigin") == here  # no page was loaded
        expect(box).to_have_value(STRING)
        page.get_by_role("button", name="Submit").click()
        expect(page.get_by_role("status").first).to_have_text("inbound: submitted. It takes effect with Commit Changes.")
        page.goto("/commit")
        page.get_by_role("button", name="Commit Changes").click()
        expect(page.get_by_role("status")).to_have_text("Changes committed: revision 2 is in force.")
    assert negotiated(mail_port) == SUITES[0]  # as foretold


def test_the_same_without_script_on_a_narrow_window(console: Served, chromium: Browser) -> None:
    before = configuration.tag(console.operator)
    with window(chromium, console.url, width=NARROW, javascript=False) as page:
        sign_in(page)
        page.goto("/ssl/profile/inbound")
        page.get_by_label("Cipher string").fill("ECDHE+CHACHA20:NO-SUCH-THING")
        page.get_by_role("button", name="Show what it comes to").click()
        expect(page.locator("#preview [role=status]")).to_contain_text("1 of 2 words")
        expect(page.get_by_label("Cipher string")).to_have_value("ECDHE+CHACHA20:NO-SUCH-THING")
        assert listed(page) == ["ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305"]
        assert page.evaluate("document.documentElement.scrollWidth") <= NARROW
    assert configuration.tag(console.operator) == before


def test_a_token_is_made_copied_used_and_revoked_without_script(console: Served, chromium: Browser) -> None:
    with window(chromium, console.url, width=NARROW, javascript=False) as page:
        sign_in(page)
        page.get_by_role("navigation", name="Pages").get_by_role("link", name="API Tokens").click()
        page.get_by_role("link", name="Make Token").click()
        page.get_by_label("Name").fill("deploy")
        page.get_by_label("Role").select_option("operator")
        expect(page.get_by_label("Good for (days)")).to_have_value("90")
        page.get_by_label("Good for (days)").fill("7")
        page.get_by_role("button", name="Make").click()
        expect(page.get_by_role("status")).to_contain_text(
            "deploy: made, operator (acts on mail and reads messages), good until"
        )
        secret = page.get_by_label("Its secret").inner_text()
        page.get_by_label("Its secret").click()
        assert page.evaluate("getSelection().toString()").strip() == secret  # nothing is left out of what is copied
        assert page.evaluate("document.documentElement.scrollWidth") <= NARROW
        assert page.url == f"{console.url}/tokens/new"
        with console.http() as program:
            program.headers["Authorization"] = f"Bearer {secret}"
            [command] = page.locator("pre", has_text="curl").all_inner_texts()
            assert program.get(command.split()[-1]).json()["revision"] >= 1
            page.get_by_role("link", name="back to API Tokens").click()
            expect(page.get_by_role("row", name="deploy")).to_contain_text("6 days left")
            page.get_by_role("button", name="Revoke deploy").click()
            expect(page.get_by_role("heading", level=1)).to_have_text("Revoke deploy")
            page.get_by_role("link", name="Do nothing").click()
            assert program.get("/api/v1/status").status_code == 200
            page.get_by_role("button", name="Revoke deploy").click()
            page.get_by_role("button", name="Revoke this token").click()
            expect(page.get_by_role("status")).to_contain_text("deploy: revoked.")
            assert program.get("/api/v1/status").status_code == 401
    assert not tokens.listing(console.operator)
    assert "alice from 127.0.0.1: revoked token deploy" in console.audit()
    assert secret not in console.audit() + console.gateway.output.read_text()


def test_a_rollback_shows_what_it_changes_and_holds_on_the_wire(console: Served, chromium: Browser, mail_port: int) -> None:
    with window(chromium, console.url, expect=("status of 422",)) as page:
        sign_in(page)
        documents.set_field(console.operator, "gateway.postmaster", "draft@example.com")
        page.get_by_role("navigation", name="Pages").get_by_role("link", name="Configuration", exact=True).click()
        page.get_by_role("link", name="What changed since revision 1").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("From revision 1 to revision 2")
        expect(page.locator(".changes")).to_contain_text("tls_profiles.inbound.ciphers")
        page.get_by_role("link", name="All revisions").click()
        page.get_by_role("link", name="Roll back to revision 1").click()
        page.get_by_label("Comment").fill("the old partner is back")
        page.get_by_role("button", name="Roll back to revision 1").click()
        expect(page.locator(".fault")).to_contain_text("say that they may be lost")
        expect(page.get_by_label("Comment")).to_have_value("the old partner is back")
        page.get_by_label("These changes may be lost").check()
        page.get_by_role("button", name="Roll back to revision 1").click()
        expect(page.get_by_role("status")).to_contain_text("revision 3 is in force and holds what revision 1 held")
        row = page.get_by_role("row", name="the old partner is back")
        expect(row).to_contain_text("in force")
        expect(page.locator(".commit")).to_have_text("No changes pending")
    latest = configuration.log(console.operator, 1)[0]
    assert (latest.number, latest.comment) == (3, "the old partner is back")
    first, now = (configuration.revision(console.operator, number).config for number in (1, 3))
    assert now == first
    assert negotiated(mail_port) != SUITES[0]
