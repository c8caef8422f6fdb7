"""The few calls below pyOpenSSL's own interface; nothing else in the project may make one.

pyOpenSSL has no words for key exchange groups, fixed Diffie-Hellman parameters, suite numbers and verification texts. All
of it goes through its own binding to the OpenSSL that it carries.

So do the five calls that move octets: pyOpenSSL's own take a buffer from the heap for each, and say by an exception what
happens in every handshake. Half of what an exchange over TLS cost beyond the cipher was that. What they cannot explain
they leave to pyOpenSSL, whose exceptions are raised as always.
"""

from __future__ import annotations

import threading
from functools import lru_cache
from typing import Any, Final, NamedTuple

from OpenSSL import SSL
from OpenSSL._util import ffi, lib

from gatepost.tls import registry

_lib: Any = lib
_ffi: Any = ffi

# The group ffdhe2048 of RFC 7919 appendix A.1, for DHE suites with clients that do not name a group of that kind.
_FFDHE2048: Final = b"""\
-----BEGIN DH PARAMETERS-----
MIIBCAKCAQEA//////////+t+FRYortKmq/cViAnPTzx2LnFg84tNpWp4TZBFGQz
+8yTnc4kmz75fS/jY2MMddj2gbICrsRhetPfHtXV/WVhJDP1H18GbtCFY2VVPe0a
87VXE15/V8k1mE8McODmi3fipona8+/och3xWKE2rec1MKzKT0g6eXq8CrGCsyT7
YdEIqUuyyOP7uWrat2DX9GgdT0Kj3jlN9K5W7edjcrsZCwenyO4KbXCeAvzhzffi
7MA0BM0oNC9hkXL+nOmFg/+OTxIy7vKBg8P+OxtMb61zO7X8vC7CIAXFjvGDfRaD
ssbzSibBsu/6iGtCOGEoXJf//////////wIBAg==
-----END DH PARAMETERS-----
"""


def set_groups(context: SSL.Context, groups: str) -> bool:
    """Set the key exchange groups, most wanted first, `:` between them; False when one of them is unknown."""
    return _succeeded(_lib.SSL_CTX_set1_curves_list(context._context, groups.encode()))


def set_dh_parameters(context: SSL.Context) -> bool:
    """Let a server serve DHE suites to clients without RFC 7919."""
    bio = _lib.BIO_new_mem_buf(_FFDHE2048, len(_FFDHE2048))
    parameters = _lib.PEM_read_bio_DHparams(bio, _ffi.NULL, _ffi.NULL, _ffi.NULL)
    try:
        return _succeeded(_lib.SSL_CTX_set_tmp_dh(context._context, parameters))
    finally:
        _lib.DH_free(parameters)
        _lib.BIO_free(bio)


CHUNK = 65536
"""Octets that one `take` or `read` returns at most."""


class _Scratch(threading.local):
    """One buffer for each thread, from which what was read is copied out at once: the library runs without the GIL."""

    def __init__(self) -> None:
        self.buffer = _ffi.new("char[]", CHUNK)
        self.octets: Any = _ffi.buffer(self.buffer)


_scratch: Final = _Scratch()


def handshake(connection: SSL.Connection) -> bool:
    """Go on with a handshake; False when more octets of the peer's are needed. Raises SSL.Error."""
    ssl: Any = connection._ssl
    result = _lib.SSL_do_handshake(ssl)
    if result == 1:
        return True
    if _lib.SSL_get_error(ssl, result) != _lib.SSL_ERROR_WANT_READ:
        connection._raise_ssl_error(ssl, result)
    return False


def read(connection: SSL.Connection, limit: int) -> bytes:
    """Return plaintext, at most `limit` octets; empty when no record is complete. Raises SSL.Error, ZeroReturnError."""
    ssl: Any = connection._ssl
    scratch = _scratch
    result = _lib.SSL_read(ssl, scratch.buffer, limit)
    if result > 0:
        octets: bytes = scratch.octets[:result]
        return octets
    if _lib.SSL_get_error(ssl, result) != _lib.SSL_ERROR_WANT_READ:
        connection._raise_ssl_error(ssl, result)
    return b""


def write(connection: SSL.Connection, plaintext: bytes | memoryview) -> None:
    """Encrypt octets, at least one, all of them. Raises SSL.Error."""
    ssl: Any = connection._ssl
    result = _lib.SSL_write(ssl, _pointer(plaintext), len(plaintext))
    if result <= 0:
        connection._raise_ssl_error(ssl, result)


def put(connection: SSL.Connection, ciphertext: bytes | bytearray | memoryview) -> None:
    """Hand over octets, at least one, that came from the peer."""
    if _lib.BIO_write(connection._into_ssl, _pointer(ciphertext), len(ciphertext)) <= 0:
        raise MemoryError("the TLS library has no room for what came")


def take(connection: SSL.Connection) -> bytes:
    """Return octets that are due to the peer, CHUNK at most; empty when there are none."""
    scratch = _scratch
    result = _lib.BIO_read(connection._from_ssl, scratch.buffer, CHUNK)
    octets: bytes = scratch.octets[:result] if result > 0 else b""
    return octets


def _pointer(octets: bytes | bytearray | memoryview) -> Any:
    return octets if type(octets) is bytes else _ffi.from_buffer(octets)


def _succeeded(result: int) -> bool:
    if result != 1:
        _lib.ERR_clear_error()  # or the next call of this thread would find and report it
    return bool(result == 1)


def verify_error(number: int) -> str:
    """Return OpenSSL's words for the result of a chain verification."""
    return str(_ffi.string(_lib.X509_verify_cert_error_string(number)).decode())


class Known(NamedTuple):
    """What the library itself says of a suite."""

    code: int
    iana: str
    version: str
    """The oldest version that can use it; `SSLv3` for those that TLS took over from it."""
    bits: int
    """Of the key that encrypts; 0: it does not encrypt."""


@lru_cache(maxsize=1)
def suites() -> dict[str, Known]:
    """Map each suite that this OpenSSL knows, by OpenSSL's name, to what it says of it."""
    ssl = _lib.SSL_new(SSL.Context(SSL.TLS_METHOD)._context)
    found = {}
    for code, iana in registry.SUITES.items():
        cipher = _lib.SSL_CIPHER_find(ssl, code.to_bytes(2, "big"))
        if cipher != _ffi.NULL and iana not in registry.SIGNALS:
            name = _ffi.string(_lib.SSL_CIPHER_get_name(cipher)).decode()
            version = _ffi.string(_lib.SSL_CIPHER_get_version(cipher)).decode()
            bits = _ffi.new("int *")
            _lib.SSL_CIPHER_get_bits(
                cipher, bits
            )  # returns the strength, which a short tag lowers; the key goes into `bits`
            found[name] = Known(code, iana, version, bits[0])
    _lib.SSL_free(ssl)
    return found
