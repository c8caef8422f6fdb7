"""The way out: destination controls, routes, address lists, and the gateway's own names and addresses."""

from __future__ import annotations

from gatepost.config.checks.common import Path, known, refused, syntax
from gatepost.config.checks.profiles import profile_names
from gatepost.config.entries import (
    parse_address,
    parse_domain,
    parse_endpoint,
    parse_key,
    parse_list_entry,
    parse_recipient,
    parse_route,
)
from gatepost.config.model import Config, DefaultDestination, DestinationControl, Gateway
from gatepost.config.problems import Report
from gatepost.errors import GatepostError
from gatepost.tls.certificates import load_chain


def check_gateway(config: Config, report: Report) -> None:
    """Check the tables [gateway], [ssh] and [web]."""
    gateway = config.gateway
    mend = "write this gateway's name as the DNS has it, such as mx1.example.com"
    syntax(report, ("gateway", "hostname"), gateway.hostname, parse_domain, mend)
    if gateway.hostname == Gateway().hostname:
        report.warning(("gateway", "hostname"), gateway.hostname, "is not a name that others can look up", mend)
    if gateway.postmaster:
        syntax(
            report,
            ("gateway", "postmaster"),
            gateway.postmaster,
            _mailbox,
            "write a mailbox, such as postmaster@example.com",
        )
    for place, server in enumerate(gateway.dns_servers):
        mend = "write address or address:port, such as 127.0.0.1 or [::1]:53"
        syntax(report, ("gateway", "dns_servers", place), server, lambda text: parse_endpoint(text, 53), mend)
    if gateway.certificate_authorities:
        try:
            load_chain(gateway.certificate_authorities)
        except GatepostError as fault:
            mend = "write the authorities' certificates as PEM, one after another"
            report.error(("gateway", "certificate_authorities"), "PEM text", f"cannot be read: {fault}", mend)
    if gateway.metrics_address:
        mend = "write address:port, such as 127.0.0.1:9090"
        syntax(report, ("gateway", "metrics_address"), gateway.metrics_address, parse_endpoint, mend)
    mend = "write an IP address of this machine, 0.0.0.0 for all IPv4 or :: for all IPv6 addresses"
    syntax(report, ("ssh", "address"), config.ssh.address, parse_address, mend)
    syntax(report, ("web", "address"), config.web.address, parse_address, mend)
    if config.web.certificate:
        known(report, ("web", "certificate"), config.web.certificate, config.certificates, "certificate", "certificates")


def _mailbox(text: str) -> None:
    if "@" not in text:
        raise ValueError(f"{text!r} is not a full mail address")
    pattern = parse_recipient(text)
    if not pattern.local or not pattern.domain:
        raise ValueError(f"{text!r} is not a full mail address")


def check_address_lists(config: Config, report: Report) -> None:
    """Check the entries of every address list."""
    mend = "write user@example.com, user@, @example.com, @.example.com or @[192.0.2.1]"
    for name, entry in config.address_lists.items():
        for place, address in enumerate(entry.addresses):
            syntax(report, ("address_lists", name, "addresses", place), address, parse_list_entry, mend)


def check_destinations(config: Config, report: Report) -> None:
    """Check destination controls and the default one."""
    for domain, control in config.destinations.items():
        mend = "write a domain such as partner.example, or .partner.example for the domains below it"
        syntax(report, ("destinations", domain), domain, lambda text: parse_key(text, allow_all=False), mend)
        _check_control(("destinations", domain), control, config, report)
    _check_control(("default_destination",), config.default_destination, config, report)
    certificate = config.default_destination.certificate
    if certificate:
        where = ("default_destination", "certificate")
        known(report, where, certificate, config.certificates, "certificate", "certificates")


def _check_control(path: Path, control: DestinationControl | DefaultDestination, config: Config, report: Report) -> None:
    if control.tls_profile is not None:
        where = (*path, "tls_profile")
        known(report, where, control.tls_profile, profile_names(config), "TLS profile", "tls_profiles")
    if control.bounce_profile is not None:
        where = (*path, "bounce_profile")
        known(
            report, where, control.bounce_profile, {"Default", *config.bounce_profiles}, "bounce profile", "bounce_profiles"
        )
    for field, name in (("dane", "DANE"), ("mta_sts", "MTA-STS")):
        value = getattr(control, field)
        if value not in (None, "none"):
            # Better refused than believed in: nothing would be enforced.
            wrong = f"asks for {name}, which is not available yet in this version"
            report.error((*path, field), value, wrong, 'set "none"; tls = "required-verify" demands a verified certificate')


def check_routes(config: Config, report: Report) -> None:
    """Check keys and destinations of every route."""
    for domain, destinations in config.routes.items():
        mend = "write a domain such as example.com, .example.com for the domains below it, or ALL"
        syntax(report, ("routes", domain), domain, lambda text: parse_key(text, allow_all=True), mend)
        try:
            parse_route(destinations)
        except ValueError as error:
            mend = "write host, host:port, [2001:db8::1]:port, each with /pri=N or without; or /dev/null, or USEDNS"
            refused(report, ("routes", domain), destinations, error, mend)
