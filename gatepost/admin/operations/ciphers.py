"""What a cipher string comes to, suite by suite and word by word; what profiles and certificates make of it.

Judges by the same functions as the check of a configuration. Changes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import msgspec

from gatepost.admin.operations.operator import Operator
from gatepost.admin.operations.stores import load
from gatepost.config.check import check
from gatepost.config.model import Config, TlsProfile, tls_profile
from gatepost.config.paths import join
from gatepost.config.problems import Problem
from gatepost.config.tlsfacts import installed
from gatepost.errors import GatepostError
from gatepost.tls import judgement
from gatepost.tls.catalogue import Suite, catalogue
from gatepost.tls.judgement import Judgement, Token

__all__ = ["Judgement", "Suite", "Token", "consider", "everything", "judge", "profile"]


def judge(
    operator: Operator,
    spec: str,
    methods: Sequence[str] = ("TLSv1.2", "TLSv1.3"),
    certificates: Sequence[str] | None = None,
) -> Judgement:
    """Judge a cipher string for a profile with these methods.

    `certificates`: names in the draft; None: all that a listener of the draft shows, none where nothing is configured.
    """
    config = _draft(operator)
    names = _shown(config) if certificates is None else list(certificates)
    return judgement.judge(spec, methods, installed(config, names))


def everything() -> list[Suite]:
    """Return every suite that the TLS library has, also those that no profile offers."""
    return list(catalogue().values())


def profile(operator: Operator, name: str) -> TlsProfile:
    """Return a TLS profile of the draft. GatepostError when there is none by that name."""
    found = tls_profile(_draft(operator), name)
    if found is None:
        raise GatepostError(f"there is no TLS profile {name}")
    return found


def consider(operator: Operator, name: str, changed: TlsProfile) -> list[Problem]:
    """Return what would be wrong with a profile if the draft had it so, errors first; the draft stays as it is."""
    config = _draft(operator)
    # The tables may have a million rows, say nothing of a profile, and this is asked while somebody types.
    listeners = {
        one: msgspec.structs.replace(listener, sender_groups=[], recipients=[]) for one, listener in config.listeners.items()
    }
    changed_config = msgspec.structs.replace(
        config, tls_profiles={**config.tls_profiles, name: changed}, listeners=listeners, destinations={}, routes={}
    )
    path = join(("tls_profiles", name))
    return [problem for problem in check(changed_config) if problem.path.startswith(f"{path}.")]


def _draft(operator: Operator) -> Config:
    """Return the draft, or an empty document where none is to be read: strings can be judged without."""
    return load(operator, draft=True).config if os.access(operator.config_db, os.R_OK) else Config()


def _shown(config: Config) -> list[str]:
    return list(dict.fromkeys(name for listener in config.listeners.values() for name in listener.certificates))
