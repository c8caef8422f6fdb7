"""TLS profiles: versions without a gap, and for each version something that could be negotiated."""

from __future__ import annotations

from typing import get_args

from gatepost.config.checks.common import Path
from gatepost.config.model import BUILTIN_PROFILES, Config, TlsProfile, TlsVersion
from gatepost.config.paths import did_you_mean
from gatepost.config.problems import Report
from gatepost.config.tlsfacts import SUITES, is_group, judge, negotiable

_VERSIONS = get_args(TlsVersion)
_OLD = ("TLSv1.0", "TLSv1.1")
_GROUPS = ("X25519MLKEM768", "SecP256r1MLKEM768", "SecP384r1MLKEM1024", "X25519", "X448", "P-256", "P-384", "P-521")
_HYBRID = "MLKEM"  # groups with a post-quantum part exist in TLS 1.3 only


def profile_names(config: Config) -> list[str]:
    """Return the names that a `tls_profile` field may hold."""
    return [*BUILTIN_PROFILES, *(name for name in config.tls_profiles if name not in BUILTIN_PROFILES)]


def check_profiles(config: Config, report: Report) -> None:
    """Check every profile that the document defines."""
    for name, profile in config.tls_profiles.items():
        path = ("tls_profiles", name)
        _check_methods(path, profile, report)
        _check_ciphers(path, profile, report)
        _check_suites(path, profile, report)
        _check_groups(path, profile, report)


def _check_methods(path: Path, profile: TlsProfile, report: Report) -> None:
    path = (*path, "methods")
    methods = profile.methods
    if not methods:
        report.error(path, methods, "is empty", 'write at least one version, such as ["TLSv1.2", "TLSv1.3"]')
        return
    _check_twice(path, methods, report)
    places = sorted(_VERSIONS.index(method) for method in methods)
    span = list(_VERSIONS[places[0] : places[-1] + 1])
    missing = [version for version in span if version not in methods]
    if missing:
        # OpenSSL takes a lowest and a highest version; a gap between them it would silently fill.
        mend = f"add {' and '.join(missing)}, or take the versions on one side of the gap out"
        report.error(path, methods, "has a gap: versions must be contiguous", mend)
    old = [method for method in methods if method in _OLD]
    if old:
        mend = "keep it to a profile for the one partner who needs it"
        report.warning(path, methods, f"allows {' and '.join(old)}, deprecated by RFC 8996", mend)


def _check_ciphers(path: Path, profile: TlsProfile, report: Report) -> None:
    if set(profile.methods) <= {"TLSv1.3"}:
        return
    path = (*path, "ciphers")
    judgement = judge(profile.ciphers, profile.methods)
    for refusal in judgement.refusals:
        report.error(path, profile.ciphers, refusal.wrong, refusal.mend)
    if not judgement.refusals:
        for token in judgement.dead:
            near = f"write {' or '.join(token.nearest)}, or take it out" if token.nearest else "take it out"
            report.warning(path, profile.ciphers, f"{token.text} matches nothing: {token.why}", near)


def _check_suites(path: Path, profile: TlsProfile, report: Report) -> None:
    if "TLSv1.3" not in profile.methods:
        return
    path = (*path, "suites")
    if not profile.suites:
        mend = "name at least one suite, or take TLSv1.3 out of methods"
        report.error(path, profile.suites, "is empty, so TLSv1.3 cannot be spoken", mend)
    _check_twice(path, profile.suites, report)
    for suite in profile.suites:
        if suite not in SUITES:
            report.error(path, suite, "is not a suite of TLSv1.3 that this gateway has", did_you_mean(suite, SUITES))
    if set(SUITES).issuperset(profile.suites or [""]) and not negotiable(tuple(profile.suites)):
        wrong = "has only suites that OpenSSL finds too weak, so TLSv1.3 cannot be spoken"
        report.error(path, profile.suites, wrong, "add TLS_AES_256_GCM_SHA384")


def _check_groups(path: Path, profile: TlsProfile, report: Report) -> None:
    path = (*path, "groups")
    if not profile.groups:
        report.error(path, profile.groups, "is empty", 'name at least one group, such as "X25519"')
        return
    _check_twice(path, profile.groups, report)
    for group in profile.groups:
        if not is_group(group):
            report.error(path, group, "is not a key exchange group that this gateway has", did_you_mean(group, _GROUPS))
    if all(_HYBRID in group for group in profile.groups) and profile.methods != ["TLSv1.3"]:
        mend = "add X25519 or P-256"
        report.warning(path, profile.groups, "has only groups that exist in TLSv1.3, so ECDHE fails in older versions", mend)


def _check_twice(path: Path, names: list[str] | list[TlsVersion], report: Report) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})  # type: ignore[arg-type]
    for name in twice:
        report.error(path, name, "stands twice", "take one of them out")
