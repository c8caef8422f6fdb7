"""Reads a ClientHello from the first bytes of a connection, before the TLS library sees them.

What a client offered is known even when nothing comes of it, and the certificate can be chosen by the name that is asked
for. Reads RFC 8446 4.1.2 and its elders down to the SSLv2 framing (RFC 5246 appendix E.2); bounded, and raises nothing
but `NotTls`. Never answers, never decides.
"""

from __future__ import annotations

import struct
from functools import lru_cache

from gatepost.errors import TlsFailure
from gatepost.tls import registry
from gatepost.tls.outcome import Offer

MAX_HELLO = 65536
"""Octets; the largest hello of a real client, with post-quantum key shares, is below 5,000."""
_MAX_NAMES = 512
"""Entries of a list that are kept: more than IANA has names for. What a stranger sends must not swell the records."""
_MAX_TEXT = 255
_MAX_RECORD = 16384  # RFC 8446 5.1: a longer plaintext record is a record_overflow
_ALERT_RECORD, _HANDSHAKE_RECORD = 21, 22
_CLIENT_HELLO = 1

_SERVER_NAME, _GROUPS, _SIGNATURES, _ALPN, _VERSIONS, _KEY_SHARE = 0, 10, 13, 16, 43, 51


class NotTls(TlsFailure):
    """The peer's first bytes are no ClientHello."""


class HelloParser:
    """Takes the stream as it arrives, in any portions, and yields the offer once it is complete."""

    __slots__ = ("_hello", "_records_end", "raw")

    def __init__(self) -> None:
        self.raw = bytearray()
        """Everything fed so far: the TLS library must get all of it."""
        self._hello = bytearray()
        self._records_end = 0

    def feed(self, data: bytes) -> Offer | None:
        """Take more of the stream; None while the hello is not complete. Raises NotTls."""
        self.raw += data
        if self.raw and self.raw[0] & 0x80:
            return _sslv2_offer(self.raw)
        while (fragment := self._next_record()) is not None:
            self._hello += fragment
            if self._hello[0] != _CLIENT_HELLO:
                raise NotTls("the first handshake message is not a ClientHello")
            if len(self._hello) >= 4:
                length = 4 + int.from_bytes(self._hello[1:4], "big")
                if length > MAX_HELLO:
                    raise NotTls(f"the ClientHello claims {length} octets; at most {MAX_HELLO} are read")
                if len(self._hello) >= length:
                    return parse_client_hello(bytes(self._hello[4:length]))
        return None

    def _next_record(self) -> bytearray | None:
        """Cut the next complete handshake record; a hello may be spread over several (RFC 8446 5.1)."""
        header = self.raw[self._records_end : self._records_end + 5]
        if header[:2] == bytes((_ALERT_RECORD, 3)):
            raise NotTls("peer sent an alert instead of a ClientHello")
        if header[:2] == bytes((_ALERT_RECORD,)):
            return None
        if header and (header[0] != _HANDSHAKE_RECORD or (len(header) > 1 and header[1] != 3)):
            raise NotTls(f"garbage instead of a ClientHello: {quote(self.raw)}")
        if len(header) < 5:
            return None
        length = int.from_bytes(header[3:5], "big")
        if not 0 < length <= _MAX_RECORD:
            raise NotTls(f"a TLS record of {length} octets instead of a ClientHello")
        start, end = self._records_end + 5, self._records_end + 5 + length
        if len(self.raw) < end:
            return None
        self._records_end = end
        return self.raw[start:end]


def quote(data: bytes | bytearray) -> str:
    """Show the first bytes of a stream that should have been TLS; escaped, so that one event stays one log line."""
    text = repr(bytes(data[:12]).decode("ascii", "backslashreplace"))
    return f"{text[:-1]}…{text[-1]}" if len(data) > 12 else text


def _sslv2_offer(data: bytearray) -> Offer | None:
    """Read a ClientHello in SSLv2 framing (RFC 5246 appendix E.2): version and suites.

    The library will refuse it (RFC 6176 forbids to answer one); what was offered is recorded all the same.
    """
    if len(data) < 4:
        return None
    end = 2 + (int.from_bytes(data[:2], "big") & 0x7FFF)
    if data[2] != _CLIENT_HELLO or data[3] not in (0, 2, 3) or end < 11:
        raise NotTls(f"garbage instead of a ClientHello: {quote(data)}")
    if len(data) < end:
        return None
    version, suites_length = struct.unpack_from(">HH", data, 3)
    codes = [
        int.from_bytes(data[at : at + 3], "big")
        for at in range(11, min(11 + suites_length, end - 2, 11 + 3 * _MAX_NAMES), 3)
    ]
    versions = registry.names(registry.VERSIONS, [version])
    return Offer(
        versions=versions if versions == ("SSLv2",) else ("SSLv2", *versions),
        suites=tuple(registry.SSLV2_SUITES.get(code) or registry.SUITES.get(code) or f"0x{code:06x}" for code in codes),
    )


def parse_client_hello(body: bytes) -> Offer:
    """Read the body of a ClientHello message (RFC 8446 4.1.2); raises NotTls when its lengths do not add up."""
    try:
        return _client_hello(body)
    except (IndexError, struct.error, ValueError):
        raise NotTls("a malformed ClientHello") from None


def _client_hello(body: bytes) -> Offer:
    at = 34  # legacy_version and random
    at += 1 + body[at]  # legacy_session_id
    suites = _vector(body, at, 2)
    at += 2 + len(suites)
    at += 1 + body[at]  # legacy_compression_methods
    found = _extensions(_vector(body, at, 2)) if at < len(body) else {}  # SSLv3 and TLS 1.0 may end without extensions
    shares = found.get(_KEY_SHARE)
    versions = _names("versions", _vector(found[_VERSIONS], 0, 1) if _VERSIONS in found else body[:2])
    return Offer(
        versions=versions,
        exact=_VERSIONS in found and len(versions) == 1 and versions != ("TLSv1.3",),
        suites=_names("suites", suites),
        groups=_names("groups", _list(found, _GROUPS)),
        key_shares=_key_shares(shares) if shares else (),
        signatures=_names("signatures", _list(found, _SIGNATURES)),
        server_name=_server_name(found[_SERVER_NAME]) if _SERVER_NAME in found else "",
        alpn=_alpn(found[_ALPN]) if _ALPN in found else (),
    )


_TABLES = {
    "versions": registry.VERSIONS,
    "suites": registry.SUITES,
    "groups": registry.GROUPS,
    "signatures": registry.SIGNATURE_SCHEMES,
}


@lru_cache(maxsize=512)
def _known_names(table: str, codes: bytes) -> tuple[str, ...]:
    return registry.names(_TABLES[table], struct.unpack(f">{len(codes) // 2}H", codes))


def _names(table: str, codes: bytes) -> tuple[str, ...]:
    """Name a list of 16-bit codes. The few programs that send mail send the same few lists, so these are remembered."""
    return _known_names(table, codes) if len(codes) <= 256 else _known_names.__wrapped__(table, codes[: 2 * _MAX_NAMES])


def _vector(data: bytes, at: int, width: int) -> bytes:
    """Cut a vector whose length stands before it (RFC 8446 3.4)."""
    length = int.from_bytes(data[at : at + width], "big")
    start = at + width
    if start + length > len(data) or start > len(data):
        raise ValueError
    return data[start : start + length]


def _extensions(block: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    at = 0
    while at < len(block):
        kind, length = struct.unpack_from(">HH", block, at)
        at += 4 + length
        if at > len(block):
            raise ValueError
        found[kind] = block[at - length : at]
    return found


def _list(found: dict[int, bytes], kind: int) -> bytes:
    return _vector(found[kind], 0, 2) if kind in found else b""


def _key_shares(data: bytes) -> tuple[str, ...]:
    """Read the groups that key shares were sent for (RFC 8446 4.2.8); an empty list asks for a HelloRetryRequest."""
    shares = _vector(data, 0, 2)
    codes = b""
    at = 0
    while at < len(shares):
        codes += shares[at : at + 2]
        at += 4 + int.from_bytes(shares[at + 2 : at + 4], "big")
    return _names("groups", codes)


def _server_name(data: bytes) -> str:
    """Read the host_name of RFC 6066 3; what is not plain ASCII is shown escaped and will match no certificate."""
    names = _vector(data, 0, 2)
    return _text(_vector(names, 1, 2)) if names[:1] == b"\0" else ""


def _alpn(data: bytes) -> tuple[str, ...]:
    protocols: list[str] = []
    block = _vector(data, 0, 2)
    at = 0
    while at < len(block) and len(protocols) < 16:
        name = _vector(block, at, 1)
        protocols.append(_text(name))
        at += 1 + len(name)
    return tuple(protocols)


# Octets that are not printable ASCII, and the backslash that escapes them.
_ESCAPES = {octet: f"\\x{octet:02x}" for octet in range(256) if not 0x20 < octet < 0x7F or octet == 0x5C}


def _text(data: bytes) -> str:
    """Decode a name from the wire, escaped: in logs it stays on its line, and in comparisons it equals only itself."""
    return data[:_MAX_TEXT].decode("latin-1").translate(_ESCAPES)
