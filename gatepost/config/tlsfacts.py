"""What the TLS library at hand can do, asked of the library itself: one place, so that nothing else here imports it."""

from __future__ import annotations

from functools import lru_cache

from OpenSSL import SSL

from gatepost.tls import binding
from gatepost.tls.ciphers import expand

SUITES = (
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_128_CCM_SHA256",
    "TLS_AES_128_CCM_8_SHA256",
)


def ciphers_for(cipher_string: str, version: str) -> tuple[str, ...]:
    """Return the ciphers of one version before TLS 1.3 that a cipher string stands for; none for a string it refuses."""
    return expand(cipher_string, [version])


@lru_cache(maxsize=256)
def is_group(name: str) -> bool:
    """Whether the library knows a key exchange group."""
    return ":" not in name and name.isascii() and binding.set_groups(SSL.Context(SSL.TLS_METHOD), name)
