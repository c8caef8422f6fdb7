"""The names behind the numbers in TLS handshakes, as IANA registers them (TLS Parameters registry, RFC 8447).

Only tables and look-ups; decides nothing. A number without a name is told as it came, `0x1234`, so that no offer is lost.
Curves go by the names that administrators type and this document's configuration uses: `P-256`, `X25519`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

VERSIONS: Final = {
    0x0002: "SSLv2",
    0x0300: "SSLv3",
    0x0301: "TLSv1.0",
    0x0302: "TLSv1.1",
    0x0303: "TLSv1.2",
    0x0304: "TLSv1.3",
}

# Suites come in runs of consecutive numbers: first number, key exchanges, ciphers. For each key exchange, each cipher.
_AES_GCM: Final = "AES_128_GCM_SHA256 AES_256_GCM_SHA384"
_ARIA_CBC: Final = "ARIA_128_CBC_SHA256 ARIA_256_CBC_SHA384"
_ARIA_GCM: Final = "ARIA_128_GCM_SHA256 ARIA_256_GCM_SHA384"
_CAMELLIA_CBC: Final = "CAMELLIA_128_CBC_SHA256 CAMELLIA_256_CBC_SHA384"
_CAMELLIA_GCM: Final = "CAMELLIA_128_GCM_SHA256 CAMELLIA_256_GCM_SHA384"
_CERTIFIED: Final = "RSA DH_DSS DH_RSA DHE_DSS DHE_RSA DH_anon"
_RUNS: Final = (
    (0x0000, "NULL", "NULL_NULL"),
    (0x0001, "RSA", "NULL_MD5 NULL_SHA"),
    (0x0003, "RSA_EXPORT", "RC4_40_MD5"),
    (0x0004, "RSA", "RC4_128_MD5 RC4_128_SHA"),
    (0x0006, "RSA_EXPORT", "RC2_CBC_40_MD5"),
    (0x0007, "RSA", "IDEA_CBC_SHA"),
    (0x0008, "RSA_EXPORT", "DES40_CBC_SHA"),
    (0x0009, "RSA", "DES_CBC_SHA 3DES_EDE_CBC_SHA"),
    (0x000B, "DH_DSS_EXPORT", "DES40_CBC_SHA"),
    (0x000C, "DH_DSS", "DES_CBC_SHA 3DES_EDE_CBC_SHA"),
    (0x000E, "DH_RSA_EXPORT", "DES40_CBC_SHA"),
    (0x000F, "DH_RSA", "DES_CBC_SHA 3DES_EDE_CBC_SHA"),
    (0x0011, "DHE_DSS_EXPORT", "DES40_CBC_SHA"),
    (0x0012, "DHE_DSS", "DES_CBC_SHA 3DES_EDE_CBC_SHA"),
    (0x0014, "DHE_RSA_EXPORT", "DES40_CBC_SHA"),
    (0x0015, "DHE_RSA", "DES_CBC_SHA 3DES_EDE_CBC_SHA"),
    (0x0017, "DH_anon_EXPORT", "RC4_40_MD5"),
    (0x0018, "DH_anon", "RC4_128_MD5"),
    (0x0019, "DH_anon_EXPORT", "DES40_CBC_SHA"),
    (0x001A, "DH_anon", "DES_CBC_SHA 3DES_EDE_CBC_SHA"),
    (0x001E, "KRB5", "DES_CBC_SHA 3DES_EDE_CBC_SHA RC4_128_SHA IDEA_CBC_SHA"),
    (0x0022, "KRB5", "DES_CBC_MD5 3DES_EDE_CBC_MD5 RC4_128_MD5 IDEA_CBC_MD5"),
    (0x0026, "KRB5_EXPORT", "DES_CBC_40_SHA RC2_CBC_40_SHA RC4_40_SHA DES_CBC_40_MD5 RC2_CBC_40_MD5 RC4_40_MD5"),
    (0x002C, "PSK DHE_PSK RSA_PSK", "NULL_SHA"),
    (0x002F, _CERTIFIED, "AES_128_CBC_SHA"),
    (0x0035, _CERTIFIED, "AES_256_CBC_SHA"),
    (0x003B, "RSA", "NULL_SHA256 AES_128_CBC_SHA256 AES_256_CBC_SHA256"),
    (0x003E, "DH_DSS DH_RSA DHE_DSS", "AES_128_CBC_SHA256"),
    (0x0041, _CERTIFIED, "CAMELLIA_128_CBC_SHA"),
    (0x0062, "RSA_EXPORT1024 DHE_DSS_EXPORT1024", "DES_CBC_SHA"),  # never registered, but seen
    (0x0064, "RSA_EXPORT1024 DHE_DSS_EXPORT1024", "RC4_56_SHA"),
    (0x0066, "DHE_DSS", "RC4_128_SHA"),
    (0x0067, "DHE_RSA", "AES_128_CBC_SHA256"),
    (0x0068, "DH_DSS DH_RSA DHE_DSS DHE_RSA", "AES_256_CBC_SHA256"),
    (0x006C, "DH_anon", "AES_128_CBC_SHA256 AES_256_CBC_SHA256"),
    (0x0084, _CERTIFIED, "CAMELLIA_256_CBC_SHA"),
    (0x008A, "PSK DHE_PSK RSA_PSK", "RC4_128_SHA 3DES_EDE_CBC_SHA AES_128_CBC_SHA AES_256_CBC_SHA"),
    (0x0096, _CERTIFIED, "SEED_CBC_SHA"),
    (0x009C, "RSA DHE_RSA DH_RSA DHE_DSS DH_DSS DH_anon PSK DHE_PSK RSA_PSK", _AES_GCM),
    (0x00AE, "PSK DHE_PSK RSA_PSK", "AES_128_CBC_SHA256 AES_256_CBC_SHA384 NULL_SHA256 NULL_SHA384"),
    (0x00BA, _CERTIFIED, "CAMELLIA_128_CBC_SHA256"),
    (0x00C0, _CERTIFIED, "CAMELLIA_256_CBC_SHA256"),
    (
        0xC001,
        "ECDH_ECDSA ECDHE_ECDSA ECDH_RSA ECDHE_RSA ECDH_anon",
        "NULL_SHA RC4_128_SHA 3DES_EDE_CBC_SHA AES_128_CBC_SHA AES_256_CBC_SHA",
    ),
    (0xC01A, "SRP_SHA SRP_SHA_RSA SRP_SHA_DSS", "3DES_EDE_CBC_SHA"),
    (0xC01D, "SRP_SHA SRP_SHA_RSA SRP_SHA_DSS", "AES_128_CBC_SHA"),
    (0xC020, "SRP_SHA SRP_SHA_RSA SRP_SHA_DSS", "AES_256_CBC_SHA"),
    (0xC023, "ECDHE_ECDSA ECDH_ECDSA ECDHE_RSA ECDH_RSA", "AES_128_CBC_SHA256 AES_256_CBC_SHA384"),
    (0xC02B, "ECDHE_ECDSA ECDH_ECDSA ECDHE_RSA ECDH_RSA", _AES_GCM),
    (0xC033, "ECDHE_PSK", "RC4_128_SHA 3DES_EDE_CBC_SHA AES_128_CBC_SHA AES_256_CBC_SHA"),
    (0xC037, "ECDHE_PSK", "AES_128_CBC_SHA256 AES_256_CBC_SHA384 NULL_SHA NULL_SHA256 NULL_SHA384"),
    (0xC03C, f"{_CERTIFIED} ECDHE_ECDSA ECDH_ECDSA ECDHE_RSA ECDH_RSA", _ARIA_CBC),
    (0xC050, "RSA DHE_RSA DH_RSA DHE_DSS DH_DSS DH_anon", _ARIA_GCM),
    (0xC05C, "ECDHE_ECDSA ECDH_ECDSA ECDHE_RSA ECDH_RSA", _ARIA_GCM),
    (0xC064, "PSK DHE_PSK RSA_PSK", _ARIA_CBC),
    (0xC06A, "PSK DHE_PSK RSA_PSK", _ARIA_GCM),
    (0xC070, "ECDHE_PSK", _ARIA_CBC),
    (0xC072, "ECDHE_ECDSA ECDH_ECDSA ECDHE_RSA ECDH_RSA", _CAMELLIA_CBC),
    (0xC07A, "RSA DHE_RSA DH_RSA DHE_DSS DH_DSS DH_anon", _CAMELLIA_GCM),
    (0xC086, "ECDHE_ECDSA ECDH_ECDSA ECDHE_RSA ECDH_RSA PSK DHE_PSK RSA_PSK", _CAMELLIA_GCM),
    (0xC094, "PSK DHE_PSK RSA_PSK ECDHE_PSK", _CAMELLIA_CBC),
    (0xC09C, "RSA DHE_RSA", "AES_128_CCM AES_256_CCM"),
    (0xC0A0, "RSA DHE_RSA", "AES_128_CCM_8 AES_256_CCM_8"),
    (0xC0A4, "PSK DHE_PSK", "AES_128_CCM AES_256_CCM"),
    (0xC0A8, "PSK PSK_DHE", "AES_128_CCM_8 AES_256_CCM_8"),  # PSK_DHE: so registered
    (0xC0AC, "ECDHE_ECDSA", "AES_128_CCM AES_256_CCM AES_128_CCM_8 AES_256_CCM_8"),
    (0xC0B0, "ECCPWD", "AES_128_GCM_SHA256 AES_256_GCM_SHA384 AES_128_CCM_SHA256 AES_256_CCM_SHA384"),
    (0xC100, "GOSTR341112_256", "KUZNYECHIK_CTR_OMAC MAGMA_CTR_OMAC 28147_CNT_IMIT"),
    (0xC103, "GOSTR341112_256", "KUZNYECHIK_MGM_L MAGMA_MGM_L KUZNYECHIK_MGM_S MAGMA_MGM_S"),
    (0xCCA8, "ECDHE_RSA ECDHE_ECDSA DHE_RSA PSK ECDHE_PSK DHE_PSK RSA_PSK", "CHACHA20_POLY1305_SHA256"),
    (0xD001, "ECDHE_PSK", "AES_128_GCM_SHA256 AES_256_GCM_SHA384 AES_128_CCM_8_SHA256"),
    (0xD005, "ECDHE_PSK", "AES_128_CCM_SHA256"),
)
_SINGLE_SUITES: Final = {
    0x00C6: "TLS_SM4_GCM_SM3",
    0x00C7: "TLS_SM4_CCM_SM3",
    0x00FF: "TLS_EMPTY_RENEGOTIATION_INFO_SCSV",
    0x1301: "TLS_AES_128_GCM_SHA256",
    0x1302: "TLS_AES_256_GCM_SHA384",
    0x1303: "TLS_CHACHA20_POLY1305_SHA256",
    0x1304: "TLS_AES_128_CCM_SHA256",
    0x1305: "TLS_AES_128_CCM_8_SHA256",
    0x1306: "TLS_AEGIS_256_SHA512",
    0x1307: "TLS_AEGIS_128L_SHA256",
    0x5600: "TLS_FALLBACK_SCSV",
    0xC0B4: "TLS_SHA256_SHA256",
    0xC0B5: "TLS_SHA384_SHA384",
}
_SUITE_CODES: Final = {
    f"TLS_{exchange}_WITH_{cipher}": first + offset
    for first, exchanges, ciphers in _RUNS
    for offset, (exchange, cipher) in enumerate((e, c) for e in exchanges.split() for c in ciphers.split())
}
SUITES: Final = {code: name for name, code in _SUITE_CODES.items()} | _SINGLE_SUITES

SIGNALS: Final = frozenset({"TLS_EMPTY_RENEGOTIATION_INFO_SCSV", "TLS_FALLBACK_SCSV"})
"""Suite numbers that carry a message and can never be chosen (RFC 5746 3.3, RFC 7507)."""

SSLV2_SUITES: Final = {
    0x010080: "SSL_CK_RC4_128_WITH_MD5",
    0x020080: "SSL_CK_RC4_128_EXPORT40_WITH_MD5",
    0x030080: "SSL_CK_RC2_128_CBC_WITH_MD5",
    0x040080: "SSL_CK_RC2_128_CBC_EXPORT40_WITH_MD5",
    0x050080: "SSL_CK_IDEA_128_CBC_WITH_MD5",
    0x060040: "SSL_CK_DES_64_CBC_WITH_MD5",
    0x0700C0: "SSL_CK_DES_192_EDE3_CBC_WITH_MD5",
}


def _series(first: int, listed: str) -> dict[int, str]:
    """Number names that the registry numbers consecutively."""
    return dict(enumerate(listed.split(), first))


GROUPS: Final = {
    **_series(1, "sect163k1 sect163r1 sect163r2 sect193r1 sect193r2 sect233k1 sect233r1 sect239k1 sect283k1 sect283r1"),
    **_series(11, "sect409k1 sect409r1 sect571k1 sect571r1 secp160k1 secp160r1 secp160r2 secp192k1 P-192 secp224k1 P-224"),
    **_series(22, "secp256k1 P-256 P-384 P-521 brainpoolP256r1 brainpoolP384r1 brainpoolP512r1 X25519 X448"),
    **_series(31, "brainpoolP256r1tls13 brainpoolP384r1tls13 brainpoolP512r1tls13"),
    **_series(34, "GC256A GC256B GC256C GC256D GC512A GC512B GC512C curveSM2"),
    **_series(0x0100, "ffdhe2048 ffdhe3072 ffdhe4096 ffdhe6144 ffdhe8192"),
    **_series(0x0200, "MLKEM512 MLKEM768 MLKEM1024"),
    **_series(0x11EB, "SecP256r1MLKEM768 X25519MLKEM768 SecP384r1MLKEM1024 curveSM2MLKEM768"),
    0x4138: "CECPQ2",
    0x6399: "X25519Kyber768Draft00",
    0x639A: "SecP256r1Kyber768Draft00",
    0xFF01: "arbitrary_explicit_prime_curves",
    0xFF02: "arbitrary_explicit_char2_curves",
}
_GROUP_ALIASES: Final = {
    "secp192r1": "P-192",
    "prime192v1": "P-192",
    "secp224r1": "P-224",
    "secp256r1": "P-256",
    "prime256v1": "P-256",
    "secp384r1": "P-384",
    "secp521r1": "P-521",
} | {name.lower(): name for name in GROUPS.values()}

# TLS 1.2 wrote a scheme as hash and signature (RFC 5246 7.4.1.4.1); TLS 1.3 kept the numbers that it still allows.
_HASHES: Final = ("none", "md5", "sha1", "sha224", "sha256", "sha384", "sha512")
_SIGNATURES: Final = ("anonymous", "rsa_pkcs1", "dsa", "ecdsa")
SIGNATURE_SCHEMES: Final = {
    **{(h << 8) + s: f"{_SIGNATURES[s]}_{_HASHES[h]}" for h in range(1, 7) for s in range(1, 4)},
    0x0403: "ecdsa_secp256r1_sha256",
    0x0503: "ecdsa_secp384r1_sha384",
    0x0603: "ecdsa_secp521r1_sha512",
    0x0704: "eccsi_sha256",
    0x0708: "sm2sig_sm3",
    0x0709: "gostr34102012_256a",
    0x0804: "rsa_pss_rsae_sha256",
    0x0805: "rsa_pss_rsae_sha384",
    0x0806: "rsa_pss_rsae_sha512",
    0x0807: "ed25519",
    0x0808: "ed448",
    0x0809: "rsa_pss_pss_sha256",
    0x080A: "rsa_pss_pss_sha384",
    0x080B: "rsa_pss_pss_sha512",
    0x081A: "ecdsa_brainpoolP256r1tls13_sha256",
    0x081B: "ecdsa_brainpoolP384r1tls13_sha384",
    0x081C: "ecdsa_brainpoolP512r1tls13_sha512",
    0x0904: "mldsa44",
    0x0905: "mldsa65",
    0x0906: "mldsa87",
}


def names(table: dict[int, str], codes: Iterable[int]) -> tuple[str, ...]:
    """Name each code, in order; GREASE values are left out, for they mean nothing by design (RFC 8701)."""
    return tuple(table.get(code) or f"0x{code:04x}" for code in codes if not is_grease(code))


def is_grease(code: int) -> bool:
    """Whether a 16-bit code is one of 0x0a0a, 0x1a1a … 0xfafa."""
    return code & 0x0F0F == 0x0A0A and code >> 8 == code & 0xFF


def group_name(name: str) -> str:
    """Return this project's name of a group, whatever spelling a library or an administrator used."""
    return _GROUP_ALIASES.get(name.lower(), name)


def version_rank(name: str) -> int:
    """Order protocol versions by age; an unknown one ranks below all."""
    return _RANKS.get(name, 0)


_RANKS: Final = {name: code for code, name in VERSIONS.items()}
