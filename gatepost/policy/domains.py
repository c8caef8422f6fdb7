"""Domains as tables compare them: one spelling for each domain, and the partial domains that it lies below."""

from __future__ import annotations

from collections.abc import Iterator

import dns.exception
import dns.name

from gatepost.config.entries import parse_literal


def canonical(domain: str) -> str:
    """Return a domain in lower case and A-labels, an address literal in its one canonical form.

    The same mapping as the DNS lookups use (IDNA 2008): were it another one, a name could count as ours in a table and
    lead to a stranger when it is looked up. What cannot be mapped stays as it is, and no table holds it.
    """
    if domain.startswith("["):
        return _literal(domain)
    if domain.isascii():
        return domain.lower().removesuffix(".")
    try:
        labels = [dns.name.IDNA_2008_UTS_46.encode(label) for label in domain.removesuffix(".").split(".")]
    except (dns.exception.DNSException, UnicodeError):
        return domain
    return b".".join(labels).decode("ascii").lower()


def above(domain: str) -> Iterator[str]:
    """Return the domains that `domain` lies below, nearest first; none for an address literal."""
    if domain.startswith("["):
        return
    dot = domain.find(".")
    while dot >= 0:
        yield domain[dot + 1 :]
        dot = domain.find(".", dot + 1)


def _literal(text: str) -> str:
    try:
        return parse_literal(text)
    except ValueError:
        return text.lower()  # of another kind (RFC 5321 4.1.3, General-address-literal): no table holds it
