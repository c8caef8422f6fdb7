"""What the TLS library at hand can do, asked of the library itself: one place, so that nothing else here imports it."""

from __future__ import annotations

from functools import lru_cache

from OpenSSL import SSL

from gatepost.tls import binding

SUITES = (
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_128_CCM_SHA256",
    "TLS_AES_128_CCM_8_SHA256",
)


@lru_cache(maxsize=256)
def ciphers_for(cipher_string: str, version: str) -> tuple[str, ...]:
    """Return the ciphers of TLS 1.2 and older that an OpenSSL cipher string stands for; nothing for a string it refuses."""
    try:
        context = SSL.Context(SSL.TLS_METHOD)
        context.set_cipher_list(cipher_string.encode())
    except (SSL.Error, ValueError):
        return ()
    names = SSL.Connection(context).get_cipher_list()
    return tuple(name for name in names if not name.startswith("TLS_"))


@lru_cache(maxsize=256)
def is_group(name: str) -> bool:
    """Whether the library knows a key exchange group."""
    return ":" not in name and name.isascii() and binding.set_groups(SSL.Context(SSL.TLS_METHOD), name)
