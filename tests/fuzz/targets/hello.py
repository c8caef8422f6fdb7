"""The ClientHello (tls/hello.py).

Any octets, in any portions, come to the same end: an offer, more wanted, or NotTls. An offer is bounded and printable
whatever the names in it, everything fed stays for the TLS library, and a hello that this library answers has been read: by
the same name.
"""

from __future__ import annotations

import datetime
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from OpenSSL import SSL

from gatepost.tls.hello import HelloParser, NotTls
from gatepost.tls.outcome import Offer
from tests.fuzz.measure import held

WORDS = (
    b"\x16\x03\x01",
    b"\x16\x03\x03",
    b"\x01\x00",
    b"\x03\x03",
    b"\x13\x01\x13\x02",
    b"\x00\x00\x00\x09\x00\x07\x00\x00\x04mx.a",
    b"\x00\x2b\x00\x03\x02\x03\x04",
    b"\x00\x0a\x00\x04\x00\x02\x00\x1d",
    b"\x00\x33\x00\x02\x00\x00",
    b"\x00\x10\x00\x07\x00\x05\x04smtp",
    b"\x00\xff\x01\x00\x01\x00",
    b"\x80\x2e\x01\x03\x01",
    b"\x15\x03\x01\x00\x02\x02\x28",
    b"\x00\x00",
    b"\xff\xff",
    b"\0" * 32,
)


def check(octets: bytes) -> None:
    """See above; the first octet says how the rest is cut."""
    if len(octets) < 2:
        return
    stream = octets[1:]
    whole = _read(stream, len(stream))
    assert isinstance(whole, Offer) or whole in (None, "NotTls"), "not fit for a log line"
    assert whole == _read(stream, octets[0] or 1)
    if len(stream) <= 2000:
        assert whole == _read(stream, 1)
    if isinstance(whole, Offer):
        assert held(whole) < 60_000
        for name in (whole.server_name, *whole.alpn, *whole.versions, *whole.suites, *whole.groups, *whole.signatures):
            assert name.isprintable()
            assert name.isascii()
    answered, server_name = _library(stream)
    if answered:
        assert isinstance(whole, Offer), "the library answered a hello that was not read"
        assert whole.versions
        if server_name is not None:
            assert whole.server_name == _escaped(server_name)


def _read(stream: bytes, step: int) -> Offer | str | None:
    parser = HelloParser()
    for at in range(0, len(stream), step):
        try:
            offer = parser.feed(stream[at : at + step])
        except NotTls as fault:
            return "NotTls" if str(fault).isprintable() else str(fault)
        assert bytes(parser.raw) == stream[: at + step]
        if offer is not None:
            return offer
    return None


def _escaped(name: bytes) -> str:
    return "".join(chr(octet) if 0x20 < octet < 0x7F and octet != 0x5C else f"\\x{octet:02x}" for octet in name)


def _library(stream: bytes) -> tuple[bool, bytes | None]:
    """Whether OpenSSL answers with a handshake message, and for which name."""
    connection = SSL.Connection(_context(), None)
    connection.set_accept_state()
    connection.bio_write(stream)
    try:
        connection.do_handshake()
    except SSL.Error:
        pass
    try:
        answer = connection.bio_read(5)
    except SSL.Error:
        return False, None
    return answer[:1] == b"\x16", connection.get_servername()


@cache
def _context() -> SSL.Context:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mx.example")])
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=36500))
        .sign(key, hashes.SHA256())
    )
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_cipher_list(b"ALL:@SECLEVEL=0")
    context.use_certificate(made)
    context.use_privatekey(key)
    return context
