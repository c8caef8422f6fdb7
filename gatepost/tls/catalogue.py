"""Every suite that the TLS library at hand has, taken apart, with a grade and the reason for it.

Name, number, version and bits are the library's own words. What a suite is made of stands in its registered name (IANA TLS
Parameters registry), which is read here. The grade is this project's, by RFC 9325, RFC 10015 and the attacks
that they name.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, Literal

import msgspec

from gatepost.tls import binding
from gatepost.tls.ciphers import named, newest

Grade = Literal["strong", "fair", "weak", "never"]
GRADES: Final = ("strong", "fair", "weak", "never")
"""Best first. `never`: this gateway does not offer it, whatever a string says (`context.effective_ciphers`)."""
_EVERYTHING: Final = "ALL:COMPLEMENTOFALL:@SECLEVEL=0"
_MODES: Final = ("GCM", "CCM_8", "CCM", "CBC")


class Suite(msgspec.Struct, frozen=True, kw_only=True):
    """One suite."""

    name: str
    """OpenSSL's name."""
    iana: str
    code: str
    """`0xC02F`"""
    protocol: str
    """The oldest version that can use it."""
    key_exchange: str
    """`ECDHE`, `DHE`, `RSA`; of TLS 1.3 `any group`, for its suites leave that to the groups."""
    authentication: str
    """`RSA`, `ECDSA`; of TLS 1.3 `any`."""
    cipher: str
    """`AES-128-GCM`"""
    bits: int
    mac: str
    """`AEAD` where the cipher itself authenticates."""
    forward_secrecy: bool
    """Who learns the certificate's key later cannot read what was recorded before."""
    grade: Grade
    reason: str
    """Why it has this grade."""


@lru_cache(maxsize=1)
def catalogue() -> dict[str, Suite]:
    """Map OpenSSL's name to each suite that the library has: those of TLS 1.3, then the older ones in its own order."""
    known = binding.suites()
    return {name: _suite(name, known[name]) for name in (*newest(), *named(_EVERYTHING)) if name in known}


def serves(suite: Suite, key: str) -> bool:
    """Whether a server whose certificate has this key (`RSA 2048`, `EC P-256`, `Ed25519`) can choose a suite."""
    kinds = {"RSA": ("RSA",), "ECDSA": ("EC", "Ed25519", "Ed448")}  # RFC 8422 5.1.1: ECDSA suites serve EdDSA keys too
    return suite.authentication == "any" or key.partition(" ")[0] in kinds.get(suite.authentication, ())


def _suite(name: str, known: binding.Known) -> Suite:
    exchange, authentication, cipher, mac = _parts(known.iana)
    forward_secrecy = exchange in ("ECDHE", "DHE", "any group")
    grade, reason = _judge(exchange, authentication, cipher)
    return Suite(
        name=name,
        iana=known.iana,
        code=f"0x{known.code:04X}",
        protocol="TLSv1.0" if known.version in ("SSLv3", "TLSv1") else known.version,
        key_exchange=exchange,
        authentication=authentication,
        cipher=cipher,
        bits=known.bits,
        mac=mac,
        forward_secrecy=forward_secrecy,
        grade=grade,
        reason=reason,
    )


def _parts(iana: str) -> tuple[str, str, str, str]:
    """Read key exchange, authentication, cipher and MAC out of a registered name."""
    exchange, with_, rest = iana.removeprefix("TLS_").partition("_WITH_")
    if not with_:
        return "any group", "any", *_cipher(exchange)
    if "SRP" in exchange:
        return "SRP", {"RSA": "RSA", "DSS": "DSS"}.get(exchange[-3:], "SRP"), *_cipher(rest)
    if "PSK" in exchange:
        exchange = {"PSK_DHE": "DHE_PSK"}.get(exchange, exchange)  # two suites are registered the other way round
        return exchange.replace("_", "-"), "RSA" if exchange == "RSA_PSK" else "PSK", *_cipher(rest)
    first, _, second = exchange.partition("_")
    if second == "anon":
        return f"{first}E", "none", *_cipher(rest)  # the keys of an anonymous exchange are ephemeral too
    return first, second or first, *_cipher(rest)


def _cipher(text: str) -> tuple[str, str]:
    """Take `AES_128_CBC_SHA256` apart into a cipher and a MAC; behind an AEAD cipher the hash is another thing's."""
    algorithm, _, digest = text.rpartition("_")
    if text.endswith(("_CCM", "_CCM_8")):  # these name no hash
        algorithm, digest = text, ""
    mode = next((mode for mode in _MODES if algorithm.endswith(f"_{mode}")), "")
    name = algorithm.replace("_", "-").replace("CCM-8", "CCM8")
    if mode in ("GCM", "CCM", "CCM_8") or algorithm.startswith("CHACHA20"):
        return name, "AEAD"
    return name, "SHA1" if digest == "SHA" else digest


def _judge(exchange: str, authentication: str, cipher: str) -> tuple[Grade, str]:
    """Grade a suite by its weakest part."""
    if excluded := _excluded(exchange, authentication, cipher):
        return "never", excluded
    if cipher.startswith(("IDEA", "SEED")):
        return "weak", "a cipher of the 1990s that RFC 9325 does not recommend and hardly any peer has"
    if exchange == "RSA":
        return (
            "weak",
            "no forward secrecy: who gets the certificate's key reads all that was recorded; deprecated by RFC 10015 (2026)",
        )
    if cipher.endswith("CBC"):
        return "fair", "forward secrecy, but CBC mode, whose padding has been attacked by timing again and again (Lucky 13)"
    if cipher.endswith("CCM8"):
        return "fair", "forward secrecy, but a tag of 64 bits only: forgeries are easier than anywhere else"
    if cipher.startswith(("ARIA", "CAMELLIA", "SM4")):
        return "fair", "forward secrecy and AEAD, but a national cipher that hardly any peer has"
    if exchange == "DHE":
        return "fair", "forward secrecy and AEAD, but finite-field Diffie-Hellman, which RFC 10015 (2026) deprecates"
    return "strong", "forward secrecy and AEAD, as RFC 9325 4.2 recommends"


def _excluded(exchange: str, authentication: str, cipher: str) -> str:
    if cipher == "NULL":
        return "without encryption"
    if authentication == "none":
        return "without a certificate, so that anybody may stand in between"
    if "PSK" in exchange or exchange == "SRP":
        return f"for a secret that both sides know beforehand ({exchange}), which mail servers do not have"
    if authentication == "DSS":
        return "for a certificate with a DSA key, which no authority issues any more"
    return ""
