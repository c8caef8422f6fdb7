"""Patterns of envelope addresses: rows of the Recipient Access Table and of the domain map, entries of address lists.

The languages say the same with another spelling (`example.com` in the table is `@example.com` in a list), so all are
read into one value. Nothing here matches: `policy.recipients` compiles the patterns.
"""

from __future__ import annotations

import ipaddress
import re

import msgspec

from gatepost.config.names import parse_domain


class AddressPattern(msgspec.Struct, frozen=True):
    """Which addresses are meant: an empty part stands for any."""

    local: str = ""
    """Local part in lower case: RFC 5321 2.4 lets hosts tell `Bob` from `bob`, but no table should depend on it."""
    domain: str = ""
    """Lower case; an address literal as `[192.0.2.1]` or `[IPv6:2001:db8::1]`, shortest form."""
    below: bool = False
    """The domains below `domain` are meant, and not `domain` itself."""


ALL = AddressPattern()

# RFC 5321 4.1.2 Dot-string, with the octets that RFC 6531 adds; a quoted string is taken as it stands.
_LOCAL = re.compile(r'(?:[^\s"(),:;<>@\[\\\].\x00-\x1f\x7f]+(?:\.[^\s"(),:;<>@\[\\\].\x00-\x1f\x7f]+)*|"[^"\\\r\n]*")')


def parse_recipient(text: str) -> AddressPattern:
    """Read the `match` of a RAT row: `user@example.com`, `example.com`, `.example.com`, `user@`, `[192.0.2.1]`, ALL."""
    if text == "ALL":
        return ALL
    local, at, domain = text.rpartition("@")
    if not at:
        return _domain_pattern("", text)
    if not local:
        raise ValueError(f"{text!r} has nothing before the @: write {domain} for a domain")
    if not domain:
        return AddressPattern(_local_part(local, text))
    return _full_address(local, domain, text)


def parse_list_entry(text: str) -> AddressPattern:
    """Read an entry of an address list: `user@example.com`, `user@`, `@example.com`, `@.example.com`, `@[192.0.2.1]`."""
    local, at, domain = text.rpartition("@")
    if not at:
        raise ValueError(f"{text!r} has no @: write @{text.lower()} for a domain, user@ for a mailbox in any domain")
    if local and domain:
        return _full_address(local, domain, text)
    if local:
        return AddressPattern(_local_part(local, text))
    if not domain:
        raise ValueError("'@' alone names no address: write user@example.com, user@, @example.com or @.example.com")
    return _domain_pattern("", domain)


def parse_mapped(text: str) -> AddressPattern:
    """Read the `match` of a domain map row: `@old.example`, `@.old.example`, `joe@old.example`."""
    pattern = _mapping_side(text, "@old.example, @.old.example or joe@old.example")
    if pattern.local and not pattern.domain:
        raise ValueError(f"{text!r} has no domain: write one behind the @")
    if pattern.below:
        parse_domain(pattern.domain)  # which is meant itself as well
    return pattern


def parse_mapping_target(text: str) -> AddressPattern:
    """Read the `to` of a domain map row: `@new.example`, or `joe@new.example`."""
    pattern = _mapping_side(text, "@new.example or joe@new.example")
    if pattern.below or not pattern.domain:
        raise ValueError(f"{text!r} does not say which domain: write @new.example or joe@new.example")
    return pattern


def _mapping_side(text: str, forms: str) -> AddressPattern:
    if "@" not in text:
        raise ValueError(f"{text!r} has no @: write {forms}")
    return parse_list_entry(text)


def _full_address(local: str, domain: str, text: str) -> AddressPattern:
    if domain.startswith("."):
        raise ValueError(f"{text!r} mixes a mailbox with a partial domain: write {local}@ or {domain}")
    return _domain_pattern(_local_part(local, text), domain)


def _local_part(local: str, text: str) -> str:
    if not _LOCAL.fullmatch(local):
        raise ValueError(f"{text!r} is not an address, for {local!r} is not a local part")
    return local.lower()


def _domain_pattern(local: str, domain: str) -> AddressPattern:
    if domain.startswith("["):
        return AddressPattern(local, parse_literal(domain))
    if domain.lower() == "all":
        raise ValueError(f"{domain!r} is not a domain: write ALL, in capitals and in a row of its own, for every recipient")
    if "*" in domain:
        raise ValueError(f"{domain!r} holds a wildcard: write .example.com for the domains below a domain")
    if domain.startswith("."):
        return AddressPattern(local, parse_domain(domain[1:], dotted=False), below=True)
    return AddressPattern(local, parse_domain(domain))


def parse_literal(text: str) -> str:
    """Read an address literal (RFC 5321 4.1.3) and return its one canonical form."""
    inner = text[1:-1] if text.startswith("[") and text.endswith("]") else ""
    try:
        if inner[:5].lower() == "ipv6:":
            return f"[IPv6:{ipaddress.IPv6Address(inner[5:])}]"
        return f"[{ipaddress.IPv4Address(inner)}]"
    except ValueError:
        raise ValueError(f"{text!r} is not an address literal: write [192.0.2.1] or [IPv6:2001:db8::1]") from None
