"""What a cipher string selects, suite by suite, and which of its words select nothing. Asks the TLS library itself."""

from __future__ import annotations

import re

import msgspec

from gatepost.errors import GatepostError
from gatepost.tls import binding
from gatepost.tls.ciphers import expand, iana_name

OLD = ("TLSv1.0", "TLSv1.1", "TLSv1.2")
_SEPARATOR = re.compile(r"[:, ]+")


class Suite(msgspec.Struct, frozen=True, kw_only=True):
    """One suite that a cipher string selects."""

    name: str
    """OpenSSL's name."""
    iana: str
    protocol: str
    """The oldest version that can use it."""


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """What a cipher string comes to."""

    spec: str
    suites: list[Suite]
    """In the order of preference."""
    nothing: list[str]
    """Words of the string that match nothing."""


def select(spec: str, *, old: bool = False) -> Selection:
    """Expand a cipher string as a profile with TLS 1.2 reads it, or (`old`) one that has TLS 1.0 or 1.1 too.

    GatepostError when it selects nothing at all.
    """
    words = [word for word in _SEPARATOR.split(spec.strip()) if word]
    nothing = [word for word in words if _says_nothing(word)]
    names = expand(spec, OLD if old else ("TLSv1.2",)) if words else ()
    if not names:
        which = f"; {', '.join(nothing)} {'matches' if len(nothing) == 1 else 'match'} nothing" if nothing else ""
        raise GatepostError(f"cipher string {spec!r} selects no suite of this TLS library{which}")
    protocols = binding.suites()
    suites = [
        Suite(name=name, iana=iana_name(name), protocol=_since(protocols.get(name, ("", "TLSv1.2"))[1])) for name in names
    ]
    return Selection(spec=spec, suites=suites, nothing=nothing)


def _since(version: str) -> str:
    """Name the oldest version that the gateway speaks and the suite exists in; the library counts from SSL 3."""
    return "TLSv1.0" if version in ("SSLv3", "TLSv1") else version


def _says_nothing(word: str) -> bool:
    """Whether a word that should select a suite stands for none; what takes suites out does no harm by finding none."""
    if word.startswith(("!", "-", "@")):
        return False
    # Security level 0 so that a suite that is only too weak for the default is not taken for one that is gone.
    return not expand(f"{word.lstrip('+')}:@SECLEVEL=0")
