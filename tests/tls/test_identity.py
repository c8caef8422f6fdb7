"""Names on certificates against the names we meant (faults.md 2 row 17)."""

import time

import pytest

from gatepost.tls.identity import match, normal_name, presented
from gatepost.tls.outcome import PeerCertificate


def sans(*names: str, common_name: str = "") -> PeerCertificate:
    return PeerCertificate(common_name=common_name, dns_names=names)


@pytest.mark.parametrize(
    ("peer", "reference", "matched"),
    [
        (sans("mx.example.com"), "mx.example.com", "mx.example.com"),
        (sans("MX.Example.COM"), "mx.example.com", "MX.Example.COM"),
        (sans("a.example", "mx.example.com"), "MX.EXAMPLE.COM", "mx.example.com"),
        (sans("example.com"), "mx.example.com", ""),
        (sans("mx.example.com"), "example.com", ""),
        (sans("mx.example.com"), "mx.example.com.", "mx.example.com"),
        (sans("mx.example.com."), "mx.example.com", ""),  # a dNSName has no trailing dot (RFC 5280 4.2.1.6)
        (sans("mx.example.com."), "mx.example.com.", ""),
        (sans(".example.com"), "mx.example.com", ""),
        (sans(""), "", ""),
        (sans(""), "mx.example.com", ""),
        # wildcards
        (sans("*.example.com"), "mx.example.com", "*.example.com"),
        (sans("*.example.com"), "example.com", ""),
        (sans("*.example.com"), "a.mx.example.com", ""),
        (sans("*.com"), "example.com", ""),
        (sans("*"), "com", ""),
        (sans("*."), "com", ""),
        (sans("*.*.example.com"), "a.b.example.com", ""),
        (sans("mx.*.com"), "mx.example.com", ""),
        (sans("m*.example.com"), "mx.example.com", ""),
        (sans("*x.example.com"), "mx.example.com", ""),
        (sans("*.example.com"), "*.example.com", ""),  # a reference is a host, never a pattern
        (sans("*.xn--bcher-kva.example"), "mx.xn--bcher-kva.example", "*.xn--bcher-kva.example"),
        (sans("xn--*.example.com"), "xn--bcher-kva.example.com", ""),
        # NUL and other tricks
        (sans("good.example\0.evil.example"), "good.example", ""),
        (sans(common_name="good.example\\x00.evil.example"), "good.example", ""),
        (sans("good.example\n"), "good.example", ""),
        (sans("mx.\u212aexample.com"), "mx.kexample.com", ""),  # the Kelvin sign lowers to k
        (sans("mx..example.com"), "mx..example.com", ""),
        # internationalised names: A-labels, without regard to case
        (sans("xn--bcher-kva.example"), "bücher.example", "xn--bcher-kva.example"),
        (sans("XN--BCHER-KVA.example"), "BÜCHER.example", "XN--BCHER-KVA.example"),
        (sans("bücher.example"), "bücher.example", ""),  # a dNSName is ASCII
        (sans("mx.example.com"), "\ud800.example", ""),
        # addresses
        (sans("192.0.2.1"), "192.0.2.1", ""),
        (sans(common_name="192.0.2.1"), "192.0.2.1", ""),
        (sans("*.0.2.1"), "192.0.2.1", ""),
        (sans("2001:db8::1"), "2001:db8::1", ""),
        (sans("[192.0.2.1]"), "[192.0.2.1]", ""),
        # the common name
        (sans(common_name="mx.example.com"), "mx.example.com", "mx.example.com"),
        (sans(common_name="*.example.com"), "mx.example.com", "*.example.com"),
        (sans("other.example", common_name="mx.example.com"), "mx.example.com", ""),
        (sans(), "mx.example.com", ""),
    ],
)
def test_match(peer, reference, matched):
    assert match(peer, [reference]) == matched


def test_any_reference_will_do():
    peer = sans("partner.example")
    assert match(peer, ["mx.partner.example", "partner.example"]) == "partner.example"
    assert match(peer, []) == ""


def test_ten_thousand_names_are_fine():
    peer = sans(*(f"host{n}.example.com" for n in range(9_999)), "mx.example.org")
    began = time.process_time()
    assert match(peer, ["mx.example.org"]) == "mx.example.org"
    assert match(peer, [f"no{n}.example.org" for n in range(100)]) == ""
    assert time.process_time() - began < 0.25


def test_what_is_presented():
    assert presented(sans("a.example", common_name="b.example")) == ("a.example",)
    assert presented(sans(common_name="b.example")) == ("b.example",)
    assert presented(sans()) == ()


@pytest.mark.parametrize(
    ("name", "normal"),
    [
        ("MX.Example.com.", "mx.example.com"),
        ("192.0.2.1", ""),
        ("::1", ""),
        ("[::1]", ""),
        ("bücher.example", "xn--bcher-kva.example"),
        ("_smtp.example", "_smtp.example"),
        ("a\0b.example", ""),
        ("a b.example", ""),
        ("*.example", ""),
        ("", ""),
        ("a." * 126 + "a", "a." * 126 + "a"),
        ("a." * 126 + "ab", ""),
        ("..", ""),
        ("a..b", ""),
        (".a", ""),
    ],
)
def test_normal_name(name, normal):
    assert normal_name(name) == normal
