"""Every page that exists, with plenty to show and with nothing: usable by anybody, at both widths, light and dark.

The pages are found by following the links from the menu; each is looked at once.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from gatepost.admin.operations import policies
from gatepost.admin.web import wording
from gatepost.config.model import MailFlowPolicy
from tests.support import showcase
from tests.support.accessible import findings, prepare
from tests.support.pages import crawl
from tests.support.process import free_port
from tests.support.web import NAMES, PASSWORD, Served, served, sign_in, window

FAULTS = ("status of 404", "status of 409", "status of 422")


def pages(console: Served) -> list[str]:
    """Return one page of each route, in the order of the menu."""
    with console.http() as http:
        http.post("/login", data={"name": NAMES["administrator"], "password": PASSWORD})
        found = []
        for _, path, answer in crawl(http.get, 1):
            assert answer.status_code == 200, path
            if answer.headers["Content-Type"].startswith("text/html"):
                found.append(path)
    assert {path for _, links in wording.NAVIGATION for _, path in links} <= set(found)
    return found


@pytest.mark.parametrize("thorough", [False, pytest.param(True, marks=pytest.mark.long)])
def test_every_page_with_plenty_to_show(tmp_path: Path, chromium: Browser, thorough: bool) -> None:
    def look(page: Page, where: str) -> list[str]:
        return [f"{where}: {one}" for one in findings(page, thorough=thorough)]

    public, private = free_port(), free_port()
    showcase.fill_records(tmp_path / "state")
    showcase.add_tokens(tmp_path / "state")
    with served(tmp_path, showcase.document(public, private, free_port(), free_port())) as console:
        showcase.send_some(public, private)
        wrong: list[str] = []
        with window(chromium, console.url, expect=FAULTS) as page:
            prepare(page)
            page.goto("/login")
            wrong += look(page, "/login")
            sign_in(page)
            for path in pages(console):
                page.goto(path)
                wrong += look(page, path)
            page.goto("/nowhere")
            wrong += look(page, "/nowhere")
            page.goto("/policies/InboundMail/new")
            page.get_by_label("Name", exact=True).fill("A B")
            page.get_by_label("Max. Message Size").fill("ten")
            page.get_by_role("button", name="Submit").click()
            wrong += look(page, "a form with faults")
            page.goto("/policies/InboundMail/policy/PARTNER_TLS")
            policies.replace(console.operator, "InboundMail", "PARTNER_TLS", MailFlowPolicy(max_messages_per_connection=3))
            page.get_by_role("button", name="Submit").click()
            wrong += look(page, "a stale page")
            page.goto("/commit")
            wrong += look(page, "a draft to commit")
            for name in (showcase.LONG, "A B"):  # the first of them is there already
                page.goto("/tokens/new")
                page.get_by_label("Name").fill(name)
                page.get_by_role("button", name="Make").click()
                wrong += look(page, f"a token of a name that will not do, {name}")
            page.get_by_label("Name").fill("made-now")
            page.get_by_role("button", name="Make").click()
            wrong += look(page, "a token that was made")
            page.goto("/tokens")
            page.get_by_role("button", name=f"Revoke {showcase.LONG}").click()
            wrong += look(page, "a token to revoke")
        assert not wrong, "\n".join(wrong)


@pytest.mark.long
def test_every_page_with_nothing_to_show(tmp_path: Path, chromium: Browser) -> None:
    with served(tmp_path, showcase.bare(free_port())) as console, window(chromium, console.url) as page:
        prepare(page)
        sign_in(page)
        wrong: list[str] = []
        for _, links in wording.NAVIGATION:
            for _, path in links:
                page.goto(path)
                wrong += [f"{path}: {one}" for one in findings(page)]
        assert not wrong, "\n".join(wrong)
