"""Verbs that the draft's paths do not reach: queue, listeners, certificates, users, tokens, explain, partner, jobs."""

from __future__ import annotations

import base64
import threading
from typing import Any

import pytest

from gatepost.admin.api.jobs import MAX_RUNNING, Jobs
from gatepost.admin.operations import certificates, users
from gatepost.admin.operations.operator import Operator
from gatepost.admin.users import Users
from gatepost.errors import GatepostError
from gatepost.tls.making import Subject, self_signed
from tests.admin.fake_service import fake_service
from tests.support.api import Api
from tests.support.process import wait_for

WORDS = "correct horse battery"


# --- mail ------------------------------------------------------------------------------------------------------------


def test_mail_is_ended_by_exactly_what_names_it(ask: Api) -> None:
    with fake_service(
        ask.state, delete={"recipients": 3}, deliver_now={"recipients": 2}, redirect={"recipients": 1}
    ) as service:
        for body in (
            {},
            {"mid": 0},
            {"everything": False},
            {"mid": 5, "everything": True},
            {"mid": 5, "destination": "a.example"},
        ):
            answer = ask("POST", "/queue/delete", "operator", json=body)
            assert answer.status_code == 422, body
            assert "by one of mid, destination, sender and everything" in answer.json()["detail"]
        assert service.asked == []
        for body, told in (
            ({"mid": 5}, {"mid": 5, "destination": ""}),
            ({"destination": "A.example"}, {"mid": 0, "destination": "a.example"}),
            ({"sender": ""}, {"sender": ""}),
            ({"everything": True}, {"everything": True}),
        ):
            assert ask("POST", "/queue/delete", "operator", json=body).json() == {"recipients": 3}
            assert service.asked[-1] == ("delete", told)
        assert ask("POST", "/queue/deliver-now", "operator", json={}).json() == {"recipients": 2}
        ask("POST", "/queue/redirect", "operator", json={"mid": 5, "host": "192.0.2.9"})
        assert service.asked[-1] == ("redirect", {"mid": 5, "destination": "", "host": "[192.0.2.9]"})
    assert "delete for 3 recipients: mid 5" in ask.audit()


def test_content_is_for_operators_and_who_read_it_is_noted(ask: Api) -> None:
    waiting = {"mid": 5, "received": 1.0, "reverse_path": "", "size": 5, "recipients": []}
    content = {"size": 5, "octets": b"a\r\n\r\nb"}
    with fake_service(ask.state, queue_show=waiting, queue_content=content) as service:
        answer = ask("GET", "/queue/5/content?limit=10", "operator")
        assert (answer.content, answer.headers["Content-Type"]) == (b"a\r\n\r\nb", "message/rfc822")
        assert service.asked[-1] == ("queue_content", {"mid": 5, "limit": 10})
        assert ask("GET", "/queue/5/content", "read-only").status_code == 403
    assert "token operator from testclient: read the content of MID 5" in ask.audit()


def test_listeners_are_suspended_and_resumed(ask: Api) -> None:
    with fake_service(ask.state, suspend_listener=None, resume_listener=None) as service:
        assert ask("POST", "/listeners/suspend", "operator", json={"names": ["InboundMail"]}).status_code == 200
        assert ask("POST", "/listeners/resume", "operator", json={}).status_code == 200
        assert service.asked == [("suspend_listener", {"names": ["InboundMail"]}), ("resume_listener", {"names": []})]


def test_what_the_gateway_refuses_is_no_fault_of_the_server(ask: Api) -> None:
    with fake_service(ask.state, resume_delivery=None):
        answer = ask("POST", "/queue/suspend", "operator")
        assert ask("POST", "/queue/resume", "operator").status_code == 200
    assert (answer.status_code, "unknown verb" in answer.json()["detail"]) == (422, True)
    assert ask("POST", "/queue/suspend", "operator").status_code == 503


# --- certificates ----------------------------------------------------------------------------------------------------


def test_a_certificate_comes_in_as_pem_or_pkcs12_and_its_key_never_goes_out(ask: Api) -> None:
    pair = self_signed(Subject(names=("mx2.example.com",)))
    put = ask.edit("PUT", "/certificates/new", json={"certificate": pair.certificate, "key": pair.private_key})
    assert put.status_code == 200
    shown = ask("GET", "/certificates/new").json()
    assert shown["chain"][0]["dns_names"] == ["mx2.example.com"]
    octets = certificates.export_pkcs12(ask.operator, "new", WORDS)
    file = base64.encodebytes(octets).decode()
    assert ask.edit("PUT", "/certificates/again", json={"pkcs12": file, "passphrase": WORDS}).status_code == 200
    assert "PRIVATE KEY" not in put.text + ask("GET", "/certificates/again").text
    request = ask("POST", "/certificates/new/csr", json={"organization": "Example"})
    assert request.json()["pem"].startswith("-----BEGIN CERTIFICATE REQUEST-----")
    for body in (
        {},
        {"certificate": "x", "pkcs12": "y"},
        {"pkcs12": "?"},
        {"pkcs12": file, "passphrase": "wrong"},
        {"certificate": pair.certificate, "key": self_signed(Subject(names=("x.example",))).private_key},
    ):
        answer = ask.edit("PUT", "/certificates/bad", json=body)
        assert answer.status_code == 422, body
        assert answer.json()["detail"]
    assert ask("GET", "/certificates/bad").status_code == 404
    assert ask.edit("DELETE", "/certificates/mx").status_code == 422  # in use
    assert ask.edit("DELETE", "/certificates/new").status_code == 200


# --- users and tokens ------------------------------------------------------------------------------------------------


def test_users_are_added_changed_and_removed(ask: Api) -> None:
    assert ask("POST", "/users", json={"name": "ann", "password": WORDS, "role": "operator"}).status_code == 201
    assert ask("PUT", "/users/ann/role", json={"role": "read-only"}).status_code == 200
    assert ask("PUT", "/users/ann/password", json={"password": f"{WORDS} staple"}).status_code == 200
    (ann,) = ask("GET", "/users").json()
    assert (ann["name"], ann["role"]) == ("ann", "read-only")
    assert "password" not in ann
    assert Users(ask.operator.users_db).verify("ann", f"{WORDS} staple")
    assert WORDS not in ask.audit()
    assert ask("DELETE", "/users/ann").status_code == 200
    for method, path in (("DELETE", "/users/ann"), ("DELETE", "/users/a%20b")):
        assert ask(method, path).status_code == 404
    assert users.listing(ask.operator) == []


def test_a_token_makes_others_and_ends_itself(ask: Api) -> None:
    made = ask("POST", "/tokens", json={"name": "reader", "days": 1})
    assert made.status_code == 201
    ask.secrets["read-only"] = made.json()["secret"]
    assert ask("GET", "/jobs", "read-only").status_code == 200
    listed = ask("GET", "/tokens")
    assert made.json()["secret"] not in listed.text + ask.audit()
    assert {one["name"]: one["author"] for one in listed.json()}["reader"] == "token administrator"
    assert ask("DELETE", "/tokens/administrator").status_code == 200
    assert ask("GET", "/jobs").status_code == 401


# --- looking ---------------------------------------------------------------------------------------------------------


def test_explain_trace_and_judge_say_what_the_command_line_says(ask: Api) -> None:
    told = ask("GET", "/explain/in?host=198.51.100.7&offer=postfix", "read-only").json()
    assert (told["group"], told["policy"], told["tls"]) == ("PARTNERS", "PARTNER_TLS", "required")
    assert ask("GET", "/explain/out?domain=partner.example", "read-only").json()["tls"] == "required"
    message = {"address": "198.51.100.7", "sender": "", "recipients": ["bob@example.com"], "message": "Subject: x\n\nhello"}
    way = ask("POST", "/trace", "read-only", json=message).json()
    assert (way["accepted"], "Subject: x" in way["message"]) == (["bob@example.com"], True)
    judged = ask("POST", "/tls/judge", "read-only", json={"spec": "ECDHE+AESGCM:NONSENSE"}).json()
    assert [token["text"] for token in judged["tokens"] if token["effect"] == "nothing"] == ["NONSENSE"]
    assert ask("GET", "/tls/costs", "read-only").json() is None


def test_a_partner_is_previewed_and_put_into_the_draft(ask: Api) -> None:
    wanted = {
        "listener": "InboundMail",
        "method": "hosts",
        "members": ["203.0.113.9"],
        "group": "PARTNER_B",
        "domain": "b.example",
    }
    changes = ask("POST", "/partner/preview", "read-only", json=wanted).json()
    assert any("PARTNER_B" in change["path"] for change in changes)
    assert ask("GET", "/config/pending").json()["changes"] == []
    assert ask.edit("POST", "/partner/apply", json=wanted).json()["changes"] == changes
    assert ask.edit("POST", "/partner/apply", json=wanted).status_code == 422  # there is such a group now


# --- jobs ------------------------------------------------------------------------------------------------------------


def test_a_job_that_fails_says_why_and_a_bug_says_nothing_of_us(ask: Api, capfd: pytest.CaptureFixture[str]) -> None:
    jobs = Jobs()

    def fail(fault: Exception) -> Any:
        def work(told: object) -> None:
            raise fault

        job = jobs.start("test", Operator(ask.state, "test"), work)
        assert job is not None
        assert job.wait(10)
        assert job.job.state == "failed"
        return job.job.problem

    refused = fail(GatepostError("too steep"))
    assert (refused.status, refused.detail) == (422, "too steep")
    bug = fail(ValueError("secret inside"))
    assert bug.status == 500
    assert "secret inside" not in bug.detail
    wait_for(lambda: "secret inside" in capfd.readouterr().err, "the log has it")


def test_only_so_many_jobs_run_at_a_time(ask: Api) -> None:
    jobs: Jobs = Jobs()
    go_on = threading.Event()
    begun = [jobs.start("wait", ask.operator, lambda told: go_on.wait(20)) for _ in range(MAX_RUNNING)]
    assert all(begun)
    assert jobs.start("wait", ask.operator, lambda told: None) is None
    go_on.set()
    assert all(job.wait(10) for job in begun if job)
    assert jobs.start("wait", ask.operator, lambda told: None) is not None
