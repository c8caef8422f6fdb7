"""Words and figures as the pages show them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from gatepost import __version__
from gatepost.admin.users import Role

NAVIGATION: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    (
        "Monitor",
        (
            ("Overview", "/"),
            ("TLS Connections", "/connections"),
            ("Message Tracking", "/tracking"),
            ("Delivery Status", "/delivery"),
            ("Mail Log", "/log"),
        ),
    ),
    (
        "Mail Policies",
        (
            ("Add Partner", "/partner"),
            ("HAT Overview", "/hat"),
            ("Mail Flow Policies", "/policies"),
            ("Address Lists", "/lists"),
            ("Recipient Access Table", "/rat"),
            ("Destination Controls", "/destinations"),
        ),
    ),
    (
        "Network",
        (
            ("Listeners", "/listeners"),
            ("Certificates", "/certificates"),
            ("SMTP Routes", "/routes"),
            ("Bounce Profiles", "/bounces"),
        ),
    ),
    (
        "System Administration",
        (
            ("SSL Configuration", "/ssl"),
            ("Users", "/users"),
            ("API Tokens", "/tokens"),
            ("Configuration", "/configuration"),
            ("Trace", "/trace"),
            ("Explain", "/explain"),
        ),
    ),
)
"""The menu: headings as the appliance has them, each with its pages."""
DUTIES: dict[Role, str] = {
    "administrator": "changes the configuration, users and tokens",
    "operator": "acts on mail and reads messages",
    "read-only": "looks",
}
"""What a role means, for people as for programs."""


def moment(when: float) -> str:
    """Return a wall clock as `2026-11-24 09:00:00 UTC`."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(when))


def octets(number: float) -> str:
    """Return a size in the largest unit that leaves it above one."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024 or unit == "GiB":
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    raise AssertionError


def span(seconds: int) -> str:
    """Return a span of time in the largest unit that it is a whole number of: `3 days`, `90 seconds`."""
    for size, unit in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size and seconds % size == 0:
            return plural(seconds // size, unit)
    return plural(seconds, "second")


def plural(number: int, one: str, many: str = "") -> str:
    """Return `1 message`, `2 messages`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def zip_with(first: Iterable[Any], second: Iterable[Any]) -> list[tuple[Any, Any]]:
    """Return options of a choice from the words shown and the values that they stand for."""
    return [(value, shown) for shown, value in zip(first, second, strict=True)]


FILTERS: dict[str, Callable[..., Any]] = {
    "moment": moment,
    "octets": octets,
    "plural": plural,
    "span": span,
    "zip_with": zip_with,
}
GLOBALS: dict[str, Any] = {"navigation": NAVIGATION, "version": __version__}
