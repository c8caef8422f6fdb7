"""Makes keys, self-signed certificates and signing requests (RFC 5280, RFC 2986). Signs nothing for others."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Literal

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gatepost.errors import GatepostError
from gatepost.tls.certificates import KeyPair, key_to_pem, load_key, to_pem
from gatepost.tls.identity import normal_name

KeyKind = Literal["EC", "RSA"]
_Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """Who a certificate is for; the names that peers check are `names` (RFC 9525), the rest is for people."""

    names: tuple[str, ...]
    """DNS names; the first is also the common name."""
    organization: str = ""
    unit: str = ""
    city: str = ""
    state: str = ""
    country: str = ""
    """Two letters."""


def self_signed(subject: Subject, *, days: int = 3650, kind: KeyKind = "EC", bits: int = 2048) -> KeyPair:
    """Make a key and a certificate signed by itself: it encrypts, and nobody can verify it unless they pin it."""
    key = _make_key(kind, bits)
    name = _name(subject)
    start = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=5)  # peers' clocks may be a little behind ours
    try:
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + datetime.timedelta(days=days))
        )
    except (ValueError, OverflowError):
        raise GatepostError(f"{days} is no usable number of days") from None
    certificate = (
        builder.add_extension(_alternative_names(subject.names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return KeyPair(to_pem([certificate]), key_to_pem(key))


def signing_request(subject: Subject, private_key: str) -> str:
    """Write a certificate signing request (PEM) for a key that is at hand."""
    key = load_key(private_key)
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise GatepostError("a signing request needs an RSA or EC key")
    builder = x509.CertificateSigningRequestBuilder().subject_name(_name(subject))
    request = builder.add_extension(_alternative_names(subject.names), critical=False).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM).decode()


def _make_key(kind: KeyKind, bits: int) -> _Key:
    if kind == "EC":
        return ec.generate_private_key(ec.SECP256R1())
    if bits not in (2048, 3072, 4096):
        raise GatepostError(f"an RSA key has 2048, 3072 or 4096 bits, not {bits}")
    return rsa.generate_private_key(65537, bits)


def _name(subject: Subject) -> x509.Name:
    fields = (
        ("country", NameOID.COUNTRY_NAME, subject.country),
        ("state", NameOID.STATE_OR_PROVINCE_NAME, subject.state),
        ("city", NameOID.LOCALITY_NAME, subject.city),
        ("organisation", NameOID.ORGANIZATION_NAME, subject.organization),
        ("organisational unit", NameOID.ORGANIZATIONAL_UNIT_NAME, subject.unit),
        # RFC 5280 allows 64 characters; a longer host name stands in subjectAltName alone.
        ("common name", NameOID.COMMON_NAME, subject.names[0] if subject.names and len(subject.names[0]) <= 64 else ""),
    )
    return x509.Name([_attribute(what, oid, value) for what, oid, value in fields if value])


def _attribute(what: str, oid: x509.ObjectIdentifier, value: str) -> x509.NameAttribute[str]:
    try:
        return x509.NameAttribute(oid, value)
    except ValueError as error:
        raise GatepostError(f"the {what} {value!r} cannot stand in a certificate: {error}") from None


def _alternative_names(names: Sequence[str]) -> x509.SubjectAlternativeName:
    if not names:
        raise GatepostError("a certificate needs at least one DNS name")
    return x509.SubjectAlternativeName([x509.DNSName(_dns_name(name)) for name in names])


def _dns_name(name: str) -> str:
    """Return a name as certificates write it, in A-labels; `*` may stand for its left-most label (RFC 9525 6.3)."""
    wildcard = "*." if name.startswith("*.") else ""
    plain = normal_name(name.removeprefix(wildcard))
    if not all(plain.split(".")):
        raise GatepostError(f"{name!r} is not a DNS name")
    return wildcard + plain
