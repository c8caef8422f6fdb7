"""The little languages inside the document, each read into a frozen typed value: one place to import them from.

Every parser takes the text as it stands in the document and raises ValueError with one sentence, `what is wrong: how to mend
it` (the second half where there is more to say than the forms allowed). A leading dot
(`.example.com`, `@.example.com`) means what is below the domain and not the domain itself, but in the domain map both.
"""

from __future__ import annotations

from gatepost.config.addresses import (
    ALL,
    AddressPattern,
    parse_list_entry,
    parse_literal,
    parse_mapped,
    parse_mapping_target,
    parse_recipient,
)
from gatepost.config.names import parse_domain
from gatepost.config.networks import Network, parse_address, parse_network
from gatepost.config.routes import (
    SMTP_PORT,
    DomainKey,
    Endpoint,
    Route,
    RouteHost,
    Special,
    parse_destination,
    parse_endpoint,
    parse_key,
    parse_route,
)
from gatepost.config.senders import DnsList, HostName, HostsBelow, HostStatus, Sender, parse_sender

__all__ = [
    "ALL",
    "SMTP_PORT",
    "AddressPattern",
    "DnsList",
    "DomainKey",
    "Endpoint",
    "HostName",
    "HostStatus",
    "HostsBelow",
    "Network",
    "Route",
    "RouteHost",
    "Sender",
    "Special",
    "parse_address",
    "parse_destination",
    "parse_domain",
    "parse_endpoint",
    "parse_key",
    "parse_list_entry",
    "parse_literal",
    "parse_mapped",
    "parse_mapping_target",
    "parse_network",
    "parse_recipient",
    "parse_route",
    "parse_sender",
]
