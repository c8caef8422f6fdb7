"""What cipher strings come to, word by word: the strings of old notes, of the appliance, and with mistakes in them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost.tls import history
from gatepost.tls.catalogue import catalogue, serves
from gatepost.tls.ciphers import expand, named
from gatepost.tls.judgement import Held, judge

OLD = ("TLSv1.0", "TLSv1.1", "TLSv1.2")
EC, RSA = Held("ec", "EC P-256", frozenset({"mx.example.com"})), Held("rsa", "RSA 2048", frozenset({"mx.example.com"}))
OTHER_RSA = Held("other", "RSA 2048", frozenset({"other.example.com"}))


def word(text, methods=("TLSv1.2", "TLSv1.3")):
    """Judge one word that stands behind another."""
    return judge(f"AES128-SHA:{text}", methods).tokens[1]


def test_the_thread_own_answer_is_refused():
    judgement = judge("RC4-SHA:RC4-MD5")
    assert [token.effect for token in judgement.tokens] == ["nothing", "nothing"]
    assert judgement.suites == ()
    assert [str(refusal) for refusal in judgement.refusals] == [
        "matches no cipher of TLSv1.2; RC4-SHA, RC4-MD5: RC4 is prohibited in TLS by RFC 7465 (2015), and OpenSSL leaves it "
        "out since 1.1.0 (2016); nearest: AES128-SHA or ECDHE-RSA-AES128-GCM-SHA256"
    ]


def test_the_appliances_default_is_taken_with_a_warning():
    judgement = judge("RC4-SHA:RC4-MD5:ALL")
    assert judgement.refusals == ()
    assert judgement.warnings == ("2 of its 3 words match nothing: RC4-SHA, RC4-MD5",)
    assert [suite.name for suite in judgement.suites] == list(expand("RC4-SHA:RC4-MD5:ALL", ["TLSv1.2"]))


def test_taking_out_what_is_gone_is_no_mistake():
    judgement = judge("MEDIUM:HIGH:-SSLv2:-aNULL:!RC4:@STRENGTH:-EXPORT")
    assert (judgement.refusals, judgement.warnings, judgement.dead) == ((), (), ())
    effects = ["selects", "selects", "removes", "removes", "removes", "sets", "removes"]
    assert [token.effect for token in judgement.tokens] == effects
    assert (
        "RFC 7465 (2015), and OpenSSL leaves it out since 1.1.0 (2016), so there is nothing left" in judgement.tokens[4].why
    )


def test_a_misspelt_word_is_told_also_where_it_takes_out():
    judgement = judge("ALL:!aNUL")
    assert judgement.warnings == ("1 of its 2 words matches nothing: !aNUL",)
    assert judgement.dead[0].nearest[0] == "!aNULL"


@pytest.mark.parametrize(
    ("text", "why", "nearest"),
    [
        ("RC4", "RFC 7465 (2015)", "ECDHE+AESGCM"),
        ("rc4", "RFC 7465 (2015)", "ECDHE+AESGCM"),
        ("ECDHE-ECDSA-RC4-SHA", "RFC 7465 (2015)", "ECDHE-ECDSA-AES128-SHA"),
        ("TLS_RSA_WITH_RC4_128_SHA", "RFC 7465 (2015)", "AES128-SHA"),
        ("ECDHE+RC4", "RFC 7465 (2015)", "ECDHE+AESGCM"),
        ("3DES", "Sweet32", "ECDHE+AESGCM"),
        ("DES-CBC3-SHA", "since 1.1.0 (2016)", "AES128-SHA"),
        ("EDH-RSA-DES-CBC3-SHA", "Sweet32", "DHE-RSA-AES128-SHA"),
        ("SSL_RSA_WITH_3DES_EDE_CBC_SHA", "Sweet32", "AES128-SHA"),
        ("DES-CBC-SHA", "RFC 5469 (2009)", "AES128-SHA"),
        ("LOW", "RFC 5469 (2009)", "ECDHE+AESGCM"),
        ("EXPORT", "RFC 4346, 2006", "ECDHE+AESGCM"),
        ("EXP-RC4-MD5", "RFC 4346, 2006", "AES128-SHA"),
        ("EXP1024-DES-CBC-SHA", "RFC 4346, 2006", "AES128-SHA"),
        ("SSLv2", "RFC 6176 (2011)", "ECDHE+AESGCM"),
        ("SSLv3", "RFC 7568 (2015)", "ECDHE+AESGCM"),
        ("kRSA+SSLv3", "RFC 7568 (2015)", "ECDHE+AESGCM"),
        ("KRB5-DES-CBC-SHA", "RFC 2712", "AES128-SHA"),
        ("ECDH-ECDSA-AES128-SHA", "stands in the certificate", "ECDHE-ECDSA-AES128-SHA"),
        ("GOST2012-GOST8912-GOST8912", "no engines", "AES128-SHA"),
        ("bf-cbc", "no TLS suite has ever used Blowfish", "ECDHE+AESGCM"),
        ("cast5-cbc", "no TLS suite has ever used CAST5", "ECDHE+AESGCM"),
        ("des-ede3-cbc", "the name of a cipher, not of a suite; 3DES", "ECDHE+AESGCM"),
        ("des-cbc", "RFC 5469 (2009)", "ECDHE+AESGCM"),
        ("rc2-40-cbc", "the name of a cipher, not of a suite; RC2 stood only in export", "ECDHE+AESGCM"),
        ("aes-128-cbc", "8 suites use it", "ECDHE-ECDSA-AES128-SHA256"),
        ("AES-256-GCM", "4 suites use it", "ECDHE-ECDSA-AES256-GCM-SHA384"),
        ("aes-192-cbc", "no suite of these methods uses it", "ECDHE+AESGCM"),
        ("aes-128-ecb", "no suite of these methods uses it", "ECDHE+AESGCM"),
        ("idea-cbc", "no suite of these methods uses it", "ECDHE+AESGCM"),
        ("IDEA", "exists up to TLSv1.1 only", "ECDHE+AESGCM"),
        ("TLS_AES_256_GCM_SHA384", "belongs into the list of TLS 1.3 suites", ""),
        ("TLSv1.3", "a list of their own", "ECDHE+AESGCM"),
        ("TLSv1.1", "no suites of its own", "ECDHE+AESGCM"),
        ("FIPS", "OpenSSL 1.0.2", "ECDHE+AESGCM"),
        ("PROFILE=SYSTEM", "Red Hat", "ECDHE+AESGCM"),
        ("DEFAULT", "first word", ""),
        ("aNULL", "never offers such suites: without a certificate", ""),
        ("NULL-SHA", "without encryption", ""),
        ("PSK", "beforehand", ""),
        ("aDSS", "DSA", ""),
        ("AES128-CCM8", "security level", ""),
        ("aECDSA+kRSA", "no suite is aECDSA and kRSA at once", ""),
        ("HIHG", "OpenSSL knows no HIHG", "HIGH"),
        ("ECDHE+AESGMC", "OpenSSL knows no AESGMC", "ECDHE+AESGCM"),
        ("ECDHE-RSA-AES256-GCM-SHA348", "OpenSSL knows no", "ECDHE-RSA-AES256-GCM-SHA384"),
        ("@STRENGHT", "no command", "@STRENGTH"),
        ("!", "names nothing", ""),
    ],
)
def test_a_word_that_matches_nothing_says_why(text, why, nearest):
    token = word(text)
    assert token.effect == "nothing", token
    assert why in token.why, token
    assert token.nearest[:1] == ((nearest,) if nearest else ()), token
    assert expand(text, ["TLSv1.2"]) == () or text == "DEFAULT"


@pytest.mark.parametrize(
    "text", ["RC4-SHA", "DES-CBC3-SHA", "EXP-RC4-MD5", "3DES", "aes-128-cbc", "idea-cbc", "HIHG", "LOW"]
)
@pytest.mark.parametrize("methods", [("TLSv1.0",), ("TLSv1.1", "TLSv1.2"), ("TLSv1.2", "TLSv1.3")])
def test_what_stands_nearest_can_be_used(text, methods):
    nearest = word(text, methods).nearest
    assert nearest
    assert all(any(expand(one, [version]) for version in methods) for one in nearest), nearest


def test_words_that_select_say_what():
    assert judge("AES128-SHA:IDEA", OLD).tokens[1].suites == ("IDEA-CBC-SHA",)
    first, second = judge("ecdhe+aesgcm:TLS_RSA_WITH_AES_128_CBC_SHA").tokens
    assert first.suites == expand("ECDHE+AESGCM", ["TLSv1.2"])
    assert second.suites == ("AES128-SHA",)
    assert judge("DEFAULT:!kRSA").tokens[1].suites == named("kRSA")


def test_each_version_needs_a_suite():
    assert [str(refusal) for refusal in judge("ECDHE+AESGCM", OLD).refusals] == [
        "matches no cipher of TLSv1.0; add ciphers that TLSv1.0 has, such as ECDHE+AES, or take TLSv1.0 out of methods",
        "matches no cipher of TLSv1.1; add ciphers that TLSv1.1 has, such as ECDHE+AES, or take TLSv1.1 out of methods",
    ]
    assert judge("ECDHE+AES", OLD).refusals == ()
    assert "take that out" in judge("ECDHE+AES:@SECLEVEL=1", ("TLSv1.1", "TLSv1.2")).refusals[0].mend
    assert "needs TLSv1.2" in judge("ECDHE+AESGCM", ("TLSv1.0", "TLSv1.1")).refusals[0].mend


def test_tls_1_3_alone_reads_no_string():
    judgement = judge("RC4", ("TLSv1.3",))
    assert judgement.refusals == ()
    assert judgement.warnings == ("nothing reads it, for TLSv1.3 takes no cipher string",)


@pytest.mark.parametrize(
    ("spec", "certificates", "refused"),
    [
        ("ECDHE+aRSA", [EC], "leaves certificate ec (EC P-256) without a suite in TLSv1.2"),
        ("ECDHE+aRSA", [RSA], ""),
        ("ECDHE+aECDSA", [RSA], "leaves certificate rsa (RSA 2048) without a suite in TLSv1.2"),
        ("ECDHE+aRSA", [EC, RSA], ""),  # the other one is shown for the same name
        ("ECDHE+aRSA", [EC, OTHER_RSA], "leaves certificate ec"),
        ("ECDHE", [EC, RSA, OTHER_RSA], ""),
    ],
)
def test_each_certificate_needs_a_suite(spec, certificates, refused):
    refusals = judge(spec, certificates=certificates).refusals
    assert bool(refusals) == bool(refused)
    assert all(refused in refusal.wrong and refusal.certificate for refusal in refusals)


WORDS = st.one_of(
    st.sampled_from(
        [*catalogue(), *history.spellings(), "RC4-SHA", "EXPORT", "bf-cbc", "SSLv3", "TLSv1.3", "@STRENGTH", "HIHG"]
    ),
    st.text(alphabet="ADEHSN+-_=@!.123 ", max_size=8),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
)
METHODS = [OLD, ("TLSv1.0",), ("TLSv1.2",), ("TLSv1.2", "TLSv1.3"), ("TLSv1.3",), ()]


@settings(deadline=None, max_examples=300)
@given(
    words=st.lists(st.tuples(st.sampled_from(["", "", "!", "-", "+"]), WORDS), max_size=6), methods=st.sampled_from(METHODS)
)
def test_any_string_is_judged_as_the_library_reads_it(words, methods):
    """A word that is said to select does so by itself, another does not, and what is taken can be served."""
    spec = ":".join(f"{sign}{word}" for sign, word in words)
    judgement = judge(spec, methods, [RSA])
    classic = [version for version in methods if version in OLD]
    assert [suite.name for suite in judgement.suites] == list(expand(spec, classic))
    for place, token in enumerate(judgement.tokens):
        assert (token.effect == "selects") <= bool(token.suites)
        assert (token.effect == "nothing") == bool(token in judgement.dead and token.why)
        if token.effect == "nothing" and "DEFAULT" not in token.text.upper() and place == 0 and "@SECLEVEL" not in spec:
            assert not expand(token.text, classic)
    if classic and not judgement.refusals:
        for version in classic:
            names = expand(spec, [version])
            assert any(serves(catalogue()[name], RSA.key) for name in names)


@pytest.mark.parametrize("spec", ["", ":::", "\0", "ä:AES", "x" * 5000, "ALL:@SECLEVEL=9", "+", "a" + "+b" * 200, "!-+@"])
def test_no_string_is_too_strange(spec):
    assert judge(spec).refusals or judge(spec).suites
