"""Profiles against the certificates of the listeners that use them: each certificate must have a suite in each version."""

from __future__ import annotations

from gatepost.config.checks.listeners import policies_of, takes_mail
from gatepost.config.model import Config, Listener, MailFlowPolicy, tls_profile
from gatepost.config.paths import join
from gatepost.config.problems import Report
from gatepost.config.tlsfacts import installed, judge


def check_served(config: Config, report: Report) -> None:
    """Report cipher strings under which a listener could not show one of its certificates."""
    for name, listener in config.listeners.items():
        certificates = installed(config, listener.certificates)
        for profile_name, policy_path in _profiles(name, listener).items():
            profile = tls_profile(config, profile_name)
            if profile is None or not certificates:
                continue
            path = ("tls_profiles", profile_name, "ciphers")
            for refusal in judge(profile.ciphers, profile.methods, certificates).refusals:
                if refusal.certificate:
                    related = [join(("listeners", name, "certificates")), policy_path]
                    wrong = f"{refusal.wrong}, on listener {name}"
                    report.error(path, profile.ciphers, wrong, refusal.mend, related=related)


def _profiles(name: str, listener: Listener) -> dict[str, str]:
    """Return the profiles by which a listener speaks TLS, each with the path of a policy that names it."""
    default = listener.default_policy
    found: dict[str, str] = {}
    for path, policy in policies_of(name, listener):
        tls = default.tls if policy.tls is None else policy.tls
        if tls != "no" and not (isinstance(policy, MailFlowPolicy) and not takes_mail(policy)):
            found.setdefault(policy.tls_profile or default.tls_profile, join((*path, "tls_profile")))
    return found
