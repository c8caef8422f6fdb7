"""Reads out of a finished handshake what it came to. Judges nothing."""

from __future__ import annotations

from functools import lru_cache

from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL

from gatepost.tls import binding, registry
from gatepost.tls.certificates import peer_certificate
from gatepost.tls.ciphers import iana_name
from gatepost.tls.outcome import TlsOutcome

# Reading a certificate costs a seventh of a handshake, and most mail goes to the same few hosts. Few, for one may be large.
_read = lru_cache(maxsize=32)(peer_certificate)


def outcome(connection: SSL.Connection) -> TlsOutcome:
    """Return the negotiated parameters, the peer's certificate and what its verification found."""
    version = connection.get_protocol_version()
    cipher = connection.get_cipher_name() or ""
    shown = connection.get_peer_certificate(as_cryptography=True)
    error = connection.get_app_data()  # the first fault of the chain: `context` recorded it
    return TlsOutcome(
        protocol=registry.VERSIONS.get(version, f"0x{version:04x}"),
        cipher=cipher,
        suite=iana_name(cipher),
        group=registry.group_name(connection.get_group_name() or ""),
        bits=connection.get_cipher_bits() or 0,
        chain_ok=shown is not None and error is None,
        chain_error=binding.verify_error(error) if error is not None else "",
        peer=_read(shown) if shown is not None else None,
    )


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
