"""The choice that is told is the choice that is made: against ServerHellos of the real engine, for any terms and offer."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from gatepost.errors import GatepostError
from gatepost.tls.certificates import KeyPair, key_to_pem, to_pem
from gatepost.tls.choice import Choice, choose
from gatepost.tls.context import Terms
from gatepost.tls.hello import HelloParser
from gatepost.tls.offers import recorded
from gatepost.tls.outcome import Offer
from gatepost.tls.sides import ServerContext
from tests.support.hellos import answer, client_hello
from tests.support.offering import offers, terms
from tests.support.tls import ALL_VERSIONS, DAY, NOW, pair, server

KEYS = {"RSA": pair(kind="RSA"), "EC": pair(kind="EC")}


def said(side: ServerContext, offer: Offer) -> tuple[str, str, str, bool] | str:
    """Return the choice in the form of the wire's answer, or why there is none."""
    key = side.choose(offer).key
    choice = choose(offer, side.allowance, (key,), order=side.terms.cipher_order, profile=side.profile)
    if choice.reason:
        return choice.reason
    # where the client names no such group, the library takes the parameters that we gave it
    group = choice.group or ("ffdhe2048" if "_DHE_" in choice.suite else "")
    return choice.version, choice.suite, group, choice.retries


def agree(side: ServerContext, hello: bytes, offer: Offer) -> bool:
    """Hold the two to one another; returns whether they came to a handshake."""
    wire, told = answer(side, hello), said(side, offer)
    if isinstance(told, str):
        assert isinstance(wire, str), f"{told!r} was said, and the wire came to {wire}"
        return False
    assert told == wire
    return True


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(terms=terms(), offer=offers(), kinds=st.sampled_from((("RSA",), ("EC",), ("EC", "RSA"))))
def test_what_is_said_is_what_the_wire_comes_to(terms: Terms, offer: Offer, kinds: tuple[str, ...]) -> None:
    try:
        side = server(*(KEYS[kind] for kind in kinds), terms=terms)
    except GatepostError:
        assume(False)
    event("a handshake" if agree(side, client_hello(offer), offer) else "none")


def test_a_made_hello_is_read_back_as_it_was_meant() -> None:
    offer = Offer(
        versions=("TLSv1.3", "TLSv1.2"),
        suites=("TLS_AES_128_GCM_SHA256", "TLS_RSA_WITH_AES_128_CBC_SHA"),
        groups=("X25519MLKEM768", "P-256", "ffdhe2048"),
        key_shares=("P-256", "X25519MLKEM768"),
        signatures=("ecdsa_secp256r1_sha256", "ed25519"),
    )
    assert HelloParser().feed(client_hello(offer)) == offer


SIDES = [
    Terms(methods=methods, ciphers=ciphers, groups=groups, cipher_order=order)
    for methods, ciphers in (
        (("TLSv1.2", "TLSv1.3"), "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM"),
        (("TLSv1.2",), "kRSA+AES:DHE+AES:ECDHE+AESGCM"),
        (("TLSv1.0",), "ALL"),
        (ALL_VERSIONS, "ALL"),
    )
    for groups in (("X25519MLKEM768", "X25519", "P-256"), ("P-384", "ffdhe3072"))
    for order in ("server", "client")
]


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize("name", [one.name for one in recorded()])
def test_recorded_clients_get_on_the_wire_what_is_said(name: str, kind: str) -> None:
    """Their ClientHellos as they came, answered by the engine."""
    client = next(one for one in recorded() if one.name == name)
    met = [agree(server(KEYS[kind], terms=terms), client.hello, client.offer) for terms in SIDES]
    assert any(met)


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1()])
def test_tls_1_3_binds_a_curve_to_its_hash(curve: ec.EllipticCurve) -> None:
    key = made_with(ec.generate_private_key(curve))
    for scheme in ("ecdsa_secp256r1_sha256", "ecdsa_secp384r1_sha384"):
        offer = Offer(
            versions=("TLSv1.3",),
            suites=("TLS_AES_128_GCM_SHA256",),
            groups=("X25519",),
            key_shares=("X25519",),
            signatures=(scheme,),
        )
        assert agree(server(key), client_hello(offer), offer) == (curve.name in scheme)


@pytest.mark.parametrize("version", ["TLSv1.1", "TLSv1.2", "TLSv1.3"])
def test_an_edwards_key_serves_ecdsa_suites_from_tls_1_2_on(version: str) -> None:
    side = server(
        made_with(ed25519.Ed25519PrivateKey.generate()), terms=Terms(methods=ALL_VERSIONS, ciphers="ALL", groups=("X25519",))
    )
    offer = Offer(
        versions=(version,),
        suites=("TLS_AES_128_GCM_SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA"),
        groups=("X25519",),
        key_shares=("X25519",) if version == "TLSv1.3" else (),
        signatures=("ed25519", "rsa_pss_rsae_sha256"),
    )
    assert agree(side, client_hello(offer), offer) == (version != "TLSv1.1")


def test_the_runner_up_is_what_comes_without_the_first() -> None:
    offer = recorded()[0].offer
    side = server(KEYS["RSA"], terms=Terms(methods=("TLSv1.2",), ciphers="AES128-SHA:ECDHE+AESGCM", groups=("P-256",)))
    told = choose(offer, side.allowance, ("RSA 2048",))
    assert told.suite == "TLS_RSA_WITH_AES_128_CBC_SHA"
    rest = Offer(
        versions=offer.versions,
        suites=tuple(name for name in offer.suites if name != told.suite),
        groups=offer.groups,
        signatures=offer.signatures,
    )
    assert choose(rest, side.allowance, ("RSA 2048",)).suite == told.runner_up
    assert choose(rest, side.allowance, ("RSA 2048",)).group == "P-256"


def test_there_may_be_no_runner_up() -> None:
    side = server(KEYS["RSA"], terms=Terms(methods=("TLSv1.2",), ciphers="AES128-SHA"))
    assert choose(recorded()[0].offer, side.allowance, ("RSA 2048",)) == Choice(
        version="TLSv1.2", suite="TLS_RSA_WITH_AES_128_CBC_SHA", order="server"
    )


def test_a_fallback_is_told_as_one() -> None:
    offer = Offer(versions=("TLSv1.2",), suites=("TLS_RSA_WITH_AES_128_CBC_SHA", "TLS_FALLBACK_SCSV"), groups=("X25519",))
    side = server(KEYS["RSA"], terms=Terms(ciphers="ALL"))
    assert not agree(side, client_hello(offer), offer)
    assert "fell back to TLSv1.2 after a failure" in choose(offer, side.allowance, ("RSA 2048",)).reason


def made_with(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> KeyPair:
    """Return a certificate with a key of a kind that we do not make ourselves."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mx.example.com")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(NOW - DAY).not_valid_after(NOW + DAY)
    hash_ = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return KeyPair(to_pem([builder.sign(key, hash_)]), key_to_pem(key))
