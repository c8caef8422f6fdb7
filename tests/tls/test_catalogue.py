"""The catalogue of suites: complete, taken apart as the library itself does it, and graded."""

from __future__ import annotations

import ssl

import pytest

from gatepost.tls.catalogue import GRADES, catalogue, serves
from gatepost.tls.ciphers import allowance, named, newest
from gatepost.tls.context import Terms


def test_every_suite_of_the_library_is_in_it():
    assert set(named("ALL:COMPLEMENTOFALL:@SECLEVEL=0")) <= set(catalogue())
    assert set(newest()) >= {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}
    assert len(catalogue()) > 150


def test_parts_agree_with_another_openssl():
    """The standard library has an OpenSSL of its own; both know most of the suites."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL:eNULL:@SECLEVEL=0")
    compared = 0
    for theirs in context.get_ciphers():
        ours = catalogue().get(theirs["name"])
        if ours is None or "_WITH_" not in ours.iana:
            continue
        assert ours.code == f"0x{theirs['id'] & 0xFFFF:04X}"
        assert ours.bits == theirs["alg_bits"]
        assert f"kx-{ours.key_exchange.lower()}" == theirs["kea"]
        assert {"none": "auth-null"}.get(ours.authentication, f"auth-{ours.authentication.lower()}") == theirs["auth"]
        assert ours.cipher.lower().replace("ccm8", "ccm") == (theirs["symmetric"] or "null")
        assert ours.mac.lower() == ("aead" if theirs["aead"] else theirs["digest"])
        compared += 1
    assert compared > 100


@pytest.mark.parametrize(
    ("name", "grade", "reason"),
    [
        ("TLS_AES_256_GCM_SHA384", "strong", "RFC 9325"),
        ("ECDHE-RSA-AES128-GCM-SHA256", "strong", "AEAD"),
        ("DHE-RSA-AES128-GCM-SHA256", "fair", "RFC 10015"),
        ("ECDHE-ECDSA-AES256-SHA", "fair", "CBC"),
        ("ECDHE-ECDSA-AES128-CCM8", "fair", "64 bits"),
        ("ECDHE-ARIA128-GCM-SHA256", "fair", "hardly any peer"),
        ("AES256-GCM-SHA384", "weak", "no forward secrecy"),
        ("IDEA-CBC-SHA", "weak", "1990s"),
        ("NULL-SHA256", "never", "without encryption"),
        ("ADH-AES256-GCM-SHA384", "never", "without a certificate"),
        ("SRP-RSA-AES-256-CBC-SHA", "never", "beforehand"),
        ("DHE-PSK-AES256-GCM-SHA384", "never", "beforehand"),
        ("DHE-DSS-AES128-SHA", "never", "DSA"),
    ],
)
def test_grades_have_reasons(name, grade, reason):
    suite = catalogue()[name]
    assert (suite.grade, reason in suite.reason) == (grade, True), suite


def test_what_is_never_offered_is_never_offered():
    offered = allowance(Terms(methods=("TLSv1.0", "TLSv1.1", "TLSv1.2"), ciphers="ALL:COMPLEMENTOFALL")).suites
    by_iana = {suite.iana: suite for suite in catalogue().values()}
    assert {by_iana[name].grade for name in offered} == set(GRADES) - {"never"}
    lacking = [name for name, suite in catalogue().items() if suite.grade != "never" and suite.iana not in offered]
    assert lacking == list(newest())


@pytest.mark.parametrize(
    ("name", "key", "fits"),
    [
        ("ECDHE-RSA-AES128-GCM-SHA256", "RSA 2048", True),
        ("ECDHE-RSA-AES128-GCM-SHA256", "EC P-256", False),
        ("ECDHE-ECDSA-AES128-GCM-SHA256", "EC P-384", True),
        ("ECDHE-ECDSA-AES128-GCM-SHA256", "Ed25519", True),
        ("AES128-SHA", "EC P-256", False),
        ("TLS_AES_128_GCM_SHA256", "EC P-256", True),
        ("ADH-AES128-SHA", "RSA 2048", False),
    ],
)
def test_a_suite_wants_a_kind_of_certificate(name, key, fits):
    assert serves(catalogue()[name], key) is fits
