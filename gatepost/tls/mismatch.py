"""Says where the two sides of a handshake meet, and of those that do not, what each had and who has to move.

Pure. The TLS library only says `no shared cipher`; an administrator must read which side has to move (docs/tls.md).
The steps are those of a server: version, suite, certificate, group (RFC 8446 4.1.1 and RFC 5246 7.4.1.3). Where an RFC
leaves a server free, this tells what the library that we carry does; tests hold the two to one another.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import NamedTuple

from gatepost.tls import registry
from gatepost.tls.outcome import Offer

TLS13 = "TLSv1.3"
_TLS12 = "TLSv1.2"
_FALLBACK = "TLS_FALLBACK_SCSV"
_CURVES = {"P-256": "secp256r1", "P-384": "secp384r1", "P-521": "secp521r1"}
_EDWARDS = {"Ed25519": "ed25519", "Ed448": "ed448"}
_WITHOUT_EXTENSION = ("rsa_pkcs1_sha1", "ecdsa_sha1")
"""What a client of TLS 1.2 takes that names no signatures (RFC 5246 7.4.1.4.1); of our keys only these two."""
_ONLY_OLDER = ("sect", "secp", "P-192", "P-224", "brainpool", "arbitrary")
"""How the names of the groups begin that TLS 1.3 has no more (RFC 8446 4.2.7); brainpool came back as `…tls13`."""
_SHOWN = 6
"""Names shown of one list; the record holds them all."""


class Meeting(NamedTuple):
    """What is left to choose from, or why nothing is."""

    version: str = ""
    suites: tuple[str, ...] = ()
    """Those that can be served in this handshake, in our order."""
    reason: str = ""


def explain_mismatch(offer: Offer, allowance: Offer, keys: Collection[str], profile: str = "") -> str:
    """Say why a server that allows `allowance` cannot serve `offer`; empty when the two do meet.

    `keys` are those of the certificates at hand: `RSA 2048`, `EC P-256`, `Ed25519`, or the first word of these alone.
    """
    return meet(offer, allowance, keys, profile).reason


def meet(offer: Offer, allowance: Offer, keys: Collection[str], profile: str = "") -> Meeting:
    """Narrow down what a server that allows `allowance` can choose for `offer`; `keys` as above."""
    ours = f"profile {profile}" if profile else "our side"
    allowed = listed(_ascending(allowance.versions))
    if "SSLv2" in offer.versions:
        return Meeting(reason=f"peer sent a ClientHello in SSLv2 framing; {ours} allows {allowed}")
    version = common_version(offer, allowance)
    if not version:
        return Meeting(reason=f"peer offers only {versions_of(offer)}; {ours} allows {allowed}")
    return _suites(offer, allowance, version, keys, ours)


def common_version(offer: Offer, allowance: Offer) -> str:
    """Return the version that a server would choose, or empty."""
    offered = set(offer.versions)
    if _takes_older(offer):
        highest = registry.version_rank(offer.versions[0])
        offered |= {name for name in allowance.versions if registry.version_rank(name) <= highest}
    common = offered & set(allowance.versions)
    return max(common, key=registry.version_rank, default="")


def versions_of(offer: Offer) -> str:
    """Name the versions that a client speaks, as far as its hello tells."""
    older = " or older" if _takes_older(offer) and offer.versions[0] in ("TLSv1.1", "TLSv1.2") else ""
    return f"{listed(_ascending(offer.versions))}{older}"


def _takes_older(offer: Offer) -> bool:
    """Whether a client named its highest version only, and is taken to speak older ones too (RFC 5246 E.1)."""
    return len(offer.versions) == 1 and offer.versions[0] != TLS13 and not offer.exact


def _suites(offer: Offer, allowance: Offer, version: str, keys: Collection[str], ours: str) -> Meeting:
    offered, allowed = _of_version(offer.suites, version), _of_version(allowance.suites, version)
    common = [name for name in allowed if name in offered]
    if not common:
        return Meeting(
            reason=f"no suite in common for {version}: peer offers {listed(offered)}; {ours} allows {listed(allowed)}"
        )
    types = {key.partition(" ")[0] for key in keys}
    served = [name for name in common if version == TLS13 or key_type(name) in ("", *_authenticates(types, version))]
    if not served:
        return Meeting(
            reason=f"no suite in common that our certificate ({_or(types)}) can serve: both sides have {listed(common)}"
        )
    groups = common_groups(offer, allowance, version)
    usable = tuple(name for name in served if _exchanges(name, offer, groups, version))
    reason = (
        _fallback(offer, allowance, version)
        or _signature(offer, allowance, version, keys)
        or _curve(offer, version, served, keys)
        or (
            ""
            if usable
            else f"no group in common: peer offers {listed(offer.groups)}; {ours} allows {listed(allowance.groups)}"
        )
    )
    return Meeting(reason=reason) if reason else Meeting(version, usable)


def _fallback(offer: Offer, allowance: Offer, version: str) -> str:
    """Check that a client that came back with less after a failure gets no less than both could have (RFC 7507 3)."""
    highest = max(allowance.versions, key=registry.version_rank)
    if _FALLBACK not in offer.suites or version == highest:
        return ""
    return f"peer fell back to {version} after a failure ({_FALLBACK}), and we would speak {highest}: it is refused"


def _signature(offer: Offer, allowance: Offer, version: str, keys: Collection[str]) -> str:
    """Check that the peer reads a signature that one of our keys can make (RFC 8446 4.4.2.2, RFC 5246 7.4.1.4.1)."""
    if registry.version_rank(version) < registry.version_rank(_TLS12):
        return ""  # its elders have but one signature for each kind of key
    taken = offer.signatures or (() if version == TLS13 else _WITHOUT_EXTENSION)
    if any(
        _signs(key, name, version) and (not allowance.signatures or name in allowance.signatures)
        for key in keys
        for name in taken
    ):
        return ""
    types = {key.partition(" ")[0] for key in keys} if version != TLS13 else keys
    return f"no signature in common: peer takes {listed(taken)}; our certificate's key is {_or(types)}"


def _signs(key: str, scheme: str, version: str) -> bool:
    """Whether a key can make a signature; TLS 1.3 binds a curve to its hash, and RSA to PSS (RFC 8446 4.2.3)."""
    kind, _, curve = key.partition(" ")
    if kind == "RSA":
        return scheme.startswith("rsa_pss_rsae_") or (version != TLS13 and scheme.startswith("rsa_pkcs1_"))
    if kind == "EC":
        exact = _CURVES.get(curve, f"{curve}tls13") if curve else "secp"
        return scheme.startswith(f"ecdsa_{exact}" if version == TLS13 else "ecdsa_")
    return scheme == _EDWARDS.get(kind, scheme)


def _curve(offer: Offer, version: str, served: Sequence[str], keys: Collection[str]) -> str:
    """Check that the peer takes our certificate's curve: below TLS 1.3 its groups are also for that (RFC 8422 5.1)."""
    curves = [key.partition(" ")[2] for key in keys if key.startswith("EC")]
    if version == TLS13 or not offer.groups or not all(curves) or not curves or set(curves) & set(offer.groups):
        return ""
    if not all(key_type(name) == "EC" for name in served):
        return ""
    return f"peer does not take our certificate's curve: peer offers {listed(offer.groups)}; our key is {_or(keys)}"


def _exchanges(suite: str, offer: Offer, common: Sequence[str], version: str) -> bool:
    """Whether a suite can exchange keys with the groups that both sides have.

    A client that names no groups could be served any curve (RFC 8422 4), but the library then serves none. One that names
    finite-field groups takes no other Diffie-Hellman (RFC 7919 4).
    """
    if version == TLS13:
        return bool(common)
    if "_ECDHE_" in suite:
        return any(not is_finite(name) for name in common)
    if "_DHE_" in suite and any(is_finite(name) for name in offer.groups):
        return any(is_finite(name) for name in common)
    return True


def common_groups(offer: Offer, allowance: Offer, version: str) -> tuple[str, ...]:
    """Return the groups of both sides that a version has, in our order."""
    offered = set(offer.groups)
    return tuple(name for name in allowance.groups if name in offered and _has_group(version, name))


def _has_group(version: str, group: str) -> bool:
    if group.endswith("tls13") or "MLKEM" in group:
        return version == TLS13
    return version != TLS13 or not group.startswith(_ONLY_OLDER)


def is_finite(group: str) -> bool:
    """Whether a group is a finite field rather than a curve (RFC 7919)."""
    return group.startswith("ffdhe")


@lru_cache(maxsize=256)
def _of_version(suites: tuple[str, ...], version: str) -> tuple[str, ...]:
    """Return the suites that a version has; remembered, for the few programs that send mail offer the same few lists."""
    return tuple(name for name in suites if name not in registry.SIGNALS and _fits(name, version))


def _fits(suite: str, version: str) -> bool:
    """Whether a version has a suite: TLS 1.3 those that name no key exchange, TLS 1.1 and older none with SHA-2 or AEAD.

    TLS 1.2 has none with IDEA or single DES any more (RFC 5469).
    """
    if "_WITH_" not in suite or version == TLS13:
        return "_WITH_" not in suite and version == TLS13
    if version == _TLS12:
        return "_WITH_IDEA_" not in suite and "_WITH_DES_" not in suite
    return suite.endswith(("_SHA", "_MD5"))


def key_type(suite: str) -> str:
    """Name the certificate key that a suite of TLS 1.2 or older needs; empty: any or none."""
    exchange = suite.partition("_WITH_")[0]
    if exchange.endswith("_ECDSA"):
        return "EC"
    return exchange[-3:] if exchange.endswith(("RSA", "DSS")) else ""


def _authenticates(types: Collection[str], version: str) -> set[str]:
    """Return the kinds of suites that keys serve: in TLS 1.2 Edwards curves go with those for ECDSA (RFC 8422 5.10)."""
    return {*types, "EC"} if version == _TLS12 and not _EDWARDS.keys().isdisjoint(types) else set(types)


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
