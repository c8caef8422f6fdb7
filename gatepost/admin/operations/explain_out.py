"""`explain out`: how mail to a domain is delivered and why, from the functions that decide in production.

Opens no connection and asks no DNS: the settings are what it explains, not the host that the mail would come to.
"""

from __future__ import annotations

from gatepost.admin.operations import profiles
from gatepost.admin.operations.explanation import Outbound, Section, settings
from gatepost.admin.operations.hosts import read_name
from gatepost.admin.operations.operator import Operator
from gatepost.admin.operations.stores import Loaded, load
from gatepost.admin.operations.tables import readable
from gatepost.admin.operations.whatif import with_draft
from gatepost.config.entries import SMTP_PORT, RouteHost
from gatepost.config.model import Config, bounce_profile
from gatepost.errors import GatepostError
from gatepost.policy.destination import Destination, DestinationTable, Route, RouteTable
from gatepost.policy.requirement import outbound_requirement, reference_names
from gatepost.policy.verdict import References

FIELDS = (
    "tls",
    "tls_profile",
    "dane",
    "mta_sts",
    "max_connections",
    "max_messages_per_connection",
    "recipients_per_minutes",
    "bounce_profile",
)
_TLS = {
    "no": "STARTTLS is never sent; mail goes in clear text.",
    "preferred": "TLS is used when the next hop offers STARTTLS and answers it with 220; otherwise mail goes in clear text. "
    "Nobody looks at the certificate. Once STARTTLS was answered with 220 there is no way back to clear text.",
    "required": "Without TLS nothing is sent: mail waits and is tried again. Nobody looks at the certificate.",
    "preferred-verify": "TLS is used when it is offered, and whether the certificate is valid is written down; mail goes "
    "all the same.",
    "required-verify": "Without TLS and a valid certificate nothing is sent: mail waits and is tried again.",
    "required-verify-hosted": "Without TLS and a valid certificate nothing is sent: mail waits and is tried again.",
}
HOST = "the next hop's name"


def outbound(operator: Operator, domain: str, *, draft: bool = False) -> Outbound:
    """Explain how mail to a domain (or to an address in it) is delivered, and what the draft would change of it."""
    name = _domain(domain)
    now = explained(load(operator, draft=draft), name)
    return now if draft else with_draft(operator, now, lambda pending: explained(pending, name))


def explained(loaded: Loaded, name: str) -> Outbound:
    """Explain a destination by one configuration."""
    config = loaded.config
    with readable():
        destination = DestinationTable(config.destinations, config.default_destination).find(name)
        route = RouteTable(config.routes).find(name)
    sections = [
        Section("Destination", [_control(name, destination, loaded.label)]),
        Section("Route", route_sentences(name, route)),
        Section("TLS", tls_sentences(name, destination)),
    ]
    if destination.tls != "no":
        sections.append(Section("Ciphers", profiles.outbound(config, destination.tls_profile)))
    sections.append(Section("Retries", [retry_sentence(config, destination)]))
    return Outbound(
        configuration=loaded.label,
        sections=sections,
        settings=settings(destination, FIELDS, destination.inherited),
        domain=name,
        control=destination.pattern,
        route=route.pattern,
        next_hops=[_host(host) for host in route.hosts],
        tls=destination.tls,
        tls_profile=destination.tls_profile,
        bounce_profile=destination.bounce_profile,
    )


def route_sentences(domain: str, route: Route) -> list[str]:
    """Say where mail for a domain is sent."""
    if route.discard:
        return [f"The {route.source}: mail is accepted and thrown away (/dev/null)."]
    if route.by_mx:
        why = f"The {route.source} says USEDNS" if route.pattern else f"No SMTP route speaks of {domain}"
        return [f"{why}, so the MX records of {domain} decide; without any, its own address."]
    hosts = ", then ".join(_host(host) for host in route.hosts)
    return [f"The {route.source}: mail goes to {hosts}; there is no fall-back to MX."]


def tls_sentences(domain: str, destination: Destination) -> list[str]:
    """Say what TLS is required and against which names a certificate is held."""
    requirement = outbound_requirement(destination)
    said = [f"tls = {requirement.setting}, from the {requirement.source}.", _TLS[requirement.setting]]
    names = reference_names(requirement, References(domain=domain, host=HOST))
    if names:
        said.append(f"The certificate must be valid for {' or '.join(names)}.")
    return said


def retry_sentence(config: Config, destination: Destination) -> str:
    """Say how long delivery is tried."""
    profile = bounce_profile(config, destination.bounce_profile)
    if profile is None:
        return f"The bounce profile {destination.bounce_profile} does not exist."
    waits = (
        f"the first retry after {_span(profile.initial_wait)}, then twice the wait each time up to {_span(profile.max_wait)}"
    )
    end = f"a bounce after {profile.max_retries} retries or {_span(profile.max_age)}"
    return f"Bounce profile {destination.bounce_profile}: {waits}; {end}."


def _domain(text: str) -> str:
    name = text.rpartition("@")[2].strip()
    if name.startswith("[") or not name:
        raise GatepostError(f"{text!r} is not a domain")
    return read_name(name)


def _control(domain: str, destination: Destination, label: str) -> str:
    if destination.pattern:
        return f"Mail to {domain} is under the {destination.source}, by {label}."
    return f"No destination control speaks of {domain}: it gets the default destination, by {label}."


def _host(host: RouteHost) -> str:
    name = f"[{host.host}]" if host.is_address and ":" in host.host else host.host
    return name if host.port == SMTP_PORT else f"{name}:{host.port}"


def _span(seconds: int) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
