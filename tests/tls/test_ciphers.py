"""What cipher strings and terms select, by both names of a suite."""

import pytest

from gatepost.tls import binding, registry
from gatepost.tls.ciphers import allowance, expand, iana_name, openssl_name
from gatepost.tls.context import Terms, effective_ciphers


@pytest.mark.parametrize(
    ("string", "versions", "names"),
    [
        ("ECDHE-RSA-AES256-GCM-SHA384:AES128-SHA", ("TLSv1.2",), ("ECDHE-RSA-AES256-GCM-SHA384", "AES128-SHA")),
        ("AES128-SHA:ECDHE-RSA-AES256-GCM-SHA384", ("TLSv1.0", "TLSv1.1"), ("AES128-SHA",)),
        ("ECDHE-RSA-AES256-GCM-SHA384", ("TLSv1.3",), ()),
        ("RC4-SHA:RC4-MD5", ("TLSv1.0", "TLSv1.1", "TLSv1.2"), ()),
        ("aNULL:eNULL:PSK:SRP:aDSS", ("TLSv1.2",), ()),
        ("no such thing \0", ("TLSv1.2",), ()),
        ("", ("TLSv1.2",), ()),
    ],
)
def test_expand(string, versions, names):
    assert expand(string, versions) == names


def test_a_partly_dead_string_keeps_what_lives():
    """The default of the appliance that started it all (asyncos.md 6)."""
    names = expand("RC4-SHA:RC4-MD5:ALL")
    assert "ECDHE-RSA-AES256-GCM-SHA384" in names
    assert not [name for name in names if name.startswith(("RC4", "NULL", "ADH", "AECDH", "PSK", "SRP"))]


def test_allowance_is_in_the_order_that_counts():
    terms = Terms(
        methods=("TLSv1.1", "TLSv1.2", "TLSv1.3"),
        ciphers="AES128-SHA:ECDHE-RSA-AES256-GCM-SHA384",
        suites=("TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_256_GCM_SHA384"),
        groups=("P-256", "X25519"),
    )
    allowed = allowance(terms)
    assert allowed.versions == ("TLSv1.3", "TLSv1.2", "TLSv1.1")
    assert allowed.suites == (
        "TLS_CHACHA20_POLY1305_SHA256",
        "TLS_AES_256_GCM_SHA384",
        "TLS_RSA_WITH_AES_128_CBC_SHA",
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    )
    assert allowed.groups == ("P-256", "X25519")
    assert allowed.key_shares == ()


def test_hybrid_groups_need_tls_1_3():
    terms = Terms(methods=("TLSv1.2",), groups=("X25519MLKEM768", "X25519"))
    assert allowance(terms).groups == ("X25519",)


def test_the_security_level_is_lowered_for_old_versions_only():
    assert "@SECLEVEL" not in effective_ciphers(Terms())
    assert effective_ciphers(Terms(methods=("TLSv1.0",))).endswith(":@SECLEVEL=0")
    assert effective_ciphers(Terms(methods=("TLSv1.1",), ciphers="ALL:@SECLEVEL=1")).count("@SECLEVEL") == 1


def test_suites_go_by_two_names():
    assert iana_name("ECDHE-RSA-AES256-GCM-SHA384") == "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"
    assert openssl_name("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384") == "ECDHE-RSA-AES256-GCM-SHA384"
    assert iana_name("RC4-MD5") == "RC4-MD5"
    assert openssl_name("TLS_RSA_WITH_RC4_128_MD5") == "TLS_RSA_WITH_RC4_128_MD5"
    assert {known.iana for known in binding.suites().values()} <= set(registry.SUITES.values())
    assert not registry.SIGNALS & {known.iana for known in binding.suites().values()}


def test_every_suite_of_the_library_is_in_the_registry():
    known = set(registry.SUITES.values())
    names = allowance(Terms(methods=("TLSv1.0", "TLSv1.1", "TLSv1.2"), ciphers="ALL:COMPLEMENTOFALL")).suites
    assert len(names) > 60
    assert set(names) <= known
