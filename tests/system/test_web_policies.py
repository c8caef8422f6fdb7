"""Walks through policies and network: reorder, find senders, import a certificate; and what the wire then does."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from gatepost.admin.operations import configuration, drafts, groups
from gatepost.tls.certificates import to_pkcs12
from gatepost.tls.making import Subject, self_signed
from tests.support.documents import certificate, relay
from tests.support.process import free_port
from tests.support.web import NARROW, Served, served, sign_in, window

GROUPS = "".join(
    f'\n[[listeners.InboundMail.sender_groups]]\nname = "{name}"\nsenders = {senders}\npolicy = "{policy}"\n'
    for name, senders, policy in (
        ("BLOCKED", '["127.0.0.0/30"]', "REJECT"),
        ("PARTNERS", '["198.51.100.0/24", ".partner.example"]', "ACCEPT"),
        ("LOCAL", '["127.0.0.1"]', "ACCEPT"),
    )
)
IMPORTED = self_signed(Subject(names=("mail.imported.example",)))
PASSPHRASE = "open sesame"


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory, mail_port: int) -> Iterator[Served]:
    document = relay(mail_port, free_port(), more='certificates = ["mx"]', policy='tls = "preferred"')
    with served(tmp_path_factory.mktemp("policies"), document + GROUPS + certificate("mx", "mx1.example.com")) as one:
        yield one
        assert "bug at" not in one.gateway.output.read_text()


@pytest.fixture(autouse=True)
def as_it_was(console: Served) -> Iterator[None]:
    first = configuration.log(console.operator)[0].number
    yield
    configuration.clear(console.operator)
    if configuration.log(console.operator)[0].number > first:
        configuration.rollback(console.operator, first)


def order(console: Served) -> list[str]:
    """Return the sender groups of the draft in their order."""
    return [group.name for group in drafts.current(console.operator).listeners["InboundMail"].sender_groups]


def expect_order(page: Page, console: Served, *names: str) -> None:
    """Wait until the page has the groups in this order, and hold the draft to it."""
    for place, name in enumerate(names):
        expect(page.locator("tr[data-name]").nth(place)).to_have_attribute("data-name", name)
    assert order(console) == list(names)


def commit(page: Page, comment: str) -> None:
    page.locator("a.commit").click()
    page.get_by_label("Comment").fill(comment)
    page.get_by_role("button", name="Commit Changes").click()
    expect(page.get_by_role("status")).to_contain_text("is in force")


def banner(port: int) -> int:
    """Return the code of the banner that a host of this machine gets."""
    with smtplib.SMTP() as client:
        return client.connect("127.0.0.1", port)[0]


def test_groups_are_reordered_without_a_page_load_by_buttons_keys_and_mouse(console: Served, chromium: Browser) -> None:
    with window(chromium, console.url) as page:
        sign_in(page)
        page.goto("/hat")
        page.evaluate("window.sameDocument = true")
        page.get_by_role("button", name="Move LOCAL up").click()
        expect_order(page, console, "BLOCKED", "LOCAL", "PARTNERS")
        expect(page.get_by_role("button", name="Move LOCAL up")).to_be_focused()
        expect(page.locator("a.commit")).to_contain_text("Commit Changes")
        page.keyboard.press("Alt+ArrowUp")
        expect_order(page, console, "LOCAL", "BLOCKED", "PARTNERS")
        page.keyboard.press("Alt+ArrowUp")  # it stands first already
        page.locator("tr[data-name=PARTNERS] th").drag_to(
            page.locator("tr[data-name=LOCAL] th"), target_position={"x": 5, "y": 2}
        )
        expect_order(page, console, "PARTNERS", "LOCAL", "BLOCKED")
        page.locator("tr[data-name=PARTNERS]").get_by_role("link", name="PARTNERS").focus()
        page.keyboard.press("Alt+ArrowDown")
        expect_order(page, console, "LOCAL", "PARTNERS", "BLOCKED")
        page.get_by_label("Move", exact=True).select_option("LOCAL")
        page.get_by_label("above", exact=True).select_option("ALL")
        assert page.evaluate("window.sameDocument === true")
        page.get_by_role("button", name="Move", exact=True).click()
        expect(page.get_by_role("status")).to_have_text("LOCAL stands last now.")
        expect_order(page, console, "PARTNERS", "BLOCKED", "LOCAL")


def test_a_stale_page_moves_nothing_and_says_so(console: Served, chromium: Browser) -> None:
    with window(
        chromium, console.url, expect=("status of 409", "htmx:responseError", "Response Status Error Code 409")
    ) as page:
        sign_in(page)
        page.goto("/hat")
        groups.move(console.operator, "InboundMail", "LOCAL", "BLOCKED")
        page.get_by_role("button", name="Move PARTNERS up").click()
        expect(page.get_by_text("somebody else").first).to_be_visible()
        assert order(console) == ["LOCAL", "BLOCKED", "PARTNERS"]


def test_a_group_moved_without_javascript_decides_on_the_wire(console: Served, chromium: Browser, mail_port: int) -> None:
    assert banner(mail_port) == 554
    with window(chromium, console.url, width=NARROW, javascript=False) as page:
        sign_in(page)
        page.goto("/hat")
        page.get_by_role("button", name="Move LOCAL up").click()
        expect_order(page, console, "BLOCKED", "LOCAL", "PARTNERS")
        page.get_by_role("button", name="Move LOCAL up").click()
        expect_order(page, console, "LOCAL", "BLOCKED", "PARTNERS")
        page.get_by_label("Find Senders: address").fill("127.0.0.1")
        page.get_by_role("button", name="Find", exact=True).click()
        expect(page.locator("tr.found")).to_have_attribute("data-name", "LOCAL")
        assert banner(mail_port) == 554
        commit(page, "Let this machine in")
    assert banner(mail_port) == 220


def test_find_senders_says_which_group_and_why(console: Served, chromium: Browser) -> None:
    with window(chromium, console.url, expect=("status of 422",)) as page:
        sign_in(page)
        page.goto("/hat")
        page.get_by_label("Find Senders: address").fill("203.0.113.7")
        page.get_by_label("Its verified name").fill("mx.partner.example")
        page.get_by_role("button", name="Find", exact=True).click()
        expect(page.locator("tr.found")).to_have_attribute("data-name", "PARTNERS")
        result = page.get_by_role("region", name="Found")
        expect(result).to_contain_text(
            "203.0.113.7 (mx.partner.example) falls into PARTNERS: .partner.example, policy ACCEPT"
        )
        page.get_by_label("Its verified name").fill("")
        page.get_by_label("Find Senders: address").fill("500.1.1.1")
        page.get_by_role("button", name="Find", exact=True).click()
        expect(page.locator(".fault")).to_contain_text("'500.1.1.1'")
        expect(page.get_by_label("Find Senders: address")).to_have_value("500.1.1.1")


def test_a_certificate_is_imported_chosen_and_shown_on_the_wire(
    console: Served, chromium: Browser, mail_port: int, tmp_path: Path
) -> None:
    file = tmp_path / "imported.p12"
    file.write_bytes(to_pkcs12(IMPORTED, "imported", PASSPHRASE))
    with window(chromium, console.url, expect=("status of 422",)) as page:
        sign_in(page)
        page.goto("/certificates")
        page.get_by_role("link", name="Import Certificate").click()
        for passphrase in ("wrong", PASSPHRASE):
            page.get_by_label("Name", exact=True).fill("imported")
            page.get_by_label("Certificate", exact=True).set_input_files(file)
            page.get_by_label("Passphrase").fill(passphrase)
            page.get_by_role("button", name="Import").click()
            if passphrase == "wrong":
                expect(page.locator(".fault")).to_have_text(
                    "the file is neither PEM nor PKCS#12, or its passphrase is wrong"
                )
        expect(page.get_by_role("status")).to_contain_text("imported: submitted.")
        expect(page.get_by_text("mail.imported.example").first).to_be_visible()
        page.goto("/listeners/listener/InboundMail")
        page.get_by_label("Shown to everybody").select_option("imported")
        page.get_by_role("button", name="Submit").click()
        expect(page.get_by_role("status").first).to_contain_text("InboundMail: submitted.")
        commit(page, "Another certificate")
        page.goto("/certificates/certificate/imported")
        page.get_by_role("button", name="Delete this certificate").click()
        expect(page.get_by_role("alert")).to_contain_text(
            "certificate imported is used by listeners.InboundMail.certificates"
        )
        with page.expect_download() as download:
            page.get_by_role("link", name="Export (without the key)").click()
        assert download.value.path().read_text() == IMPORTED.certificate
    assert peer_certificate(mail_port) == IMPORTED.certificate.strip()


def peer_certificate(port: int) -> str:
    """Return the certificate that the listener shows, as PEM."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with smtplib.SMTP("127.0.0.1", port, source_address=("127.0.0.9", 0)) as client:
        client.starttls(context=context)
        assert isinstance(client.sock, ssl.SSLSocket)
        return ssl.DER_cert_to_PEM_cert(client.sock.getpeercert(binary_form=True) or b"").strip()
