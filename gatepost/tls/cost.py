"""What TLS costs on this machine: CPU of a server's handshake for each suite, group and kind of key, and of bulk data.

    python -m gatepost.tls.cost     measure at the lowest priority; JSON in, progress and the result out as lines of JSON

Handshakes run in memory, both sides in one thread, and only the server's calls into the library are counted, in CPU time of
the thread: what else the machine does hardly changes the figures. What the gateway does around a handshake is not in them.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from OpenSSL import SSL

from gatepost.errors import GatepostError
from gatepost.tls.catalogue import Suite, catalogue, serves
from gatepost.tls.certificates import KeyPair, key_text, load_chain, load_key
from gatepost.tls.context import Terms, build, context
from gatepost.tls.making import Subject, self_signed

Told = Callable[[str, int, int], None]
"""What is being done, how many of how many are done."""
HYBRID: Final = ("X25519MLKEM768", "SecP256r1MLKEM768", "SecP384r1MLKEM1024")
CURVES: Final = ("X25519", "P-256", "P-384", "P-521")
SECONDS: Final = 13.0
"""CPU that all handshakes together may take, both sides; getting ready and bulk data take two seconds more."""
_VISIT: Final = 4
"""Handshakes of one case before it is the next one's turn: what disturbs the machine for a while disturbs all alike."""
_LEAST: Final = 1
"""Turns that each case gets, however long they take."""
_RECORD: Final = 16384
_BULK: Final = 2 << 20
"""Octets for one figure of bulk data."""
_Case = tuple[Suite, str, str]
_Loaded = tuple[x509.Certificate, PrivateKeyTypes]
_Sides = tuple[SSL.Context, SSL.Context]


class Handshake(msgspec.Struct, frozen=True, kw_only=True):
    """One figure."""

    suite: str
    """OpenSSL's name."""
    group: str
    """Key exchange group; `ffdhe2048` for DHE; empty where the certificate's own key exchanges."""
    key: str
    """Of the certificate: `RSA 2048`."""
    ms: float
    """CPU of the server for one handshake: the lower quartile, for what disturbs a measurement only adds to it."""
    spread: float
    """From there to the upper quartile, in ms."""
    handshakes: int


class Bulk(msgspec.Struct, frozen=True, kw_only=True):
    """What a cipher lets through."""

    cipher: str
    mac: str
    receive: float
    """MB (10^6 octets) that a second of CPU decrypts, in records of 16 KiB."""
    send: float
    """MB that a second of CPU encrypts."""


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """All that one measurement found."""

    handshakes: tuple[Handshake, ...]
    bulk: tuple[Bulk, ...]
    seconds: float
    """CPU time that it took."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What a process is to measure."""

    others: tuple[KeyPair, ...] = ()
    seconds: float = SECONDS


def measure(others: Sequence[KeyPair] = (), told: Told = lambda doing, done, of: None, seconds: float = SECONDS) -> Figures:
    """Measure with an RSA 2048, an EC P-256 key and one of each further kind in `others`; handshakes for `seconds`."""
    began = time.process_time()
    pairs = _pairs(others)
    handshakes = _handshakes(pairs, seconds, told)
    entries = catalogue()
    ciphers = {(entries[one.suite].cipher, entries[one.suite].mac): one for one in handshakes}
    bulk = []
    for place, ((cipher, mac), one) in enumerate(ciphers.items()):
        told(f"{cipher} {mac}", place, len(ciphers))
        bulk.append(_bulk(entries[one.suite], one.group, pairs[one.key]))
    told("done", len(ciphers), len(ciphers))
    return Figures(handshakes=handshakes, bulk=tuple(bulk), seconds=round(time.process_time() - began, 1))


def _pairs(others: Sequence[KeyPair]) -> dict[str, _Loaded]:
    """Load one pair of each kind of key; reading a key takes longer than many handshakes."""
    subject = Subject(names=("cost.invalid",))
    pairs: dict[str, _Loaded] = {}
    for pair in (self_signed(subject, kind="RSA"), self_signed(subject, kind="EC"), *others):
        leaf = load_chain(pair.certificate)[0]
        if (kind := key_text(leaf.public_key())) not in pairs:
            pairs[kind] = leaf, load_key(pair.private_key)
    return pairs


def _cases(key: str) -> Iterator[_Case]:
    """Name each suite and group that a certificate with this key can serve."""
    for suite in catalogue().values():
        if suite.grade == "never" or not serves(suite, key):
            continue
        groups = {"any group": HYBRID + CURVES, "ECDHE": CURVES, "DHE": ("ffdhe2048",)}.get(suite.key_exchange, ("",))
        for group in groups:
            yield suite, group, key


def _sides(suite: Suite, group: str, pair: _Loaded) -> _Sides:
    """Return a server and a client that can agree on one suite and one group only."""
    groups = (group,) if group in HYBRID + CURVES else ()
    if suite.key_exchange == "any group":
        terms = Terms(methods=("TLSv1.3",), suites=(suite.iana,), groups=groups)
        return _server(terms, pair), context(terms, server=False)
    version = "TLSv1.1" if suite.cipher.startswith("IDEA") else "TLSv1.2"  # RFC 5469: IDEA ended with TLS 1.1
    terms = Terms(methods=(version,), ciphers=f"{suite.name}:@SECLEVEL=0", groups=groups)
    # A client of the older versions must also take the curve of the certificate (RFC 8422 5.1); the server's list decides.
    more = msgspec.structs.replace(terms, groups=(*groups, *(curve for curve in CURVES if groups and curve != group)))
    return _server(terms, pair), context(more, server=False)


def _server(terms: Terms, pair: _Loaded) -> SSL.Context:
    certificate, key = pair
    built = build(terms, server=True)
    built.use_certificate(certificate)
    built.use_privatekey(key)  # type: ignore[arg-type]  # of the types it does not take, it says so itself
    return built


def _handshakes(pairs: dict[str, _Loaded], seconds: float, told: Told) -> tuple[Handshake, ...]:
    """Go round all cases until the time is used up."""
    sides = {case: made for key, pair in pairs.items() for case in _cases(key) if (made := _able(case, pair))}
    spent: dict[_Case, list[int]] = {case: [] for case in sides}
    began = time.process_time()
    turn = 0
    while turn < _LEAST or time.process_time() - began < seconds:
        for case, (there, here) in sides.items():
            used = time.process_time() - began
            if turn >= _LEAST and used >= seconds:
                break
            told(f"handshakes with {case[2]}", min(int(100 * used), int(100 * seconds)), int(100 * seconds))
            spent[case] += [_connect(there, here)[0] for _ in range(_VISIT)]
        turn += 1
    return tuple(_figure(case, samples) for case, samples in spent.items())


def _able(case: _Case, pair: _Loaded) -> _Sides | None:
    """Return both sides of a case; None when this library cannot do it after all."""
    suite, group, _ = case
    try:
        sides = _sides(suite, group, pair)
        _connect(*sides)
    except (GatepostError, SSL.Error, TypeError):
        return None
    return sides


def _figure(case: _Case, spent: list[int]) -> Handshake:
    suite, group, key = case
    low, _, high = statistics.quantiles(spent, n=4)
    return Handshake(
        suite=suite.name,
        group=group,
        key=key,
        ms=round(low / 1e6, 4),
        spread=round((high - low) / 1e6, 4),
        handshakes=len(spent),
    )


def _connect(there: SSL.Context, here: SSL.Context) -> tuple[int, SSL.Connection, SSL.Connection]:
    """Do a handshake; return the nanoseconds of CPU that the server's side took, and both sides, the server first."""
    client = SSL.Connection(here, None)
    client.set_connect_state()
    began = time.thread_time_ns()
    server = SSL.Connection(there, None)
    server.set_accept_state()
    spent = time.thread_time_ns() - began
    octets, done = _step(client, b"")[1], False
    while not done:
        began = time.thread_time_ns()
        done, octets = _step(server, octets)
        spent += time.thread_time_ns() - began
        octets = _step(client, octets)[1]
    return spent, server, client


def _step(side: SSL.Connection, octets: bytes) -> tuple[bool, bytes]:
    if octets:
        side.bio_write(octets)
    done = True
    try:
        side.do_handshake()
    except SSL.WantReadError:
        done = False
    try:
        return done, side.bio_read(65536)
    except SSL.WantReadError:
        return done, b""


def _bulk(suite: Suite, group: str, pair: _Loaded) -> Bulk:
    _, server, client = _connect(*_sides(suite, group, pair))
    plain = os.urandom(_RECORD)
    sent: list[int] = []
    received: list[int] = []
    for _ in range(_BULK // _RECORD):
        began = time.thread_time_ns()
        client.send(plain)
        octets = client.bio_read(_RECORD * 2)
        middle = time.thread_time_ns()
        server.bio_write(octets)
        server.recv(_RECORD)
        received.append(time.thread_time_ns() - middle)
        sent.append(middle - began)
    return Bulk(cipher=suite.cipher, mac=suite.mac, receive=_rate(received), send=_rate(sent))


def _rate(spent: list[int]) -> float:
    """MB for a second of CPU, by the quicker quarter of the records, as `Handshake.ms`."""
    return round(_RECORD * 1e3 / statistics.quantiles(spent, n=4)[0], 1)


def main() -> None:
    """Measure what standard input asks for; write a line for each step, the figures last."""
    os.nice(19)  # mail goes first
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)

    def told(doing: str, done: int, of: int) -> None:
        _write([doing, done, of])

    _write(measure(order.others, told, order.seconds))


def _write(value: object) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(value) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
