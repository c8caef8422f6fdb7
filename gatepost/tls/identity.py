"""Whether a certificate is for the host we meant: presented against reference identities (RFC 9525, asyncos.md 5.3).

Pure, and strict where certificates were forged with success: NUL in a name, wide wildcards, addresses as names. A name
either equals one of few exact strings or does not match; nothing is parsed out of a presented name.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from gatepost.tls.outcome import PeerCertificate


def presented(peer: PeerCertificate) -> tuple[str, ...]:
    """Return the names that count: the common name only when there is no dNSName at all (RFC 6125 6.4.4)."""
    return peer.dns_names or ((peer.common_name,) if peer.common_name else ())


def match(peer: PeerCertificate, references: Sequence[str]) -> str:
    """Return the presented name that equals one of the reference names, as the certificate spells it; empty if none."""
    accepted = {spelling for reference in references for spelling in accepted_spellings(reference)}
    for name in presented(peer):
        # Only ASCII: lower() turns the Kelvin sign into a k, and IDNs are in A-labels here (RFC 9525 6.3).
        if name.isascii() and name.lower() in accepted:
            return name
    return ""


def normal_name(name: str) -> str:
    """Bring a reference name into the form that is compared and sent: A-labels, lower case, no trailing dot.

    Empty for what is no host name: an address, a pattern, an empty label, text longer than DNS allows (RFC 1035 2.3.4).
    """
    name = name.removesuffix(".")  # the absolute form of a reference; in a certificate a dot at the end matches nothing
    if not name.isascii():
        try:
            name = name.encode("idna").decode()
        except UnicodeError:
            return ""
    plain = all(name.split(".")) and name.replace("-", "a").replace(".", "a").replace("_", "a").isalnum()
    return name.lower() if plain and len(name) <= 253 and not _is_address(name) else ""


def accepted_spellings(reference: str) -> tuple[str, ...]:
    """Return what a certificate may say for a reference: itself, or `*` for exactly its left-most label.

    A wildcard needs two labels after it: `*.com` covers what nobody owns (RFC 9525 7.1).
    """
    name = normal_name(reference)
    if not name:
        return ()
    labels = name.split(".")
    return (name, ".".join(["*", *labels[1:]])) if len(labels) > 2 else (name,)


def _is_address(name: str) -> bool:
    """Whether a name is an IP address, which no dNSName or CN may stand for (RFC 9525 6.5)."""
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
