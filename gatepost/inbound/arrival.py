"""A connection before it may speak: who is it, which row of the Host Access Table holds it, is there room for it.

Neither reads from the client nor writes to it. What it took of the shared limits it gives back in `leave`.
"""

from __future__ import annotations

import asyncio

from gatepost.inbound.shared import Shared
from gatepost.net.wire import Wire
from gatepost.policy.verdict import AccessVerdict, Host
from gatepost.records import maillog
from gatepost.smtp import reply
from gatepost.smtp.reply import Reply
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

    def tell(self, icid: int, verdict: AccessVerdict) -> None:
        """Log the connection and its row."""
        wire, host, journal = self._wire, self.host, self._shared.journal
        verified = host.status == "verified"
        interface = self._listener.interface
        journal.info(maillog.new_icid(icid, interface, wire.local_address, wire.peer_address, host.name, verified))
        journal.info(maillog.access(icid, verdict.policy.behavior.upper(), verdict.group, verdict.entry))

    async def admit(self, verdict: AccessVerdict) -> Reply | None:
        """Take a place on the listener and one of the host's; the refusal when there is none."""
        listener = self._listener
        if not await self._lease(f"listener/{listener.name}", listener.max_concurrency):
            return reply.TOO_MANY_ON_LISTENER
        if not await self._lease(f"host/{listener.name}/{self.host.address}", verdict.policy.max_connections_per_host):
            return reply.TOO_MANY_FROM_HOST
        return None

    async def _lease(self, key: str, limit: int) -> bool:
        granted = await self._shared.leases.take(key, limit)
        if granted:
            self._leased.append(key)
        return granted

    def leave(self) -> None:
        """Give back what was taken."""
        while self._leased:
            self._shared.leases.give_back(self._leased.pop())
