"""What the TLS library at hand can do, asked of the library itself: one place, so that nothing else here imports it."""

from __future__ import annotations

from functools import lru_cache

from OpenSSL import SSL

from gatepost.config.model import Config
from gatepost.errors import GatepostError
from gatepost.tls import binding
from gatepost.tls.ciphers import allowance
from gatepost.tls.context import Terms
from gatepost.tls.judgement import Held, Judgement, held, judge

__all__ = ["SUITES", "Held", "Judgement", "installed", "is_group", "judge", "negotiable"]

SUITES = tuple(sorted(known.iana for known in binding.suites().values() if known.version == "TLSv1.3"))
"""Suites of TLS 1.3 that the library knows."""


@lru_cache(maxsize=64)
def negotiable(suites: tuple[str, ...]) -> bool:
    """Whether at least one of these suites of TLS 1.3 can be negotiated; some are known and too weak for OpenSSL."""
    try:
        return bool(allowance(Terms(methods=("TLSv1.3",), suites=suites)).suites)
    except GatepostError:
        return False


@lru_cache(maxsize=256)
def is_group(name: str) -> bool:
    """Whether the library knows a key exchange group."""
    return ":" not in name and name.isascii() and binding.set_groups(SSL.Context(SSL.TLS_METHOD), name)


def installed(config: Config, names: list[str]) -> tuple[Held, ...]:
    """Return what suites depend on of these certificates; one that is missing or unreadable is told elsewhere."""
    found = []
    for name in names:
        entry = config.certificates.get(name)
        try:
            if entry:
                found.append(held(name, entry.certificate))
        except GatepostError:
            pass
    return tuple(found)
