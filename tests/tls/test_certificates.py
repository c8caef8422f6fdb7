"""Reading, describing and checking certificates and keys, made by us, by others and by nobody sane."""

import base64
import datetime
import ipaddress

import pytest
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, x25519
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gatepost.errors import GatepostError
from gatepost.tls import certificates
from gatepost.tls.certificates import (
    UNREADABLE,
    KeyPair,
    check_pair,
    describe,
    key_matches,
    key_text,
    key_to_pem,
    load_chain,
    load_key,
    load_pkcs12,
    peer_certificate,
    to_pem,
)
from gatepost.tls.identity import match
from gatepost.tls.making import Subject, self_signed, signing_request
from tests.support.tls import DAY, NOW, authority, pair

KEY = ec.generate_private_key(ec.SECP384R1())


def made(*extensions: x509.ExtensionType, common_names: tuple[str, ...] = ("mx.example.com",)) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, value) for value in common_names])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(KEY.public_key())
        .serial_number(0xC0FFEE)
        .not_valid_before(NOW - DAY)
        .not_valid_after(NOW + DAY)
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(KEY, hashes.SHA384())


# --- making --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "key"), [("EC", "EC P-256"), ("RSA", "RSA 2048")])
def test_a_self_signed_certificate(kind, key):
    made_pair = pair("mx.example.com", "mail.example.com", kind=kind)
    check_pair(made_pair)
    told = describe(load_chain(made_pair.certificate)[0])
    assert told.common_name == "mx.example.com"
    assert told.dns_names == ("mx.example.com", "mail.example.com")
    assert told.key == key
    assert told.self_signed
    assert told.server_auth
    assert told.client_auth
    assert not told.is_ca
    assert told.not_before < NOW.timestamp() < told.not_after
    assert len(told.fingerprint) == 64


def test_the_subject_in_full_and_a_host_name_too_long_for_a_common_name():
    long = "a" * 60 + ".example.com"
    subject = Subject(names=(long,), organization="Org", unit="Unit", city="City", state="State", country="DE")
    told = describe(load_chain(self_signed(subject, days=5).certificate)[0])
    assert told.subject == "OU=Unit,O=Org,L=City,ST=State,C=DE"
    assert told.dns_names == (long,)
    assert told.common_name == ""


def test_a_wildcard_name():
    made_pair = self_signed(Subject(names=("*.example.com",)))
    assert peer_certificate(load_chain(made_pair.certificate)[0]).dns_names == ("*.example.com",)


def test_an_internationalised_name_is_written_as_an_a_label():
    made_pair = self_signed(Subject(names=("bücher.example",)))
    assert peer_certificate(load_chain(made_pair.certificate)[0]).dns_names == ("xn--bcher-kva.example",)


@pytest.mark.parametrize(
    ("subject", "options", "told"),
    [
        (Subject(names=()), {}, "at least one DNS name"),
        (Subject(names=("a..b",)), {}, "'a..b' is not a DNS name"),
        (Subject(names=("a.example", "bad name!")), {}, "'bad name!' is not a DNS name"),
        (Subject(names=("192.0.2.1",)), {}, "'192.0.2.1' is not a DNS name"),
        (Subject(names=("a.example",), country="Germany"), {}, "the country 'Germany' cannot stand in a certificate"),
        (Subject(names=("a.example",)), {"days": 10_000_000}, "no usable number of days"),
        (Subject(names=("a.example",)), {"days": -1}, "no usable number of days"),
        (Subject(names=("a.example",)), {"kind": "RSA", "bits": 1024}, "2048, 3072 or 4096 bits, not 1024"),
    ],
)
def test_what_cannot_be_made_is_told(subject, options, told):
    with pytest.raises(GatepostError) as caught:
        self_signed(subject, **options)
    assert told in str(caught.value)


def test_a_signing_request_carries_the_names():
    text = signing_request(Subject(names=("mx.example.com", "b.example"), organization="Org"), pair().private_key)
    request = x509.load_pem_x509_csr(text.encode())
    assert request.is_signature_valid
    names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["mx.example.com", "b.example"]


def test_a_signing_request_needs_a_usual_key():
    with pytest.raises(GatepostError, match="RSA or EC"):
        signing_request(Subject(names=("a.example",)), key_to_pem(ed25519.Ed25519PrivateKey.generate()))


# --- loading -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is not PEM"),
        ("nonsense", "is not PEM"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "damaged"),
    ],
)
def test_what_is_no_certificate(text, told):
    with pytest.raises(GatepostError, match=told):
        load_chain(text)


def test_a_certificate_of_an_unknown_version():
    octets = made().public_bytes(serialization.Encoding.DER).replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x03", 1)
    text = base64.encodebytes(octets).decode()
    with pytest.raises(GatepostError, match="unknown version"):
        load_chain(f"-----BEGIN CERTIFICATE-----\n{text}-----END CERTIFICATE-----\n")


@pytest.mark.parametrize("load", [load_chain, load_key])
def test_huge_texts_are_not_read(load):
    with pytest.raises(GatepostError, match="larger than"):
        load("x" * (certificates.MAX_SIZE + 1))


def test_keys():
    encrypted = KEY.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"secret")
    ).decode()
    assert key_text(load_key(encrypted, "secret").public_key()) == "EC P-384"
    with pytest.raises(GatepostError, match="is encrypted: give its passphrase"):
        load_key(encrypted)
    with pytest.raises(GatepostError, match="or the passphrase is wrong"):
        load_key(encrypted, "wrong")
    with pytest.raises(GatepostError, match="needs no passphrase"):
        load_key(pair().private_key, "secret")
    with pytest.raises(GatepostError, match="not a readable PEM key"):
        load_key("-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n")


def test_key_names():
    assert key_text(ed25519.Ed25519PrivateKey.generate().public_key()) == "Ed25519"
    assert key_text(x25519.X25519PrivateKey.generate().public_key()) == "X25519"


def test_pkcs12():
    ca = load_chain(authority().cert_pem.bytes().decode())
    certificate = made()
    encryption = serialization.BestAvailableEncryption(b"secret")
    data = pkcs12.serialize_key_and_certificates(b"mx", KEY, certificate, list(ca), encryption)
    bundle = load_pkcs12(data, "secret")
    assert load_chain(bundle.certificate) == (certificate, *ca)
    assert key_matches(certificate, load_key(bundle.private_key))
    for passphrase, told in (("", "missing"), ("other", "wrong")):
        with pytest.raises(GatepostError, match=f"or its passphrase is {told}"):
            load_pkcs12(data, passphrase)
    with pytest.raises(GatepostError, match="neither PEM nor PKCS#12"):
        load_pkcs12(b"PK\x03\x04", "secret")
    with pytest.raises(GatepostError, match="larger than"):
        load_pkcs12(bytes(certificates.MAX_SIZE + 1), "secret")
    with pytest.raises(GatepostError, match="lacks a certificate or its private key"):
        load_pkcs12(pkcs12.serialize_key_and_certificates(b"mx", None, None, list(ca), encryption), "secret")


# --- checking ------------------------------------------------------------------------------------------------------------


def test_a_key_that_does_not_match():
    with pytest.raises(GatepostError, match=r"does not belong to the certificate CN=a\.example"):
        check_pair(KeyPair(pair("a.example").certificate, pair("b.example").private_key))


def test_a_chain_in_order_and_out_of_order():
    child = authority().create_child_ca()
    leaf = child.issue_cert("mx.example.com")
    blobs = [blob.bytes().decode() for blob in leaf.cert_chain_pems]
    key = leaf.private_key_pem.bytes().decode()
    check_pair(KeyPair("".join(blobs), key))
    with pytest.raises(GatepostError, match="chain is out of order: CN=a"):
        check_pair(KeyPair(blobs[0] + pair("a.example").certificate, key))


def test_a_certificate_whose_key_cannot_be_read_matches_none():
    """Cannot be made here: keys of algorithms that the library does not know."""

    class Foreign:
        def public_key(self) -> None:
            raise UnsupportedAlgorithm("unknown")

    assert not key_matches(Foreign(), KEY)  # type: ignore[arg-type]


# --- describing ----------------------------------------------------------------------------------------------------------


def test_description_of_an_authority_and_a_server_only_certificate():
    ca = describe(load_chain(authority().cert_pem.bytes().decode())[0])
    assert ca.is_ca
    assert ca.self_signed
    told = describe(
        made(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]),
            x509.SubjectAlternativeName([x509.DNSName("mx.example.com"), x509.IPAddress(ipaddress.ip_address("192.0.2.1"))]),
        )
    )
    assert told.addresses == ("192.0.2.1",)
    assert told.dns_names == ("mx.example.com",)
    assert told.server_auth
    assert not told.client_auth
    assert told.serial == "c0ffee"
    assert told.key == "EC P-384"
    assert told.signature == "ecdsa-with-SHA384"
    assert describe(made(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]))).client_auth


def test_hostile_names_are_escaped_and_match_nothing():
    told = peer_certificate(made(common_names=("first.example", "good.example\0.evil.example")))
    assert told.common_name == "good.example\\x00.evil.example"
    assert told.subject.isprintable()
    assert match(told, ["good.example"]) == ""
    turned = peer_certificate(made(common_names=("a\u202eb\x1b[31m\r\nX: y",)))
    assert turned.common_name == "a\\u202eb\\x1b[31m\\r\\nX: y"


def test_a_certificate_without_common_name():
    told = peer_certificate(made(common_names=()))
    assert told.common_name == told.subject == ""


def test_unreadable_alternative_names_do_not_fall_back_to_the_common_name():
    broken = made(x509.UnrecognizedExtension(x509.SubjectAlternativeName.oid, b"\x30\x03\x82\x01\xff"))
    told = peer_certificate(broken)
    assert told.dns_names == (UNREADABLE,)
    assert match(told, ["mx.example.com"]) == ""
    assert describe(broken).addresses == ()


def test_ten_thousand_names_are_read():
    names = [x509.DNSName(f"host{n}.example.com") for n in range(10_000)]
    assert len(peer_certificate(made(x509.SubjectAlternativeName(names))).dns_names) == 10_000


def test_a_key_that_the_library_does_not_know_costs_only_its_name(monkeypatch):
    certificate = made()
    monkeypatch.setattr(certificates, "key_text", lambda key: (_ for _ in ()).throw(ValueError("unknown curve")))
    assert peer_certificate(certificate).key == ""
    assert peer_certificate(certificate).common_name == "mx.example.com"


def test_dates_are_wall_clock_seconds():
    told = peer_certificate(made())
    assert datetime.datetime.fromtimestamp(told.not_after, datetime.UTC) == (NOW + DAY).replace(microsecond=0)
    assert to_pem([made()]).startswith("-----BEGIN")
