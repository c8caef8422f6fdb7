"""What every inbound session of a worker shares; made once by `service.worker`, never changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gatepost.leases import Leases
from gatepost.net.dns import Resolver
from gatepost.records.journal import Journal
from gatepost.records.metrics import Metrics
from gatepost.spool.message import Message
from gatepost.spool.store import Spool


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """Collaborators of a session."""

    spool: Spool
    journal: Journal
    metrics: Metrics
    leases: Leases
    resolver: Callable[[], Resolver]
    """The resolver of the configuration in force."""
    next_icid: Callable[[], int]
    next_mid: Callable[[], int]
    enqueue: Callable[[Message], None]
    """Hands an accepted message on for delivery, from memory."""
