"""`explain` and `trace`: the sentences, against a committed configuration and against a draft."""

from __future__ import annotations

import pytest

from .conftest import Terminal


def _flat(text: str) -> str:
    """Undo the wrapping."""
    return " ".join(text.split())


@pytest.mark.parametrize(
    ("arguments", "sentences"),
    [
        (
            ["198.51.100.200", "--name", "x.example"],
            [
                "198.51.100.200 is in 198.51.100.0/24 of sender group PARTNERS, policy PARTNER_TLS.",
                "tls = required, set by policy PARTNER_TLS.",
                "every command but EHLO, NOOP, QUIT and STARTTLS is answered 530",
                "ACCEPT: it may send to the recipients that the recipient table accepts.",
            ],
        ),
        (
            ["198.51.100.7", "--name", "x.example"],
            [
                "198.51.100.0/25 of sender group WATCHED (policy LOOK_ON) would match too: its policy says CONTINUE",
                "198.51.100.7 of sender group NARROW (policy BANKS) would match too: never reached: the broader "
                "198.51.100.0/24 stands above it.",
            ],
        ),
        (
            ["192.0.2.9", "--name", "a.relay.partner.example"],
            ["192.0.2.9 has the verified name a.relay.partner.example", "policy PARTNER_TLS"],
        ),
        (
            ["192.0.2.1", "--name", "x.example", "--from", "ceo@bank.example", "--to", "joe@sub.example.com"],
            [
                "tls = preferred, inherited from the Default Policy Parameters.",
                "The senders of the address list must_encrypt (@bank.example) have to encrypt.",
                "MAIL FROM:<ceo@bank.example> in clear text is answered `530 #5.7.0",
                "ceo@bank.example is in @bank.example of the address list must_encrypt.",
                "MAIL FROM:<ceo@bank.example> over TLS is accepted.",
                "RCPT TO:<joe@sub.example.com> is accepted:",
            ],
        ),
        (
            ["192.0.2.1", "--name", "x.example", "--from", "a@other.example", "--to", "joe@other.example"],
            [
                "MAIL FROM:<a@other.example> is accepted in clear text and over TLS.",
                "RCPT TO:<joe@other.example> is answered `550 #5.1.0 Address rejected.`:",
            ],
        ),
        (["203.0.113.66", "--name", "x.example"], ["REJECT: it is refused with a 554 banner."]),
        (["2001:db8::1", "--name", "x.example"], ["is in no sender group that decides: ALL, policy ACCEPT."]),
    ],
)
def test_inbound_is_explained(configured: Terminal, arguments: list[str], sentences: list[str]) -> None:
    told = _flat(configured("explain", "in", *arguments).out)
    for sentence in sentences:
        assert sentence in told


def test_the_profile_is_listed_in_the_order_that_counts(configured: Terminal) -> None:
    told = _flat(configured("explain", "in", "192.0.2.1", "--name", "x.example").out)
    assert "TLS profile inbound allows TLSv1.3, TLSv1.2." in told
    assert "TLS 1.3 suites in order: TLS_AES_256_GCM_SHA384, TLS_CHACHA20_POLY1305_SHA256, TLS_AES_128_GCM_SHA256." in told
    assert "Key exchange groups in order: X25519MLKEM768, X25519, P-256, P-384." in told
    assert "Our order decides (cipher_order = server)." in told
    # the certificate mx has an EC key
    assert "Out of reach, for they need another kind of certificate: ECDHE-RSA-AES256-GCM-SHA384" in told


def test_the_facts_stand_beside_the_sentences(configured: Terminal) -> None:
    told = configured.json("explain", "in", "198.51.100.7", "--name", "x.example")
    assert (told["group"], told["policy"], told["tls"]) == ("PARTNERS", "PARTNER_TLS", "required")
    assert [row["decides"] for row in told["matches"]] == [False, True, False, False]
    inherited = {setting["name"]: setting["inherited"] for setting in told["settings"]}
    assert not inherited["tls"]
    assert not inherited["max_messages_per_connection"]
    assert inherited["tls_profile"]


@pytest.mark.parametrize(
    ("domain", "sentences"),
    [
        (
            "partner.example",
            [
                "Mail to partner.example is under the destination control for partner.example, by revision 1.",
                "tls = required-verify, from the destination control for partner.example.",
                "The certificate must be valid for partner.example.",
                "No SMTP route speaks of partner.example, so the MX records of partner.example decide",
                "Bounce profile Default: the first retry after 1 min, then twice the wait each time up to 1 h;",
            ],
        ),
        (
            "Joe@Example.COM",
            [
                "No destination control speaks of example.com: it gets the default destination, by revision 1.",
                "The SMTP route for example.com: mail goes to 127.0.0.1:2526, then 10.0.0.6:2525;",
                "tls = preferred, from the default destination control.",
            ],
        ),
        ("sub.example.com", ["The SMTP route for .example.com says USEDNS, so the MX records of sub.example.com decide"]),
        ("gone.example", ["mail is accepted and thrown away (/dev/null)"]),
    ],
)
def test_outbound_is_explained(configured: Terminal, domain: str, sentences: list[str]) -> None:
    told = _flat(configured("explain", "out", domain).out)
    for sentence in sentences:
        assert sentence in told


def test_the_draft_is_explained_on_request(configured: Terminal) -> None:
    configured("config", "set", 'destinations."partner.example".tls', "no")
    assert configured.json("explain", "out", "partner.example")["tls"] == "required-verify"
    told = configured.json("explain", "out", "partner.example", "--draft")
    assert told["tls"] == "no"
    assert told["configuration"] == "the draft on revision 1"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["in", "mx.example.com"], "'mx.example.com' is not an IP address"),
        (["in", "192.0.2.1", "--listener", "InboundMial"], "did you mean InboundMail?"),
        (["in", "192.0.2.1", "--name", "a b"], "white space"),
        (["in", "192.0.2.1", "--name", "x.example", "--to", "a b@c"], "is not an address of a recipient"),
        (["out", "a..b"], "is not a domain name"),
        (["out", ""], "is not a domain"),
    ],
)
def test_bad_questions_are_refused_in_one_sentence(configured: Terminal, arguments: list[str], said: str) -> None:
    done = configured("explain", *arguments, status=1)
    assert said in done.err
    assert done.err.count("\n") == 1


def test_trace_follows_a_message_from_table_to_table(configured: Terminal) -> None:
    told = configured(
        "trace", "192.0.2.1", "--name", "x.example", "--from", "a@other.example", "--to", "joe@example.com,ann@no.example"
    )
    text = _flat(told.out)
    titles = [
        "Host Access Table",
        "Processing MAIL FROM",
        "Processing Recipient List",
        "Message Enqueued for Delivery to example.com",
    ]
    assert [text.index(title) for title in titles] == sorted(text.index(title) for title in titles)
    assert "RCPT TO:<ann@no.example> is answered `550" in text
    assert "no.example" not in text[text.index(titles[3]) :]


def test_trace_stops_where_the_gateway_stops(configured: Terminal) -> None:
    told = configured.json("trace", "203.0.113.66", "--name", "x.example", "--from", "", "--to", "joe@example.com")
    assert [section["title"] for section in told["sections"]] == ["Host Access Table", "End"]
    assert "The banner is `554 mx1.example.com" in told["sections"][1]["sentences"][0]
    assert told["accepted"] == []


def test_trace_tries_the_draft(configured: Terminal) -> None:
    configured("config", "set", "listeners.InboundMail.recipients.other.action", "accept")
    configured("config", "unset", "listeners.InboundMail.recipients.other")
    configured("config", "set", "listeners.InboundMail.recipients.'new.example'.action", "accept")
    question = ["trace", "192.0.2.1", "--name", "x.example", "--from", "a@b.example", "--to", "joe@new.example"]
    assert configured.json(*question)["accepted"] == ["joe@new.example"]
    assert configured.json(*question, "--committed")["accepted"] == []
