"""Listeners: where they bind, what certificate they show, and policies whose fields contradict each other."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from itertools import combinations

from gatepost.config.checks.common import Path, known, rows, syntax
from gatepost.config.checks.profiles import profile_names
from gatepost.config.entries import (
    AddressPattern,
    Endpoint,
    parse_address,
    parse_domain,
    parse_endpoint,
    parse_mapped,
    parse_mapping_target,
)
from gatepost.config.model import (
    BARE_BEHAVIORS,
    Config,
    DefaultPolicy,
    Listener,
    MailFlowPolicy,
    Ssh,
    Web,
)
from gatepost.config.paths import join
from gatepost.config.problems import Report

_TAKES_MAIL = ("accept", "relay")


def check_listeners(config: Config, report: Report) -> None:
    """Check every listener but its two tables, which `access` checks."""
    if not config.listeners:
        report.warning(("listeners",), None, "are missing: no mail comes in", "add one, such as [listeners.InboundMail]")
    for name, listener in config.listeners.items():
        path = ("listeners", name)
        mend = "write an IP address of this machine, 0.0.0.0 for all IPv4 or :: for all IPv6 addresses"
        syntax(report, (*path, "address"), listener.address, parse_address, mend)
        if listener.default_domain:
            mend = "write a domain such as example.com, or leave it empty"
            syntax(report, (*path, "default_domain"), listener.default_domain, parse_domain, mend)
        bounce_names = {"Default", *config.bounce_profiles}
        known(report, (*path, "bounce_profile"), listener.bounce_profile, bounce_names, "bounce profile", "bounce_profiles")
        for place, certificate in enumerate(listener.certificates):
            where = (*path, "certificates", place)
            known(report, where, certificate, config.certificates, "certificate", "certificates")
        _check_domain_map(path, listener, report)
        _check_certificate_is_there(path, listener, report)
        for policy_path, policy in policies_of(name, listener):
            _check_policy(policy_path, policy, listener.default_policy, config, report)
    _check_ports(config, report)


def _check_domain_map(path: Path, listener: Listener, report: Report) -> None:
    seen: dict[AddressPattern, str] = {}
    for part, row in rows(listener.domain_map):
        here = (*path, "domain_map", part)
        mend = "write @old.example, @.old.example or joe@old.example"
        syntax(report, (*here, "match"), row.match, parse_mapped, mend)
        syntax(report, (*here, "to"), row.to, parse_mapping_target, "write @new.example or joe@new.example")
        try:
            pattern = parse_mapped(row.match)
        except ValueError:
            continue
        hider = next((seen[taker] for taker in _takers(pattern) if taker in seen), None)
        if hider is not None:
            mend = "move it up, or take one of the two rows out"
            report.warning((*here, "match"), row.match, f"never matches: {hider} stands above it", mend)
        seen.setdefault(pattern, row.match)


def _takers(pattern: AddressPattern) -> Iterator[AddressPattern]:
    """Return every row of a domain map that takes all that a pattern names."""
    yield pattern
    if not pattern.below:
        yield AddressPattern(domain=pattern.domain)
    domain = pattern.domain
    while domain:
        yield AddressPattern(domain=domain, below=True)
        domain = domain.partition(".")[2]


def policies_of(name: str, listener: Listener) -> Iterator[tuple[Path, DefaultPolicy | MailFlowPolicy]]:
    """Return the default policy of a listener and its named ones."""
    yield ("listeners", name, "default_policy"), listener.default_policy
    for policy_name, policy in listener.policies.items():
        yield ("listeners", name, "policies", policy_name), policy


def takes_mail(policy: MailFlowPolicy) -> bool:
    """Whether hosts under a policy get as far as mail, and so perhaps to TLS."""
    return policy.behavior in _TAKES_MAIL


def _check_certificate_is_there(path: Path, listener: Listener, report: Report) -> None:
    if listener.certificates:
        return
    default = listener.default_policy
    encrypting = [f"default_policy.tls = {default.tls}"] if default.tls != "no" else []
    encrypting += [
        f"policies.{name}.tls = {policy.tls}"
        for name, policy in listener.policies.items()
        if takes_mail(policy) and policy.tls not in (None, "no")
    ]
    if encrypting:
        wrong = f"is empty, but {encrypting[0]}{' (and others)' if len(encrypting) > 1 else ''} needs a certificate"
        mend = 'name one, such as certificates = ["mx"]; import it or create a self-signed one first'
        related = [join((*path, "default_policy", "tls")), join((*path, "policies")), join((*path, "default_policy"))]
        report.error((*path, "certificates"), listener.certificates, wrong, mend, related=related)


def _check_policy(
    path: Path, policy: DefaultPolicy | MailFlowPolicy, default: DefaultPolicy, config: Config, report: Report
) -> None:
    if isinstance(policy, MailFlowPolicy):
        _check_bare_name(path, report)
        if not takes_mail(policy) and _sets_anything(policy):
            mend = "take the other fields out, or let it accept or relay"
            wrong = f"takes no mail, so the other fields of {path[-1]} have no effect"
            report.warning((*path, "behavior"), policy.behavior, wrong, mend)
    if policy.tls_profile is not None:
        where = (*path, "tls_profile")
        known(report, where, policy.tls_profile, profile_names(config), "TLS profile", "tls_profiles")
    tls = default.tls if policy.tls is None else policy.tls
    _check_mandatory_senders(path, policy, tls, config, report)
    for place, name in enumerate(policy.tls_peer_names or ()):
        mend = "write the name that the client certificate carries, such as mx.partner.example"
        syntax(report, (*path, "tls_peer_names", place), name, parse_domain, mend)
    if policy.tls_peer_names and "verify" not in tls:
        wrong = f"has no effect with tls = {tls}, which looks at no client certificate"
        report.warning((*path, "tls_peer_names"), policy.tls_peer_names, wrong, "set tls to required-verify, or take it out")


def _check_mandatory_senders(
    path: Path, policy: DefaultPolicy | MailFlowPolicy, tls: str, config: Config, report: Report
) -> None:
    name = policy.tls_mandatory_senders
    if not name:
        return
    where = (*path, "tls_mandatory_senders")
    known(report, where, name, config.address_lists, "address list", "address_lists")
    if not tls.startswith("preferred"):
        why = "nobody can encrypt there" if tls == "no" else "everybody must encrypt there"
        report.warning(where, name, f"has no effect with tls = {tls}: {why}", "set tls to preferred, or take it out")


def _check_bare_name(path: Path, report: Report) -> None:
    if str(path[-1]).upper() in BARE_BEHAVIORS:
        wrong = "is the name of a bare behaviour"
        report.error(path, None, wrong, f"give the policy another name, such as {path[-1]}ED_BY_US")


def _sets_anything(policy: MailFlowPolicy) -> bool:
    return policy != MailFlowPolicy(behavior=policy.behavior)


def _check_ports(config: Config, report: Report) -> None:
    taken: list[tuple[Path, Endpoint]] = []
    for name, listener in config.listeners.items():
        try:
            address = str(parse_address(listener.address))
        except ValueError:
            continue
        taken.append((("listeners", name), Endpoint(address, listener.port)))
    if config.gateway.metrics_address:
        try:
            taken.append((("gateway", "metrics_address"), parse_endpoint(config.gateway.metrics_address)))
        except ValueError:
            pass  # told by the check of the field itself
    consoles: tuple[tuple[str, Ssh | Web], ...] = (("ssh", config.ssh), ("web", config.web))
    for name, console in consoles:
        if console.enabled:
            try:
                taken.append(((name,), Endpoint(str(parse_address(console.address)), console.port)))
            except ValueError:
                pass
    for (first_path, first), (path, second) in combinations(taken, 2):
        if _overlap(first, second):
            where = path if path[0] == "gateway" else (*path, "port")
            wrong = f"{second.address} port {second.port} is already taken by {join(first_path)} ({first.address})"
            related = [f"{join(first_path)}.port", f"{join(first_path)}.address", f"{join(path)}.address"]
            report.error(where, second.port, wrong, "choose another port or address", related=related)


def _overlap(first: Endpoint, second: Endpoint) -> bool:
    """Two sockets clash on one port when an address is the same or all of one family; `::` is bound for IPv6 only."""
    if first.port != second.port:
        return False
    one, other = ipaddress.ip_address(first.address), ipaddress.ip_address(second.address)
    return one.version == other.version and (one == other or one.is_unspecified or other.is_unspecified)
