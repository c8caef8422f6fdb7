"""`explain` and `trace`: the sentences, against a committed configuration and against a draft."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from gatepost.records.store import RecordStore
from gatepost.records.tls_record import TlsRecord
from gatepost.tls.ciphers import first_flight
from gatepost.tls.context import Terms, context
from gatepost.tls.offers import recorded
from gatepost.tls.outcome import Offer

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
        (["in", "192.0.2.300"], "'192.0.2.300' is neither an IP address nor the name of a host"),
        (["in", "2001:db8::x"], "'2001:db8::x' is neither an IP address nor the name of a host"),
        (["in", "192.0.2.1", "--offer", "jawa"], "'jawa' is neither a file nor a client on record: did you mean java?"),
        (["in", "192.0.2.1", "--offer", "/etc/passwd"], "/etc/passwd: there is no ClientHello in it"),
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


# --- the handshake -------------------------------------------------------------------------------------------------------


def test_without_an_offer_each_client_on_record_is_shown(configured: Terminal) -> None:
    told = configured.json("explain", "in", "192.0.2.1", "--name", "x.example")
    assert [one["client"] for one in told["negotiations"]] == [one.name for one in recorded()]
    clients = {one["client"]: one for one in told["negotiations"]}
    assert (clients["postfix"]["version"], clients["postfix"]["group"]) == ("TLSv1.3", "X25519")
    assert clients["java-tls1.2"]["cipher"] == "ECDHE-ECDSA-AES256-GCM-SHA384"
    assert clients["openssl-tls1.0"]["version"] == ""
    assert clients["openssl-tls1.0"]["reason"] == "peer offers only TLSv1.0; profile inbound allows TLSv1.2, TLSv1.3"
    shown = _flat(configured("explain", "in", "192.0.2.1", "--name", "x.example").out)
    assert "What common clients would get" in shown
    assert "java-tls1.2 TLSv1.2 ECDHE-ECDSA-AES256-GCM-SHA384 X25519" in shown


def test_a_host_that_gets_no_tls_negotiates_nothing(configured: Terminal) -> None:
    question = ["explain", "in", "203.0.113.66", "--name", "x.example"]
    assert configured.json(*question)["negotiations"] == []
    told = configured.json(*question, "--offer", "curl")
    assert told["negotiations"] == []
    assert told["sections"][-1]["sentences"] == ["There is none: the connection ends before it, so the offer is never made."]
    configured("config", "set", "listeners.InboundMail.policies.BLOCKED", '{ tls = "no" }')
    told = configured.json(*question, "--offer", "curl", "--draft")
    assert told["sections"][-1]["sentences"] == ["There is none: STARTTLS is not offered, so the offer is never made."]


@pytest.mark.parametrize(
    ("arguments", "sentences"),
    [
        (
            ["--offer", "java-tls1.2"],
            [
                "Its offer: Java 17 held to TLS 1.2: openjdk 17",
                "It would get TLSv1.2 with ECDHE-ECDSA-AES256-GCM-SHA384 and group X25519.",
                "Our order decided (cipher_order = server): it is the first of ours that the client offers and can be "
                "served; the other order would have come to the same.",
                "The runner-up is ECDHE-ECDSA-AES128-GCM-SHA256.",
                "The certificate mx (EC P-256) is shown; the client asks for no name.",
            ],
        ),
        (
            ["--offer", "openssl-tls1.2"],
            ["It offers TLSv1.2 or older; suites ECDHE-ECDSA-AES256-GCM-SHA384,"],
        ),
        (
            ["--offer", "openssl-tls1.0"],
            [
                "It offers TLSv1.0; suites ECDHE-ECDSA-AES256-SHA,",
                "The handshake would fail: peer offers only TLSv1.0; profile inbound allows TLSv1.2, TLSv1.3.",
                "The connection ends there; the policy takes mail in clear text, so a client that tries without TLS is "
                "served.",
            ],
        ),
    ],
)
def test_one_offer_is_explained_in_sentences(configured: Terminal, arguments: list[str], sentences: list[str]) -> None:
    told = _flat(configured("explain", "in", "192.0.2.1", "--name", "x.example", *arguments).out)
    for sentence in sentences:
        assert sentence in told
    assert "What common clients would get" not in told


def test_where_tls_is_required_a_client_without_brings_no_mail(configured: Terminal) -> None:
    told = _flat(configured("explain", "in", "198.51.100.200", "--name", "x.example", "--offer", "openssl-tls1.0").out)
    assert "The policy requires TLS, so no mail comes from such a client." in told


def test_whose_order_decides_is_told_with_what_the_other_would_have_come_to(configured: Terminal) -> None:
    configured(
        "config", "set", "tls_profiles.inbound.ciphers", "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-SHA384"
    )
    configured("config", "set", "tls_profiles.inbound.groups", '["P-384", "X25519"]')
    question = ["explain", "in", "192.0.2.1", "--name", "x.example", "--offer", "openssl-tls1.2", "--draft"]
    told = _flat(configured(*question).out)
    assert "It would get TLSv1.2 with ECDHE-ECDSA-CHACHA20-POLY1305 and group P-384." in told
    assert "by the client's order it would have been ECDHE-ECDSA-AES256-GCM-SHA384 and group X25519." in told
    configured("config", "set", "tls_profiles.inbound.cipher_order", "client")
    told = _flat(configured(*question).out)
    assert "It would get TLSv1.2 with ECDHE-ECDSA-AES256-GCM-SHA384 and group X25519." in told
    assert (
        "The client's order decided (cipher_order = client): it is the first of the client's that we allow and can serve; "
        in told
    )
    assert "by our order it would have been ECDHE-ECDSA-CHACHA20-POLY1305 and group P-384." in told


def test_another_round_trip_and_the_name_that_is_asked_for_are_told(configured: Terminal, tmp_path: Path) -> None:
    configured("config", "set", "tls_profiles.inbound.groups", '["P-384"]')
    file = tmp_path / "hello.hex"
    file.write_text(first_flight(context(Terms(), server=False), "mx1.example.com").hex(" "))
    told = _flat(configured("explain", "in", "192.0.2.1", "--name", "x.example", "--offer", str(file), "--draft").out)
    assert f"Its offer: the ClientHello in {file}." in told
    assert "It sent no key share for P-384, which costs it another round trip." in told
    assert "The certificate mx (EC P-256) is shown, for the client asks for mx1.example.com." in told


def test_a_recorded_sessions_offer_is_taken_by_its_icid(configured: Terminal) -> None:
    offer = Offer(
        versions=("TLSv1.2",),
        suites=("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",),
        groups=("X25519",),
        signatures=("ed25519",),
    )
    kept = TlsRecord(direction="in", connection=7, time=1.0, peer="192.0.2.1", peer_name="x.example", offer=offer)
    with closing(RecordStore(configured.state / "records.db")) as store:
        store.append([kept, TlsRecord(direction="in", connection=8, time=2.0, peer="192.0.2.1")])
    told = _flat(configured("explain", "in", "192.0.2.1", "--name", "x.example", "--icid", "7").out)
    assert "Its offer: the offer of 192.0.2.1 (x.example) in ICID 7." in told
    assert "no signature in common: peer takes ed25519; our certificate's key is EC." in told
    assert "ICID 8 never sent a ClientHello" in configured("explain", "in", "192.0.2.1", "--icid", "8", status=1).err
    assert "ICID 9 is not on record" in configured("explain", "in", "192.0.2.1", "--icid", "9", status=1).err
    both = configured("explain", "in", "192.0.2.1", "--icid", "7", "--offer", "curl", status=1)
    assert "not both" in both.err


# --- the draft -----------------------------------------------------------------------------------------------------------


def test_what_the_draft_would_change_of_it_is_told(configured: Terminal) -> None:
    question = ["explain", "in", "192.0.2.1", "--name", "x.example", "--from", "ceo@bank.example", "--to", "joe@new.example"]
    assert configured.json(*question)["draft"] is None
    assert "If the draft" not in configured(*question).out
    configured("config", "set", "listeners.InboundMail.policies.BANKS.tls", "required")
    configured("config", "set", "tls_profiles.inbound.methods", '["TLSv1.3"]')
    configured("config", "set", "listeners.InboundMail.recipients.'new.example'.action", "accept")
    told = _flat(configured(*question).out)
    for sentence in (
        "tls: preferred -> required.",
        "TLS profile inbound: TLSv1.3, TLSv1.2 -> TLSv1.3.",
        "client java-tls1.2: TLSv1.2 ECDHE-ECDSA-AES256-GCM-SHA384 with group X25519 -> no TLS (peer offers only TLSv1.2;",
        "Sender: MAIL FROM:<ceo@bank.example> in clear text is answered `530 #5.7.0 This sender",
        "Recipient: RCPT TO:<joe@new.example> is answered `550",
    ):
        assert sentence in told
    assert "client openssl-tls1.0" not in told[told.index("If the draft") : told.index("Settings")]
    changes = {change["path"]: change["new"] for change in configured.json(*question)["draft"]}
    assert changes["tls"] == "required"
    assert configured.json(*question, "--draft")["draft"] is None


def test_another_row_under_the_draft_is_told_first(configured: Terminal) -> None:
    configured("config", "set", "listeners.InboundMail.sender_groups.PARTNERS.senders", '["198.51.100.128/25"]')
    told = configured.json("explain", "in", "198.51.100.7", "--name", "x.example")
    head = [(change["path"], change["old"], change["new"]) for change in told["draft"][:3]]
    assert head == [
        ("sender group", "PARTNERS", "NARROW"),
        ("entry", "198.51.100.0/24", "198.51.100.7"),
        ("policy", "PARTNER_TLS", "BANKS"),
    ]


def test_a_draft_that_changes_something_else_is_told_as_such(configured: Terminal) -> None:
    configured("config", "set", "routes.'else.example'", '["USEDNS"]')
    told = configured.json("explain", "in", "198.51.100.7", "--name", "x.example")
    assert told["draft"] == []
    assert told["sections"][-1]["sentences"] == ["Nothing of this would change; what the draft changes lies elsewhere."]


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("tls_profiles.inbound.ciphers", "RC4-SHA", "None can succeed: cipher string 'RC4-SHA' matches no suite"),
        ("listeners.InboundMail.certificates", '["gone"]', "None can succeed: the certificate gone does not exist"),
        ("listeners.InboundMail.certificates", "[]", "None can succeed: the listener has no certificate"),
        (
            "listeners.InboundMail.default_policy.tls_profile",
            "gone",
            "None can succeed: the TLS profile gone does not exist",
        ),
    ],
)
def test_a_draft_under_which_no_handshake_can_succeed_is_told(
    configured: Terminal, path: str, value: str, told: str
) -> None:
    configured("config", "set", path, value)
    question = ["explain", "in", "192.0.2.1", "--name", "x.example"]
    changes = {change["path"]: change for change in configured.json(*question)["draft"]}
    assert changes["handshakes"]["old"] == "as told here"
    assert changes["handshakes"]["new"].startswith(told)
    assert told in _flat(configured(*question, "--draft").out)


def test_a_draft_that_lets_a_host_in_is_told(configured: Terminal) -> None:
    configured("config", "set", "listeners.InboundMail.policies.BLOCKED", "{}")
    changes = configured.json("explain", "in", "203.0.113.66", "--name", "x.example")["draft"]
    assert [(change["path"], change["old"], change["new"]) for change in changes] == [
        ("behaviour", "reject", "accept"),
        ("handshakes", "there is none", "as the draft alone tells"),
    ]


def test_a_draft_without_the_listener_has_no_answer(configured: Terminal) -> None:
    configured("config", "unset", "listeners.InboundMail")
    told = configured.json("explain", "in", "198.51.100.7", "--name", "x.example", "--listener", "InboundMail")
    assert told["sections"][-1]["sentences"][0].startswith(
        "The draft on revision 1 has no answer to this question: there is no"
    )


def test_what_the_draft_would_change_of_a_delivery_is_told(configured: Terminal) -> None:
    configured("config", "set", 'destinations."partner.example".tls', "no")
    configured("config", "set", "routes.'partner.example'", '["10.0.0.9"]')
    told = _flat(configured("explain", "out", "partner.example").out)
    assert "If the draft were committed route: none -> partner.example. next hops: none -> 10.0.0.9." in told
    assert "tls: required-verify -> no." in told
    assert "The SMTP route for partner.example: mail goes to 10.0.0.9" in told
    assert configured.json("explain", "out", "other.example")["draft"] == []


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
