"""SMTP routes in the draft: set one, take it out, and the table as a text.

The text has a route a line: the domain, `.domain` or ALL, then its destinations with commas between them, as in
`example.com 10.0.0.5, 10.0.0.6:2525/pri=10`. `#` begins a comment.
"""

from __future__ import annotations

import msgspec

from gatepost.admin.operations import configuration
from gatepost.admin.operations.configuration import Pending
from gatepost.admin.operations.drafts import current, free, known, renamed, without
from gatepost.admin.operations.fields import parsed, words
from gatepost.admin.operations.lines import each_line
from gatepost.admin.operations.operator import Operator
from gatepost.config.entries import parse_key, parse_route
from gatepost.config.model import Config
from gatepost.errors import GatepostError


def add(operator: Operator, domain: str, destinations: list[str]) -> Pending:
    """Put a route for a domain that has none."""
    domain, destinations = read_domain(domain), read_destinations(", ".join(destinations))

    def change(config: Config) -> Config:
        free(config.routes, domain, "route for")
        return _with(config, {**config.routes, domain: destinations})

    return configuration.edit(operator, change)


def change(operator: Operator, domain: str, destinations: list[str], *, new_domain: str = "") -> Pending:
    """Give a route other destinations, and another domain if told."""
    destinations, to = read_destinations(", ".join(destinations)), read_domain(new_domain or domain)

    def edited(config: Config) -> Config:
        known(config.routes, domain, "route for")
        free(without(config.routes, domain), to, "route for")
        return _with(config, {**renamed(config.routes, domain, to), to: destinations})

    return configuration.edit(operator, edited)


def delete(operator: Operator, domain: str) -> Pending:
    """Take a route out: mail goes by a broader one, or by MX."""

    def change(config: Config) -> Config:
        known(config.routes, domain, "route for")
        return _with(config, without(config.routes, domain))

    return configuration.edit(operator, change)


def clear(operator: Operator) -> Pending:
    """Take all routes out: everything goes by MX."""
    return configuration.edit(operator, lambda config: _with(config, {}))


def import_text(operator: Operator, text: str) -> Pending:
    """Replace the table; nothing is changed when a line is bad."""
    made: dict[str, list[str]] = {}

    def read(line: str) -> None:
        domain, _, destinations = line.partition(" ")
        domain, read = read_domain(domain), read_destinations(destinations)
        free(made, domain, "route for")
        made[domain] = read

    each_line(text, read)
    return configuration.edit(operator, lambda config: _with(config, made))


def export_text(operator: Operator) -> str:
    """Write the routes of the draft."""
    return "".join(f"{domain} {', '.join(route)}\n" for domain, route in current(operator).routes.items())


def read_domain(text: str) -> str:
    """Read the domain of a route, `.domain` or ALL."""
    text = "ALL" if text.lower() == "all" else text.lower()
    parsed(lambda text: parse_key(text, allow_all=True), text)
    return text


def read_destinations(text: str) -> list[str]:
    """Read destinations with commas or blanks between them."""
    destinations = words(text)
    if not destinations:
        raise GatepostError("a route needs a destination: write a host, host:port, an address, /dev/null or USEDNS")
    parsed(lambda _: parse_route(destinations), text)
    return destinations


def _with(config: Config, routes: dict[str, list[str]]) -> Config:
    return msgspec.structs.replace(config, routes=routes)
