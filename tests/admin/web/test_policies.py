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


def test_a_policy_says_who_uses_it_and_keeps_them_under_a_new_name(visit: SignIn) -> None:
    console = visit(DOCUMENT + '[[listeners.InboundMail.sender_groups]]\nname = "PARTNERS"\npolicy = "PARTNER_TLS"\n')
    page = console.get(f"{PATH}/policy/PARTNER_TLS").text
    assert "Used by sender group PARTNERS of" in page
    refused = console.post(f"{PATH}/policy/PARTNER_TLS/delete")
    assert (refused.status_code, "is used by sender group PARTNERS" in refused.text) == (422, True)
    console.post(f"{PATH}/policy/PARTNER_TLS", name="BANKS", behavior="accept", max_messages_per_connection="7")
    held = console.draft.listeners["InboundMail"]
    assert (list(held.policies), held.sender_groups[0].policy) == (["BANKS"], "BANKS")


def test_no_list_and_no_names_of_its_own_are_told_from_the_default(visit: SignIn) -> None:
    document = (
        DOCUMENT + 'tls_mandatory_senders = ""\ntls_peer_names = []\n[address_lists.banks]\naddresses = ["@bank.example"]\n'
    )
    console = visit(document)
    page = console.get(f"{PATH}/policy/PARTNER_TLS").text
    assert '<option value="-" selected>None</option>' in page
    assert 'name="own_peer_names" checked' in page
    form = {"name": "PARTNER_TLS", "behavior": "accept"}
    console.post(f"{PATH}/policy/PARTNER_TLS", form, tls_mandatory_senders="-", own_peer_names="on")
    made = console.draft.listeners["InboundMail"].policies["PARTNER_TLS"]
    assert (made.tls_mandatory_senders, made.tls_peer_names) == ("", [])
    console.post(f"{PATH}/policy/PARTNER_TLS", form)
    made = console.draft.listeners["InboundMail"].policies["PARTNER_TLS"]
    assert (made.tls_mandatory_senders, made.tls_peer_names) == (None, None)


def test_a_bad_name_and_an_unknown_profile_are_told_at_once(visit: SignIn) -> None:
    console = visit(DOCUMENT)
    answer = console.post(f"{PATH}/new", name="a b", behavior="accept", tls_profile="nosuch", tls_peer_names="<i>")
    assert answer.status_code == 422
    for field in ("name", "tls_profile", "tls_peer_names"):
        assert f'id="fault-{field}"' in answer.text
    assert "&lt;i&gt;</textarea>" in answer.text
