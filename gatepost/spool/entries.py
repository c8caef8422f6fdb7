"""What the spool answers when it is asked about its messages. Values only; `spool.queries` fills them."""

from __future__ import annotations

import msgspec

from gatepost.spool.message import Envelope, RecipientState


class QueueEntry(msgspec.Struct, frozen=True):
    """A message as it waits: its envelope, and the states of the recipients that are no longer freshly queued."""

    envelope: Envelope
    states: tuple[RecipientState, ...]


class Fresh(QueueEntry, frozen=True):
    """A message with recipients that were never tried: what a worker finds when it starts after a crash."""


class Untried(msgspec.Struct, frozen=True):
    """Recipients that were never tried, of which the spool keeps nothing but their addresses."""

    last_mid: int
    """The last message that was looked at; 0: there is none any more."""
    mids: list[int]
    """The message of each such recipient."""
    domains: list[str]
    """Beside it `@` and the recipient's domain as written; without an `@`: it has no domain."""


class Sent(msgspec.Struct, frozen=True):
    """Who sent a message."""

    mid: int
    reverse_path: str | None
    """None: the envelope is damaged."""
    received: float


class RecipientDue(msgspec.Struct, frozen=True):
    """A deferred recipient whose time has come."""

    mid: int
    rid: int
    destination: str
    attempts: int
    due: float


class DestinationCount(msgspec.Struct, frozen=True):
    """What waits for one destination: deferred and held recipients, and queued ones that were tried before."""

    destination: str
    recipients: int
    deferred: int
    held: int
    oldest_mid: int
    next_due: float | None
    """Wall clock of the earliest attempt; None: none is deferred."""
