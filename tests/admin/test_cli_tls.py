"""`tls ciphers`: what a cipher string selects, what in it selects nothing, and what it would be refused for."""

from __future__ import annotations

from gatepost.tls.catalogue import catalogue

from .conftest import Terminal


def test_suites_come_in_the_order_of_preference(gatepost: Terminal) -> None:
    told = gatepost.json("tls", "ciphers", "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384")
    assert [suite["name"] for suite in told["suites"]] == ["ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384"]
    assert told["suites"][0] == {
        "name": "ECDHE-RSA-AES128-GCM-SHA256",
        "iana": "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        "code": "0xC02F",
        "protocol": "TLSv1.2",
        "key_exchange": "ECDHE",
        "authentication": "RSA",
        "cipher": "AES-128-GCM",
        "bits": 128,
        "mac": "AEAD",
        "forward_secrecy": True,
        "grade": "strong",
        "reason": "forward secrecy and AEAD, as RFC 9325 4.2 recommends",
    }
    assert not gatepost.state.exists()


def test_words_that_match_nothing_say_why(gatepost: Terminal) -> None:
    out = gatepost("tls", "ciphers", "RC4-SHA:bf-cbc:ALL:!aNULL").out
    assert "  RC4-SHA: RC4 is prohibited in TLS by RFC 7465 (2015)" in out
    assert "  bf-cbc: the name of a cipher, not of a suite" in out
    assert out.endswith("2 of its 4 words match nothing: RC4-SHA, bf-cbc\n")


def test_a_string_that_selects_nothing_is_refused(gatepost: Terminal) -> None:
    done = gatepost("tls", "ciphers", "RC4-SHA:RC4-MD5", status=1)
    assert done.err == (
        "gatepost: cipher string 'RC4-SHA:RC4-MD5' matches no cipher of TLSv1.2; RC4-SHA, RC4-MD5: RC4 is prohibited in TLS "
        "by RFC 7465 (2015), and OpenSSL leaves it out since 1.1.0 (2016); "
        "nearest: AES128-SHA or ECDHE-RSA-AES128-GCM-SHA256\n"
    )
    assert done.out == ""
    assert "matches no cipher" in gatepost("tls", "ciphers", "", status=1).err
    assert gatepost("tls", "ciphers", "RC4-SHA", "--json", status=1).json["tokens"][0]["effect"] == "nothing"


def test_a_certificate_that_is_left_without_a_suite_is_named(configured: Terminal) -> None:
    done = configured("tls", "ciphers", "ECDHE+aRSA", status=1)
    assert "ECDHE-RSA-AES256-GCM-SHA384" in done.out
    assert done.err == (
        "gatepost: cipher string 'ECDHE+aRSA' leaves certificate mx (EC P-256) without a suite in TLSv1.2; "
        "its suites are for RSA certificates: add some for ECDSA, such as ECDHE+aECDSA\n"
    )
    assert configured("tls", "ciphers", "ECDHE").err == ""


def test_old_versions_need_suites_of_their_own(gatepost: Terminal) -> None:
    assert "has, such as ECDHE+AES" in gatepost("tls", "ciphers", "ECDHE+AESGCM", "--old", status=1).err
    assert "IDEA-CBC-SHA" in gatepost("tls", "ciphers", "AES:IDEA", "--old").out


def test_without_a_string_it_is_that_of_the_profile_inbound(configured: Terminal) -> None:
    head, _, *table = configured("tls", "ciphers").out.splitlines()
    assert head == 'Profile inbound, ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM":'
    assert table == configured("tls", "ciphers", "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM").out.splitlines()
    configured("config", "set", "tls_profiles.inbound.methods", '["TLSv1.1", "TLSv1.2"]')
    configured("config", "set", "tls_profiles.inbound.ciphers", "ECDHE+AES")
    old = configured.json("tls", "ciphers")
    assert old["suites"] == configured.json("tls", "ciphers", "ECDHE+AES", "--old")["suites"]


def test_all_lists_the_catalogue(gatepost: Terminal) -> None:
    assert [suite["name"] for suite in gatepost.json("tls", "ciphers", "--all")["suites"]] == list(catalogue())
    assert not gatepost.state.exists()


def test_the_table_fits_a_terminal(gatepost: Terminal) -> None:
    table = gatepost("tls", "ciphers", "--all").out.splitlines()
    assert max(map(len, table)) <= 80
    assert table[0].split() == ["Suite", "Since", "Exchange", "Cipher,", "MAC", "Grade"]
