"""The TLS record: one per connection, in either direction, whether or not TLS came about.

Facts only; `records.store` keeps them.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from gatepost.tls.outcome import Offer, TlsOutcome


class TlsRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why a connection got what it got."""

    direction: Literal["in", "out"]
    connection: int
    """ICID or DCID."""
    time: float
    """Wall clock at the start of the connection, seconds since the epoch."""
    peer: str
    """Address of the peer."""
    peer_name: str = ""
    """Verified reverse name of a client, or the name of the next hop."""
    port: int = 0
    """The next hop's; of a client, the port of ours that it came to."""
    listener: str = ""
    domain: str = ""
    """Destination domain (out)."""
    rule: str = ""
    """Sender group and entry, or destination control, that matched."""
    reason: str = ""
    """Why that rule: the verdict's own words."""
    policy: str = ""
    requirement: str = ""
    """TLS setting in force: `required`, …"""
    requirement_source: str = ""
    offer: Offer | None = None
    allowance: Offer | None = None
    """What our side's profile allows, in our order."""
    cipher_order: str = ""
    """`server` or `client`: whose preference decided."""
    outcome: TlsOutcome | None = None
    failure: str = ""
    """Why there is no TLS although it was tried, or why it was not enough; empty when all is well."""
    verdict: str = ""
    """The requirement held against the outcome, in words."""
    verified: bool = False
    messages: int = 0
    """Messages carried."""
    revision: int = 0
    """Revision of the configuration in force."""
