"""Turns the TLS library's few words about a failed handshake into a sentence that says which side had what.

Pure. The words of `OpenSSL.SSL.Error` come in; what goes out stands in the log, the TLS record and a DSN.
"""

from __future__ import annotations

from typing import Final

from gatepost.tls import registry
from gatepost.tls.hello import quote
from gatepost.tls.mismatch import listed
from gatepost.tls.outcome import Offer

# What a peer means by an alert (RFC 8446 6.2), where its name alone leaves an administrator guessing.
_MEANINGS: Final = {
    "unknown ca": "it does not trust our certificate",
    "bad certificate": "it refused our certificate",
    "unsupported certificate": "it refused our certificate",
    "certificate revoked": "it refused our certificate",
    "certificate expired": "it holds our certificate for expired",
    "certificate unknown": "it refused our certificate",
    "certificate required": "it wants a certificate and we showed none",
    "handshake failure": "it found nothing in common, or wants a certificate",
    "insufficient security": "it wants stronger suites or groups than ours",
    "protocol version": "it speaks none of our TLS versions",
    "unrecognized name": "it does not serve the name we asked for",
    "access denied": "it does not let us in",
    "user canceled": "it gave up",
}
_ABOUT_OFFERS: Final = frozenset({"handshake failure", "insufficient security", "protocol version"})

_REASONS: Final = {
    "wrong version number": "peer sent something that is not TLS, or no version that we know",
    "bad record type": "peer sent something that is not TLS",
    "dh key too small": "peer's Diffie-Hellman parameters are too short",
    "ee key too small": "the certificate's key is too short for this profile",
    "ca md too weak": "a certificate of the peer's chain is signed with a hash that is too weak",
    "excessive message size": "a TLS message is larger than is taken: a certificate chain may be 100 KB",
    "unsafe legacy renegotiation disabled": "peer lacks secure renegotiation (RFC 5746)",
    "unexpected eof while reading": "peer closed the connection without a close_notify",
}


def reason_of(arguments: tuple[object, ...]) -> str:
    """Return the library's words from the arguments of an `OpenSSL.SSL.Error`."""
    queue = arguments[0] if arguments else None
    if isinstance(queue, list) and queue and isinstance(queue[0], tuple):
        return str(queue[0][-1])
    return ""


def peer_alert(reason: str) -> str:
    """Return the name of the alert that a peer sent, when that is what the library's words tell; else empty."""
    return reason.partition(" alert ")[2]


def describe(reason: str, allowance: Offer, profile: str) -> str:
    """Tell in a sentence what the library's words mean."""
    alert = peer_alert(reason)
    if not alert:
        return _REASONS.get(reason) or f"TLS error: {reason or 'unknown'}"
    text = f"peer sent alert: {alert}"
    if alert in _MEANINGS:
        text += f" ({_MEANINGS[alert]})"
    if alert in _ABOUT_OFFERS:
        text += f"; {_profile(profile)} offers {terms_text(allowance)}"
    return text


def server_choice(first: bytes, allowance: Offer, profile: str) -> str:
    """Say what is wrong with a server's first bytes, as far as they show it; empty: nothing to be seen."""
    if first[:1] not in (b"\x16", b"\x15") or first[1:2] not in (b"\x03", b""):
        return f"garbage instead of a ServerHello: {quote(first)}"
    if first[:1] == b"\x15" or len(first) < 11 or first[5] != 2:
        return ""
    version = registry.VERSIONS.get(int.from_bytes(first[9:11], "big"), f"0x{first[9:11].hex()}")
    # A server of TLS 1.3 writes 1.2 here and its choice into an extension (RFC 8446 4.1.3): that is never a mismatch.
    if version in allowance.versions or version == "TLSv1.2":
        return ""
    return f"peer chose {version}; {_profile(profile)} allows {listed(allowance.versions[::-1])}"


def closed(allowance: Offer, profile: str, received: bool) -> str:
    """Tell of a peer that ended the connection in the middle of a handshake."""
    if not received:
        return "peer closed the connection before its first TLS message"
    return f"peer closed the connection during the handshake; {_profile(profile)} allows {terms_text(allowance)}"


def terms_text(allowance: Offer) -> str:
    """Name the versions and suites of one side."""
    return f"{listed(allowance.versions[::-1])} with {listed(allowance.suites)}"


def _profile(name: str) -> str:
    return f"profile {name}" if name else "our side"
