"""Builds the TLS library's contexts from plain frozen values, once for each distinct value.

A context never resumes a session: it sends no tickets, honours none and has no session cache (RFC 8446 2.2), so nothing
negotiated under one listener, policy or revision can be carried into another. It never compresses (CRIME), never
renegotiates, and never refuses a certificate by itself: what verification found is recorded, and policy decides after the
handshake.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from weakref import WeakValueDictionary

import msgspec
from OpenSSL import SSL, crypto

from gatepost.errors import GatepostError
from gatepost.tls import binding
from gatepost.tls.certificates import KeyPair, load_chain, load_key

_VERSION_NUMBERS: Final = {
    "TLSv1.0": SSL.TLS1_VERSION,
    "TLSv1.1": SSL.TLS1_1_VERSION,
    "TLSv1.2": SSL.TLS1_2_VERSION,
    "TLSv1.3": SSL.TLS1_3_VERSION,
}
# OP_NO_TICKET is TLS 1.2's word; that TLS 1.3 sends none either is told the library as it is loaded (`gatepost.tls`).
_OPTIONS: Final = SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_TICKET
# Buffers go back to the allocator while a connection is idle: 10,000 of them would otherwise hold 340 MB. The chain is
# sent as it was configured; looking for one in the trust store would cost every handshake a search.
_NO_AUTO_CHAIN: Final = 0x8
_MODES: Final = SSL.MODE_RELEASE_BUFFERS | _NO_AUTO_CHAIN


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """Which TLS one side of a connection is ready to speak: a TLS profile's values."""

    methods: tuple[str, ...] = ("TLSv1.2", "TLSv1.3")
    """Contiguous; order does not matter."""
    ciphers: str = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM"
    suites: tuple[str, ...] = ()
    """TLS 1.3, most wanted first; empty: the library's default."""
    groups: tuple[str, ...] = ()
    """Most wanted first; empty: the library's default."""
    cipher_order: str = "server"

    @property
    def legacy(self) -> bool:
        """Whether versions are allowed that the library's security levels above 0 forbid."""
        return "TLSv1.0" in self.methods or "TLSv1.1" in self.methods


class Trust(msgspec.Struct, frozen=True, kw_only=True):
    """Which authorities a certificate may come from."""

    system: bool = True
    """The CA certificates that the operating system ships."""
    extra: str = ""
    """Further CA certificates, PEM."""


# Entries vanish with the last snapshot that holds the context; so do the keys in them.
_cache: WeakValueDictionary[tuple[object, ...], SSL.Context] = WeakValueDictionary()


def context(
    terms: Terms, *, server: bool, pair: KeyPair | None = None, trust: Trust | None = None, verify: bool = False
) -> SSL.Context:
    """Return the context for these values; raises GatepostError with one sentence when they make none."""
    key = (terms, server, pair, trust, verify)
    found = _cache.get(key)
    if found is None:
        found = _cache[key] = build(terms, server, pair, trust, verify)
    return found


def build(
    terms: Terms, server: bool, pair: KeyPair | None = None, trust: Trust | None = None, verify: bool = False
) -> SSL.Context:
    """Build a context that nobody else holds; otherwise as `context`."""
    built = SSL.Context(SSL.TLS_SERVER_METHOD if server else SSL.TLS_CLIENT_METHOD)
    built.set_options(_OPTIONS)
    built.set_mode(_MODES)
    built.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    _set_versions(built, terms)
    _set_suites(built, terms)
    _set_groups(built, terms.groups, server)
    if server:
        if terms.cipher_order == "server":
            built.set_options(SSL.OP_CIPHER_SERVER_PREFERENCE)
        binding.set_dh_parameters(built)
    if pair:
        _set_pair(built, pair)
    if verify:
        # A server asks for a certificate with VERIFY_PEER; neither side ends the handshake over one, see `_record_error`.
        built.set_verify(SSL.VERIFY_PEER, _record_error)
        _set_trust(built, trust or Trust())
    return built


def _set_versions(built: SSL.Context, terms: Terms) -> None:
    try:
        numbers = [_VERSION_NUMBERS[name] for name in terms.methods]
    except KeyError as error:
        raise GatepostError(f"{error.args[0]} is not a TLS version: there are {', '.join(_VERSION_NUMBERS)}") from None
    if not numbers:
        raise GatepostError("no TLS version is allowed")
    built.set_min_proto_version(min(numbers))
    built.set_max_proto_version(max(numbers))


def _set_suites(built: SSL.Context, terms: Terms) -> None:
    if set(terms.methods) != {"TLSv1.3"}:
        try:
            built.set_cipher_list(effective_ciphers(terms).encode())
        except (SSL.Error, UnicodeError):
            raise GatepostError(f"cipher string {terms.ciphers!r} matches no suite of this TLS library") from None
    if terms.suites and "TLSv1.3" in terms.methods:
        try:
            built.set_tls13_ciphersuites(":".join(terms.suites).encode())
        except (SSL.Error, UnicodeError):
            raise GatepostError(f"not all of {', '.join(terms.suites)} are TLS 1.3 suites of this library") from None


def _set_groups(built: SSL.Context, groups: Sequence[str], server: bool) -> None:
    """Set the groups; a client sends key shares for the first hybrid and the first classical one.

    By itself the library would send a share for the first group only, and each server that does not know that one would
    cost another round trip (HelloRetryRequest, RFC 8446 4.1.4). `*` is its mark for a share.
    """
    shares = () if server else (_first(groups, hybrid=True), _first(groups, hybrid=False))
    marked = [f"*{name}" if name in shares else name for name in groups]
    plain = all(name.replace("-", "").isalnum() for name in groups)  # the library's list knows further marks: not ours
    if groups and not (plain and binding.set_groups(built, ":".join(marked))):
        raise GatepostError(f"not all of {', '.join(groups)} are groups of this TLS library")


def _first(groups: Sequence[str], hybrid: bool) -> str:
    return next((name for name in groups if ("MLKEM" in name.upper()) == hybrid), "")


def effective_ciphers(terms: Terms) -> str:
    """Return the cipher string as the library gets it.

    TLS 1.0 and 1.1 sign their handshake with MD5 and SHA-1, which OpenSSL allows at security level 0 only; so one old
    partner's profile gets that level, and only that profile. Level 0 would also let suites through that have no
    certificate or no encryption; those stay out by name, and so do those for DSA keys, which nobody has.
    """
    level = ":@SECLEVEL=0" if terms.legacy and "@SECLEVEL" not in terms.ciphers else ""
    return f"{terms.ciphers}:!aNULL:!eNULL:!aDSS{level}"


def _set_pair(built: SSL.Context, pair: KeyPair) -> None:
    chain = load_chain(pair.certificate)
    key = load_key(pair.private_key)
    try:
        built.use_certificate(chain[0])
        for issuer in chain[1:]:
            built.add_extra_chain_cert(issuer)
        built.use_privatekey(key)  # type: ignore[arg-type]  # of the types it does not take, it says so itself
        built.check_privatekey()
    except (SSL.Error, TypeError) as error:
        reason = error.args[0][0][2] if isinstance(error, SSL.Error) and error.args and error.args[0] else str(error)
        raise GatepostError(f"the certificate cannot be used with this profile: {reason}") from None


def _set_trust(built: SSL.Context, trust: Trust) -> None:
    if trust.system:
        built.set_default_verify_paths()
    if trust.extra:
        store = built.get_cert_store()
        assert store is not None
        for authority in load_chain(trust.extra):
            store.add_cert(crypto.X509.from_cryptography(authority))


def _record_error(connection: SSL.Connection, _shown: crypto.X509, error: int, _depth: int, ok: int) -> bool:
    """Keep the first thing that verification found, and let the handshake finish.

    Policy must be able to answer in SMTP, and the record must tell; an alert in mid-handshake would do neither.
    """
    if not ok and connection.get_app_data() is None:
        connection.set_app_data(error)
    return True
