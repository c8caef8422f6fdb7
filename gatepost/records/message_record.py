"""The message record: one per message accepted, and one outcome per recipient and attempt. Facts only."""

from __future__ import annotations

from typing import Literal

import msgspec


class MessageRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A message that was answered 250, or that Gatepost made itself."""

    mid: int
    icid: int
    time: float
    peer: str = ""
    peer_name: str = ""
    listener: str = ""
    group: str = ""
    policy: str = ""
    reverse_path: str = ""
    recipients: tuple[str, ...] = ()
    size: int = 0
    subject: str = ""
    message_id: str = ""
    encrypted: str = ""
    """`TLSv1.3 TLS_AES_256_GCM_SHA384`, or empty for clear text."""
    revision: int = 0


class OutcomeRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one recipient in one attempt."""

    mid: int
    rid: int
    time: float
    address: str
    outcome: Literal["delivered", "deferred", "bounced", "deleted", "held"]
    reply: str = ""
    dcid: int = 0
    peer: str = ""
    encrypted: str = ""
    attempts: int = 0
