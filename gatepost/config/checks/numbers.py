"""Numbers and sizes: the least and the most that each may be. One table, no exceptions elsewhere."""

from __future__ import annotations

from typing import NamedTuple

from gatepost.config.checks.common import Path, tables
from gatepost.config.model import (
    UNLIMITED,
    BounceProfile,
    Config,
    DefaultDestination,
    DefaultPolicy,
    DestinationControl,
    Gateway,
    Listener,
    MailFlowPolicy,
    RecipientRate,
    Ssh,
    Web,
    size_in_octets,
)
from gatepost.config.problems import Report

_COUNT = 2**31 - 1
_OCTETS = 2**53  # what JSON, and so the API's clients, count exactly
_WEEK = 7 * 86400
_YEAR = 366 * 86400


class Bounds(NamedTuple):
    """The least and the most; `unlimited`: -1 is taken too."""

    least: int
    most: int
    unlimited: bool = False
    is_size: bool = False


_POLICY = {
    "max_messages_per_connection": Bounds(1, _COUNT, unlimited=True),
    "max_recipients_per_message": Bounds(1, _COUNT, unlimited=True),
    "max_message_size": Bounds(1, _OCTETS, unlimited=True, is_size=True),
    "max_connections_per_host": Bounds(1, _COUNT, unlimited=True),
    "max_recipients_per_hour": Bounds(1, _COUNT, unlimited=True),
}
_DESTINATION = {"max_connections": Bounds(1, _COUNT), "max_messages_per_connection": Bounds(1, _COUNT)}
BOUNDS: dict[type, dict[str, Bounds]] = {
    Gateway: {
        "records_retention_days": Bounds(0, 36500),
        "min_free_space": Bounds(0, _OCTETS, is_size=True),
        "max_header_size": Bounds(1024, _OCTETS, is_size=True),
        "max_header_lines": Bounds(1, _COUNT),
        "max_line_length": Bounds(1000, _OCTETS, is_size=True),  # RFC 5321 4.5.3.1.6
        "max_hops": Bounds(1, 10000),
        "unsuccessful_connection_timeout": Bounds(1, _WEEK),
        "connection_time_limit": Bounds(1, _WEEK),
        "command_timeout": Bounds(1, _WEEK),
        "tls_handshake_timeout": Bounds(1, 3600),
    },
    Listener: {"port": Bounds(1, 65535), "max_concurrency": Bounds(1, 1_000_000), "tcp_queue": Bounds(1, 65535)},
    Ssh: {"port": Bounds(1, 65535)},
    Web: {"port": Bounds(1, 65535)},
    DefaultPolicy: _POLICY,
    MailFlowPolicy: _POLICY,
    DestinationControl: _DESTINATION,
    DefaultDestination: _DESTINATION,
    RecipientRate: {"recipients": Bounds(1, _COUNT), "minutes": Bounds(1, 60)},
    BounceProfile: {
        "max_retries": Bounds(0, _COUNT),
        "max_age": Bounds(1, _YEAR),
        "initial_wait": Bounds(1, _YEAR),
        "max_wait": Bounds(1, _YEAR),
    },
}


def check_numbers(config: Config, report: Report) -> None:
    """Check every number and size of the document against its bounds."""
    for path, table in tables(config):
        for field, bounds in BOUNDS.get(type(table), {}).items():
            value = getattr(table, field)
            if value is not None:
                _check(report, (*path, field), value, bounds)
        if isinstance(table, BounceProfile) and table.max_wait < table.initial_wait:
            mend = f"write at least {table.initial_wait}, or a smaller initial_wait"
            report.error((*path, "max_wait"), table.max_wait, "is less than initial_wait", mend)


def _check(report: Report, path: Path, value: int | str, bounds: Bounds) -> None:
    try:
        number = size_in_octets(value)
    except ValueError:
        mend = 'write octets, or a whole number with k, M or G, such as "10M"'
        report.error(path, value, "is not a size", mend)
        return
    if number == UNLIMITED and bounds.unlimited:
        return
    unit = " octets" if bounds.is_size else ""
    unlimited = f", or {UNLIMITED} for no limit" if bounds.unlimited else ""
    if number < bounds.least:
        report.error(path, value, "is too small", f"write at least {bounds.least}{unit}{unlimited}")
    elif number > bounds.most:
        report.error(path, value, "is too large", f"write at most {bounds.most}{unit}{unlimited}")
