"""`tls ciphers`: what a cipher string selects."""

from __future__ import annotations

from .conftest import Terminal


def test_suites_come_in_the_order_of_preference(gatepost: Terminal) -> None:
    told = gatepost.json("tls", "ciphers", "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384")
    assert [suite["name"] for suite in told["suites"]] == ["ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384"]
    assert told["suites"][0]["iana"] == "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
    assert told["suites"][0]["protocol"] == "TLSv1.2"
    assert not gatepost.state.exists()


def test_words_that_match_nothing_are_named(gatepost: Terminal) -> None:
    assert gatepost("tls", "ciphers", "RC4-SHA:RC4-MD5:ALL:!aNULL").out.endswith("Matches nothing: RC4-SHA, RC4-MD5\n")
    done = gatepost("tls", "ciphers", "RC4-SHA:RC4-MD5", status=1)
    assert done.err == (
        "gatepost: cipher string 'RC4-SHA:RC4-MD5' selects no suite of this TLS library; RC4-SHA, RC4-MD5 match nothing\n"
    )
    assert "selects no suite" in gatepost("tls", "ciphers", "", status=1).err


def test_the_table_fits_a_terminal(gatepost: Terminal) -> None:
    assert max(map(len, gatepost("tls", "ciphers", "ALL").out.splitlines())) <= 80
