"""The values that `explain` and `trace` answer with: sentences in sections, and the facts they were made from."""

from __future__ import annotations

import msgspec

from gatepost.admin.operations.offers import Negotiation
from gatepost.config.diff import Change


class Section(msgspec.Struct, frozen=True):
    """What is said about one subject, in the order in which the gateway decides."""

    title: str
    sentences: list[str]


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the Host Access Table that speaks of a host."""

    group: str
    """Empty for the ALL row."""
    entry: str
    policy: str
    decides: bool
    remark: str = ""
    """Why it does not decide."""


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One field of a policy or a destination control."""

    name: str
    value: str
    inherited: bool
    """It comes from the listener's Default Policy Parameters, or from the default destination."""


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict with its reasons."""

    configuration: str
    """`revision 4`, or `the draft on revision 4`."""
    sections: list[Section]
    settings: list[Setting]
    matches: list[Match] = []
    negotiations: list[Negotiation] = []
    """What clients would get: the one whose offer was given, otherwise each that is on record."""
    draft: list[Change] | None = None
    """What the draft would change of this; None: no draft is pending, or it is the draft that is explained."""


class Inbound(Explanation, frozen=True, kw_only=True):
    """What a connecting host gets."""

    listener: str
    address: str
    name: str
    group: str
    entry: str
    policy: str
    behavior: str
    tls: str
    tls_profile: str


class Outbound(Explanation, frozen=True, kw_only=True):
    """What mail to a domain gets."""

    domain: str
    control: str
    """Key of the destination control; empty: the default."""
    route: str
    """Key of the SMTP route; empty: there is none."""
    next_hops: list[str]
    """Hosts of the route; empty: by MX, or discarded."""
    tls: str
    tls_profile: str
    bounce_profile: str


def settings(value: msgspec.Struct, names: tuple[str, ...], inherited: frozenset[str]) -> list[Setting]:
    """List the fields `names` of a resolved policy or destination."""
    return [Setting(name=name, value=_words(getattr(value, name)), inherited=name in inherited) for name in names]


def listed(items: list[str] | tuple[str, ...]) -> str:
    """Write a list into a sentence."""
    return ", ".join(items) if items else "none"


def _words(value: object) -> str:
    if isinstance(value, msgspec.Struct):
        return ", ".join(f"{name} = {item}" for name, item in msgspec.structs.asdict(value).items())
    if isinstance(value, list | tuple):
        return ", ".join(str(item) for item in value)
    return "unlimited" if value == -1 and isinstance(value, int) else "" if value is None else str(value)
