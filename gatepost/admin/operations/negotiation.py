"""What a policy would negotiate with a client's offer, in sentences: the choice, whose order made it, what came next."""

from __future__ import annotations

from gatepost.admin.operations.offers import Given, Negotiation, listener_pairs, negotiate
from gatepost.config.model import Config, Listener, tls_profile
from gatepost.errors import GatepostError
from gatepost.policy.verdict import Policy
from gatepost.snapshot import terms
from gatepost.tls.choice import Choice, choose
from gatepost.tls.ciphers import openssl_name
from gatepost.tls.mismatch import listed, versions_of
from gatepost.tls.registry import SIGNALS
from gatepost.tls.sides import ServerContext


def side_of(config: Config, listener: Listener, policy: Policy) -> ServerContext:
    """Return how a listener speaks TLS under a policy; GatepostError when it cannot.

    Whether a client certificate is asked for has no bearing on what is negotiated, so it is left out.
    """
    profile = tls_profile(config, policy.tls_profile)
    if profile is None:
        raise GatepostError(f"the TLS profile {policy.tls_profile} does not exist")
    return ServerContext(terms(profile), listener_pairs(config, listener), profile=policy.tls_profile)


def sentences(side: ServerContext, certificates: list[str], policy: Policy, given: Given) -> list[str]:
    """Say what a client with this offer would get; `certificates`: their names, as the side was made from them."""
    told = negotiate(side, given)
    offer = given.offer
    suites = [openssl_name(name) for name in offer.suites if name not in SIGNALS]
    said = [
        f"Its offer: {given.origin}.",
        f"It offers {versions_of(offer)}; suites {listed(suites)}; groups {listed(offer.groups)}.",
    ]
    if told.reason:
        return [*said, f"The handshake would fail: {told.reason}.", _without(policy)]
    served = side.choose(offer)
    shown = f"The certificate {certificates[side.served.index(served)]} ({told.key}) is shown"
    asked = f", for the client asks for {offer.server_name}." if offer.server_name else "; the client asks for no name."
    return [
        *said,
        f"It would get {told.version} with {told.cipher}{f' and group {told.group}' if told.group else ''}.",
        _whose(side, given, told, served.key),
        f"The runner-up is {told.runner_up}." if told.runner_up else "There is no runner-up: nothing else would do.",
        *([f"It sent no key share for {told.group}, which costs it another round trip."] if told.retries else []),
        shown + asked,
    ]


def _whose(side: ServerContext, given: Given, told: Negotiation, key: str) -> str:
    if told.order == "server":
        said = "Our order decided (cipher_order = server): it is the first of ours that the client offers and can be served"
    else:
        said = (
            "The client's order decided (cipher_order = client): it is the first of the client's that we allow and can serve"
        )
    other = "client" if told.order == "server" else "server"
    turned = choose(given.offer, side.allowance, (key,), order=other)
    here, there = Choice(suite=told.suite, group=told.group), Choice(suite=turned.suite, group=turned.group)
    if here == there:
        return f"{said}; the other order would have come to the same."
    whose = "the client's order" if other == "client" else "our order"
    group = f" and group {turned.group}" if turned.group else ""
    return f"{said}; by {whose} it would have been {openssl_name(turned.suite)}{group}."


def _without(policy: Policy) -> str:
    if policy.tls.startswith("required"):
        return "The policy requires TLS, so no mail comes from such a client."
    return "The connection ends there; the policy takes mail in clear text, so a client that tries without TLS is served."
