"""What a handshake came to, as a value for policy, log and records."""

from __future__ import annotations

import msgspec


class Offer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a client offered in its ClientHello (RFC 8446 4.1.2), by registered name, in the client's order.

    Also what one side allows (an allowance): then in the order that this side would choose in.
    """

    versions: tuple[str, ...] = ()
    """`TLSv1.3`, `TLSv1.2` …; `SSLv3`; `SSLv2` for a hello in SSLv2 framing; unknown ones as `0x7f1c`, GREASE left out.

    A client without the extension supported_versions only names the highest version it speaks: then there is one.
    """
    exact: bool = False
    """There is one version, older than TLS 1.3, and it stood in supported_versions: the client takes no older one."""
    suites: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    key_shares: tuple[str, ...] = ()
    signatures: tuple[str, ...] = ()
    server_name: str = ""
    alpn: tuple[str, ...] = ()


class PeerCertificate(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a peer's certificate says."""

    subject: str = ""
    common_name: str = ""
    dns_names: tuple[str, ...] = ()
    issuer: str = ""
    serial: str = ""
    not_before: float = 0.0
    not_after: float = 0.0
    fingerprint: str = ""
    """SHA-256 of the DER, lower-case hexadecimal."""
    key: str = ""
    """`RSA 2048`, `EC P-256`, `Ed25519`."""


class TlsOutcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A handshake that succeeded."""

    protocol: str
    """`TLSv1.2`, …"""
    cipher: str
    """OpenSSL name of the suite."""
    suite: str = ""
    """IANA name of the suite, as offers name it."""
    group: str = ""
    """Key exchange group; empty for plain RSA key exchange and where the library does not tell."""
    bits: int = 0
    chain_ok: bool = False
    """A certificate was shown and its chain, dates and purpose verified."""
    chain_error: str = ""
    """Why it did not verify (`certificate has expired`, `self-signed certificate`); empty when fine or none was shown."""
    peer: PeerCertificate | None = None
    """None: the peer showed no certificate (or, in a client role, never)."""
