"""A failed handshake says which side had what: as sentences of both sides, and as pure functions."""

import ssl

import pytest
from OpenSSL import SSL

from gatepost.errors import TlsFailure
from gatepost.tls import failure
from gatepost.tls.certificates import load_chain, load_key
from gatepost.tls.context import Terms
from gatepost.tls.engine import TlsEngine
from gatepost.tls.mismatch import common_version, explain_mismatch, listed
from gatepost.tls.outcome import Offer
from tests.support.tls import client, failures, issued, pair, server, trust

OLD = {"ciphers": "ALL"}
GCM = ("TLS_AES_128_GCM_SHA256",)
KEYS = {"EC": "EC P-256", "RSA": "RSA 2048"}


@pytest.mark.parametrize(
    ("ours", "theirs", "told"),
    [
        (
            Terms(),
            Terms(methods=("TLSv1.0", "TLSv1.1"), **OLD),
            "peer offers only TLSv1.1 or older; profile inbound allows TLSv1.2, TLSv1.3",
        ),
        (
            Terms(methods=("TLSv1.0",), **OLD),
            Terms(methods=("TLSv1.2", "TLSv1.3")),
            "peer offers only TLSv1.2, TLSv1.3; profile inbound allows TLSv1.0",
        ),
        (
            Terms(methods=("TLSv1.2",), ciphers="ECDHE-ECDSA-AES128-GCM-SHA256"),
            Terms(methods=("TLSv1.2",), ciphers="AES128-SHA"),
            "no suite in common for TLSv1.2: peer offers TLS_RSA_WITH_AES_128_CBC_SHA; "
            "profile inbound allows TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        ),
        (
            Terms(methods=("TLSv1.3",), suites=("TLS_AES_256_GCM_SHA384",)),
            Terms(methods=("TLSv1.3",), suites=GCM),
            "no suite in common for TLSv1.3: peer offers TLS_AES_128_GCM_SHA256; "
            "profile inbound allows TLS_AES_256_GCM_SHA384",
        ),
        (
            Terms(groups=("P-384",)),
            Terms(groups=("X25519", "P-256")),
            "no group in common: peer offers X25519, P-256; profile inbound allows P-384",
        ),
        (
            Terms(methods=("TLSv1.2",), groups=("P-384",)),
            Terms(groups=("X25519", "P-256")),
            "no group in common: peer offers X25519, P-256; profile inbound allows P-384",
        ),
        (
            Terms(methods=("TLSv1.2",)),
            Terms(methods=("TLSv1.2",), ciphers="ECDHE-RSA-AES128-GCM-SHA256"),
            "no suite in common that our certificate (EC) can serve: both sides have TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        ),
    ],
)
def test_a_server_tells_both_sides(ours, theirs, told):
    server_says, client_says = failures(server(terms=ours), client(theirs))
    assert server_says == told
    assert client_says.startswith("peer sent alert: ")
    assert "; profile outbound offers " in client_says


def test_a_client_tells_what_a_server_chose():
    """Our own server would refuse; this one is driven with a hand-made ServerHello."""
    there = TlsEngine.client(client(), "mx.example.com")
    there.handshake()
    hello = b"\x03\x01" + bytes(32) + b"\x00\x00\x2f\x00"
    there.feed(b"\x16\x03\x01" + (len(hello) + 4).to_bytes(2, "big") + b"\x02" + len(hello).to_bytes(3, "big") + hello)
    with pytest.raises(TlsFailure, match=r"peer chose TLSv1\.0; profile outbound allows TLSv1\.2, TLSv1\.3"):
        there.handshake()


def test_a_client_names_garbage():
    there = TlsEngine.client(client(), "mx.example.com")
    there.handshake()
    there.feed(b"454 TLS not available\r\n")
    with pytest.raises(TlsFailure, match="garbage instead of a ServerHello: '454 TLS not …'"):
        there.handshake()


@pytest.mark.parametrize(
    ("alert", "told"),
    [
        (48, r"peer sent alert: unknown ca \(it does not trust our certificate\)$"),
        (42, r"peer sent alert: bad certificate \(it refused our certificate\)$"),
        (40, "peer sent alert: handshake failure .*; profile inbound offers TLSv1.2, TLSv1.3 with TLS_AES"),
        (80, r"peer sent alert: internal error$"),
    ],
)
def test_alerts_of_a_client_are_told_with_their_meaning(alert, told):
    here, there = TlsEngine.server(server()), TlsEngine.client(client(), "")
    there.handshake()
    here.feed(there.outgoing())
    here.handshake()
    here.feed(bytes([21, 3, 3, 0, 2, 2, alert]))
    with pytest.raises(TlsFailure, match=told):
        here.handshake()


def test_a_server_that_insists_on_a_certificate_is_told_after_the_handshake():
    """In TLS 1.3 a client is done before the server has judged its certificate."""
    insisting = SSL.Context(SSL.TLS_SERVER_METHOD)
    insisting.use_certificate(load_chain(pair().certificate)[0])
    insisting.use_privatekey(load_key(pair().private_key))
    insisting.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT)
    there = TlsEngine.client(client(), "")
    there.handshake()
    here = SSL.Connection(insisting, None)
    here.set_accept_state()
    here.bio_write(there.outgoing())
    with pytest.raises(SSL.WantReadError):
        here.do_handshake()
    there.feed(here.bio_read(65536))
    assert there.handshake()
    here.bio_write(there.outgoing())
    with pytest.raises(SSL.Error):
        here.do_handshake()
    there.feed(here.bio_read(65536))
    with pytest.raises(TlsFailure, match=r"certificate required \(it wants a certificate and we showed none\)"):
        there.read()


def test_an_sslv2_hello_is_told_as_one():
    here = TlsEngine.server(server())
    message = b"\x01\x00\x02\x00\x03\x00\x00\x00\x10\x01\x00\x80" + bytes(16)
    here.feed((0x8000 | len(message)).to_bytes(2, "big") + message)
    with pytest.raises(TlsFailure, match=r"ClientHello in SSLv2 framing; profile inbound allows TLSv1\.2, TLSv1\.3"):
        here.handshake()
    assert here.offer is not None
    assert here.offer.versions == ("SSLv2",)


# --- the pure functions --------------------------------------------------------------------------------------------------

ALLOWED = Offer(
    versions=("TLSv1.3", "TLSv1.2"),
    suites=(
        "TLS_AES_256_GCM_SHA384",
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384",
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    ),
    groups=("X25519",),
)


@pytest.mark.parametrize(
    ("offer", "keys", "told"),
    [
        (Offer(versions=("TLSv1.2",), suites=("TLS_DHE_RSA_WITH_AES_256_GCM_SHA384",)), ("RSA",), ""),
        (
            Offer(versions=("TLSv1.2",), suites=("TLS_DHE_RSA_WITH_AES_256_GCM_SHA384",), groups=("P-256",)),
            ("RSA",),
            "",  # Diffie-Hellman needs no curve
        ),
        (
            Offer(versions=("TLSv1.2",), suites=("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",)),
            ("RSA",),
            "no group in common: peer offers nothing; our side allows X25519",  # RFC 8422 4 would allow any curve
        ),
        (
            Offer(versions=("TLSv1.3",), suites=("TLS_AES_256_GCM_SHA384",), signatures=("rsa_pss_rsae_sha256",)),
            ("RSA",),
            "no group in common: peer offers nothing; our side allows X25519",
        ),
        (
            Offer(versions=("TLSv1.3",), suites=("TLS_AES_256_GCM_SHA384",), groups=("X25519",)),
            ("RSA",),
            "no signature in common: peer takes nothing; our certificate's key is RSA",
        ),
        (
            Offer(
                versions=("TLSv1.3",),
                suites=("TLS_AES_256_GCM_SHA384",),
                groups=("X25519",),
                signatures=("ed25519", "rsa_pkcs1_sha1"),
            ),
            ("EC",),
            "no signature in common: peer takes ed25519, rsa_pkcs1_sha1; our certificate's key is EC",
        ),
        (
            Offer(versions=("SSLv3",), suites=("TLS_RSA_WITH_RC4_128_SHA",)),
            ("RSA",),
            "peer offers only SSLv3; our side allows TLSv1.2, TLSv1.3",
        ),
        (
            Offer(versions=("TLSv1.2",), suites=("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",), groups=("X25519",)),
            ("EC P-256",),
            "peer does not take our certificate's curve: peer offers X25519; our key is EC P-256",
        ),
        (Offer(versions=()), ("RSA",), "peer offers only nothing; our side allows TLSv1.2, TLSv1.3"),
        (
            Offer(versions=("TLSv1.2",), suites=("TLS_FALLBACK_SCSV",)),
            ("RSA",),
            "no suite in common for TLSv1.2: peer offers nothing; our side allows "
            "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, TLS_DHE_RSA_WITH_AES_256_GCM_SHA384, "
            "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        ),
    ],
)
def test_mismatches(offer, keys, told):
    assert explain_mismatch(offer, ALLOWED, keys) == told


@pytest.mark.parametrize("kind", ["EC", "RSA"])
def test_what_meets_is_not_explained_and_what_is_explained_does_not_meet(kind):
    """The function must agree with the library in both directions, or it would lead administrators astray."""
    choices = [
        Terms(methods=methods, ciphers=ciphers, groups=groups)
        for methods in (("TLSv1.0", "TLSv1.1", "TLSv1.2"), ("TLSv1.2", "TLSv1.3"), ("TLSv1.3",))
        for ciphers in ("ECDHE-ECDSA-AES256-SHA:AES256-SHA", "ECDHE-RSA-AES128-SHA:DHE-RSA-AES128-SHA")
        for groups in (("X25519",), ("P-256", "ffdhe2048"))
    ]
    sides = [(server(pair(kind=kind), terms=terms), client(terms)) for terms in choices]
    for here, _ in sides:
        for _, there in sides:
            end = TlsEngine.server(here)
            hello = TlsEngine.client(there, "")
            hello.handshake()
            end.feed(hello.outgoing())
            assert end.offer is not None
            told = explain_mismatch(end.offer, end.allowance, (KEYS[kind],))
            try:
                end.handshake()
            except TlsFailure:
                assert told, (here.terms, there.terms)
            else:
                assert not told, (here.terms, there.terms, told)


def test_common_versions():
    assert common_version(Offer(versions=("TLSv1.3", "TLSv1.2")), ALLOWED) == "TLSv1.3"
    assert common_version(Offer(versions=("TLSv1.2",)), Offer(versions=("TLSv1.1", "TLSv1.0"))) == "TLSv1.1"
    assert common_version(Offer(versions=("TLSv1.3",)), Offer(versions=("TLSv1.2",))) == ""


def test_long_lists_are_cut():
    assert listed([str(n) for n in range(9)]) == "0, 1, 2, 3, 4, 5 and 3 more"
    assert listed([]) == "nothing"


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("dh key too small", "peer's Diffie-Hellman parameters are too short"),
        ("something new", "TLS error: something new"),
        ("", "TLS error: unknown"),
    ],
)
def test_reasons(reason, told):
    assert failure.describe(reason, ALLOWED, "x") == told


@pytest.mark.parametrize("arguments", [(), (None,), ([],), (-1, "Unexpected EOF"), (["x"],)])
def test_odd_arguments_of_the_librarys_errors(arguments):
    assert failure.reason_of(arguments) == ""


@pytest.mark.parametrize(
    ("first", "told"),
    [
        (b"\x15\x03\x01\x00\x02\x02\x28", ""),
        (b"\x16\x03", ""),
        (b"\x16\x03\x03\x00\x20\x02\x00\x00\x1c\x03\x03", ""),
        (b"\x16\x03\x03\x00\x20\x02\x00\x00\x1c\x7a\x7a", "peer chose 0x7a7a; our side allows TLSv1.2, TLSv1.3"),
    ],
)
def test_a_servers_first_bytes(first, told):
    assert failure.server_choice(first, ALLOWED, "") == told


def test_a_refused_certificate_of_ours_is_told_in_full():
    """A client that verifies and aborts: the standard library's."""
    outside = ssl.create_default_context()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    there = outside.wrap_bio(incoming, outgoing, server_hostname="mx.example.com")
    here = TlsEngine.server(server(issued("mx.example.com"), trust=trust()))
    with pytest.raises(ssl.SSLWantReadError):
        there.do_handshake()
    here.feed(outgoing.read())
    here.handshake()
    incoming.write(here.outgoing())
    with pytest.raises(ssl.SSLCertVerificationError):
        there.do_handshake()
    here.feed(outgoing.read())
    with pytest.raises(TlsFailure, match=r"peer sent alert: unknown ca \(it does not trust our certificate\)"):
        here.handshake()
