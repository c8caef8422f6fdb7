"""Mail Flow Policies in this process: what is typed is kept, faults stand by their fields, roles and stale pages."""

from __future__ import annotations

import html
import re

from gatepost.admin.operations import policies
from gatepost.config.model import MailFlowPolicy
from tests.admin.web.conftest import SignIn

DOCUMENT = """
[listeners.InboundMail]
address = "127.0.0.1"
port = 2525
[listeners.InboundMail.policies.PARTNER_TLS]
max_messages_per_connection = 7
"""
PATH = "/policies/InboundMail"
HIDDEN = re.compile(r"<textarea name=\"(\w+)\"[^>]*>\n(.*?)</textarea>", re.S)


def test_a_policy_is_put_into_the_draft(visit: SignIn) -> None:
    console = visit(DOCUMENT)
    answer = console.post(f"{PATH}/new", name="BANKS", behavior="accept", tls="required")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/policies")
    made = console.draft.listeners["InboundMail"].policies["BANKS"]
    assert (made.tls, made.max_message_size) == ("required", None)
    assert "BANKS: submitted." in console.get("/policies").text


def test_faults_stand_by_their_fields_and_what_was_typed_is_kept(visit: SignIn) -> None:
    console = visit(DOCUMENT)
    answer = console.post(f"{PATH}/policy/PARTNER_TLS", behavior="accept", tls="sometimes", max_message_size="ten")
    assert answer.status_code == 422
    assert 'id="fault-tls"' in answer.text
    assert 'id="fault-max_message_size"' in answer.text
    assert 'value="ten"' in answer.text
    assert console.draft.listeners["InboundMail"].policies["PARTNER_TLS"].max_messages_per_connection == 7


def test_only_an_administrator_may_submit(visit: SignIn) -> None:
    for role in ("operator", "read-only"):
        console = visit(DOCUMENT, role)
        assert console.post(f"{PATH}/new", name="BANKS", behavior="accept").status_code == 403
        assert "<button>Submit" not in console.get(f"{PATH}/policy/PARTNER_TLS").text
        assert "BANKS" not in console.draft.listeners["InboundMail"].policies


def test_a_name_that_does_not_exist_is_404(visit: SignIn) -> None:
    console = visit(DOCUMENT)
    assert console.get(f"{PATH}/policy/NOBODY").status_code == 404
    assert console.get("/policies/Nowhere/new").status_code == 404


def test_a_stale_page_is_told_what_changed_and_may_be_sent_again(visit: SignIn) -> None:
    console = visit(DOCUMENT)
    path = f"{PATH}/policy/PARTNER_TLS"
    console.get(path)
    stale = console.tag()
    policies.replace(console.operator, "InboundMail", "PARTNER_TLS", MailFlowPolicy(max_messages_per_connection=3))
    answer = console.post(path, behavior="accept", tls="required", tag=stale)
    assert answer.status_code == 409
    assert "max_messages_per_connection: 7 -&gt; 3" in answer.text
    assert console.draft.listeners["InboundMail"].policies["PARTNER_TLS"].tls is None
    again = {name: html.unescape(value) for name, value in HIDDEN.findall(answer.text)}
    assert again == {"behavior": "accept", "tls": "required"}
    assert console.post(path, again).status_code == 303
    stored = console.draft.listeners["InboundMail"].policies["PARTNER_TLS"]
    assert (stored.tls, stored.max_messages_per_connection) == ("required", None)
