"""A connection before it may speak: is there room for it, who is it, which row of the Host Access Table holds it.

The listener's own limit comes first: hosts whose names take seconds to look up must not pile up beyond it. Neither reads
from the client nor writes to it. What it took of the shared limits it gives back in `leave`.
"""

from __future__ import annotations

import asyncio

from gatepost.inbound.shared import Shared
from gatepost.net.wire import Wire
from gatepost.policy.verdict import AccessVerdict, Host
from gatepost.records import maillog
from gatepost.snapshot import ListenerSnapshot


class Arrival:
    """The first part of a session."""

    def __init__(self, wire: Wire, listener: ListenerSnapshot, shared: Shared) -> None:
        self._wire, self._listener, self._shared = wire, listener, shared
        self._leased: list[str] = []
        self.host = Host(wire.peer_address)

    async def judge(self) -> AccessVerdict:
        """Look the host up and find its row; takes at most the few seconds that the resolver allows itself."""
        resolver, hat = self._shared.resolver(), self._listener.hat
        name = await resolver.host(self.host.address)
        self.host = host = Host(self.host.address, name.name, name.status)
        zones = hat.zones_needed(host)
        if not zones:
            return hat.match(host)
        answers = await asyncio.gather(*(resolver.listed(zone, host.address) for zone in zones))
        return hat.match(host, frozenset(zone for zone, listed in zip(zones, answers, strict=True) if listed))

    def tell(self, icid: int) -> None:
        """Log the connection."""
        wire, host = self._wire, self.host
        interface, verified = self._listener.interface, host.status == "verified"
        self._shared.journal.info(
            maillog.new_icid(icid, interface, wire.local_address, wire.peer_address, host.name, verified)
        )

    async def fits(self) -> bool:
        """Take a place on the listener."""
        return await self._lease(f"listener/{self._listener.name}", self._listener.max_concurrency)

    async def fits_host(self, verdict: AccessVerdict) -> bool:
        """Take one of the places that the host has by its policy."""
        key = f"host/{self._listener.name}/{self.host.address}"
        return await self._lease(key, verdict.policy.max_connections_per_host)

    async def _lease(self, key: str, limit: int) -> bool:
        granted = await self._shared.leases.take(key, limit)
        if granted:
            self._leased.append(key)
        return granted

    def leave(self) -> None:
        """Give back what was taken."""
        while self._leased:
            self._shared.leases.give_back(self._leased.pop())
