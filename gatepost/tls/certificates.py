"""Reads X.509 certificates and keys (RFC 5280, RFC 7468, RFC 7292) and says in plain values what they hold.

Never trusts: chains are verified by the TLS library in a handshake. Never raises anything but `GatepostError`, with one
sentence, whatever the bytes are; a certificate that a peer shows is read field by field and never raises at all.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import TypeVar

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gatepost.errors import GatepostError
from gatepost.tls import registry
from gatepost.tls.outcome import PeerCertificate

T = TypeVar("T")
ExtensionT = TypeVar("ExtensionT", bound=x509.ExtensionType)
MAX_SIZE = 1 << 20
"""Octets of PEM or PKCS#12 that are read at most."""
UNREADABLE = "(unreadable)"
"""Stands for the names of a subjectAltName that could not be read: such a certificate must not fall back to its CN."""


class KeyPair(msgspec.Struct, frozen=True):
    """A certificate chain, own certificate first, and its private key, both PEM."""

    certificate: str
    private_key: str


class Description(PeerCertificate, frozen=True, kw_only=True, omit_defaults=True):
    """What one of our own certificates says, for lists, checks and alarms."""

    addresses: tuple[str, ...] = ()
    """subjectAltName iPAddress."""
    signature: str = ""
    is_ca: bool = False
    self_signed: bool = False
    server_auth: bool = True
    """Fit for a server: no extended key usage, or one that says so (RFC 5280 4.2.1.12)."""
    client_auth: bool = True


def load_chain(pem: str) -> tuple[x509.Certificate, ...]:
    """Read one or more PEM certificates, in order."""
    _bounded(pem)
    try:
        return tuple(x509.load_pem_x509_certificates(pem.encode()))
    except (ValueError, x509.InvalidVersion):
        if "-----BEGIN CERTIFICATE-----" in pem:
            raise GatepostError("the PEM text holds a certificate that is damaged, or of an unknown version") from None
        raise GatepostError("the certificate is not PEM: it must hold -----BEGIN CERTIFICATE----- blocks") from None


def load_key(pem: str, passphrase: str = "") -> PrivateKeyTypes:
    """Read a PEM private key."""
    _bounded(pem)
    try:
        return serialization.load_pem_private_key(pem.encode(), passphrase.encode() or None)
    except TypeError:  # a passphrase is missing, or one was given for a key in the clear
        need = "needs no passphrase" if passphrase else "is encrypted: give its passphrase"
        raise GatepostError(f"the private key {need}") from None
    except (ValueError, UnsupportedAlgorithm):
        raise GatepostError("the private key is not a readable PEM key, or the passphrase is wrong") from None


def load_pkcs12(data: bytes, passphrase: str = "") -> KeyPair:
    """Read a PKCS#12 file (.p12, .pfx) and return its chain and key as PEM."""
    if len(data) > MAX_SIZE:
        raise GatepostError(f"the PKCS#12 file is larger than {MAX_SIZE} octets")
    try:
        bundle = pkcs12.load_pkcs12(data, passphrase.encode() or None)
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion):
        what = "wrong" if passphrase else "missing"
        raise GatepostError(f"the file is neither PEM nor PKCS#12, or its passphrase is {what}") from None
    if bundle.key is None or bundle.cert is None:
        raise GatepostError("the PKCS#12 file lacks a certificate or its private key")
    chain = [bundle.cert.certificate, *(other.certificate for other in bundle.additional_certs)]
    return KeyPair(to_pem(chain), key_to_pem(bundle.key))


def to_pkcs12(pair: KeyPair, name: str, passphrase: str) -> bytes:
    """Write a chain and its key as PKCS#12, encrypted by a passphrase, which may not be empty."""
    if not passphrase:
        raise GatepostError("a private key leaves this machine under a passphrase only: give one")
    chain, key = load_chain(pair.certificate), load_key(pair.private_key)
    try:
        return pkcs12.serialize_key_and_certificates(
            name.encode(),
            key,  # type: ignore[arg-type]  # of the types it does not take, it says so itself
            chain[0],
            chain[1:],
            serialization.BestAvailableEncryption(passphrase.encode()),
        )
    except (TypeError, ValueError) as fault:
        raise GatepostError(f"PKCS#12 cannot hold this key: {fault}") from None


def check_pair(pair: KeyPair) -> None:
    """Raise GatepostError unless the key is that of the first certificate and each certificate signs the one before it."""
    chain = load_chain(pair.certificate)
    if not key_matches(chain[0], load_key(pair.private_key)):
        raise GatepostError(f"the private key does not belong to the certificate {peer_certificate(chain[0]).subject}")
    for subject, issuer in pairwise(chain):
        if not _issued(subject, issuer):
            raise GatepostError(f"the chain is out of order: {_text(issuer.subject)} did not issue {_text(subject.subject)}")


def key_matches(certificate: x509.Certificate, key: PrivateKeyTypes) -> bool:
    """Whether a private key belongs to a certificate."""
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    try:
        return key.public_key().public_bytes(*form) == certificate.public_key().public_bytes(*form)
    except (ValueError, UnsupportedAlgorithm):
        return False


def peer_certificate(certificate: x509.Certificate) -> PeerCertificate:
    """Read what a shown certificate says; whatever cannot be read is left empty."""
    common_names: tuple[str, ...] = _try(lambda: _common_names(certificate), ())
    return PeerCertificate(
        subject=_try(lambda: _text(certificate.subject), ""),
        common_name=common_names[-1] if common_names else "",  # the most specific one (RFC 6125 2.3.1)
        dns_names=_dns_names(certificate),
        issuer=_try(lambda: _text(certificate.issuer), ""),
        serial=f"{certificate.serial_number:x}",
        not_before=certificate.not_valid_before_utc.timestamp(),
        not_after=certificate.not_valid_after_utc.timestamp(),
        fingerprint=certificate.fingerprint(hashes.SHA256()).hex(),
        key=_try(lambda: key_text(certificate.public_key()), ""),
    )


def describe(certificate: x509.Certificate) -> Description:
    """Read all that an administrator wants to see of a certificate."""
    usages = _extension(certificate, x509.ExtendedKeyUsage, lambda usage: set(usage), None)
    constraints = _extension(certificate, x509.BasicConstraints, lambda value: value.ca, False)
    return Description(
        **msgspec.structs.asdict(peer_certificate(certificate)),
        addresses=_extension(
            certificate,
            x509.SubjectAlternativeName,
            lambda names: tuple(str(address) for address in names.get_values_for_type(x509.IPAddress)),
            (),
        ),
        signature=_try(lambda: _signature_name(certificate), ""),
        is_ca=constraints,
        self_signed=_issued(certificate, certificate),
        server_auth=_allows(usages, ExtendedKeyUsageOID.SERVER_AUTH),
        client_auth=_allows(usages, ExtendedKeyUsageOID.CLIENT_AUTH),
    )


def key_text(key: PublicKeyTypes) -> str:
    """Name a key with its size or curve: `RSA 2048`, `EC P-256`, `Ed25519`."""
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"EC {registry.group_name(key.curve.name)}"
    return type(key).__name__.removesuffix("PublicKey").lstrip("_")


def to_pem(chain: list[x509.Certificate]) -> str:
    """Write certificates as PEM, in order."""
    return "".join(certificate.public_bytes(serialization.Encoding.PEM).decode() for certificate in chain)


def key_to_pem(key: PrivateKeyTypes) -> str:
    """Write a private key as unencrypted PKCS#8 PEM; the configuration store keeps it, mode 0600."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def _bounded(pem: str) -> None:
    if len(pem) > MAX_SIZE:
        raise GatepostError(f"the PEM text is larger than {MAX_SIZE} octets")


def _common_names(certificate: x509.Certificate) -> tuple[str, ...]:
    attributes = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return tuple(_printable(str(attribute.value)) for attribute in attributes)


def _dns_names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return tuple([_printable(name) for name in names.get_values_for_type(x509.DNSName)])
    except x509.ExtensionNotFound:
        return ()
    except (ValueError, x509.DuplicateExtension):
        return (UNREADABLE,)


def _extension(certificate: x509.Certificate, kind: type[ExtensionT], read: Callable[[ExtensionT], T], default: T) -> T:
    try:
        return read(certificate.extensions.get_extension_for_class(kind).value)
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return default


def _allows(usages: set[x509.ObjectIdentifier] | None, usage: x509.ObjectIdentifier) -> bool:
    return usages is None or usage in usages or ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in usages


def _issued(subject: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        subject.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _signature_name(certificate: x509.Certificate) -> str:
    oid = certificate.signature_algorithm_oid
    return str(getattr(oid, "_name", oid.dotted_string))


def _try(read: Callable[[], T], default: T) -> T:
    """Read one field of a certificate that somebody else made: no malformation may cost more than that field."""
    try:
        return read()
    except (ValueError, UnsupportedAlgorithm):
        return default


def _text(name: x509.Name) -> str:
    return _printable(name.rfc4514_string())


def _printable(text: str) -> str:
    """Escape what does not print (NUL, controls, direction marks): a name stays on its line and matches only itself."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
