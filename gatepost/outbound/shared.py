"""What every part of the outbound side of a worker shares; made once by the scheduler, never changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gatepost.leases import Leases
from gatepost.net.dns import Resolver
from gatepost.outbound.suspects import Suspects
from gatepost.records.journal import Journal
from gatepost.records.metrics import Metrics
from gatepost.snapshot import Snapshot
from gatepost.spool.store import Spool


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """Collaborators of deliveries."""

    snapshot: Callable[[], Snapshot]
    """The configuration in force; a delivery takes it when it starts."""
    spool: Spool
    suspects: Suspects
    journal: Journal
    metrics: Metrics
    leases: Leases
    resolver: Callable[[], Resolver]
    next_mid: Callable[[], int]
    next_dcid: Callable[[], int]
