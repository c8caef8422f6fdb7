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


@lru_cache(maxsize=512)
def named(cipher_string: str) -> tuple[str, ...]:
    """Return OpenSSL's names of the suites of TLS 1.2 and older that a string names, whatever any version makes of them.

    Suites that this gateway never offers are among them. Empty when there is none, or it is no cipher string.
    """
    context = SSL.Context(SSL.TLS_METHOD)
    try:
        context.set_cipher_list(cipher_string.encode())
    except (SSL.Error, UnicodeError):
        return ()
    return tuple(name for name in SSL.Connection(context, None).get_cipher_list() if not name.startswith("TLS_"))


@lru_cache(maxsize=1)
def newest() -> tuple[str, ...]:
    """Return the suites of TLS 1.3 that can be negotiated, in the order of their numbers."""
    candidates = [known for known in binding.suites().values() if known.version == "TLSv1.3"]
    return tuple(known.iana for known in sorted(candidates) if _negotiable(known.iana))


def _negotiable(iana_name: str) -> bool:
    try:
        return allowance(Terms(methods=("TLSv1.3",), suites=(iana_name,))).suites == (iana_name,)
    except GatepostError:
        return False


def openssl_name(iana_name: str) -> str:
    """Return OpenSSL's name of a suite; of one that this OpenSSL lacks, the name that was given."""
    return _openssl_names().get(iana_name, iana_name)


def iana_name(openssl_name: str) -> str:
    """Return the registered name of a suite that goes by OpenSSL's name; of an unknown one, the name that was given."""
    known = binding.suites().get(openssl_name)
    return known.iana if known else openssl_name


@lru_cache(maxsize=1)
def _openssl_names() -> dict[str, str]:
    return {known.iana: name for name, known in binding.suites().items()}
