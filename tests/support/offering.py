"""Random terms of one side and random offers of the other, for hypothesis: old and new, alike enough to meet often."""

from __future__ import annotations

from hypothesis import strategies as st

from gatepost.tls.ciphers import expand, iana_name
from gatepost.tls.context import Terms
from gatepost.tls.outcome import Offer

VERSIONS = ("TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3")
NEW_SUITES = (
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_128_CCM_SHA256",
)
GROUPS = ("X25519MLKEM768", "SecP256r1MLKEM768", "X25519", "X448", "P-256", "P-384", "P-521", "ffdhe2048", "ffdhe3072")
SIGNATURES = (
    "rsa_pss_rsae_sha256",
    "rsa_pss_rsae_sha512",
    "rsa_pkcs1_sha256",
    "rsa_pkcs1_sha1",
    "ecdsa_secp256r1_sha256",
    "ecdsa_secp384r1_sha384",
    "ecdsa_sha1",
    "ed25519",
    "rsa_pss_pss_sha256",
)
OLD_SUITES = expand("ALL:@SECLEVEL=0")
"""OpenSSL's names."""
_WIDE = ("ALL", "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM", "ECDHE+AES", "DHE+AES", "kRSA+AES")


def some(items: tuple[str, ...], least: int = 1) -> st.SearchStrategy[tuple[str, ...]]:
    """Some of these, in any order."""
    return st.lists(st.sampled_from(items), min_size=least, max_size=len(items), unique=True).map(tuple)


def spans(versions: tuple[str, ...] = VERSIONS) -> st.SearchStrategy[tuple[str, ...]]:
    """Versions without a gap, oldest first."""
    ends = st.tuples(st.integers(0, len(versions) - 1), st.integers(0, len(versions) - 1))
    return st.one_of(st.just(versions), ends.map(lambda pair: versions[min(pair) : max(pair) + 1]))


def terms(versions: tuple[str, ...] = VERSIONS) -> st.SearchStrategy[Terms]:
    """A profile's values; not each makes a context."""
    words = st.lists(st.sampled_from((*_WIDE, *OLD_SUITES)), min_size=4, max_size=16, unique=True)
    return st.builds(
        Terms,
        methods=spans(versions),
        ciphers=words.map(":".join),
        suites=some(NEW_SUITES),
        groups=some(GROUPS, 3),
        cipher_order=st.sampled_from(("server", "client")),
    )


@st.composite
def offers(draw: st.DrawFn) -> Offer:
    """What a client may offer, orderly or not."""
    versions = tuple(reversed(draw(spans())))
    if "TLSv1.3" not in versions:
        versions = versions[:1]  # its highest is all that such a hello can name
    groups = draw(st.one_of(some(GROUPS, 3), some(GROUPS, 1), st.just(())))
    shares = tuple(name for name in groups if draw(st.booleans())) if "TLSv1.3" in versions else ()
    old = tuple(iana_name(name) for name in draw(some(OLD_SUITES, 12)))
    signal = draw(st.sampled_from(((), (), (), (), (), ("TLS_FALLBACK_SCSV",))))
    return Offer(
        versions=versions,
        exact=len(versions) == 1 and versions != ("TLSv1.3",) and draw(st.booleans()),
        suites=(*draw(some(NEW_SUITES, 0)), *old, *signal),
        groups=groups,
        key_shares=shares,
        signatures=draw(st.one_of(some(SIGNATURES, 5), some(SIGNATURES, 1), st.just(()))),
    )
