"""Why a member of a sender group speaks of a host, in words."""

from __future__ import annotations

from gatepost.config.entries import DnsList, HostName, HostsBelow, HostStatus, parse_sender
from gatepost.policy.verdict import Host

_STATUS_WORDS = {
    "nx.domain": "has no reverse name",
    "serv.fail": "has a reverse name that could not be looked up",
    "not.double.verified": "has a reverse name that does not lead back to it",
}


def who(host: Host) -> str:
    """Name a host by its address, and by its name where that is verified."""
    return f"{host.address} ({host.verified_name})" if host.verified_name else host.address


def because(host: Host, entry: str) -> str:
    """Say why the entry, as it stands in the table, matched: `198.51.100.7 is in 198.51.100.0/24`."""
    match parse_sender(entry):
        case HostName():
            return f"{host.address} has the verified name {host.name}, a member"
        case HostsBelow():
            return f"{host.address} has the verified name {host.name}, in {entry}"
        case HostStatus(status=status):
            return f"{host.address} {_STATUS_WORDS[status]}: {entry}"
        case DnsList(zone=zone):
            return f"{host.address} is listed by {zone}: {entry}"
        case _:
            return f"{host.address} is in {entry}" if host.address != entry else f"{host.address} is a member"
