"""Why a word of a cipher string selects nothing: since when it is gone, what it is instead, or how it is spelt.

The tables here are history, which the library has forgotten; what exists it is asked itself. Each answer is one sentence
without its full stop.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Sequence
from typing import Final

import msgspec

from gatepost.tls.catalogue import GRADES, catalogue
from gatepost.tls.ciphers import expand, named, newest, openssl_name

# What is gone, most telling first: one of the words in a name says it all.
_GONE: Final = (
    (
        "EXP EXP1024 EXPORT EXPORT40 EXPORT56 EXPORT1024",
        "export suites cut their keys to 40 or 56 bits; TLS 1.1 (RFC 4346, 2006) forbids them, and OpenSSL has had none "
        "since 1.1.0 (2016)",
    ),
    ("SSLV2", "SSL 2.0 is prohibited by RFC 6176 (2011), and OpenSSL has not had it since 1.1.0 (2016)"),
    (
        "SSLV3",
        "SSL 3.0 is prohibited by RFC 7568 (2015), and OpenSSL has not had it since 4.0 (2026); which versions are spoken "
        "is the methods' matter",
    ),
    ("KRB5 KKRB5 AKRB5", "Kerberos suites (RFC 2712) have not been in OpenSSL since 1.1.0 (2016)"),
    ("RC4 ARCFOUR", "RC4 is prohibited in TLS by RFC 7465 (2015), and OpenSSL leaves it out since 1.1.0 (2016)"),
    ("RC2", "RC2 stood only in export and SSL 2.0 suites, and OpenSSL has had none of them since 1.1.0 (2016)"),
    (
        "3DES CBC3 DES3 EDE EDE3",
        "3DES has blocks so short that long sessions leak (Sweet32, CVE-2016-2183), and OpenSSL leaves its suites out since "
        "1.1.0 (2016)",
    ),
    (
        "DES DES40 LOW",
        "keys of 56 bits can be tried out; RFC 5469 (2009) made DES suites historic, and OpenSSL has had none since 1.1.0 "
        "(2016)",
    ),
    ("FZA KFZA AFZA EFZA FORTEZZA", "Fortezza suites belonged to SSL 3.0, which is gone"),
    (
        "GOST GOST94 GOST89 GOST89MAC GOST12 GOST2001 GOST2012 AGOST AGOST01 AGOST12 KGOST KGOST18 KUZNYECHIK MAGMA",
        "GOST suites came with an engine, and OpenSSL has had no engines since 4.0 (2026)",
    ),
    (
        "KDHR KDHD KDH KECDHR",
        "suites whose Diffie-Hellman key stands in the certificate have not been in OpenSSL since 1.1.0 (2016)",
    ),
)
_GONE_WORDS: Final = {word: sentence for words, sentence in _GONE for word in words.split()}
_FIXED_DH: Final = re.compile(r"(ECDH-(RSA|ECDSA)|DH-(RSA|DSS))-|TLS_(ECDH_(RSA|ECDSA)|DH_(RSA|DSS))_")
_SEPARATORS: Final = re.compile(r"[-_+=.]")

# Words that look like a group of suites and are none.
_NO_GROUP: Final = {
    "TLSV1.3": "suites of TLS 1.3 have a list of their own, which no cipher string touches",
    "TLSV1.1": "TLS 1.1 brought no suites of its own; which versions are spoken is the methods' matter",
    "FIPS": "FIPS was a mode of OpenSSL 1.0.2 and names no suites any more",
    "AEAD": "there is no word for all AEAD suites",
    "SYSTEM": "PROFILE=SYSTEM is a word of Red Hat's own OpenSSL, and Gatepost carries its own",
    "NORMAL": "NORMAL is a word of GnuTLS",
    "SECURE128": "SECURE128 is a word of GnuTLS",
    "SECURE256": "SECURE256 is a word of GnuTLS",
    "PFS": "PFS is a word of GnuTLS",
}
_FIRST_ONLY: Final = frozenset({"DEFAULT", "SUITEB128", "SUITEB128ONLY", "SUITEB128C2", "SUITEB192"})

# Names of ciphers, as `openssl enc` has them: cipher, bits, mode.
_ALGORITHM: Final = re.compile(
    r"(?:id-)?(?P<name>aes|camellia|aria|sm4|seed|idea|bf|blowfish|cast5?|des-?ede3?|des3|desx?|rc[245]|chacha20)"
    r"-?(?P<bits>40|64|128|192|256)?(?:-(?P<mode>cbc|ecb|ofb|ctr|gcm|ccm|xts|poly1305|cfb[18]?|wrap)(?:-hmac-\w+)?)?",
    re.IGNORECASE,
)
_NEVER_IN_TLS: Final = {
    "bf": "Blowfish",
    "blowfish": "Blowfish",
    "cast": "CAST",
    "cast5": "CAST5",
    "desx": "DESX",
    "rc5": "RC5",
}
_GONE_ALGORITHMS: Final = {
    "rc2": "RC2",
    "rc4": "RC4",
    "des": "DES",
    "des3": "3DES",
    "des-ede": "3DES",
    "des-ede3": "3DES",
    "desede": "3DES",
    "desede3": "3DES",
}

# Words that OpenSSL documents for groups of suites (ciphers(1)); the library says which of them still select something.
_WORDS: Final = (
    "ALL COMPLEMENTOFALL DEFAULT COMPLEMENTOFDEFAULT HIGH MEDIUM kRSA RSA aRSA kDHE kEDH DHE EDH kECDHE kEECDH ECDHE EECDH "
    "DH ECDH aECDSA ECDSA TLSv1 TLSv1.0 TLSv1.2 AES128 AES256 AES AESGCM AESCCM AESCCM8 ARIA128 ARIA256 ARIA ARIAGCM "
    "CAMELLIA128 CAMELLIA256 CAMELLIA CHACHA20 CBC SHA SHA1 SHA256 SHA384 SUITEB128 SUITEB192 SEED IDEA"
)
_UNWANTED_WORDS: Final = "aNULL eNULL NULL ADH AECDH aDSS DSS PSK kPSK aPSK SRP aSRP MD5"


class Answer(msgspec.Struct, frozen=True):
    """Why a word selects nothing."""

    sentence: str
    nearest: tuple[str, ...] = ()
    """What may be written instead."""
    known: bool = True
    """False: nobody ever called anything so, it is misspelt."""


def explain(word: str, methods: Collection[str], *, first: bool) -> Answer:
    """Say why a word, without its sign, selects nothing in this library; `first`: it opens the string."""
    upper = word.upper()
    if not first and upper in _FIRST_ONLY:
        return Answer("counts as the first word of a string only")
    if openssl_name(upper) in newest() or upper in newest():
        return Answer("a suite of TLS 1.3, which cipher strings do not touch: it belongs into the list of TLS 1.3 suites")
    if "-" not in word and (gone := _gone(word)):
        return Answer(gone, _successors(word, methods))
    if algorithm := _ALGORITHM.fullmatch(word):
        return _algorithm(algorithm, methods)
    if gone := _gone(word):
        return Answer(gone, _successors(word, methods))
    if told := _NO_GROUP.get(upper.removeprefix("PROFILE=")):
        return Answer(told, _classes(methods))
    return _combination(word, methods) if "+" in word else _misspelt(word)


def _gone(word: str) -> str:
    """Say what of a name is history; empty when nothing is."""
    if _FIXED_DH.match(word.upper()):
        return _GONE_WORDS["KDH"]
    parts = set(_SEPARATORS.split(word.upper()))
    return next((sentence for words, sentence in _GONE if parts & set(words.split())), "")


def _successors(word: str, methods: Collection[str]) -> tuple[str, ...]:
    """Return what stands nearest to what is gone: of a suite the same key exchange with AES, then the best."""
    parts = set(_SEPARATORS.split(word.upper()))
    if len(parts) < 2 or "+" in word:
        return _classes(methods)
    authentication = "ECDSA" if "ECDSA" in parts else "RSA"
    exchange = {"ECDHE": f"ECDHE-{authentication}-", "ECDH": f"ECDHE-{authentication}-"}
    exchange |= {"EDH": "DHE-RSA-", "DHE": "DHE-RSA-", "DH": "DHE-RSA-"}
    prefix = next((exchange[part] for part in exchange if part in parts), "")
    best = f"ECDHE-{authentication}-AES128-GCM-SHA256"
    return (f"{prefix}AES128-SHA", *([best] if "TLSv1.2" in methods else []))


def _classes(methods: Collection[str]) -> tuple[str, ...]:
    return ("ECDHE+AESGCM",) if "TLSv1.2" in methods else ("ECDHE+AES",)


def _algorithm(found: re.Match[str], methods: Collection[str]) -> Answer:
    """Answer the name of a cipher, as old notes and `openssl enc` have it, with the suites that use it."""
    name, bits, mode = found["name"].lower(), found["bits"] or "", (found["mode"] or "").lower()
    what = "the name of a cipher, not of a suite"
    if name in _NEVER_IN_TLS:
        return Answer(f"{what}; no TLS suite has ever used {_NEVER_IN_TLS[name]}", _classes(methods))
    if name in _GONE_ALGORITHMS:
        return Answer(f"{what}; {_GONE_WORDS[_GONE_ALGORITHMS[name]]}", _classes(methods))
    wanted = "-".join(part for part in (name.upper(), bits, mode.upper()) if part)
    suites = (catalogue()[suite] for suite in expand("ALL", tuple(methods)))
    using = [suite for suite in suites if f"{suite.cipher}-".startswith(f"{wanted}-")]
    older = [suite.name for suite in sorted(using, key=lambda suite: GRADES.index(suite.grade))]
    if not older:
        return Answer(f"{what}, and no suite of these methods uses it", _classes(methods))
    return Answer(f"{what}; {'one suite uses' if len(older) == 1 else f'{len(older)} suites use'} it", tuple(older[:3]))


def _combination(word: str, methods: Collection[str]) -> Answer:
    """Say which part of `A+B` nobody knows, or that nothing is both."""
    parts = word.split("+")
    for place, part in enumerate(parts):
        if not named(f"{part}:@SECLEVEL=0"):
            answer = explain(part, methods, first=False)
            nearest = tuple("+".join([*parts[:place], better, *parts[place + 1 :]]) for better in answer.nearest)
            return msgspec.structs.replace(answer, nearest=tuple(one for one in nearest if named(f"{one}:@SECLEVEL=0")))
    return Answer(f"no suite is {' and '.join(parts)} at once")


def _misspelt(word: str) -> Answer:
    by_upper = {name.upper(): name for name in spellings()}
    close = difflib.get_close_matches(word.upper(), by_upper, n=2, cutoff=0.6)
    return Answer(f"OpenSSL knows no {word}", tuple(by_upper[name] for name in close), known=False)


def spellings() -> Sequence[str]:
    """Return every word that may be meant by one that is misspelt: groups, then suites."""
    return [
        *_WORDS.split(),
        *_UNWANTED_WORDS.split(),
        *(name for name, suite in catalogue().items() if suite.grade != "never"),
    ]
