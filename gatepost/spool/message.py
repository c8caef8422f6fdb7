"""A message in the spool: its envelope, its recipients and their state. Values only; `spool.store` keeps them."""

from __future__ import annotations

import enum

import msgspec


class Envelope(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a message was accepted with; never changes."""

    mid: int
    icid: int
    """Injection connection; 0: made by Gatepost itself (a DSN)."""
    received: float
    """Wall clock, seconds since the epoch."""
    reverse_path: str
    """As written; empty: the null reverse-path."""
    recipients: tuple[str, ...]
    """Forward-paths as written; a recipient's RID is its index."""
    size: int
    """Octets of the content, our own Received field included."""
    listener: str = ""
    bounce_profile: str = "Default"
    eight_bit: bool = False
    """The content was declared BODY=8BITMIME."""
    smtputf8: bool = False
    ret: str = ""
    envid: str = ""
    notify: tuple[str, ...] = ()
    """NOTIFY= per recipient, or empty when none gave one."""
    orcpt: tuple[str, ...] = ()
    subject: str = ""
    message_id: str = ""
    bounce_of: int = 0
    """MID of the message that this DSN tells of."""


class Content(msgspec.Struct, frozen=True):
    """The octets of a message, with CR LF line ends and no dot-stuffing: in memory, or in a file."""

    octets: bytes = b""
    path: str = ""
    """File that holds them when they are not in memory; empty: `octets` does."""
    checksum: int = 0
    """CRC-32 of the file's octets, taken as they were written; of those in memory the spool takes it itself."""


class Message(msgspec.Struct, frozen=True):
    """An envelope with its content at hand."""

    envelope: Envelope
    content: Content


class Status(enum.IntEnum):
    """Where a recipient stands."""

    QUEUED = 0
    DEFERRED = 1
    DELIVERED = 2
    BOUNCED = 3
    DELETED = 4
    HELD = 5
    """Set aside with a reason (a poison message, a body that is gone); only an operator moves it on."""

    @property
    def is_final(self) -> bool:
        """Whether nothing more will be tried."""
        return self in (Status.DELIVERED, Status.BOUNCED, Status.DELETED)


class RecipientState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The progress of one recipient; kept only when it differs from freshly queued."""

    rid: int
    status: Status
    destination: str = ""
    """Queue it stands in: the recipient's domain."""
    due: float = 0.0
    """Wall clock of the next attempt; for DEFERRED."""
    attempts: int = 0
    detail: str = ""
    """Last reply or fault, as the log shows it."""


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """What one delivery changed, committed as a whole: states of recipients, and the DSN they caused, if any."""

    mid: int
    states: tuple[RecipientState, ...]
    finished: bool
    """Every recipient of the message is final now: the message leaves the spool."""
    bounce: Message | None = None
