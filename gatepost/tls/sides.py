"""The two sides of TLS, ready to run: certificates chosen by name for a server, a certificate or none for a client.

Built when a configuration is committed, then only read.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import msgspec
from OpenSSL import SSL

from gatepost.errors import GatepostError
from gatepost.tls.certificates import KeyPair, key_text, load_chain, peer_certificate
from gatepost.tls.ciphers import allowance
from gatepost.tls.context import Terms, Trust, context
from gatepost.tls.identity import accepted_spellings, presented
from gatepost.tls.mismatch import explain_mismatch
from gatepost.tls.outcome import Offer

_spellings = lru_cache(maxsize=1024)(accepted_spellings)
"""Clients ask for the same few names, and to read one costs as much as to read the hello around it."""


class Served(msgspec.Struct, frozen=True):
    """One certificate of a server and the context that shows it."""

    context: SSL.Context
    key: str
    """`RSA 2048`, `EC P-256`."""
    names: frozenset[str]
    """Lower case; may hold wildcards."""


class ServerContext:
    """How one listener, under one policy and one profile, speaks TLS."""

    def __init__(
        self,
        terms: Terms,
        certificates: Sequence[KeyPair],
        *,
        request_certificate: bool = False,
        trust: Trust | None = None,
        profile: str = "",
    ) -> None:
        """`certificates`: the first is the default. Raises GatepostError when these values cannot make a server."""
        if not certificates:
            raise GatepostError("a server needs a certificate")
        self.terms = terms
        self.profile = profile
        self.allowance = allowance(terms)
        self.requests_certificate = request_certificate
        self.served = tuple(_serve(terms, pair, trust, request_certificate) for pair in certificates)
        first = self.served[0]
        self._default = tuple(served for served in self.served if served is first or served.names & first.names)

    def choose(self, offer: Offer) -> Served:
        """Choose the certificate for a ClientHello: by server name, then the first that the client can read.

        Without a server name, or with one that no certificate carries, the default is shown: a mail server that greets
        under another name is common, and refusing it would help nobody (RFC 6066 3 allows both).
        """
        candidates = self._default
        if offer.server_name:
            candidates = self._named(_spellings(offer.server_name)) or candidates
        if len(candidates) > 1:  # the same name with an RSA and with an EC key
            for served in candidates:
                if not explain_mismatch(offer, self.allowance, (served.key,)):
                    return served
        return candidates[0]

    def _named(self, spellings: Sequence[str]) -> tuple[Served, ...]:
        """Return the certificates that carry a name; one that names it wholly goes before one with a wildcard."""
        for spelling in spellings:
            if found := tuple(served for served in self.served if spelling in served.names):
                return found
        return ()


class ClientContext:
    """How deliveries under one profile speak TLS."""

    def __init__(
        self,
        terms: Terms,
        *,
        certificate: KeyPair | None = None,
        trust: Trust | None = None,
        profile: str = "",
    ) -> None:
        """Raises GatepostError when these values cannot make a client."""
        self.terms = terms
        self.profile = profile
        self.allowance = allowance(terms)
        self.context = context(terms, server=False, pair=certificate, trust=trust or Trust(), verify=True)


def _serve(terms: Terms, pair: KeyPair, trust: Trust | None, verify: bool) -> Served:
    leaf = load_chain(pair.certificate)[0]
    built = context(terms, server=True, pair=pair, trust=(trust or Trust()) if verify else None, verify=verify)
    names = frozenset(name.lower() for name in presented(peer_certificate(leaf)))
    return Served(built, key_text(leaf.public_key()), names)
