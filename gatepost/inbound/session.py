"""One inbound connection (one ICID), told in the order it happens: is there room, who is it, what does it say, how it ends.

A straight coroutine that never raises: whatever goes wrong ends this session and no other. The configuration snapshot is
taken when the connection is accepted and stays.
"""

from __future__ import annotations

import traceback

from gatepost.errors import WireError, WireTimeout
from gatepost.inbound.arrival import Arrival
from gatepost.inbound.conversation import Conversation
from gatepost.inbound.security import Security
from gatepost.inbound.shared import Shared
from gatepost.net.wire import Wire
from gatepost.policy import access
from gatepost.records import maillog
from gatepost.smtp import reply
from gatepost.smtp.receiver import CLIENT_CLOSED, CLIENT_QUIT
from gatepost.smtp.reply import Reply
from gatepost.snapshot import ListenerSnapshot, Snapshot

REFUSED = "refused"
IN_ORDER = frozenset({CLIENT_QUIT, CLIENT_CLOSED, REFUSED})
"""Endings that the log tells as `close`; any other is told as `lost`, with its reason."""


class Session:
    """A connection from accept to close. `stop` asks it to end at the next command."""

    def __init__(self, wire: Wire, snapshot: Snapshot, listener: ListenerSnapshot, shared: Shared) -> None:
        self._wire, self._snapshot, self._listener, self._shared = wire, snapshot, listener, shared
        self._journal, self._metrics = shared.journal, shared.metrics
        self._icid = 0
        self._arrival = Arrival(wire, listener, shared)
        self._security: Security | None = None
        self._conversation: Conversation | None = None
        self._stopping = False

    async def run(self) -> None:
        """Serve the connection to its end."""
        ending = ""
        try:
            ending = await self._serve()
        except WireError as fault:
            ending = str(fault)
        except Exception:  # it ends this session and no other
            ending = "internal error"
            self._tell_bug()
            self._collapse()
        finally:
            try:
                self._finish(ending)
            except Exception:
                self._tell_bug()

    @property
    def place(self) -> tuple[str, str, str]:
        """Address and name of the host, as far as it is known, and the listener that it came to."""
        host = self._arrival.host
        return host.address, host.name, self._listener.name

    def stop(self, *, abruptly: bool = False) -> None:
        """End at the next command; at once when the client has nothing under way, or `abruptly` whatever it has."""
        self._stopping = True
        if self._conversation is not None:
            self._conversation.stopping = True
            if abruptly or not self._conversation.in_transaction:
                self._wire.interrupt(WireTimeout("the gateway is stopping"))

    async def _serve(self) -> str:
        """Return how it ended; empty when the log has said it already."""
        arrival = self._arrival
        if not await arrival.fits():
            self._begin()
            return self._over(reply.TOO_MANY_ON_LISTENER)
        verdict = await arrival.judge()
        behavior = verdict.policy.behavior
        self._metrics.connections["in", behavior] += 1
        if behavior == "tcprefuse":
            self._journal.info(maillog.access(0, behavior, verdict.group, verdict.entry))
            self._wire.reset()
            return ""
        self._begin()
        self._journal.info(maillog.access(self._icid, behavior, verdict.group, verdict.entry))
        self._security = security = Security(self._snapshot, self._listener, self._shared, verdict)
        if behavior == "reject":
            self._wire.write(access.refusal(verdict, self._snapshot.gateway.hostname).encode())
            return REFUSED
        if not await arrival.fits_host(verdict):
            return self._over(reply.TOO_MANY_FROM_HOST)
        self._conversation = conversation = Conversation(
            self._wire, self._snapshot, self._listener, self._shared, self._icid, arrival.host, verdict, security
        )
        conversation.stopping = self._stopping
        return await conversation.hold()

    def _begin(self) -> None:
        self._icid = self._shared.next_icid()
        self._arrival.tell(self._icid)

    def _over(self, refusal: Reply) -> str:
        self._metrics.connections["in", "limit"] += 1
        self._journal.info(maillog.receiving_failed(self._icid, "Connection limit exceeded"))
        self._wire.write(refusal.encode())
        return REFUSED

    def _tell_bug(self) -> None:
        self._journal.critical(maillog.internal_error(f"ICID {self._icid}", traceback.format_exc()))

    def _collapse(self) -> None:
        """After a bug: say so, if there is still somebody to hear it."""
        if self._conversation is not None:
            try:
                self._conversation.break_off()
            except Exception:  # what broke it, memory that ran out for one, may break this as well
                self._wire.abort()

    def _finish(self, ending: str) -> None:
        messages = 0
        if self._conversation is not None:
            self._conversation.abandon()
            messages = self._conversation.messages
        self._wire.close()
        self._arrival.leave()
        if not self._icid:
            return
        told = "" if self._security is not None and self._security.has_failed else ending
        if self._security is not None:
            self._security.tell_never_started(self._icid)
        self._journal.info(maillog.icid_close(self._icid) if ending in IN_ORDER else maillog.icid_lost(self._icid, told))
        if self._security is not None:
            self._security.keep(self._icid, self._arrival.host, self._wire.local_port, messages)
