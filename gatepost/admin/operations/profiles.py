"""What a TLS profile allows, in the order that counts, as the TLS library itself reads it."""

from __future__ import annotations

from gatepost.admin.operations.explanation import listed
from gatepost.config.model import Config, TlsProfile, tls_profile
from gatepost.errors import GatepostError
from gatepost.snapshot import terms
from gatepost.tls.certificates import key_text, load_chain
from gatepost.tls.ciphers import allowance, openssl_name
from gatepost.tls.mismatch import key_type

_NEW = "TLS_AES_", "TLS_CHACHA20_"


def inbound(config: Config, name: str, certificates: list[str]) -> list[str]:
    """Say what a listener with these certificates takes under a profile, and whose order decides."""
    profile = tls_profile(config, name)
    if profile is None:
        return [f"The TLS profile {name} does not exist."]
    keys = {known: _key(config, known) for known in certificates}
    whose = "Our order decides" if profile.cipher_order == "server" else "The client's order decides"
    shown = listed([f"{known} ({key})" for known, key in keys.items()])
    return [
        *_allowed(name, profile, {key.partition(" ")[0] for key in keys.values()}),
        f"{whose} (cipher_order = {profile.cipher_order}).",
        f"Certificates, the first is the default and others are chosen by the name that the client asks for: {shown}.",
    ]


def outbound(config: Config, name: str) -> list[str]:
    """Say what we offer under a profile."""
    profile = tls_profile(config, name)
    if profile is None:
        return [f"The TLS profile {name} does not exist."]
    certificate = config.default_destination.certificate
    return [
        *_allowed(name, profile, set()),
        "That is our offer; the server chooses from it.",
        f"The client certificate {certificate} is shown when asked for."
        if certificate
        else "No client certificate is shown.",
    ]


def _allowed(name: str, profile: TlsProfile, keys: set[str]) -> list[str]:
    """List versions, suites and groups; of the older suites only those that a certificate with one of `keys` can serve."""
    allowed = allowance(terms(profile))
    older = [suite for suite in allowed.suites if not suite.startswith(_NEW)]
    served = [suite for suite in older if key_type(suite) in ("", *keys)] if keys else older
    said = [f"TLS profile {name} allows {listed(allowed.versions)}."]
    if "TLSv1.3" in allowed.versions:
        said.append(f"TLS 1.3 suites in order: {listed([suite for suite in allowed.suites if suite.startswith(_NEW)])}.")
    if older:
        said.append(f"Suites of the older versions in order: {listed([openssl_name(suite) for suite in served])}.")
    if len(served) < len(older):
        missing = [openssl_name(suite) for suite in older if suite not in served]
        said.append(f"Out of reach, for they need another kind of certificate: {listed(missing)}.")
    return [*said, f"Key exchange groups in order: {listed(allowed.groups)}."]


def _key(config: Config, certificate: str) -> str:
    entry = config.certificates.get(certificate)
    try:
        return key_text(load_chain(entry.certificate)[0].public_key()) if entry else "missing"
    except GatepostError:
        return "unreadable"
