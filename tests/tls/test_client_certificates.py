"""What verification of a certificate comes to, in either direction: recorded, and never the end of the handshake."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gatepost.tls.certificates import KeyPair, key_to_pem, to_pem
from gatepost.tls.context import Terms
from tests.support.tls import DAY, NOW, authority, carry, client, connect, issued, pair, server, trust

ASKING = server(request_certificate=True, trust=trust())


def middle_missing() -> KeyPair:
    leaf = authority().create_child_ca().issue_cert("mx.partner.example")
    return KeyPair(leaf.cert_chain_pems[0].bytes().decode(), leaf.private_key_pem.bytes().decode())


MATRIX = [
    ("good", lambda: issued("mx.partner.example"), ""),
    ("expired", lambda: issued("mx.partner.example", first=-30, last=-1), "certificate has expired"),
    (
        "not yet valid",
        lambda: issued("mx.partner.example", first=5),
        "certificate is not yet valid or the system clock is incorrect",
    ),
    ("self-signed", lambda: pair("mx.partner.example"), "self-signed certificate"),
    ("other CA", lambda: issued("mx.partner.example", ca="Other CA"), "unable to get local issuer certificate"),
    ("missing intermediate", middle_missing, "unable to get local issuer certificate"),
]


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
@pytest.mark.parametrize(("make", "error"), [row[1:] for row in MATRIX], ids=[row[0] for row in MATRIX])
def test_of_a_client(make, error, version):
    here, there = connect(ASKING, client(Terms(methods=(version,)), certificate=make()))
    outcome = here.outcome()
    assert outcome.chain_error == error
    assert outcome.chain_ok == (not error)
    assert outcome.peer is not None
    assert outcome.peer.dns_names == ("mx.partner.example",)
    assert outcome.peer.key == "EC P-256"
    assert here.shown_chain()[0]
    there.write(b"EHLO\r\n")
    carry(there, here)
    assert here.read() == b"EHLO\r\n"  # the session lives: policy decides


@pytest.mark.parametrize(("make", "error"), [row[1:] for row in MATRIX], ids=[row[0] for row in MATRIX])
def test_of_a_server(make, error):
    _, there = connect(server(make()), client())
    assert there.outcome().chain_error == error
    assert there.outcome().chain_ok == (not error)


def test_a_client_that_shows_none_is_neither_good_nor_bad():
    here, _ = connect(ASKING, client())
    outcome = here.outcome()
    assert outcome.peer is None
    assert not outcome.chain_ok
    assert outcome.chain_error == ""
    assert here.shown_chain() == ()


def test_a_server_that_does_not_ask_is_shown_none():
    here, _ = connect(server(), client(certificate=issued("mx.partner.example")))
    assert here.outcome().peer is None


def test_a_certificate_for_servers_only_is_no_client_certificate():
    """Public authorities issue such ones from 2026 on; the error names it, and policy can tell an administrator."""
    ca_key = serialization.load_pem_private_key(authority().private_key_pem.bytes(), None)
    ca = x509.load_pem_x509_certificate(authority().cert_pem.bytes())
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mx.partner.example")]))
        .issuer_name(ca.subject)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(NOW - DAY)
        .not_valid_after(NOW + DAY)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(ca_key, hashes.SHA256())  # type: ignore[arg-type]
    )
    here, _ = connect(ASKING, client(certificate=KeyPair(to_pem([certificate]), key_to_pem(key))))
    assert here.outcome().chain_error == "unsuitable certificate purpose"
