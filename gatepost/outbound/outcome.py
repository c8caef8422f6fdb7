"""What an attempt came to for one recipient, as values: the delivery makes them, the settlement makes them durable."""

from __future__ import annotations

import msgspec

from gatepost.policy.failure import Cost
from gatepost.smtp.reply import Reply


class Delivered(msgspec.Struct, frozen=True):
    """The next hop took responsibility with this reply."""

    reply: Reply
    dsn: bool = True
    """The next hop speaks DSN: it tells the sender what he asked to be told (RFC 3461 5.2)."""


class Postponed(msgspec.Struct, frozen=True):
    """Nothing was tried: a limit, or a destination known to be down. It counts for no attempt."""

    due: float
    """Wall clock."""
    detail: str


class Deleted(msgspec.Struct, frozen=True):
    """An operator deleted it."""


class Held(msgspec.Struct, frozen=True):
    """It is set aside for an operator."""

    reason: str


Outcome = Delivered | Postponed | Deleted | Held | Cost
"""A `Cost` is a failure: it is tried again or bounced, as it says and as the bounce profile allows."""


class Carrier(msgspec.Struct, frozen=True, kw_only=True):
    """The connection that an attempt used, for log and records; the default is none."""

    dcid: int = 0
    host: str = ""
    address: str = ""
    encrypted: str = ""
    """`TLSv1.3 TLS_AES_256_GCM_SHA384`, or empty for clear text."""


NOBODY = Carrier()
