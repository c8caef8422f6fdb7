"""The draft by path: read, put, merge, take out; conflicts; faults with their places; the life of a revision."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from gatepost.admin.operations import documents
from gatepost.config.problems import MASK
from tests.support.api import ANY, Api

PARTNER = f'/config/draft/{quote("""destinations."partner.example".tls""")}'


def test_one_setting_is_changed_for_the_draft_that_was_read(ask: Api) -> None:
    read = ask("GET", PARTNER)
    assert read.json() == "required"
    changed = ask("PUT", PARTNER, headers={"If-Match": read.headers["ETag"]}, json="required-verify")
    assert changed.status_code == 200
    (change,) = changed.json()["changes"]
    assert change == {"path": 'destinations."partner.example".tls', "old": "required", "new": "required-verify"}
    assert changed.headers["ETag"] == ask("GET", "/config/draft").headers["ETag"] != read.headers["ETag"]
    assert "token administrator from testclient: changed destinations" in ask.audit()
    stale = ask("PUT", PARTNER, headers={"If-Match": read.headers["ETag"]}, json="no")
    assert stale.status_code == 412
    assert ask("GET", PARTNER).json() == "required-verify"
    assert ask("GET", PARTNER.replace("draft", "committed")).json() == "required"


def test_somebody_at_the_command_line_makes_what_was_read_stale(ask: Api) -> None:
    tag = ask("GET", "/config/draft").headers["ETag"]
    documents.set_field(ask.operator, "gateway.postmaster", "other@example.com")
    for method, path, body in (
        ("PATCH", "/config/draft", {"gateway": {"postmaster": "mine@example.com"}}),
        ("POST", "/config/commit", {"comment": "mine"}),
        ("POST", "/config/clear", None),
        ("DELETE", "/certificates/mx", None),
    ):
        assert ask(method, path, headers={"If-Match": tag}, json=body).status_code == 412, path
    assert ask("GET", "/config/draft/gateway.postmaster").json() == "other@example.com"
    assert len(ask("GET", "/config/revisions").json()) == 1


@pytest.mark.parametrize("sent", ['"{tag}"', '"x", "{tag}"', '  "{tag}"  ', "*"])
def test_each_way_to_name_the_draft_does(ask: Api, sent: str) -> None:
    tag = ask("GET", "/config/draft").headers["ETag"].strip('"')
    assert ask("PUT", PARTNER, headers={"If-Match": sent.format(tag=tag)}, json="no").status_code == 200


@pytest.mark.parametrize("sent", ["", '""', 'W/"{tag}"', "{tag}", '"{tag}', '"**"'])
def test_what_names_no_draft_changes_nothing(ask: Api, sent: str) -> None:
    tag = ask("GET", "/config/draft").headers["ETag"].strip('"')
    assert ask("PUT", PARTNER, headers={"If-Match": sent.format(tag=tag)}, json="no").status_code == 412


def test_every_fault_is_told_with_its_place_and_its_mend(ask: Api) -> None:
    answer = ask.edit("PUT", "/config/draft/listeners.InboundMail", json={"port": "x", "nonsense": 1, "address": 5})
    assert answer.status_code == 422
    told = {one["path"].rsplit(".", 1)[-1]: one for one in answer.json()["errors"]}
    assert {"port", "nonsense", "address"} <= told.keys()
    assert told["port"]["value"] == '"x"'
    assert told["port"]["wrong"] == "is a text, and a whole number is wanted here"
    assert told["port"]["mend"] == "write a number without quotes"


def test_entries_and_rows_are_made_and_taken_out(ask: Api) -> None:
    group = "/config/draft/listeners.InboundMail.sender_groups.BANKS"
    made = ask.edit("PUT", group, json={"name": "BANKS", "senders": ["192.0.2.1"], "policy": "PARTNER_TLS"})
    assert made.json()["problems"] == []
    assert [row["name"] for row in ask("GET", group.rpartition(".")[0]).json()] == ["PARTNERS", "BANKS"]
    assert ask.edit("PATCH", group, json={"comment": "contract"}).status_code == 200
    assert ask("GET", group).json()["senders"] == ["192.0.2.1"]
    assert ask.edit("DELETE", group).status_code == 200
    assert ask("GET", group).status_code == ask.edit("DELETE", group).status_code == 404


def test_null_gives_a_field_back_to_its_default(ask: Api) -> None:
    field = "/config/draft/listeners.InboundMail.policies.PARTNER_TLS.tls"
    assert ask.edit("PUT", field, content=b"null").status_code == 200
    assert ask("GET", field).content == b"null"
    policy = field.rpartition(".")[0]
    ask.edit("PUT", policy, json={"tls": "required", "max_messages_per_connection": 5})
    ask.edit("PATCH", policy, json={"tls": None})
    assert ask("GET", f"{policy}.max_messages_per_connection").json() == 5
    assert ask("GET", field).json() is None


def test_what_was_read_can_be_sent_again_and_no_key_is_shown_or_lost(ask: Api) -> None:
    document = ask("GET", "/config/draft").json()
    assert document["certificates"]["mx"]["private_key"] == MASK
    for path in (
        "/config/draft/certificates.mx",
        "/config/committed",
        "/config/export",
        "/config/revisions/1",
        "/certificates/mx",
    ):
        assert "PRIVATE" not in ask("GET", path).text
    answer = ask.edit("PUT", "/config/draft", json=document)
    assert answer.json()["changes"] == []
    held = ask.operator
    assert "PRIVATE KEY" in documents.export(held, with_keys=True, draft=True)
    wrong = ask.edit("PUT", "/config/draft/certificates.mx", json={"certificate": "another", "private_key": MASK})
    assert wrong.status_code == 422
    assert wrong.json()["errors"][0]["path"] == "certificates.mx.private_key"


def test_a_number_too_large_for_any_field_is_kept_out_of_a_revision(ask: Api) -> None:
    answer = ask.edit("PUT", "/config/draft/listeners.InboundMail.port", content=b"1" + b"0" * 30)
    assert answer.json()["problems"][0]["path"] == "listeners.InboundMail.port"
    refused = ask.edit("POST", "/config/commit", json={})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["mend"] == "write at most 65535"


def test_a_commit_is_a_job_and_a_rollback_is_another(ask: Api) -> None:
    ask.edit("PUT", PARTNER, json="required-verify")
    assert "-tls" in ask("GET", "/config/diff").text
    accepted = ask("POST", "/config/commit", headers={**ANY, "Prefer": "respond-async"}, json={"comment": "verify them"})
    assert accepted.status_code == 202
    path = accepted.headers["Location"].removeprefix("/api/v1")
    while (job := ask("GET", path).json())["state"] == "running":
        pass
    assert (job["state"], job["kind"], job["result"]["revision"]) == ("done", "commit", 2)
    latest, first = ask("GET", "/config/revisions").json()
    assert (latest["author"], latest["comment"], first["number"]) == ("token administrator", "verify them", 1)
    shown = ask("GET", "/config/revisions/2").json()
    assert shown["document"]["destinations"]["partner.example"]["tls"] == "required-verify"
    assert ask("POST", "/config/revisions/1/rollback", json={"comment": "back"}).json()["revision"] == 3
    assert ask("GET", PARTNER).json() == "required"
    assert "committed revision 3, which is revision 1 once more: back" in ask.audit()


def test_a_rollback_waits_for_changes_of_others(ask: Api) -> None:
    ask.edit("PUT", PARTNER, json="required-verify")
    ask.edit("POST", "/config/commit", json={})
    ask.edit("PUT", PARTNER, json="no")
    assert ask("POST", "/config/revisions/1/rollback", json={}).status_code == 409
    assert ask("POST", "/config/revisions/1/rollback", json={"force": True}).json()["revision"] == 3


def test_nothing_to_commit_is_refused(ask: Api) -> None:
    answer = ask.edit("POST", "/config/commit", json={})
    assert (answer.status_code, answer.json()["detail"]) == (422, "There is no data to commit.")


def test_texts_come_in_and_go_out(ask: Api) -> None:
    table = ask("GET", "/listeners/InboundMail/hat").text
    assert "198.51.100.0/24" in table
    changed = ask.edit("PUT", "/listeners/InboundMail/hat", content=table.replace("198.51.100.0/24", "198.51.100.0/25"))
    assert changed.status_code == 200
    assert changed.headers["ETag"] == ask("GET", "/config/draft").headers["ETag"]
    bad = ask.edit("PUT", "/listeners/InboundMail/hat", content="BAD LINE")
    assert bad.status_code == 422
    assert {one["path"] for one in bad.json()["errors"]} == {"line 1"}
    assert ask.edit("PUT", "/listeners/InboundMail/hat", content=b"\xff").status_code == 422
    assert ask.edit("PUT", "/listeners/Nowhere/hat", content=table).status_code == 404
    text = ask("GET", "/destinations/text").text
    assert ask.edit("PUT", "/destinations/text", content=text).status_code == 200
    document = ask("GET", "/config/export").text
    assert ask("POST", "/config/check", content=document).json()["ok"]
    assert not ask("POST", "/config/check", content="[gateway]\nx = 1").json()["ok"]
    assert ask.edit("POST", "/config/import", content=document).status_code == 422  # it would replace changes
    assert ask.edit("POST", "/config/import?force=true", content=document).status_code == 200
    assert ask("GET", "/config/pending").json()["changes"] == []
