"""Figures of what TLS costs: each case is the handshake that it says it is, and what must cost more does."""

from __future__ import annotations

import pytest

from gatepost.errors import GatepostError
from gatepost.tls import cost, result
from gatepost.tls.catalogue import catalogue
from gatepost.tls.certificates import KeyPair
from gatepost.tls.making import Subject, self_signed


@pytest.fixture(scope="module")
def figures():
    steps = []
    found = cost.measure((), lambda *step: steps.append(step), seconds=0)
    assert steps[-1][1] == steps[-1][2]
    assert all(0 <= done <= of for _, done, of in steps)
    return found


def ms(figures, suite, group, key="RSA 2048"):
    (one,) = [h for h in figures.handshakes if (h.suite, h.group, h.key) == (suite, group, key)]
    return one.ms


def test_every_suite_that_is_offered_is_measured(figures):
    offered = {name for name, suite in catalogue().items() if suite.grade != "never"}
    assert {one.suite for one in figures.handshakes} == offered
    ciphers = {(suite.cipher, suite.mac) for suite in catalogue().values() if suite.grade != "never"}
    assert {(one.cipher, one.mac) for one in figures.bulk} == ciphers
    assert {one.key for one in figures.handshakes} == {"RSA 2048", "EC P-256"}
    assert all(one.ms > 0 and one.spread >= 0 and one.handshakes >= 4 for one in figures.handshakes)


def test_each_case_negotiates_what_it_says():
    for key, pair in cost._pairs(()).items():
        for case in cost._cases(key):
            suite, group, _ = case
            _, server, _ = cost._connect(*cost._sides(suite, group, pair))
            outcome = result.outcome(server)
            assert (outcome.cipher, outcome.group) == (suite.name, group), case


def test_what_costs_more_is_found_to_cost_more(figures):
    suite = "TLS_AES_256_GCM_SHA384"
    assert ms(figures, suite, "X25519", "EC P-256") * 2 < ms(figures, suite, "X25519")
    assert ms(figures, suite, "X25519") < ms(figures, suite, "P-384")
    assert ms(figures, "ECDHE-RSA-AES128-GCM-SHA256", "X25519") < ms(figures, "DHE-RSA-AES128-GCM-SHA256", "ffdhe2048")
    speed = {(one.cipher, one.mac): one for one in figures.bulk}
    assert speed["AES-128-GCM", "AEAD"].receive > speed["CAMELLIA-128-CBC", "SHA1"].receive > 0
    assert speed["AES-128-GCM", "AEAD"].send > speed["IDEA-CBC", "SHA1"].send > 0


def test_a_key_that_cannot_be_read_is_told():
    other = self_signed(Subject(names=("mx.example.com",)), kind="RSA", bits=3072)
    with pytest.raises(GatepostError, match="not a readable PEM key"):
        cost.measure([KeyPair(other.certificate, "nonsense")], seconds=0)
