"""`track` over records that were written by hand."""

from __future__ import annotations

import pytest

from gatepost.records.message_record import MessageRecord, OutcomeRecord
from gatepost.records.store import RecordStore
from gatepost.records.tls_record import TlsRecord
from gatepost.tls.outcome import Offer, PeerCertificate, TlsOutcome

from .conftest import Terminal

NOW = 1795494845.0
TLS = TlsOutcome(
    protocol="TLSv1.3",
    cipher="TLS_AES_256_GCM_SHA384",
    group="X25519MLKEM768",
    bits=256,
    chain_error="self-signed certificate",
    peer=PeerCertificate(dns_names=("inside.example.com",), key="EC P-256", not_after=NOW),
)
RECORDS = [
    MessageRecord(
        mid=17,
        icid=5,
        time=NOW,
        peer="192.0.2.1",
        peer_name="mx.partner.example",
        listener="InboundMail",
        group="PARTNERS",
        policy="PARTNER_TLS",
        reverse_path="ann@partner.example",
        recipients=("joe@example.com", "eve@example.com"),
        size=2048,
        subject="Hello \x1b[31mred",
        message_id="<1@partner.example>",
        encrypted="TLSv1.3 TLS_AES_256_GCM_SHA384",
        revision=3,
    ),
    MessageRecord(mid=18, icid=6, time=NOW + 60, peer="192.0.2.2", reverse_path="", recipients=("joe@example.com",)),
    OutcomeRecord(mid=17, rid=0, time=NOW + 1, address="joe@example.com", outcome="deferred", reply="451 later", dcid=9),
    OutcomeRecord(
        mid=17,
        rid=0,
        time=NOW + 61,
        address="joe@example.com",
        outcome="delivered",
        reply="250 ok",
        dcid=10,
        encrypted="TLSv1.3 TLS_AES_256_GCM_SHA384",
    ),
    TlsRecord(
        direction="in",
        connection=5,
        time=NOW,
        peer="192.0.2.1",
        peer_name="mx.partner.example",
        port=2525,
        listener="InboundMail",
        rule="PARTNERS: 192.0.2.0/24",
        reason="192.0.2.1 is in 192.0.2.0/24 of sender group PARTNERS, policy PARTNER_TLS",
        policy="PARTNER_TLS",
        requirement="required",
        requirement_source="policy PARTNER_TLS of listener InboundMail",
        offer=Offer(versions=("TLSv1.3",), suites=("TLS_AES_256_GCM_SHA384",), groups=("X25519MLKEM768",)),
        allowance=Offer(versions=("TLSv1.3", "TLSv1.2")),
        cipher_order="server",
        outcome=TLS,
        verdict="encrypted, no certificate is asked for: required",
        messages=1,
        revision=3,
    ),
    TlsRecord(
        direction="out",
        connection=10,
        time=NOW + 60,
        peer="10.0.0.5",
        peer_name="inside.example.com",
        domain="example.com",
        requirement="preferred",
        outcome=TLS,
    ),
    TlsRecord(
        direction="in",
        connection=7,
        time=NOW + 90,
        peer="203.0.113.9",
        requirement="required",
        failure="peer offers only TLSv1.0; profile inbound allows TLSv1.2, TLSv1.3",
    ),
]


@pytest.fixture
def recorded(gatepost: Terminal) -> Terminal:
    gatepost.state.mkdir()
    store = RecordStore(gatepost.state / "records.db")
    assert store.append(RECORDS) == 0
    store.close()
    return gatepost


def test_a_message_is_shown_with_its_outcomes_and_connections(recorded: Terminal) -> None:
    told = recorded("track", "17").out
    for part in (
        "From:         ann@partner.example",
        "Peer:         192.0.2.1 (mx.partner.example)",
        "Sender group: PARTNERS",
        "deferred",
        "delivered",
        "Received by ICID 5",
        "Peer:        192.0.2.1 (mx.partner.example)\n",
        "Listener:    InboundMail port 2525\n",
        "Required:    required (policy PARTNER_TLS of listener InboundMail)",
        "Cipher:      TLS_AES_256_GCM_SHA384 (256 bits)",
        "Group:       X25519MLKEM768",
        "Delivered by DCID 10",
        "Chain:       self-signed certificate",
        "suites: TLS_AES_256_GCM_SHA384",
    ):
        assert part in told, part
    assert "\x1b" not in told
    assert r"Hello \x1b[31mred" in told


def test_the_record_comes_as_json_too(recorded: Terminal) -> None:
    told = recorded.json("track", "17")
    assert told["message"]["mid"] == 17
    assert [one["outcome"] for one in told["outcomes"]] == ["deferred", "delivered"]
    assert told["connections"][0]["outcome"]["group"] == "X25519MLKEM768"


@pytest.mark.parametrize(
    ("arguments", "mids"),
    [
        ([], [18, 17]),
        (["--from", "ann@partner.example"], [17]),
        (["--from", "<>"], [18]),
        (["--to", "eve@example.com"], [17]),
        (["--peer", "192.0.2.2"], [18]),
        (["--subject", "hello"], [17]),
        (["--message-id", "1@partner"], [17]),
        (["--limit", "1"], [18]),
        (["search", "--from", "nobody"], []),
    ],
)
def test_messages_are_searched(recorded: Terminal, arguments: list[str], mids: list[int]) -> None:
    assert [one["mid"] for one in recorded.json("track", *arguments)] == mids


def test_the_list_fits_a_terminal(recorded: Terminal) -> None:
    told = recorded("track").out
    assert max(map(len, told.splitlines())) <= 80
    assert "joe@example.com" in told
    assert "<>" in told


def test_tls_records_are_listed_and_filtered(recorded: Terminal) -> None:
    assert len(recorded.json("track", "tls")) == 3
    (failed,) = recorded.json("track", "tls", "--failed")
    assert failed["connection"] == 7
    assert [one["connection"] for one in recorded.json("track", "tls", "--domain", "example.com")] == [10]
    assert [one["connection"] for one in recorded.json("track", "tls", "--direction", "in")] == [7, 5]
    assert "peer offers only TLSv1.0" in " ".join(recorded("track", "tls", "--failed").out.split())


def test_one_connection_is_shown_in_full(recorded: Terminal) -> None:
    told = recorded("track", "tls", "--icid", "5").out
    assert "Why:         192.0.2.1 is in 192.0.2.0/24 of sender group PARTNERS, policy PARTNER_TLS" in told
    assert "Order:       the server's decides" in told
    assert recorded("track", "tls", "--icid", "99", status=1).err == (
        "gatepost: ICID 99 is not on record: the list of TLS connections has those that are, "
        "the gaps of the records tell where some are missing\n"
    )


def test_what_is_not_on_record_is_said(recorded: Terminal, gatepost: Terminal) -> None:
    assert "MID 99 is not on record" in recorded("track", "99", status=1).err
    assert recorded("track", "--subject", "nothing").out == "No message on record matches.\n"


def test_a_damaged_file_is_named(recorded: Terminal) -> None:
    for suffix in ("-wal", "-shm"):
        (recorded.state / f"records.db{suffix}").unlink(missing_ok=True)
    (recorded.state / "records.db").write_bytes(b"not a database, but something else\n" * 200)
    assert "records.db cannot be read" in recorded("track", status=1).err


def test_gaps_are_told(recorded: Terminal) -> None:
    assert recorded("track", "gaps").out == "No gap is known: the records are complete.\n"
    store = RecordStore(recorded.state / "records.db")
    store.gap(-1, NOW, NOW + 60, 3, "database is locked")
    store.gap(1, NOW, NOW + 90, 0, "killed")
    store.close()
    told = recorded("track", "gaps").out
    assert [word in told for word in ("master", "3", "database is locked", "?", "killed")] == [True] * 5
    assert [gap["worker"] for gap in recorded.json("track", "gaps")] == [1, -1]
    assert "the gaps of the records tell where some are missing" in recorded("track", "99", status=1).err
