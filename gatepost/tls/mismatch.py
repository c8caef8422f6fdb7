"""Says what two sides of a failed handshake had, and where they did not meet.

Pure. The TLS library only says `no shared cipher`; an administrator must read which side has to move (docs/tls.md).
The steps are those of a server: version, suite, certificate, group (RFC 8446 4.1.1 and RFC 5246 7.4.1.3).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from gatepost.tls import registry
from gatepost.tls.outcome import Offer

_TLS13 = "TLSv1.3"
_SIGNATURES = {"RSA": ("rsa_",), "EC": ("ecdsa_",), "Ed25519": ("ed25519",), "Ed448": ("ed448",)}
"""How the names of the signature schemes begin that a key can make."""
_SHOWN = 6
"""Names shown of one list; the record holds them all."""


def explain_mismatch(offer: Offer, allowance: Offer, keys: Collection[str], profile: str = "") -> str:
    """Say why a server that allows `allowance` cannot serve `offer`; empty when the two do meet.

    `keys` are those of the certificates at hand: `RSA 2048`, `EC P-256`, `Ed25519`, or the first word of these alone.
    """
    ours = f"profile {profile}" if profile else "our side"
    if "SSLv2" in offer.versions:
        return f"peer sent a ClientHello in SSLv2 framing; {ours} allows {listed(_ascending(allowance.versions))}"
    version = common_version(offer, allowance)
    if not version:
        # With one version below TLS 1.3 the client named its highest only, and would take older ones (RFC 5246 E.1).
        older = " or older" if len(offer.versions) == 1 and offer.versions[0] in ("TLSv1.1", "TLSv1.2") else ""
        offered = listed(_ascending(offer.versions))
        return f"peer offers only {offered}{older}; {ours} allows {listed(_ascending(allowance.versions))}"
    return _suites(offer, allowance, version, keys, ours)


def common_version(offer: Offer, allowance: Offer) -> str:
    """Return the version that a server would choose, or empty."""
    offered = set(offer.versions)
    if len(offer.versions) == 1 and _TLS13 not in offered:
        highest = registry.version_rank(offer.versions[0])
        offered |= {name for name in allowance.versions if registry.version_rank(name) <= highest}
    common = offered & set(allowance.versions)
    return max(common, key=registry.version_rank, default="")


def _suites(offer: Offer, allowance: Offer, version: str, keys: Collection[str], ours: str) -> str:
    offered = [name for name in offer.suites if name not in registry.SIGNALS and _fits(name, version)]
    allowed = [name for name in allowance.suites if _fits(name, version)]
    common = [name for name in allowed if name in offered]
    if not common:
        return f"no suite in common for {version}: peer offers {listed(offered)}; {ours} allows {listed(allowed)}"
    types = {key.partition(" ")[0] for key in keys}
    served = [name for name in common if version == _TLS13 or key_type(name) in ("", *types)]
    if not served:
        return f"no suite in common that our certificate ({_or(types)}) can serve: both sides have {listed(common)}"
    return (
        _signature(offer, types) or _curve(offer, version, served, keys) or _groups(offer, allowance, version, served, ours)
    )


def _signature(offer: Offer, types: Collection[str]) -> str:
    """Check that the peer reads a signature that one of our keys can make (RFC 8446 4.4.2.2)."""
    wanted = tuple(prefix for key in types for prefix in _SIGNATURES.get(key, ("",)))
    if not offer.signatures or any(name.startswith(wanted) for name in offer.signatures):
        return ""
    return f"no signature in common: peer takes {listed(offer.signatures)}; our certificate's key is {_or(types)}"


def _curve(offer: Offer, version: str, served: Sequence[str], keys: Collection[str]) -> str:
    """Check that the peer takes our certificate's curve: below TLS 1.3 its groups are also for that (RFC 8422 5.1)."""
    curves = [key.partition(" ")[2] for key in keys]
    if version == _TLS13 or not offer.groups or not all(curves) or set(curves) & set(offer.groups):
        return ""
    if not all(key_type(name) == "EC" for name in served):
        return ""
    return f"peer does not take our certificate's curve: peer offers {listed(offer.groups)}; our key is {_or(keys)}"


def _groups(offer: Offer, allowance: Offer, version: str, served: Sequence[str], ours: str) -> str:
    """Check the key exchange groups: TLS 1.3 needs one, its elders do when each suite that is left needs one."""
    common = set(offer.groups) & set(allowance.groups)
    if common if version == _TLS13 else any(_exchanges(name, offer, common) for name in served):
        return ""
    return f"no group in common: peer offers {listed(offer.groups)}; {ours} allows {listed(allowance.groups)}"


def _exchanges(suite: str, offer: Offer, common: Collection[str]) -> bool:
    """Whether a suite of TLS 1.2 or older can exchange keys.

    A client that names no curves takes any (RFC 8422 4); one that names finite-field groups takes no other (RFC 7919 4).
    """
    if "_ECDHE_" in suite:
        return not offer.groups or any(not name.startswith("ffdhe") for name in common)
    if "_DHE_" in suite and any(name.startswith("ffdhe") for name in offer.groups):
        return any(name.startswith("ffdhe") for name in common)
    return True


def _fits(suite: str, version: str) -> bool:
    """Whether a suite belongs to TLS 1.3 (whose suites name no key exchange) or to its elders, as `version` does."""
    return ("_WITH_" not in suite) == (version == _TLS13)


def key_type(suite: str) -> str:
    """Name the certificate key that a suite of TLS 1.2 or older needs; empty: any or none."""
    exchange = suite.partition("_WITH_")[0]
    if exchange.endswith("_ECDSA"):
        return "EC"
    return exchange[-3:] if exchange.endswith(("RSA", "DSS")) else ""


def _or(names: Collection[str]) -> str:
    return " or ".join(sorted(names))


def _ascending(versions: Sequence[str]) -> list[str]:
    return sorted(versions, key=registry.version_rank)


def listed(names: Sequence[str]) -> str:
    """Join names for a sentence, cutting long lists."""
    if not names:
        return "nothing"
    rest = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")
