"""What a server chooses from a client's offer, by whose order, and what it would have chosen next.

Pure, and the same truth as the wire: it answers as the TLS library that we carry does, which tests compare it with over
random terms and offers. `mismatch` narrows down what both sides have; here the rest is put in the order that counts
(RFC 8446 4.1.1, RFC 5246 7.4.1.3). What an offer does not tell it cannot know: a client that lists no versions may still
refuse the older one that a server chose, and any client the certificate that it is shown.
"""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from gatepost.tls.mismatch import TLS13, common_groups, is_finite, meet
from gatepost.tls.outcome import Offer


class Choice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a handshake would come to; all names as the registry has them."""

    version: str = ""
    """Empty: the handshake fails."""
    suite: str = ""
    group: str = ""
    """Key exchange group; empty where the suite has none that goes by a name."""
    retries: bool = False
    """The client sent no key share for that group, so it costs another round trip (RFC 8446 4.1.4)."""
    order: str = ""
    """Whose order decided on suite and group: `server` or `client`."""
    runner_up: str = ""
    """The suite that would have been chosen without this one; empty: there is no other."""
    reason: str = ""
    """Why the handshake fails."""


def choose(offer: Offer, allowance: Offer, keys: Collection[str], *, order: str = "server", profile: str = "") -> Choice:
    """Choose as a server does that allows `allowance` and shows a certificate with one of `keys` (see `mismatch`)."""
    met = meet(offer, allowance, keys, profile)
    if met.reason:
        return Choice(reason=met.reason)
    suites = met.suites if order == "server" else _as_in(offer.suites, met.suites)
    group, retries = _group(suites[0], offer, allowance, met.version, order)
    return Choice(
        version=met.version,
        suite=suites[0],
        group=group,
        retries=retries,
        order=order,
        runner_up=suites[1] if len(suites) > 1 else "",
    )


def _group(suite: str, offer: Offer, allowance: Offer, version: str, order: str) -> tuple[str, bool]:
    """Choose the group; in TLS 1.3 one that the client sent a key share for goes before one that it must be asked for."""
    common = common_groups(offer, allowance, version)
    if order == "client":
        common = _as_in(offer.groups, common)
    if version == TLS13:
        shared = [name for name in common if name in offer.key_shares]
        return (shared[0], False) if shared else (common[0], True)
    if "_ECDHE_" in suite:
        return next(name for name in common if not is_finite(name)), False
    if "_DHE_" in suite:
        return next((name for name in common if is_finite(name)), ""), False
    return "", False


def _as_in(order: tuple[str, ...], names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in dict.fromkeys(order) if name in names)
