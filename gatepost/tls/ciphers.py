"""What a cipher string, or a whole set of terms, means to the TLS library that we carry.

No table of our own says which suites a string selects: the library writes a ClientHello with it, and that is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from OpenSSL import SSL

from gatepost.errors import GatepostError
from gatepost.tls import binding, registry
from gatepost.tls.context import Terms, context
from gatepost.tls.hello import HelloParser
from gatepost.tls.outcome import Offer

_OLDER = ("TLSv1.0", "TLSv1.1", "TLSv1.2")


@lru_cache(maxsize=64)
def allowance(terms: Terms) -> Offer:
    """Return what terms allow, by registered name, most wanted first. Raises GatepostError as `context` does."""
    try:
        hello = first_flight(context(terms, server=False))
    except SSL.Error:
        methods = ", ".join(terms.methods)
        raise GatepostError(f"cipher string {terms.ciphers!r} has no suite for {methods}") from None
    offer = HelloParser().feed(hello) or Offer()
    return Offer(
        # The hello names versions only from TLS 1.3 on.
        versions=tuple(sorted(terms.methods, key=registry.version_rank, reverse=True)),
        suites=tuple(name for name in offer.suites if name not in registry.SIGNALS),
        groups=offer.groups,
        signatures=offer.signatures,
    )


def first_flight(client: SSL.Context, server_name: str = "") -> bytes:
    """Return the ClientHello that a client context writes. Raises SSL.Error when it has nothing to offer."""
    connection = SSL.Connection(client, None)
    connection.set_connect_state()
    if server_name:
        connection.set_tlsext_host_name(server_name.encode())
    try:
        connection.do_handshake()
    except SSL.WantReadError:
        return connection.bio_read(65536)
    raise AssertionError("a handshake cannot end before it began")


def expand(cipher_string: str, versions: Sequence[str] = _OLDER) -> tuple[str, ...]:
    """Return OpenSSL's names of the suites of TLS 1.2 and older that a string selects for these versions, in order.

    Empty when it selects none, or is no cipher string.
    """
    older = tuple(name for name in versions if name in _OLDER)
    if not older:
        return ()
    try:
        suites = allowance(Terms(methods=older, ciphers=cipher_string)).suites
    except GatepostError:
        return ()
    return tuple(openssl_name(name) for name in suites)


def openssl_name(iana_name: str) -> str:
    """Return OpenSSL's name of a suite; of one that this OpenSSL lacks, the name that was given."""
    return _openssl_names().get(iana_name, iana_name)


def iana_name(openssl_name: str) -> str:
    """Return the registered name of a suite that goes by OpenSSL's name; of an unknown one, the name that was given."""
    return binding.suites().get(openssl_name, (openssl_name, ""))[0]


@lru_cache(maxsize=1)
def _openssl_names() -> dict[str, str]:
    return {iana: name for name, (iana, _version) in binding.suites().items()}
