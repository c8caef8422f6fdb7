"""ClientHellos made to order, and what a real TLS engine answers them: the wire's own word on what is chosen."""

from __future__ import annotations

import struct
from functools import cache

from gatepost.errors import TlsFailure
from gatepost.tls import registry
from gatepost.tls.ciphers import first_flight
from gatepost.tls.context import Terms, context
from gatepost.tls.engine import TlsEngine
from gatepost.tls.outcome import Offer
from gatepost.tls.sides import ServerContext

_RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
"""The random of a ServerHello that is a HelloRetryRequest (RFC 8446 4.1.3)."""
_CODES = {
    kind: {name: code for code, name in table.items()}
    for kind, table in (
        ("versions", registry.VERSIONS),
        ("suites", registry.SUITES),
        ("groups", registry.GROUPS),
        ("signatures", registry.SIGNATURE_SCHEMES),
    )
}


def client_hello(offer: Offer) -> bytes:
    """Write the ClientHello of an offer as one TLS record, with true key shares."""
    versions = _codes("versions", offer.versions)
    highest = min(max(versions), 0x0303)
    suites = _words(_codes("suites", offer.suites))
    extensions = b""
    if len(versions) > 1 or versions[0] > 0x0303 or offer.exact:
        extensions += _extension(43, bytes([2 * len(versions)]) + _words(versions))
    if offer.groups:
        extensions += _extension(10, _sized(_words(_codes("groups", offer.groups))))
        extensions += _extension(11, b"\x01\x00")
    if offer.signatures:
        extensions += _extension(13, _sized(_words(_codes("signatures", offer.signatures))))
    if offer.key_shares or 0x0304 in versions:
        shares = (_words([code]) + _sized(_share(name)) for name, code in _named("groups", offer.key_shares))
        extensions += _extension(51, _sized(b"".join(shares)))
    body = struct.pack(">H", highest) + bytes(range(32)) + b"\0" + _sized(suites) + b"\x01\x00" + _sized(extensions)
    message = b"\x01" + len(body).to_bytes(3, "big") + body
    return b"\x16\x03\x01" + _sized(message)


def answer(side: ServerContext, hello: bytes) -> tuple[str, str, str, bool] | str:
    """Return version, suite, group (empty: none) and whether a HelloRetryRequest asks for it; or why there is nothing."""
    engine = TlsEngine.server(side)
    engine.feed(hello)
    try:
        engine.handshake()
    except TlsFailure as fault:
        return str(fault)
    return read_answer(engine.outgoing())


def read_answer(flight: bytes) -> tuple[str, str, str, bool]:
    """Read a server's first flight as `answer` returns it."""
    messages = _messages(flight)
    hello = messages[2]
    at = 34 + 1 + hello[34]
    version, suite = int.from_bytes(hello[:2], "big"), int.from_bytes(hello[at : at + 2], "big")
    group = 0
    rest = hello[at + 5 :]
    while rest:
        kind, length = struct.unpack_from(">HH", rest)
        if kind == 43:
            version = int.from_bytes(rest[4:6], "big")
        if kind == 51:
            group = int.from_bytes(rest[4:6], "big")
        rest = rest[4 + length :]
    exchange, name = messages.get(12, b""), registry.SUITES[suite]
    if "_ECDHE_" in name:  # a named curve (RFC 8422 5.4)
        group = int.from_bytes(exchange[1:3], "big")
    elif "_DHE_" in name:  # a prime, which RFC 7919 has but one of for each length
        group = 0x0100 + (256, 384, 512, 768, 1024).index(int.from_bytes(exchange[:2], "big"))
    name = registry.GROUPS[group] if group else ""
    return registry.VERSIONS[version], registry.SUITES[suite], name, hello[2:34] == _RETRY


def _messages(flight: bytes) -> dict[int, bytes]:
    stream = b""
    while flight[:1] == b"\x16":
        length = int.from_bytes(flight[3:5], "big")
        stream += flight[5 : 5 + length]
        flight = flight[5 + length :]
    found = {}
    while stream:
        length = int.from_bytes(stream[1:4], "big")
        found[stream[0]] = stream[4 : 4 + length]
        stream = stream[4 + length :]
    return found


@cache
def _share(group: str) -> bytes:
    """Let the library make a key share for a group."""
    hello = first_flight(context(Terms(methods=("TLSv1.3",), groups=(group,)), server=False))
    code = _words([_CODES["groups"][group]])
    at = hello.index(b"\x00\x33", 43)
    while hello[at + 6 : at + 8] != code:
        at = hello.index(b"\x00\x33", at + 1)
    length = int.from_bytes(hello[at + 8 : at + 10], "big")
    return hello[at + 10 : at + 10 + length]


def _named(kind: str, names: tuple[str, ...]) -> list[tuple[str, int]]:
    return [(name, _CODES[kind][name]) for name in names]


def _codes(kind: str, names: tuple[str, ...]) -> list[int]:
    return [code for _, code in _named(kind, names)]


def _words(codes: list[int]) -> bytes:
    return struct.pack(f">{len(codes)}H", *codes)


def _sized(data: bytes) -> bytes:
    return struct.pack(">H", len(data)) + data


def _extension(kind: int, data: bytes) -> bytes:
    return struct.pack(">H", kind) + _sized(data)
