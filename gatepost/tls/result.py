"""Reads out of a finished handshake what it came to. Judges nothing."""

from __future__ import annotations

import hashlib
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL, crypto

from gatepost.tls import binding, registry
from gatepost.tls.certificates import UNREADABLE, peer_certificate
from gatepost.tls.ciphers import iana_name
from gatepost.tls.outcome import PeerCertificate, TlsOutcome

# Reading a certificate costs a seventh of a handshake, and most mail goes to the same few hosts. Few, for one may be large.
_read = lru_cache(maxsize=32)(peer_certificate)


def outcome(connection: SSL.Connection) -> TlsOutcome:
    """Return the negotiated parameters, the peer's certificate and what its verification found."""
    version = connection.get_protocol_version()
    cipher = connection.get_cipher_name() or ""
    peer, fault = _peer(connection)
    error = connection.get_app_data()  # the first fault of the chain: `context` recorded it
    if error is not None:
        fault = binding.verify_error(error)
    return TlsOutcome(
        protocol=registry.VERSIONS.get(version, f"0x{version:04x}"),
        cipher=cipher,
        suite=iana_name(cipher),
        group=registry.group_name(connection.get_group_name() or ""),
        bits=connection.get_cipher_bits() or 0,
        chain_ok=peer is not None and not fault,
        chain_error=fault,
        peer=peer,
    )


def _peer(connection: SSL.Connection) -> tuple[PeerCertificate | None, str]:
    """Read the certificate that was shown, and say what is wrong when the TLS library took one that nobody can read."""
    try:
        shown = connection.get_peer_certificate(as_cryptography=True)
    except (ValueError, x509.InvalidVersion):
        raw = connection.get_peer_certificate()
        assert raw is not None
        octets = crypto.dump_certificate(crypto.FILETYPE_ASN1, raw)
        fingerprint = hashlib.sha256(octets).hexdigest()
        return PeerCertificate(dns_names=(UNREADABLE,), fingerprint=fingerprint), "the certificate cannot be read"
    return (_read(shown) if shown is not None else None), ""


def shown_chain(connection: SSL.Connection) -> tuple[bytes, ...]:
    """Return the certificates that the peer showed, its own first, as DER."""
    chain = connection.get_peer_cert_chain(as_cryptography=True) or []
    own = connection.get_peer_certificate(as_cryptography=True)
    if own is not None and own not in chain[:1]:  # on a server the library leaves it out
        chain.insert(0, own)
    return tuple(certificate.public_bytes(Encoding.DER) for certificate in chain)


def verified_chain(connection: SSL.Connection) -> tuple[bytes, ...]:
    """Return the chain that verification built, own certificate first, as DER."""
    chain = connection.get_verified_chain(as_cryptography=True) or []
    return tuple(certificate.public_bytes(Encoding.DER) for certificate in chain)
