"""What a cipher string comes to under a profile, word by word, and why it will not do.

Pure but for the library, which is asked about each word; nothing is changed and nobody is connected to. The check of a
configuration, the command line and the console all judge by this.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, Literal

import msgspec

from gatepost.tls import history
from gatepost.tls.catalogue import Suite, catalogue, serves
from gatepost.tls.certificates import key_text, load_chain, peer_certificate
from gatepost.tls.ciphers import expand, named
from gatepost.tls.identity import presented

OLDER: Final[tuple[str, ...]] = ("TLSv1.0", "TLSv1.1", "TLSv1.2")
"""The versions that cipher strings are for."""
_SEPARATOR: Final = re.compile(r"[:;, ]+")
_TOLD: Final = 3
"""Reasons told in one refusal."""
_LEVEL: Final = re.compile(r"@SECLEVEL=[0-5]")


class Held(msgspec.Struct, frozen=True):
    """A certificate that is installed, as far as suites depend on it."""

    name: str
    key: str
    """`RSA 2048`, `EC P-256`"""
    hosts: frozenset[str] = frozenset()
    """Names that it is shown for, lower case."""


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """One word of a cipher string."""

    text: str
    effect: Literal["selects", "removes", "reorders", "sets", "nothing"]
    """`nothing`: it was to select, and does not, or nobody knows it."""
    suites: tuple[str, ...] = ()
    """What it stands for by itself, by OpenSSL's names."""
    why: str = ""
    """One sentence, without its full stop, on a word that finds nothing."""
    nearest: tuple[str, ...] = ()
    """What may be written instead."""

    def __str__(self) -> str:
        """Say why it finds nothing, and what stands nearest."""
        near = f"; nearest: {' or '.join(self.nearest)}" if self.nearest else ""
        return f"{self.text}: {self.why}{near}" if self.why else self.text


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why a string cannot be taken."""

    wrong: str
    mend: str
    certificate: str = ""
    """Name of the certificate that is left without a suite, where that is the reason."""

    def __str__(self) -> str:
        """Say it in one line."""
        return f"{self.wrong}; {self.mend}"


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """What a cipher string comes to."""

    spec: str
    methods: tuple[str, ...]
    tokens: tuple[Token, ...]
    suites: tuple[Suite, ...]
    """Of TLS 1.2 and older, in the order that counts."""
    refusals: tuple[Refusal, ...]
    """Empty: it can be taken."""
    warnings: tuple[str, ...]
    """What can be taken, but is probably not as meant; a sentence each."""

    @property
    def dead(self) -> tuple[Token, ...]:
        """The words that match nothing."""
        return tuple(token for token in self.tokens if token.effect == "nothing")


def judge(spec: str, methods: Sequence[str] = ("TLSv1.2", "TLSv1.3"), certificates: Sequence[Held] = ()) -> Judgement:
    """Judge a cipher string for a profile with these methods, on a listener with these certificates."""
    return _judge(spec, tuple(methods), tuple(certificates))


def held(name: str, certificate: str) -> Held:
    """Read what matters of a certificate (PEM). GatepostError when it cannot be read."""
    leaf = load_chain(certificate)[0]
    return Held(name, key_text(leaf.public_key()), frozenset(one.lower() for one in presented(peer_certificate(leaf))))


@lru_cache(maxsize=256)
def _judge(spec: str, methods: tuple[str, ...], certificates: tuple[Held, ...]) -> Judgement:
    classic = tuple(version for version in OLDER if version in methods)
    words = [word for word in _SEPARATOR.split(spec.strip()) if word]
    level = next((word for word in words if word.startswith("@SECLEVEL")), "")
    tokens = tuple(_token(word, classic, level, first=place == 0) for place, word in enumerate(words))
    by_version = {version: expand(spec, [version]) for version in classic}
    entries = catalogue()
    refusals: list[Refusal] = []
    if classic and not any(by_version.values()):
        refusals.append(Refusal(wrong=f"matches no cipher of {' or '.join(classic)}", mend=_why(tokens)))
    else:
        refusals += [_no_version(version, spec, level) for version in classic if not by_version[version]]
        refusals += _without_suite(by_version, certificates)
    dead = [token.text for token in tokens if token.effect == "nothing"]
    warnings = []
    if dead and not refusals and classic:
        verb = "matches" if len(dead) == 1 else "match"
        warnings.append(f"{len(dead)} of its {len(tokens)} words {verb} nothing: {', '.join(dead)}")
    if not classic:
        warnings.append(f"nothing reads it, for {' and '.join(methods) or 'no method'} takes no cipher string")
    return Judgement(
        spec=spec,
        methods=methods,
        tokens=tokens,
        suites=tuple(entries[name] for name in expand(spec, classic)),
        refusals=tuple(refusals),
        warnings=tuple(warnings),
    )


def _why(tokens: Sequence[Token]) -> str:
    """Say of all words that match nothing why; those that have one reason together."""
    reasons: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for token in tokens:
        if token.effect == "nothing":
            reasons.setdefault((token.why, token.nearest), []).append(token.text)
    told = [
        str(Token(text=", ".join(texts), effect="nothing", why=why, nearest=nearest))
        for (why, nearest), texts in reasons.items()
    ]
    rest = f"; and {len(told) - _TOLD} reasons more, which the string word by word tells" if len(told) > _TOLD else ""
    return "; ".join(told[:_TOLD]) + rest or 'write an OpenSSL cipher string, such as "ECDHE+AESGCM"'


def _no_version(version: str, spec: str, level: str) -> Refusal:
    """A version that the string leaves without a suite."""
    if level and expand(spec.replace(level, "@SECLEVEL=0"), [version]):
        mend = f"{level} forbids it: take that out, and Gatepost sets the level that {version} needs"
    else:
        mend = f"add ciphers that {version} has, such as ECDHE+AES, or take {version} out of methods"
    return Refusal(wrong=f"matches no cipher of {version}", mend=mend)


def _without_suite(by_version: dict[str, tuple[str, ...]], certificates: Sequence[Held]) -> list[Refusal]:
    """Find certificates that cannot be shown in a version, nor another one for the same names in their place."""
    refusals = []
    for one in certificates:
        stand_ins = [one, *(other for other in certificates if other.hosts & one.hosts)]
        left = [
            version
            for version, names in by_version.items()
            if names and not any(serves(catalogue()[name], other.key) for name in names for other in stand_ins)
        ]
        if left:
            kinds = sorted({catalogue()[name].authentication for names in by_version.values() for name in names})
            wrong = f"leaves certificate {one.name} ({one.key}) without a suite in {' and '.join(left)}"
            wanted = "ECDSA" if one.key.startswith(("EC", "Ed")) else "RSA"
            mend = f"its suites are for {' and '.join(kinds)} certificates: add some for {wanted}, such as ECDHE+a{wanted}"
            refusals.append(Refusal(wrong=wrong, mend=mend, certificate=one.name))
    return refusals


def _token(word: str, classic: tuple[str, ...], level: str, *, first: bool) -> Token:
    sign, body = (word[0], word[1:]) if word[0] in "!-+@" else ("", word)
    if sign == "@":
        if word == "@STRENGTH" or _LEVEL.fullmatch(word):
            return Token(text=word, effect="sets")
        why = "is no command of a cipher string, and the whole string is refused for it"
        return Token(text=word, effect="nothing", why=why, nearest=("@STRENGTH", "@SECLEVEL=0"))
    if not body.strip("+"):
        return Token(text=word, effect="nothing", why="names nothing, and the whole string is refused for it")
    if sign:
        return _taking(word, body, classic, "reorders" if sign == "+" else "removes")
    versions = classic or OLDER
    legacy = versions[0] != "TLSv1.2"
    leveled = f"{word}:{level or ('@SECLEVEL=0' if legacy else '')}"
    # A client has no hello for a suite that its newest version lacks (IDEA), but a server serves it to an older client.
    found = expand(leveled, versions) or tuple(dict.fromkeys(name for one in versions for name in expand(leveled, [one])))
    if found and (first or word.upper() != "DEFAULT"):
        return Token(text=word, effect="selects", suites=found)
    answer = _useless(word, versions) if first or word.upper() != "DEFAULT" else None
    answer = answer or history.explain(word, versions, first=first)
    return Token(text=word, effect="nothing", why=answer.sentence, nearest=answer.nearest)


def _taking(word: str, body: str, classic: tuple[str, ...], effect: Literal["removes", "reorders"]) -> Token:
    """A word that takes out or moves: finding nothing is no harm, unless it is misspelt and was to find something."""
    found = named(f"{body}:@SECLEVEL=0")
    if found:
        return Token(text=word, effect=effect, suites=found)
    answer = history.explain(body, classic, first=False)
    if answer.known:
        return Token(text=word, effect=effect, why=f"{answer.sentence}, so there is nothing left for it to take")
    nearest = tuple(f"{word[0]}{better}" for better in answer.nearest)
    return Token(text=word, effect="nothing", why=answer.sentence, nearest=nearest)


def _useless(word: str, versions: tuple[str, ...]) -> history.Answer | None:
    """Say why suites that the library has are of no use here; None when it has none by that word."""
    suites = [catalogue()[name] for name in named(f"{word}:@SECLEVEL=0")]
    if not suites:
        return None
    if all(suite.grade == "never" for suite in suites):
        return history.Answer(f"Gatepost never offers such suites: {suites[0].reason}")
    elsewhere = [v for v in OLDER if v not in versions and expand(f"{word}:@SECLEVEL=0", [v])]
    if elsewhere and elsewhere[0] > versions[-1]:
        return history.Answer(f"needs {elsewhere[0]}, which is not among the methods", ("ECDHE+AES",))
    if elsewhere:
        return history.Answer(f"exists up to {elsewhere[-1]} only, and the methods have nothing so old", ("ECDHE+AESGCM",))
    return history.Answer("is too weak for OpenSSL's security level in these versions")
