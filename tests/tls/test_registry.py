"""The tables: as many names as IANA has, each where it belongs."""

import pytest

from gatepost.tls import registry


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (0x0000, "TLS_NULL_WITH_NULL_NULL"),
        (0x002B, "TLS_KRB5_EXPORT_WITH_RC4_40_MD5"),
        (0x003A, "TLS_DH_anon_WITH_AES_256_CBC_SHA"),
        (0x006D, "TLS_DH_anon_WITH_AES_256_CBC_SHA256"),
        (0x009B, "TLS_DH_anon_WITH_SEED_CBC_SHA"),
        (0x00B9, "TLS_RSA_PSK_WITH_NULL_SHA384"),
        (0x00C5, "TLS_DH_anon_WITH_CAMELLIA_256_CBC_SHA256"),
        (0xC019, "TLS_ECDH_anon_WITH_AES_256_CBC_SHA"),
        (0xC022, "TLS_SRP_SHA_DSS_WITH_AES_256_CBC_SHA"),
        (0xC032, "TLS_ECDH_RSA_WITH_AES_256_GCM_SHA384"),
        (0xC03B, "TLS_ECDHE_PSK_WITH_NULL_SHA384"),
        (0xC04F, "TLS_ECDH_RSA_WITH_ARIA_256_CBC_SHA384"),
        (0xC063, "TLS_ECDH_RSA_WITH_ARIA_256_GCM_SHA384"),
        (0xC071, "TLS_ECDHE_PSK_WITH_ARIA_256_CBC_SHA384"),
        (0xC079, "TLS_ECDH_RSA_WITH_CAMELLIA_256_CBC_SHA384"),
        (0xC093, "TLS_RSA_PSK_WITH_CAMELLIA_256_GCM_SHA384"),
        (0xC0AB, "TLS_PSK_DHE_WITH_AES_256_CCM_8"),
        (0xC0B3, "TLS_ECCPWD_WITH_AES_256_CCM_SHA384"),
        (0xC106, "TLS_GOSTR341112_256_WITH_MAGMA_MGM_S"),
        (0xCCAE, "TLS_RSA_PSK_WITH_CHACHA20_POLY1305_SHA256"),
        (0xD005, "TLS_ECDHE_PSK_WITH_AES_128_CCM_SHA256"),
    ],
)
def test_suites(code, name):
    """The last number of each run: one name too many or too few before it would show."""
    assert registry.SUITES[code] == name


def test_runs_do_not_overlap():
    assert len(registry.SUITES) == len(set(registry.SUITES.values())) == 357


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (1, "sect163k1"),
        (10, "sect283r1"),
        (21, "P-224"),
        (23, "P-256"),
        (29, "X25519"),
        (30, "X448"),
        (33, "brainpoolP512r1tls13"),
        (41, "curveSM2"),
        (0x0104, "ffdhe8192"),
        (0x11EC, "X25519MLKEM768"),
        (0x6399, "X25519Kyber768Draft00"),
    ],
)
def test_groups(code, name):
    assert registry.GROUPS[code] == name


@pytest.mark.parametrize(
    ("spelt", "name"),
    [("secp256r1", "P-256"), ("prime256v1", "P-256"), ("x25519", "X25519"), ("p-384", "P-384"), ("new", "new"), ("", "")],
)
def test_spellings_of_groups(spelt, name):
    assert registry.group_name(spelt) == name


@pytest.mark.parametrize(
    ("code", "name"),
    [(0x0201, "rsa_pkcs1_sha1"), (0x0203, "ecdsa_sha1"), (0x0401, "rsa_pkcs1_sha256"), (0x0402, "dsa_sha256")],
)
def test_signature_schemes(code, name):
    assert registry.SIGNATURE_SCHEMES[code] == name


@pytest.mark.parametrize("code", [0x0A0A, 0x7A7A, 0xFAFA])
def test_grease(code):
    assert registry.is_grease(code)


@pytest.mark.parametrize("code", [0x0A1A, 0x0B0B, 0x1301, 0x0000])
def test_not_grease(code):
    assert not registry.is_grease(code)


def test_versions_have_an_order():
    assert registry.version_rank("TLSv1.3") > registry.version_rank("SSLv3") > registry.version_rank("0x7f1c")
