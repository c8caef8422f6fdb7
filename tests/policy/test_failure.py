"""What a failure costs, row by row: the stage, what happened there, and whether another host is left."""

from __future__ import annotations

from typing import get_args

import pytest

from gatepost.policy import failure
from gatepost.policy.failure import Cost, Stage
from gatepost.policy.verdict import TlsVerdict
from gatepost.smtp.reply import Reply

STAGES: tuple[Stage, ...] = get_args(Stage)
NEXT = ("host", "next_host")
WAIT = ("destination", "retry")


def what(cost: Cost) -> tuple[str, str]:
    return cost.scope, cost.action


@pytest.mark.parametrize(
    ("stage", "code", "hosts_left", "cost", "status"),
    [
        ("greeting", 554, True, NEXT, "4.0.0"),
        ("greeting", 554, False, WAIT, "4.0.0"),
        ("greeting", 421, True, NEXT, "4.0.0"),
        ("greeting", 450, False, WAIT, "4.0.0"),
        ("hello", 500, True, NEXT, "4.0.0"),
        ("hello", 500, False, WAIT, "4.0.0"),
        ("hello", 421, False, WAIT, "4.0.0"),
        ("starttls", 454, True, NEXT, "4.0.0"),
        ("starttls", 500, False, WAIT, "4.0.0"),
        ("mail", 450, True, ("message", "next_host"), "4.0.0"),
        ("mail", 450, False, ("message", "retry"), "4.0.0"),
        ("mail", 550, True, ("message", "bounce"), "5.0.0"),
        ("mail", 421, True, NEXT, "4.0.0"),
        ("rcpt", 450, True, ("recipient", "retry"), "4.0.0"),
        ("rcpt", 550, True, ("recipient", "bounce"), "5.0.0"),
        ("rcpt", 421, True, NEXT, "4.0.0"),
        ("rcpt", 421, False, WAIT, "4.0.0"),
        ("rcpt", 552, True, ("recipient", "retry"), "4.0.0"),
        ("data", 451, True, ("message", "retry"), "4.0.0"),
        ("data", 554, True, ("message", "bounce"), "5.0.0"),
        ("content", 550, False, ("message", "bounce"), "5.0.0"),
        ("end", 451, True, ("message", "retry"), "4.0.0"),
        ("end", 554, True, ("message", "bounce"), "5.0.0"),
        ("end", 421, True, ("host", "retry"), "4.0.0"),
        ("reset", 500, True, NEXT, "4.0.0"),
    ],
)
def test_a_refusal(stage: Stage, code: int, hosts_left: bool, cost: tuple[str, str], status: str) -> None:
    given = failure.of_reply(stage, Reply(code, "no"), hosts_left=hosts_left)
    assert (what(given), given.status, given.reply) == (cost, status, Reply(code, "no"))
    assert given.diagnostic.endswith(f"answered {code} no")


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("code", [220, 221, 250, 354, 199, 650])
def test_a_code_that_is_not_due_is_a_fault_of_the_host(stage: Stage, code: int) -> None:
    given = failure.of_reply(stage, Reply(code, "hello"), hosts_left=True)
    assert what(given) == (("host", "retry") if stage == "end" else NEXT)
    assert (given.status, given.diagnostic.endswith("which is not due here")) == ("4.5.0", True)
    assert given.reply is not None


@pytest.mark.parametrize("stage", STAGES)
def test_a_broken_connection_never_bounces(stage: Stage) -> None:
    for hosts_left in (True, False):
        given = failure.of_fault(stage, "the peer closed the connection", hosts_left=hosts_left)
        # Once the end of data is out the host may have the message: asking another at once would deliver it twice.
        expected = ("host", "retry") if stage == "end" else NEXT if hosts_left else WAIT
        assert what(given) == expected
        assert given.status == ("4.4.1" if stage == "connect" else "4.4.2")
        assert given.diagnostic == "the peer closed the connection"


@pytest.mark.parametrize(
    ("stage", "reply", "status"),
    [
        ("rcpt", Reply(550, "5.1.1 no such user"), "5.1.1"),
        ("rcpt", Reply(550, "#5.1.0 Address rejected."), "5.1.0"),
        ("rcpt", Reply(450, "4.2.0 greylisted\n4.2.0 come again"), "4.2.0"),
        ("rcpt", Reply(550, "4.1.1 of two minds"), "5.0.0"),
        ("rcpt", Reply(550, "5.1.1.9 not a status"), "5.0.0"),
        ("rcpt", Reply(550, "5.007.010"), "5.7.10"),
        ("rcpt", Reply(550, ""), "5.0.0"),
        ("rcpt", Reply(552, "5.2.2 mailbox full"), "5.2.2"),
        ("rcpt", Reply(552, "5.5.3 too many recipients"), "4.5.3"),
        ("greeting", Reply(554, "5.7.1 go away"), "4.7.1"),
    ],
)
def test_the_status_is_the_peers_with_our_class(stage: Stage, reply: Reply, status: str) -> None:
    assert failure.of_reply(stage, reply, hosts_left=False).status == status


def test_an_unmet_tls_requirement_waits() -> None:
    verdict = TlsVerdict(allowed=False, verified=False, reason="mx does not offer STARTTLS", status="4.7.4")
    last = failure.of_tls(verdict, hosts_left=False)
    assert (what(last), last.status, last.diagnostic) == (WAIT, "4.7.4", verdict.reason)
    assert what(failure.of_tls(verdict, hosts_left=True)) == NEXT


@pytest.mark.parametrize(
    ("problem", "cost", "status", "routed"),
    [
        ("temporary", WAIT, "4.4.3", WAIT),
        ("nxdomain", ("destination", "bounce"), "5.1.2", WAIT),
        ("null_mx", ("destination", "bounce"), "5.1.10", WAIT),
        ("no_address", ("destination", "bounce"), "5.4.4", WAIT),
        ("loop", ("destination", "bounce"), "5.4.6", WAIT),
    ],
)
def test_dns(problem: failure.DnsProblem, cost: tuple[str, str], status: str, routed: tuple[str, str]) -> None:
    given = failure.of_dns(problem, "partner.example", "SERVFAIL")
    assert (what(given), given.status) == (cost, status)
    assert "partner.example" in given.diagnostic
    assert given.diagnostic.endswith(": SERVFAIL")
    assert what(failure.of_dns(problem, "inside.example.net", routed=True)) == routed


@pytest.mark.parametrize(("shortage", "status"), [("8bitmime", "5.6.3"), ("smtputf8", "5.6.7"), ("size", "5.3.4")])
def test_what_a_host_cannot_take_bounces(shortage: failure.Shortage, status: str) -> None:
    given = failure.of_shortage(shortage, "mx.partner.example")
    assert (what(given), given.status) == (("message", "bounce"), status)


def test_expiry_tells_of_the_last_attempt() -> None:
    last = failure.of_reply("rcpt", Reply(450, "4.2.0 greylisted"), hosts_left=False)
    given = failure.of_expiry(last, "all 2 retries were made")
    assert (what(given), given.status, given.reply) == (("recipient", "bounce"), "5.4.7", last.reply)
    assert given.diagnostic == (
        "delivery expired (all 2 retries were made); the last attempt: RCPT was answered 450 4.2.0 greylisted"
    )
