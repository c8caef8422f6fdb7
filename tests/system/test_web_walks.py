"""The thread's first answer, walked in a real browser: a policy that requires TLS, submitted, committed, and on the wire.

And what surrounds such a walk: the first administrator, a role that only looks, a page that has become stale.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from gatepost.admin.operations import configuration, drafts, policies
from gatepost.admin.users import FIRST_ADMINISTRATOR
from gatepost.admin.web import wording
from gatepost.config.model import MailFlowPolicy
from tests.support.client import session
from tests.support.documents import certificate, relay
from tests.support.judge import Sink
from tests.support.process import run, wait_for
from tests.support.web import NAMES, NARROW, Served, add_users, served, sign_in, window

GROUP = """
[[listeners.InboundMail.sender_groups]]
name = "PARTNERS"
senders = ["127.0.0.2"]
policy = "ACCEPT"
"""
REFUSAL = "530 #5.7.0 Must issue a STARTTLS command first"
ONE_TIME = re.compile(r"the first user is (\w+), the password for one use is (\S+)")


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory, mail_port: int) -> Iterator[Served]:
    directory = tmp_path_factory.mktemp("walks")
    with Sink() as sink:
        document = relay(mail_port, sink.port, more='certificates = ["mx"]', policy='tls = "preferred"')
        with served(directory, document + GROUP + certificate("mx", "mx1.example.com"), users=False) as one:
            add_users(one.gateway.state)
            yield one
            assert "bug at" not in one.gateway.output.read_text()


def swaks(port: int, *options: str) -> tuple[int, str]:
    done = run(
        "swaks", "--server", f"127.0.0.1:{port}", "--local-interface", "127.0.0.2",
        "--from", "ceo@partner.example", "--to", "box@example.com", *options,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def menu(page: Page, name: str) -> None:
    page.get_by_role("navigation", name="Pages").get_by_role("link", name=name, exact=True).click()
    page.wait_for_load_state()


def test_the_first_administrator_signs_in_once_and_chooses_a_password(console: Served, chromium: Browser) -> None:
    told = ONE_TIME.search(console.gateway.output.read_text())
    assert told is not None
    name, once = told.groups()
    assert name == FIRST_ADMINISTRATOR
    with window(chromium, console.url, expect=("status of 422",)) as page:
        sign_in(page, name, once)
        expect(page).to_have_url(f"{console.url}/password")
        page.goto("/policies")
        expect(page).to_have_url(f"{console.url}/password")
        for new, again, fault in (
            (once, once, "this is the password that you have: choose another"),
            ("short", "short", "the password is too short"),
            ("a long enough one", "another long one", "this is not the same as the new password above"),
        ):
            change_password(page, once, new, again)
            expect(page.locator(".fault")).to_contain_text(fault)
        change_password(page, once, "of my own choosing", "of my own choosing")
        expect(page.get_by_role("status")).to_have_text("Your password is changed.")
        menu(page, "Mail Flow Policies")
        expect(page.get_by_role("heading", level=1)).to_have_text("Mail Flow Policies")
    with console.http() as http:
        answer = http.post("/login", data={"name": name, "password": once})
        assert answer.status_code == 401
    assert once not in console.audit()
    assert f"{name} from 127.0.0.1: changed their password" in console.audit()


def change_password(page: Page, old: str, new: str, again: str) -> None:
    page.get_by_label("Present password").fill(old)
    page.get_by_label("New password", exact=True).fill(new)
    page.get_by_label("New password once more").fill(again)
    page.get_by_role("button", name="Change password").click()


def test_a_policy_that_requires_tls_from_the_form_to_the_wire(console: Served, chromium: Browser, mail_port: int) -> None:
    status, dialogue = swaks(mail_port)
    assert status == 0, dialogue
    with window(chromium, console.url) as page:
        sign_in(page)
        menu(page, "Mail Flow Policies")
        page.get_by_role("link", name="Add Policy").click()
        page.get_by_label("Name", exact=True).fill("PARTNER_TLS")
        page.get_by_role("group", name="Encryption and Authentication").get_by_label("Use TLS").select_option("Required")
        page.get_by_role("button", name="Submit").click()
        expect(page.get_by_role("status")).to_have_text("PARTNER_TLS: submitted. It takes effect with Commit Changes.")
        expect(page.get_by_role("row", name="PARTNER_TLS")).to_contain_text("Required")
        menu(page, "HAT Overview")
        page.get_by_role("link", name="PARTNERS").click()
        page.get_by_label("Policy", exact=True).select_option("PARTNER_TLS")
        page.get_by_role("button", name="Submit").click()
        expect(page.get_by_role("row", name="PARTNERS")).to_contain_text("PARTNER_TLS")
        status, dialogue = swaks(mail_port)
        assert status == 0, dialogue  # nothing is live before the commit

        page.get_by_role("link", name=re.compile("^Commit Changes")).click()
        expect(page.locator(".changes")).to_contain_text("PARTNER_TLS.tls: new, required")
        page.get_by_label("Comment").fill("partner.example: contract 2026-11")
        page.get_by_role("button", name="Commit Changes").click()
        expect(page.get_by_role("status")).to_have_text("Changes committed: revision 2 is in force.")
        expect(page.locator(".commit")).to_have_text("No changes pending")
    latest = configuration.log(console.operator)[0]
    assert (latest.author, latest.comment) == (NAMES["administrator"], "partner.example: contract 2026-11")

    status, dialogue = swaks(mail_port)
    assert status != 0
    assert REFUSAL in dialogue
    with session(mail_port, source="127.0.0.2") as client:
        assert client.say("MAIL FROM:<ceo@partner.example>") == REFUSAL
    with session(mail_port, source="127.0.0.2", tls=True) as client:
        assert client.send_text().startswith("250")
    with session(mail_port) as client:  # everybody else as before
        assert client.send_text().startswith("250")
    status, dialogue = swaks(mail_port, "--tls")
    assert status == 0, dialogue
    console.gateway.wait_log("ACCEPT SG PARTNERS match 127.0.0.2")


def test_a_form_with_faults_says_all_of_them_and_keeps_what_was_typed(console: Served, chromium: Browser) -> None:
    with window(chromium, console.url, width=NARROW, javascript=False, expect=("status of 422",)) as page:
        sign_in(page)
        page.goto("/policies/InboundMail/new")
        page.get_by_label("Name", exact=True).fill("NEW ONE")
        page.get_by_label("Max. Message Size").fill("ten")
        page.get_by_label("Max. Recipients Per Message").fill("many")
        page.get_by_role("button", name="Submit").click()
        expect(page.get_by_role("alert")).to_contain_text("3 fields want mending")
        for label, typed in (("Name", "NEW ONE"), ("Max. Message Size", "ten"), ("Max. Recipients Per Message", "many")):
            box = page.get_by_label(label, exact=True)
            expect(box).to_have_value(typed)
            expect(box).to_have_attribute("aria-invalid", "true")


def test_a_role_that_only_looks_sees_no_buttons_and_may_not_post(console: Served, chromium: Browser) -> None:
    before = configuration.tag(console.operator)
    with window(chromium, console.url, expect=("status of 403",)) as page:
        sign_in(page, NAMES["read-only"])
        for _, links in wording.NAVIGATION:
            for label, path in links:
                page.goto(path)
                buttons = page.locator("main form[method=post] button, main button[form]").all_inner_texts()
                assert buttons == [], f"{label}: {buttons}"
        page.goto("/policies/InboundMail/default")
        expect(page.get_by_label("Use TLS")).to_be_visible()
        expect(page.get_by_role("button", name="Submit")).to_have_count(0)
        csrf = page.locator("input[name=csrf]").first.get_attribute("value") or ""
        for path in ("/policies/InboundMail/default", "/policies/InboundMail/new", "/commit", "/commit/abandon"):
            answer = page.request.post(path, form={"csrf": csrf, "name": "MINE", "behavior": "accept"})
            assert answer.status == 403, path
            assert "your role, read-only, may not do this; it takes administrator" in answer.text()
    assert configuration.tag(console.operator) == before


def test_a_stale_page_overwrites_nothing_and_loses_nothing(console: Served, chromium: Browser) -> None:
    policies.create(console.operator, "InboundMail", "STALE", MailFlowPolicy(max_messages_per_connection=7))
    with window(chromium, console.url, expect=("status of 409",)) as page:
        sign_in(page)
        page.goto("/policies/InboundMail/policy/STALE")
        page.get_by_label("Use TLS").select_option("Required")
        page.get_by_label("Max. Recipients Per Hour").fill("123")
        policies.replace(console.operator, "InboundMail", "STALE", MailFlowPolicy(max_messages_per_connection=3))
        page.get_by_role("button", name="Submit").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Somebody else was faster")
        expect(page.locator(".changes li")).to_have_text(
            ["listeners.InboundMail.policies.STALE.max_messages_per_connection: 7 -> 3"]
        )
        assert stored(console) == MailFlowPolicy(max_messages_per_connection=3)
        expect(page.get_by_role("row", name="max recipients per hour")).to_contain_text("123")

        page.get_by_role("button", name="Submit it all the same").click()
        expect(page.get_by_role("status")).to_contain_text("STALE: submitted")
        wanted = MailFlowPolicy(max_messages_per_connection=7, tls="required", max_recipients_per_hour=123)
        assert wait_for(lambda: stored(console) == wanted, "it is stored")

        page.goto("/commit")
        page.get_by_label("Comment").fill("seen")
        policies.replace(console.operator, "InboundMail", "STALE", MailFlowPolicy(tls="no"))
        revision = configuration.log(console.operator)[0].number
        page.get_by_role("button", name="Commit Changes").click()
        expect(page.locator(".changes")).to_contain_text("STALE.tls: required -> no")
        assert configuration.log(console.operator)[0].number == revision
    configuration.clear(console.operator)


def stored(console: Served) -> MailFlowPolicy:
    return drafts.current(console.operator).listeners["InboundMail"].policies["STALE"]
