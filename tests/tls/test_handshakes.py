"""Whole handshakes in memory: versions, suites, groups, certificates by name, and no session ever resumed."""

import contextlib
import gc
import ssl

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL, crypto

from gatepost.errors import GatepostError, TlsFailure
from gatepost.tls import context as contexts
from gatepost.tls import making
from gatepost.tls.certificates import UNREADABLE, KeyPair, key_to_pem, load_chain, load_key
from gatepost.tls.context import Terms, Trust
from gatepost.tls.engine import TlsEngine
from gatepost.tls.identity import normal_name
from gatepost.tls.making import Subject, self_signed
from gatepost.tls.sides import ClientContext, ServerContext
from tests.support.tls import ALL_VERSIONS, authority, carry, client, connect, issued, pair, server, shake, trust


@pytest.mark.parametrize("version", ALL_VERSIONS)
@pytest.mark.parametrize("kind", ["EC", "RSA"])
def test_every_version_with_either_key(version, kind):
    here, there = connect(
        server(pair(kind=kind), terms=Terms(methods=ALL_VERSIONS, ciphers="ALL")),
        client(Terms(methods=(version,), ciphers="ALL")),
    )
    for end in (here, there):
        outcome = end.outcome()
        assert outcome.protocol == version
        assert outcome.group.startswith("X25519")
        assert outcome.bits == 256
    assert here.outcome().peer is None
    there.write(b"NOOP\r\n" * 4000)
    carry(there, here)
    assert here.read() == b"NOOP\r\n" * 4000


@pytest.mark.parametrize(
    ("ciphers", "cipher", "suite", "group"),
    [
        ("ECDHE+AESGCM", "ECDHE-RSA-AES256-GCM-SHA384", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "X25519"),
        ("DHE+AESGCM", "DHE-RSA-AES256-GCM-SHA384", "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384", ""),
        ("AES128-SHA", "AES128-SHA", "TLS_RSA_WITH_AES_128_CBC_SHA", ""),
    ],
)
def test_the_suite_goes_by_both_its_names(ciphers, cipher, suite, group):
    there = client(Terms(methods=("TLSv1.2",), ciphers=ciphers, groups=("X25519", "P-256")))
    here, _ = connect(server(pair(kind="RSA"), terms=Terms(ciphers="ALL", groups=("X25519", "P-256"))), there)
    outcome = here.outcome()
    assert (outcome.cipher, outcome.suite, outcome.group) == (cipher, suite, group)


@pytest.mark.parametrize(
    "group", ["X25519MLKEM768", "SecP256r1MLKEM768", "X25519", "X448", "P-256", "P-384", "P-521", "ffdhe2048"]
)
def test_the_group_goes_by_our_name(group):
    here, there = connect(server(terms=Terms(groups=(group,))), client(Terms(groups=(group,))))
    assert here.outcome().group == there.outcome().group == group
    assert here.offer is not None
    assert here.offer.key_shares == (group,)


def test_a_server_without_the_hybrid_group_costs_no_second_round_trip():
    here, there = (
        TlsEngine.server(server(terms=Terms(groups=("X25519",)))),
        TlsEngine.client(client(Terms(groups=("X25519MLKEM768", "X25519", "P-256"))), ""),
    )
    there.handshake()
    carry(there, here)
    here.handshake()
    carry(here, there)
    assert there.handshake()
    assert there.outcome().group == "X25519"


def test_a_hello_retry_request_keeps_the_first_offer():
    here, _ = connect(server(terms=Terms(groups=("P-384",))), client(Terms(groups=("X25519", "P-384"))))
    assert here.outcome().group == "P-384"
    assert here.offer is not None
    assert here.offer.key_shares == ("X25519",)


@pytest.mark.parametrize(
    ("order", "chosen"), [("server", "ECDHE-ECDSA-AES256-GCM-SHA384"), ("client", "ECDHE-ECDSA-AES128-GCM-SHA256")]
)
def test_cipher_order_says_whose_preference_wins(order, chosen):
    ours = "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256"
    theirs = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384"
    here, _ = connect(
        server(terms=Terms(methods=("TLSv1.2",), ciphers=ours, cipher_order=order)),
        client(Terms(methods=("TLSv1.2",), ciphers=theirs)),
    )
    assert here.outcome().cipher == chosen


def test_a_legacy_profile_lets_no_suite_without_certificate_or_encryption_in():
    here = server(terms=Terms(methods=("TLSv1.0",), ciphers="ALL:eNULL"))
    assert not [name for name in here.allowance.suites if "anon" in name or "NULL" in name or "DSS" in name]


# --- the certificate by name ---------------------------------------------------------------------------------------------

NAMED = server(
    pair("mx.example.com"), pair("mail.example.org", "Other.example.org"), pair("*.example.net"), pair("in.example.net")
)


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ("mx.example.com", "mx.example.com"),
        ("other.example.org", "mail.example.org"),
        ("OTHER.example.org", "mail.example.org"),
        ("mail.example.org.", "mail.example.org"),
        ("a.example.net", "*.example.net"),
        ("in.example.net", "in.example.net"),  # the whole name goes before the wildcard
        ("a.b.example.net", "mx.example.com"),
        ("example.net", "mx.example.com"),
        ("*.example.net", "mx.example.com"),
        ("unknown.example", "mx.example.com"),
        ("", "mx.example.com"),
        ("192.0.2.1", "mx.example.com"),
    ],
)
def test_the_certificate_is_chosen_by_name(asked, shown):
    here, there = connect(NAMED, client(), asked)
    peer = there.outcome().peer
    assert peer is not None
    assert peer.common_name == shown
    assert here.offer is not None
    assert here.offer.server_name == normal_name(asked)


@pytest.mark.parametrize("asked", ["mx.example.com", "", "unknown.example"])
@pytest.mark.parametrize(
    ("ciphers", "key"), [("ECDHE-ECDSA-AES128-GCM-SHA256", "EC P-256"), ("ECDHE-RSA-AES128-GCM-SHA256", "RSA 2048")]
)
def test_of_two_keys_for_one_name_the_client_gets_the_one_it_can_read(asked, ciphers, key):
    here = server(pair("mx.example.com"), pair("mx.example.com", kind="RSA"))
    _, there = connect(here, client(Terms(methods=("TLSv1.2",), ciphers=ciphers)), asked)
    peer = there.outcome().peer
    assert peer is not None
    assert peer.key == key


def test_with_two_keys_for_one_name_and_neither_readable_the_first_is_tried():
    here = server(pair("mx.example.com"), pair("mx.example.com", kind="RSA"))
    there = TlsEngine.client(client(Terms(methods=("TLSv1.2",), ciphers="AES256-CCM")), "")
    end = TlsEngine.server(here)
    there.handshake()
    carry(there, end)
    with pytest.raises(TlsFailure, match="no suite in common"):
        end.handshake()


# --- no session is resumed (faults.md 2 row 18) --------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_no_session_is_resumed_by_a_client_that_asks(version):
    outside = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    outside.load_verify_locations(cadata=pair().certificate)
    outside.maximum_version = getattr(ssl.TLSVersion, version.replace(".", "_"))
    here = server()
    session = None
    for _ in range(3):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        there = outside.wrap_bio(incoming, outgoing, server_hostname="mx.example.com", session=session)
        end = TlsEngine.server(here)
        for _ in range(4):
            try:
                there.do_handshake()
            except ssl.SSLWantReadError:
                pass
            if octets := outgoing.read():
                end.feed(octets)
            end.handshake()
            incoming.write(end.outgoing())
        end.write(b"220 ready\r\n")
        incoming.write(end.outgoing())
        assert there.read() == b"220 ready\r\n"
        assert not there.session_reused
        session = there.session


def test_our_own_client_keeps_no_session_either():
    here, there = server(), client()
    for _ in range(2):
        _, end = connect(here, there)
        assert end._connection is not None
        assert there.context.get_session_cache_mode() == SSL.SESS_CACHE_OFF


# --- values that make no context -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"methods": ()}, "no TLS version is allowed"),
        ({"methods": ("SSLv3",)}, "SSLv3 is not a TLS version"),
        ({"ciphers": "RC4-SHA:RC4-MD5"}, "cipher string 'RC4-SHA:RC4-MD5' matches no suite"),
        ({"ciphers": "ümlaut"}, "matches no suite"),
        ({"suites": ("TLS_NO_SUCH",)}, "not all of TLS_NO_SUCH are TLS 1.3 suites"),
        ({"groups": ("P-256", "X25519Kyber768Draft00")}, "not all of P-256, X25519Kyber768Draft00 are groups"),
        ({"groups": ("?P-256",)}, "are groups"),
        ({"methods": ("TLSv1.0",), "ciphers": "AESGCM"}, "cipher string 'AESGCM' has no suite for TLSv1.0"),
    ],
)
def test_unusable_terms_are_refused_in_a_sentence(values, told):
    with pytest.raises(GatepostError) as caught:
        server(terms=Terms(**values))
    assert told in str(caught.value)


def test_a_bare_dss_or_null_string_leaves_nothing():
    with pytest.raises(GatepostError):
        server(terms=Terms(methods=("TLSv1.2",), ciphers="aNULL:eNULL"))


def test_a_server_needs_a_certificate():
    with pytest.raises(GatepostError, match="needs a certificate"):
        ServerContext(Terms(), [])


def test_a_key_of_another_certificate_is_refused():
    wrong = KeyPair(pair("a.example").certificate, pair("b.example").private_key)
    with pytest.raises(GatepostError, match="cannot be used"):
        server(wrong)


def test_a_key_too_short_for_the_profile_is_refused():
    weak = rsa.generate_private_key(65537, 1024)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(making, "_make_key", lambda kind, bits: weak)
        short = self_signed(Subject(names=("mx.example.com",)))
    assert short.private_key == key_to_pem(weak)
    with pytest.raises(GatepostError, match="key too small"):
        server(short)


# --- the cache of contexts -----------------------------------------------------------------------------------------------


def test_equal_values_share_a_context_and_the_last_user_frees_it():
    gc.collect()
    terms, certificate = Terms(groups=("P-521",)), issued("cache.example")
    first, second = server(certificate, terms=terms), server(certificate, terms=terms)
    assert first.served[0].context is second.served[0].context
    verifying = server(certificate, terms=terms, request_certificate=True, trust=trust())
    assert verifying.served[0].context is not first.served[0].context
    before = len(contexts._cache)
    del first, second, verifying
    gc.collect()
    assert len(contexts._cache) == before - 2


def test_the_systems_authorities_can_be_loaded_beside_others():
    here = ClientContext(Terms(), trust=Trust(extra=trust().extra))
    store = here.context.get_cert_store()
    assert store is not None
    _, there = connect(server(issued("mx.example.com")), here)
    assert there.outcome().chain_ok


def test_a_chain_is_sent_as_it_was_configured():
    certificate = issued("mx.example.com")
    here, there = connect(server(certificate), client())
    assert len(there.shown_chain()) == certificate.certificate.count("BEGIN") == 1
    assert len(there.verified_chain()) == 2
    assert there.verified_chain()[0] == there.shown_chain()[0]
    assert here.shown_chain() == ()


def test_an_intermediate_is_sent():
    child = authority("Middle CA parent").create_child_ca()
    leaf = child.issue_cert("mx.example.com")
    certificate = KeyPair(
        "".join(blob.bytes().decode() for blob in leaf.cert_chain_pems), leaf.private_key_pem.bytes().decode()
    )
    ends = (
        TlsEngine.server(server(certificate)),
        TlsEngine.client(client(trusts=trust("Middle CA parent")), "mx.example.com"),
    )
    shake(*ends)
    assert len(ends[1].shown_chain()) == 2
    assert len(ends[1].verified_chain()) == 3
    assert ends[1].outcome().chain_ok


@pytest.mark.filterwarnings("ignore:Passing pyOpenSSL X509 objects")  # nothing else lets such a certificate be shown
@pytest.mark.parametrize("version", [1, 3])
def test_a_certificate_that_only_the_tls_library_can_read_is_never_good(version):
    """X.509 has the versions 1 and 3, written 0 and 2; OpenSSL takes any, and cryptography none but these."""
    octets = load_chain(pair().certificate)[0].public_bytes(Encoding.DER)
    odd = octets.replace(b"\xa0\x03\x02\x01\x02", bytes((0xA0, 3, 2, 1, version)), 1)
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.use_certificate(crypto.load_certificate(crypto.FILETYPE_ASN1, odd))
    context.use_privatekey(load_key(pair().private_key))
    theirs = SSL.Connection(context, None)
    theirs.set_accept_state()
    ours = TlsEngine.client(client(), "mx.example.com")
    while not ours.handshake():
        theirs.bio_write(ours.outgoing())
        with contextlib.suppress(SSL.WantReadError):
            theirs.do_handshake()
        ours.feed(theirs.bio_read(65536))
    outcome = ours.outcome()
    assert outcome.peer is not None
    assert outcome.peer.dns_names == (UNREADABLE,)
    assert len(outcome.peer.fingerprint) == 64
    assert not outcome.chain_ok
    assert outcome.chain_error
