"""Records to keep, and patience without sleeping."""

import time
from collections.abc import Callable

from gatepost.records.message_record import MessageRecord, OutcomeRecord
from gatepost.records.tls_record import TlsRecord
from gatepost.tls.outcome import Offer, TlsOutcome

TLS = TlsOutcome(protocol="TLSv1.3", cipher="TLS_AES_256_GCM_SHA384", group="X25519MLKEM768", bits=256)


def a_connection(number: int, **more: object) -> TlsRecord:
    facts = {
        "direction": "in",
        "connection": number,
        "time": 1000.0 + number,
        "peer": "198.51.100.7",
        "peer_name": "mx.partner.example",
        "listener": "InboundMail",
        "rule": "PARTNERS 198.51.100.0/24",
        "requirement": "required",
        "offer": Offer(versions=("TLSv1.3",), suites=("TLS_AES_256_GCM_SHA384",)),
        "outcome": TLS,
    }
    return TlsRecord(**(facts | more))  # type: ignore[arg-type]


def a_message(mid: int, **more: object) -> MessageRecord:
    facts = {
        "mid": mid,
        "icid": mid * 10,
        "time": 1000.0 + mid,
        "peer": "198.51.100.7",
        "peer_name": "mx.partner.example",
        "listener": "InboundMail",
        "group": "PARTNERS",
        "reverse_path": "ann@partner.example",
        "recipients": ("Bob@example.com",),
        "subject": "Hello",
        "message_id": "<1@partner.example>",
    }
    return MessageRecord(**(facts | more))  # type: ignore[arg-type]


def an_outcome(mid: int, rid: int = 0, **more: object) -> OutcomeRecord:
    facts = {
        "mid": mid,
        "rid": rid,
        "time": 2000.0 + mid,
        "address": "Bob@example.com",
        "outcome": "delivered",
        "reply": "250 2.0.0 Ok",
        "dcid": mid * 100,
    }
    return OutcomeRecord(**(facts | more))  # type: ignore[arg-type]


def until(fact: Callable[[], object]) -> None:
    """Wait for a fact."""
    deadline = time.monotonic() + 5
    while not fact():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.002)
