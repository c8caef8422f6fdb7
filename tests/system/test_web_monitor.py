"""Monitor in a real browser: a message followed from the search to the session that carried it, charts, the live log."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from gatepost.admin.operations import queue, reports
from gatepost.records.search import RecordSearch
from tests.support.client import Client
from tests.support.documents import certificate, relay
from tests.support.judge import Sink
from tests.support.process import run, wait_for
from tests.support.web import NAMES, NARROW, Served, served, sign_in, window


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory, mail_port: int) -> Iterator[Served]:
    with Sink() as sink:
        document = relay(mail_port, sink.port, more='certificates = ["mx"]', policy='tls = "preferred"')
        with served(tmp_path_factory.mktemp("monitor"), document + certificate("mx", "mx1.example.com")) as one:
            yield one
            assert "bug at" not in one.gateway.output.read_text()


@pytest.fixture(scope="module")
def reader(console: Served, chromium: Browser) -> Iterator[Page]:
    """Somebody who may only look."""
    with window(chromium, console.url) as page:
        sign_in(page, NAMES["read-only"])
        yield page


def send(port: int, subject: str, *options: str) -> None:
    done = run(
        "swaks", "--server", f"127.0.0.1:{port}", "--from", "ceo@partner.example", "--to", "box@example.com",
        "--header", f"Subject: {subject}", *options,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def on_record(console: Served) -> tuple[int, int]:
    """Return how many connections came in and went out, as the report has them."""
    day = reports.SPANS["day"]
    return tuple(reports.series(console.operator, day, way).total.connections for way in ("in", "out"))  # type: ignore[return-value]


def whole_story(console: Served) -> bool:
    """Whether the last message is on record, with the connection that it came by and its delivery."""
    found = RecordSearch(console.gateway.state)
    last = found.last_message()
    tracked = found.message(last.mid) if last else None
    return tracked is not None and bool(tracked.connections and tracked.outcomes)


def test_from_the_search_to_the_session_that_carried_it(console: Served, reader: Page, mail_port: int) -> None:
    page = reader
    send(mail_port, "<b>Quarterly</b> figures", "--tls")

    wait_for(lambda: whole_story(console), "the message and its delivery are on record")
    page.goto("/tracking?sender=@partner.example")
    page.get_by_role("row", name="<b>Quarterly</b> figures").get_by_role("link").click()
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_have_text(re.compile(r"^MID \d+"))
    assert page.get_by_role("cell", name="delivered").is_visible()
    page.get_by_role("heading", name="Received by ICID").get_by_role("link").click()
    expect(heading).to_have_text(re.compile(r"^ICID \d+"))
    for fact in ("The peer offered", "We allow, in our order", "TLSv1.3 TLS_AES_256_GCM_SHA384"):
        assert page.get_by_text(fact).first.is_visible(), fact
    page.get_by_role("link", name="In the mail log").click()
    assert page.get_by_text("TLS success protocol TLSv1.3").is_visible()


def test_a_row_of_the_report_leads_to_its_sessions_and_the_charts_are_drawn(
    console: Served, reader: Page, mail_port: int
) -> None:
    before = on_record(console)[0]
    send(mail_port, "one more", "--tls")
    wait_for(lambda: on_record(console)[0] > before, "the connection is counted")
    reader.goto("/")
    expect(reader.locator(".chart canvas")).to_have_count(4)
    reader.set_viewport_size({"width": NARROW, "height": 900})
    reader.goto("/connections/in")
    expect(reader.locator(".chart canvas")).to_have_count(2)
    reader.get_by_role("link", name="ALL", exact=True).click()
    row = reader.get_by_role("row", name="TLSv1.3").first
    expect(row).to_contain_text("ALL: ALL")
    row.get_by_role("link").click()
    expect(reader.get_by_role("heading", level=1)).to_have_text(re.compile(r"^ICID \d+"))


def test_the_log_goes_on_by_itself(reader: Page, mail_port: int) -> None:
    reader.goto("/log?find=walked")
    assert reader.get_by_text("No line holds that").is_visible()
    send(mail_port, "walked <script>alert(1)</script>")
    expect(reader.locator("pre.log")).to_contain_text("walked <script>alert(1)</script>")


def test_delivery_is_suspended_mail_waits_is_read_and_deleted(console: Served, chromium: Browser, mail_port: int) -> None:
    with window(chromium, console.url) as page:
        sign_in(page, NAMES["operator"])
        page.goto("/delivery")
        page.get_by_role("button", name="Suspend delivery").click()
        assert page.get_by_text("Delivery is suspended.").is_visible()
        send(mail_port, "held", "--body", "<h1>never HTML</h1>")
        wait_for(lambda: queue.listing(console.operator).destinations, "it is in the queue")
        page.reload()
        page.get_by_role("link", name="example.com", exact=True).click()
        page.get_by_role("row", name="held").get_by_role("link").click()
        page.get_by_role("link", name="Content", exact=True).click()
        assert page.get_by_text("<h1>never HTML</h1>").is_visible()
        page.go_back()
        page.get_by_role("link", name="Delete").click()
        page.get_by_role("button", name="Delete").click()
        assert page.get_by_text("Deleted for 1 recipient.").is_visible()
        assert page.get_by_text("The queue is empty.").is_visible()
        page.get_by_role("button", name="Suspend: InboundMail").click()
        with Client(mail_port) as refused:
            assert refused.banner.startswith("421")
        page.get_by_role("button", name="Resume: InboundMail").click()
        page.get_by_role("button", name="Resume delivery").click()
        assert page.get_by_text("Delivery goes on.").is_visible()
        send(mail_port, "again")
    assert "read the content of MID" in console.audit()
