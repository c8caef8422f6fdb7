"""The user's first wish: one partner must encrypt, the others may. The shipped example, real clients."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.documents import partner_example
from tests.support.gateway import Gateway, gateway
from tests.support.judge import Sink
from tests.support.postfix import as_root, postfix
from tests.support.process import free_port, run, wait_for

REFUSAL = "530 #5.7.0 Must issue a STARTTLS command first"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, int]]:
    directory = tmp_path_factory.mktemp("partner")
    port = free_port()
    with Sink() as sink, gateway(directory, start=False) as one:
        one.cli("cert", "self-signed", "mx", "--hostname", "mx1.example.com")
        one.configure(partner_example(port, sink.port))
        one.start(2)
        yield one, port


def swaks(port: int, source: str, *options: str) -> tuple[int, str]:
    done = run(
        "swaks", "--server", f"127.0.0.1:{port}", "--local-interface", source,
        "--from", "ceo@partner.example", "--to", "box@example.com", *options,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_the_partner_in_the_clear_is_refused(served: tuple[Gateway, int]) -> None:
    one, port = served
    status, dialogue = swaks(port, "127.0.0.2")
    assert status != 0
    assert REFUSAL in dialogue
    assert "250-STARTTLS" in dialogue or "250 STARTTLS" in dialogue
    one.wait_log("TLS was required but remote host did not initiate it")
    one.wait_log("ACCEPT SG PARTNERS match 127.0.0.2")


def test_the_partner_over_starttls_is_accepted(served: tuple[Gateway, int]) -> None:
    one, port = served
    status, dialogue = swaks(port, "127.0.0.2", "--tls")
    assert status == 0, dialogue
    assert "TLS started with cipher TLSv1.3" in dialogue
    one.wait_log("TLS success protocol TLSv1.3 cipher TLS_AES_256_GCM_SHA384")
    one.wait_log("Message done DCID")


def test_everybody_else_in_the_clear_is_accepted(served: tuple[Gateway, int]) -> None:
    one, port = served
    status, dialogue = swaks(port, "127.0.0.1")
    assert status == 0, dialogue
    one.wait_log("ACCEPT SG None match ALL")


def test_a_recipient_that_is_not_ours_is_refused(served: tuple[Gateway, int]) -> None:
    _, port = served
    done = run("swaks", "--server", f"127.0.0.1:{port}", "--from", "a@x.example", "--to", "b@elsewhere.example")
    assert "550 #5.1.0 Address rejected." in done.stdout


def test_a_real_postfix_as_the_partner(served: tuple[Gateway, int]) -> None:
    one, port = served
    settings = {
        "relayhost": f"[127.0.0.1]:{port}",
        "smtp_bind_address": "127.0.0.2",
        "smtp_tls_security_level": "none",
        "virtual_mailbox_domains": "",
    }
    with postfix(hostname="mx.partner.example", settings=settings) as partner:
        done = run("swaks", "--server", f"127.0.0.1:{partner.port}", "--from", "p@partner.example", "--to", "q@example.com")
        assert done.returncode == 0, done.stdout
        line = wait_for(lambda: [row for row in partner.log().splitlines() if "said: " in row], "postfix is refused")[0]
        assert "530 #5.7.0 Must issue a STARTTLS command first" in line
        assert "status=deferred" in line or "status=bounced" in line
        partner.set(smtp_tls_security_level="encrypt")
        done = run("swaks", "--server", f"127.0.0.1:{partner.port}", "--from", "p@partner.example", "--to", "r@example.com")
        assert done.returncode == 0, done.stdout
        sent = wait_for(lambda: [row for row in partner.log().splitlines() if "status=sent" in row], "postfix delivers")[0]
        assert "Message" in sent
        assert "accepted" in sent
        assert as_root("grep", "-c", "TLS connection established", str(partner.root / "maillog")).stdout.strip() != "0"
    wait_for(lambda: one.json("track", "--from", "p@partner.example"), "the message is on record")
